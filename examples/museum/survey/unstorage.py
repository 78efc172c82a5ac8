"""Sets two items of a cache, then clears it."""
# /// script
# dependencies = []
# [tool.survey]
# vendor = "s3"
# faults = ["s3:InternalError,operation=DeleteObjects,status=200"]
# npm = ["unstorage@1.17.6", "aws4fetch@1.0.20"]
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# lost = "the room of what was removed: clear() returns although the store kept the objects"
# confirmed = "its code: nobody looks at the body of a 200 to DeleteObjects (drivers/s3.cjs)"
# ///

import os
import subprocess
import sys
from pathlib import Path

CLEAR = """
const { createStorage } = require("unstorage");
const s3Driver = require("unstorage/drivers/s3");
const driver = (s3Driver.default || s3Driver)({
  accessKeyId: "id", secretAccessKey: "key", endpoint: process.env.ENDPOINT, bucket: "lake", region: "us-east-1",
});
const storage = createStorage({ driver });
async function job() {
  await storage.setItem("day:1", "one");
  await storage.setItem("day:2", "two");
  await storage.clear();
}
job().catch((error) => { console.error(error); process.exit(1); });
"""
packages = Path(sys.executable).parents[1] / "node_modules"
subprocess.run(["node", "-e", CLEAR], check=True, env={**os.environ, "NODE_PATH": str(packages)})

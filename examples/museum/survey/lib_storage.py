"""Uploads a film of three parts."""
# /// script
# dependencies = []
# [tool.survey]
# vendor = "s3"
# npm = ["@aws-sdk/lib-storage@3.1175.0", "@aws-sdk/client-s3@3.1175.0"]
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# ///

import os
import subprocess
import sys
from pathlib import Path

UPLOAD = """
const { S3Client } = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const client = new S3Client({
  endpoint: process.env.ENDPOINT, region: "us-east-1", forcePathStyle: true,
  credentials: { accessKeyId: "id", secretAccessKey: "key" },
});
const params = { Bucket: "lake", Key: "film", Body: Buffer.alloc(12 << 20, "film") };
new Upload({ client, params }).done().catch((error) => { console.error(error); process.exit(1); });
"""
packages = Path(sys.executable).parents[1] / "node_modules"
subprocess.run(["node", "-e", UPLOAD], check=True, env={**os.environ, "NODE_PATH": str(packages)})

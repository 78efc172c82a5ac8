"""Moves a film within a bucket of COS: copies it, then deletes the source."""

import os
import subprocess
import sys
from pathlib import Path

MOVE = """
const { S3Client, CopyObjectCommand, DeleteObjectCommand } = require("@aws-sdk/client-s3");
const store = new S3Client({
  endpoint: process.env.ENDPOINT, region: "ap-guangzhou", forcePathStyle: true,
  credentials: { accessKeyId: "id", secretAccessKey: "key" },
});
async function move() {
  await store.send(new CopyObjectCommand({ Bucket: "lake", Key: "archive", CopySource: "lake/film" }));
  await store.send(new DeleteObjectCommand({ Bucket: "lake", Key: "film" }));
}
move().catch((error) => { console.error(error); process.exit(1); });
"""
packages = Path(sys.executable).parents[1] / "node_modules"
subprocess.run(["node", "-e", MOVE], check=True, env={**os.environ, "NODE_PATH": str(packages)})

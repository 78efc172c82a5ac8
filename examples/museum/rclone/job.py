"""Copies a folder with a film of two parts to a MinIO server, and compares the contents."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.chdir(tempfile.mkdtemp(dir="."))
Path("films").mkdir()
Path("films/film").write_bytes(b"abcdefgh" * (6 << 17))
Path("films/title").write_text("a film", encoding="utf-8")
os.environ |= {
    "RCLONE_CONFIG": "/dev/null",
    "RCLONE_CONFIG_STORE_TYPE": "s3",
    "RCLONE_CONFIG_STORE_PROVIDER": "Minio",
    "RCLONE_CONFIG_STORE_REGION": "us-east-1",
    "RCLONE_CONFIG_STORE_ENDPOINT": os.environ["ENDPOINT"],
    "RCLONE_CONFIG_STORE_ACCESS_KEY_ID": "id",
    "RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY": "key",
}
parts = ["--transfers", "1", "--checkers", "1", "--s3-upload-cutoff", "5M", "--s3-upload-concurrency", "1"]
rclone = Path(sys.executable).with_name("rclone")
limit = ["--low-level-retries", "3"]  # by default an outage takes minutes
subprocess.run([rclone, "copy", "films", "store:lake", *parts, *limit], check=True)
subprocess.run([rclone, "check", "films", "store:lake", "--download", *limit], check=True)

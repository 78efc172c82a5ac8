"""Uploads a film of three parts."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.chdir(tempfile.mkdtemp(dir="."))
Path("film").write_bytes(b"abcdefgh" * (12 << 17))
os.environ |= {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_REGION": "us-east-1"}
options = ["--endpoint-url", os.environ["ENDPOINT"], "--retry-count", "3"]
s5cmd = [Path(sys.executable).with_name("s5cmd"), *options]
upload = [*s5cmd, "cp", "--part-size", "5", "--concurrency", "1", *sys.argv[1:], "film", "s3://lake/film"]
done = subprocess.run(upload, check=False)
print("the store has:", flush=True)
subprocess.run([*s5cmd, "ls", "s3://lake/"], check=True)
sys.exit(done.returncode)

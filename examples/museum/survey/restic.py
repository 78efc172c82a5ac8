"""Backs up a folder, and restores it, with restic 0.14.0."""
# /// script
# dependencies = []
# [tool.survey]
# vendor = "s3"
# program = "restic"
# jobs = 24
# lost = "the next prune: a lock that was not removed stays after a restore that ends with 0, until somebody unlocks"
# confirmed = "what the store held; `restic prune` refuses beside it; restic has `unlock` for such locks"
# issue = "https://github.com/restic/restic/issues/2736"
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# ///

import os
import subprocess
import tempfile
from pathlib import Path

os.chdir(tempfile.mkdtemp(dir="."))
Path("days").mkdir()
Path("days", "one").write_text("a day")
os.environ |= {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "RESTIC_PASSWORD": "secret"}
restic = ["restic", "--no-cache", "-q", "-r", f"s3:{os.environ['ENDPOINT']}/lake/repo"]
for command in (["init"], ["backup", "days"], ["restore", "latest", "--target", "restored"]):
    subprocess.run([*restic, *command], check=True)
assert next(iter(Path("restored").rglob("one"))).read_text() == "a day"

"""Backs up a folder, and restores it."""
# /// script
# dependencies = []
# [tool.survey]
# vendor = "s3"
# program = "restic 0.14.0"
# jobs = 64
# issue = "https://github.com/restic/restic/issues/2736"
# lost = "nothing; a restore whose lock cannot be removed ends with 0, and `prune` waits for `restic unlock`"
# documented = """\
# by hand: it tries ten times, says that the lock stays, and ends with 0, as the files are restored; \
# `backup` ignores the lock, `prune` refuses and names `unlock`, which removes it, as restic-unlock(1) \
# says; seven more runs retried an outage for more than the five minutes that a run may take"""
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

"""Replicates a database, and restores it."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

os.chdir(tempfile.mkdtemp(dir="."))
database = sqlite3.connect("db")
database.execute("PRAGMA journal_mode = wal")
database.execute("CREATE TABLE days AS SELECT 1 AS day")
database.commit()
database.close()
os.environ |= {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
litestream = Path(sys.executable).with_name("litestream")
replica = f"s3://lake/replica?endpoint={os.environ['ENDPOINT']}&region=us-east-1&forcePathStyle=true"
subprocess.run([litestream, "replicate", "-once", "db", replica], check=True)
subprocess.run([litestream, "restore", "-o", "restored", replica], check=True)
assert sqlite3.connect("restored").execute("SELECT day FROM days").fetchall() == [(1,)]

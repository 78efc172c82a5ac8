"""What clients of each server saw of each fault: kept in `results.json`, written anew on demand."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

FILE = Path(__file__).with_name("results.json")
WRITING = os.environ.get("WRITE_SERVER_RESULTS") == "1"


def read():
    """Server to fault to `{"saw": …, "did": …}`."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


RESULTS = read()


def check(server, fault, seen):
    """Compare with the file, or with WRITE_SERVER_RESULTS=1 write it."""
    if not WRITING:
        assert seen == RESULTS.get(server, {}).get(fault), (
            "if that is right: WRITE_SERVER_RESULTS=1 pytest tests/servers"
        )
        return
    # Several processes of one run may write.
    with FILE.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        results = json.loads(file.read() or "{}")
        results.setdefault(server, {})[fault] = seen
        file.truncate(0)
        file.write(json.dumps(results, indent=1, sort_keys=True) + "\n")

"""The observations of clients: of faults in `results.json`, of connections in `kept.json`.

Both are written anew on demand.
"""

import fcntl
import json
import os
from pathlib import Path

FILE = Path(__file__).with_name("results.json")
KEPT = Path(__file__).with_name("kept.json")
WRITING = os.environ.get("WRITE_SERVER_RESULTS") == "1"


def read(file=FILE):
    """Server to fault to what was seen: in `results.json` `{"saw": …, "did": …}`."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


RESULTS = read()


def check(server, fault, seen, file=FILE):
    """Compare with the file, or with WRITE_SERVER_RESULTS=1 write it."""
    if not WRITING:
        known = RESULTS if file is FILE else read(file)
        assert seen == known.get(server, {}).get(fault), (
            "if that is right: WRITE_SERVER_RESULTS=1 pytest --whole -m '' tests/servers"
        )
        return
    # Several processes of one run may write.
    with file.open("a+", encoding="utf-8") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        opened.seek(0)
        results = json.loads(opened.read() or "{}")
        results.setdefault(server, {})[fault] = seen
        opened.truncate(0)
        opened.write(json.dumps(results, indent=1, sort_keys=True) + "\n")

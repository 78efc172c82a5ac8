"""Each server keeps the app with faults, however the app is given to it."""

import os
import subprocess
import sys
from pathlib import Path


def test_every_server_keeps_the_app_with_faults():
    """One process stands for all servers: none of them listens."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    ran = subprocess.run(
        [sys.executable, Path(__file__).with_name("entry_points.py")],
        env=kept | {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "cos:SlowDown,path=photos/"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.stdout.splitlines() == [
        "cheroot 503 503",
        "daphne 503 503",
        "granian 503",
        "gunicorn 503",
        "hypercorn 503 503",
        "uvicorn 503",
        "waitress 503 503",
        "werkzeug 503",
        "wsgiref 503",
    ], ran.stderr
    assert ran.stderr.count("faultinject is on: ") == 1

"""Each server keeps the app with faults, however the app is given to it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FLASK = """
import flask
from faultinject.adapters.import_hooks import hook
hook()
print("flask", *(flask.Flask("app").test_client().get("/photos/cat").status_code for _ in range(2)))
"""
KEPT = """\
cheroot 503 503
daphne 503 503
granian 503
gunicorn 503
hypercorn 503 503
uvicorn 503
waitress 503 503
werkzeug 503
wsgiref 503
"""


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        ([Path(__file__).with_name("entry_points.py")], KEPT),
        (["-c", FLASK], "flask 503 503\n"),
    ],
    ids=["servers", "a framework"],
)
def test_the_app_has_faults_and_its_process_says_so_once(program, printed):
    """One process stands for all servers: none of them listens."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    ran = subprocess.run(
        [sys.executable, *program],
        env=kept | {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "cos:SlowDown,path=photos/"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (ran.stdout, ran.stderr.count("faultinject is on: ")) == (printed, 1), ran.stderr

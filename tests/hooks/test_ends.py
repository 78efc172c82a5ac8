"""Servers that end: their journal says so, whatever serves and however it is told, and `report` waits for nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from faultinject.counts.owner import gone
from faultinject.journal.reading import read
from faultinject.journal.writers import Writers

from .launch import WAYS

RULE = "cos:SlowDown,times=3,path=photos/"
QUICK = ("gunicorn -w 2, Flask", "app.run()")
"""One that ends as Python does, one that Ctrl-C ends."""
# They do not heed SIGTERM, or die of it right behind a shutdown that the app hears nothing of.
CTRL_C = (
    "flask run", "flask run, factory", "flask run --reload", "app.run()", "uvicorn --interface wsgi, Flask", "waitress",
    "waitress.serve()", "cheroot", "wsgiref", "werkzeug", "Django, uvicorn", "Django, runserver",
)  # fmt: skip


def ended(path):
    """Which processes have said so."""
    lines = map(json.loads, Path(path).read_text().splitlines())
    return [each["pid"] for each in lines if each.get("ended")]


def rests(group):
    """Whether no process of a group has anything to do."""
    states = set()
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its, *_ = each.read_text().rpartition(")")[2].split()
            if int(its) == group:
                states.add(state)
    return "R" not in states


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in WAYS]
)
def test_the_end_is_said(name, start):
    """By every process that has written, once, behind its last line; then their master is gone too."""
    if WAYS[name].missing:
        pytest.skip(WAYS[name].missing)
    server = start(WAYS[name], RULE)
    assert server.statuses("/photos/cat", 8) == [503] * 3 + [200] * 5
    path = str(server.folder / "journal")
    # uWSGI leaves out what Python does at its end where a request is not quite over.
    server.until(lambda: rests(server.process.pid))
    if name in CTRL_C:
        os.killpg(server.process.pid, signal.SIGINT)
    else:
        server.process.terminate()
    server.process.wait(30)
    writers = Writers()
    found = list(read([path], writers=writers))
    assert writers.over, server.log
    assert all(map(gone, writers.parents))
    assert sorted(ended(path)) == sorted({each.pid for each in found})


@pytest.mark.slow
def test_a_worker_that_is_recycled_is_not_the_end(start):
    """gunicorn starts another one in its place: as long as it is there, more may come."""
    line = "gunicorn -b 127.0.0.1:{port} --no-control-socket --max-requests 3 -w 1 served_flask:app"
    server = start(type(WAYS["flask run"])(line, "gunicorn"), RULE)
    assert server.statuses("/photos/cat", 8) == [503] * 3 + [200] * 5
    path = str(server.folder / "journal")
    server.until(lambda: ended(path))
    writers = Writers()
    list(read([path], writers=writers))
    assert not all(map(gone, writers.parents))
    server.process.terminate()
    server.process.wait(30)
    assert all(map(gone, writers.parents))


def test_a_report_of_a_server_that_has_ended_does_not_wait(tmp_path):
    """From `serve` to the verdict: the last calls were given up a moment ago, and nobody waits for them."""
    journal = tmp_path / "journal"
    command = [sys.executable, "-m", "faultinject"]
    serve = [*command, "serve", "--port", "0", "-r", "cos:SlowDown", "--journal", str(journal)]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().rpartition(" on ")[2].strip()
            import requests

            for number in range(4):
                assert requests.get(f"{url}/photos/{number}", timeout=20).status_code == 503
        finally:
            process.terminate()
            process.wait(30)
    done = subprocess.run(
        [*command, "report", str(journal), "--format", "json"], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert (found["calls"], found["left_out"]) == (4, {})

"""gunicorn with two workers and counts in memory, for real: each draws for itself, and the log says so."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from http.client import HTTPConnection

import pytest

pytestmark = pytest.mark.live

SERVED = """
import faultinject

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "3")])
    return [b"app"]

app = faultinject.install(app)
"""
LOG = "several processes count separately and replay is off, because FAULTINJECT_STORE is memory:"


@pytest.fixture(params=[[], ["--preload"]], ids=["workers", "preloaded"])
def gunicorn(request, tmp_path):
    """Port, log so far, and journal of a gunicorn with two sync workers."""
    (tmp_path / "served.py").write_text(SERVED)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    env = kept | {
        "FAULTINJECT_ENABLED": "1",
        "FAULTINJECT_RULES": "http:503,probability=0.5",
        "FAULTINJECT_SEED": "same",
        "FAULTINJECT_STORE": "memory:",
        "FAULTINJECT_JOURNAL": str(tmp_path / "journal"),
    }
    command = [sys.executable, "-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:0", *request.param, "served:app"]
    log, booted, port = [], 0, None
    with subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                log.append(line)
                if found := re.search(r"Listening at: http://127.0.0.1:(\d+)", line):
                    port = int(found[1])
                booted += "Booting worker" in line
                if booted == 2:
                    break
            yield port, log, tmp_path / "journal"
        finally:
            process.terminate()
            log.extend(process.stderr)
    if request.param:
        assert sum(LOG in each for each in log) == 1
    else:
        assert sum(LOG in each for each in log) == 2


def occupy(port):
    """A request that is half sent keeps one sync worker busy; the queue of connections is in order."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(b"GET /held HTTP/1.1\r\nHost: h\r\n")
    return connection


def release(connection):
    connection.sendall(b"Connection: close\r\n\r\n")
    while connection.recv(4096):
        pass
    connection.close()


def ask(port):
    statuses = []
    for number in range(48):
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", f"/{number}")
        statuses.append(connection.getresponse().status)
        connection.close()
    return statuses


@pytest.mark.slow
def test_workers_draw_independently(gunicorn):
    """The same requests on one worker, then on the other: another chance for each."""
    port, _, journal = gunicorn
    first = occupy(port)
    on_one = ask(port)
    second = occupy(port)
    release(first)
    on_other = ask(port)
    release(second)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    pids = {each["path"]: set() for each in lines}
    for each in lines:
        pids[each["path"]].add(each["pid"])
    assert {len(pids[f"/{number}"]) for number in range(48)} == {2}
    assert set(on_one) == set(on_other) == {200, 503}
    assert on_one != on_other

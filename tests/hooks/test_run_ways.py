"""`faultinject run` works in front of every way to start a server.

Counts are exact, a request counts once, nothing else changes, and the end is in the journal.
"""

import json
import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.console import command
from tests.pairs import fewest

from .launch import SERVED, WAYS

RULE = "cos:SlowDown,times=3,path=photos/"
QUICK = ("gunicorn -w 2, Flask",)
"""One of several processes."""
COMPARED = fewest(WAYS, lambda name: WAYS[name].needs or [name])
"""Each server and each framework once."""
# They do not heed SIGTERM, or die of it right behind a shutdown that the app hears nothing of.
CTRL_C = (
    "flask run", "flask run, factory", "flask run --reload", "app.run()", "uvicorn --interface wsgi, Flask", "waitress",
    "waitress.serve()", "cheroot", "wsgiref", "werkzeug", "Django, uvicorn", "Django, runserver",
)  # fmt: skip


def undated(answer):
    """An answer without what differs from one to the next of the same server."""
    return re.sub(rb"(?im)^(date|keep-alive):.*\r\n", b"", answer)


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
def test_run_injects_exactly(name, start):
    """Three faults, a line a request, and unmatched answers are those of the server alone.

    At its end every process that has written says so in the journal, once, behind its last line; a report, which
    waits for calls that may still be retried, waits for nothing then.
    """
    way = WAYS[name]
    server = start(way, RULE)
    assert server.statuses("/photos/cat", 8) == [503] * 3 + [200] * 5, server.log
    assert [(each["rule"], each["did"]) for each in server.lines("/photos/cat")] == [
        *[("rule-1", "answered")] * 3,
        *[("rule-1", "passed")] * 5,
    ]
    untouched = server.raw("/other")
    assert len(server.lines("/other")) == 1
    assert b"x-faultinject" not in untouched
    # uWSGI leaves out what Python does at its end where a request is not quite over.
    server.until(lambda: rests(server.process.pid))
    if name in CTRL_C:
        os.killpg(server.process.pid, signal.SIGINT)
    else:
        server.process.terminate()
    server.process.wait(300)
    assert (server.log.count("faultinject is on: "), server.log.count("no request was seen")) == (1, 0)
    journal = server.folder / "journal"
    assert command("report", journal).stderr == "", server.log
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    ended = [each["pid"] for each in lines if each.get("ended")]
    assert sorted(ended) == sorted({each["pid"] for each in lines if not each.get("ended")})
    if name in COMPARED:
        alone = start(way)
        assert (undated(untouched), alone.statuses("/photos/cat", 1)) == (undated(alone.raw("/other")), [200])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flask run --reload", "uvicorn --reload"])
def test_counts_survive_a_reload(name, start):
    """Two faults before, one after, and the new process is another."""
    server = start(WAYS[name], RULE)
    assert server.statuses("/photos/cat", 2) == [503] * 2
    before = server.process_number()
    touched = float("-inf")

    def reloaded():
        nonlocal touched
        now = server.process_number()
        # A reloader that has not looked yet takes what it finds for the first state of things: touched again.
        if now == before and time.monotonic() - touched > 1:
            touched = time.monotonic()
            for each in SERVED:
                path = server.folder / f"{each}.py"
                found = path.stat()
                os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 10**10))
        return now not in (before, None)

    server.until(reloaded)
    assert (server.statuses("/photos/cat", 3), len(server.lines("/photos/cat"))) == ([503, 200, 200], 5)

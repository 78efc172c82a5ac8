"""Workers of one server share exact counts by themselves; nobody names a store."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .launch import GRANIAN, GUNICORN, HYPERCORN, UVICORN, UWSGI, Way

RULE = "http:503,times=100,path=photos/"
ON = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": RULE}
WSGI, ASGI = "served_counted:wsgi", "served_counted:asgi"
WAYS = {
    "gunicorn": Way(f"{GUNICORN} -w 4 {WSGI}", "gunicorn"),
    "gunicorn --preload": Way(f"{GUNICORN} -w 4 --preload {WSGI}", "gunicorn"),
    "gunicorn -k asgi": Way(f"{GUNICORN} -w 2 -k asgi {ASGI}", "gunicorn"),
    "uvicorn": Way(f"{UVICORN} --workers 2 {ASGI}", "uvicorn"),
    "granian": Way(f"{GRANIAN} --interface wsgi --workers 2 {WSGI}", "granian"),
    "hypercorn": Way(f"{HYPERCORN} -w 2 {ASGI}", "hypercorn"),
    "uWSGI": Way(f"{UWSGI} --processes 2 --module {WSGI}", "uwsgi"),
    "uWSGI --master": Way(f"{UWSGI} --processes 2 --master --module {WSGI}", "uwsgi"),
}
SHARED = r"faultinject: several processes share their counts in (.*), seed (.*)"


def ask(server, number, path="/photos/cat"):
    """The statuses of so many requests of eight threads; None where a worker was killed."""
    with ThreadPoolExecutor(8) as threads:
        return [each and each[0] for each in threads.map(server.get, [path] * number)]


@pytest.fixture(params=WAYS)
def way(request):
    found = WAYS[request.param]
    if found.missing:
        pytest.skip(found.missing)
    return found


@pytest.mark.slow
def test_exact_without_a_store(way, start):
    """A hundred faults for all workers together, drawn with one seed that nobody gave, and the log says where."""
    server = start(way, **ON)
    statuses = []
    server.until_answered_by(2, lambda: statuses.extend(ask(server, 600)))
    assert (statuses.count(503), statuses.count(200)) == (100, len(statuses) - 100)
    lines = server.lines("/photos/cat")
    assert len(lines) == len(statuses)
    [seed] = {each["seed"] for each in lines}
    told = set(re.findall(SHARED, server.log))
    [(path, told_seed)] = told
    assert told_seed == seed
    assert Path(path).is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gunicorn", "gunicorn --preload"])
def test_the_same_command_again_begins_anew(name, start, tmp_path):
    """A server started twice from one shell; the second clears up behind the first."""
    for _ in range(2):
        server = start(WAYS[name], **ON | {"TMPDIR": str(tmp_path)})
        assert ask(server, 200).count(503) == 100
        server.stop()
        assert len([*tmp_path.glob("faultinject-*/*")]) == 1

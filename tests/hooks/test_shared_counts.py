"""Workers of one server share exact counts by themselves; nobody names a store."""

import re
from collections import Counter
from pathlib import Path

import pytest

from .launch import GRANIAN, GUNICORN, HYPERCORN, UVICORN, UWSGI, Way

PATH = "/photos/cat"
ON = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503,times=100,path=photos/"}
WSGI, ASGI = "served_counted:wsgi", "served_counted:asgi"
WAYS = {
    "gunicorn": Way(f"{GUNICORN} -w 4 {WSGI}", "gunicorn"),
    "gunicorn --preload": Way(f"{GUNICORN} -w 4 --preload {WSGI}", "gunicorn"),
    "gunicorn -k gthread": Way(f"{GUNICORN} -w 4 -k gthread --threads 64 {WSGI}", "gunicorn"),
    "gunicorn -k asgi": Way(f"{GUNICORN} -w 2 -k asgi {ASGI}", "gunicorn"),
    "uvicorn": Way(f"{UVICORN} --workers 2 {ASGI}", "uvicorn"),
    "granian": Way(f"{GRANIAN} --interface wsgi --workers 2 {WSGI}", "granian"),
    "hypercorn": Way(f"{HYPERCORN} -w 2 {ASGI}", "hypercorn"),
    "uWSGI": Way(f"{UWSGI} --processes 2 --module {WSGI}", "uwsgi"),
    "uWSGI --master": Way(f"{UWSGI} --processes 2 --master --module {WSGI}", "uwsgi"),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_exact_without_a_store(way, start):
    """All workers give a hundred faults together, with one random seed, and the log says where."""
    server = start(way, **ON)
    statuses = Counter()
    server.until_answered_by(2, lambda: statuses.update(server.asked(PATH, 600)))
    assert (statuses[503], statuses[200]) == (100, statuses.total() - 100)
    lines = server.lines(PATH)
    assert len(lines) == statuses.total()
    [seed] = {each["seed"] for each in lines}
    [(path, told_seed)] = set(
        re.findall(r"faultinject: several processes share their counts in (.*), seed (.*)", server.log)
    )
    assert told_seed == seed
    assert Path(path).is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gunicorn", "gunicorn --preload"])
def test_the_same_command_again_begins_anew(name, start, tmp_path):
    """A server started twice from one shell; the second clears up behind the first."""
    for _ in range(2):
        server = start(WAYS[name], **ON | {"TMPDIR": str(tmp_path)})
        assert server.asked(PATH, 200)[503] == 100
        server.stop()
        assert len([*tmp_path.glob("faultinject-*/*")]) == 1

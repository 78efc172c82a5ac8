"""Workers of one server share exact counts by themselves; nobody names a store."""

import os
import re
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import pytest

from .launch import GRANIAN, GUNICORN, HYPERCORN, UVICORN, UWSGI, Way

PATH = "/photos/cat"
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
    [(path, told_seed)] = set(re.findall(SHARED, server.log))
    assert told_seed == seed
    assert Path(path).is_dir()


@pytest.mark.slow
def test_a_worker_is_killed(start):
    """Whoever takes its place goes on with the same counts."""
    server = start(WAYS["gunicorn"], **ON | {"FAULTINJECT_RULES": "http:503,times=400,path=photos/"})
    killed, one_at_a_time = [], Lock()

    def get(number):
        if number in (100, 200, 300):
            with one_at_a_time:
                killed.append(server.answering_process())
                os.kill(killed[-1], signal.SIGKILL)
        return server.get("/photos/cat")

    with ThreadPoolExecutor(8) as threads:
        found = [each and each[0] for each in threads.map(get, range(1200))]
    # What a killed worker had taken and not said is taken.
    lost = found.count(None)
    assert len(killed) == 3
    assert lost <= 24
    assert 400 - lost <= found.count(503) <= 400
    assert server.statuses("/photos/cat", 3) == [200] * 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gunicorn", "gunicorn --preload"])
def test_the_same_command_again_begins_anew(name, start, tmp_path):
    """A server started twice from one shell; the second clears up behind the first."""
    for _ in range(2):
        server = start(WAYS[name], **ON | {"TMPDIR": str(tmp_path)})
        assert server.asked(PATH, 200)[503] == 100
        server.stop()
        assert len([*tmp_path.glob("faultinject-*/*")]) == 1


@pytest.mark.slow
def test_no_place_for_a_directory(start, tmp_path):
    """The server starts and injects all the same, and the log says what is missing."""
    (tmp_path / f"faultinject-{os.geteuid()}").write_text("a file of somebody")
    server = start(WAYS["gunicorn"], **ON | {"TMPDIR": str(tmp_path)})
    assert server.get(PATH)[0] == 503
    assert "count separately and replay is off, because the store " in server.log
    assert "is no directory" in server.log


@pytest.mark.slow
def test_two_commands_share_a_named_store(start, tmp_path):
    """As long as it names the same directory, and the rules are the same."""
    environ = ON | {"FAULTINJECT_STORE": f"file:{tmp_path / 'store'}"}
    servers = [start(WAYS[name], **environ) for name in ("gunicorn", "uvicorn")]
    assert sum(server.asked(PATH, 150)[503] for server in servers) == 100

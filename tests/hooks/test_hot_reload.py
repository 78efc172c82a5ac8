"""The file of rules changes under real servers, whose workers share counts; a SIGHUP with a wrong one ends no server."""

from __future__ import annotations

import os
import signal

import pytest

from .launch import GRANIAN, GUNICORN, UVICORN, Way

WSGI, ASGI = "served_counted:wsgi", "served_counted:asgi"
WAYS = {
    "gunicorn": (4, Way(f"{GUNICORN} -w 4 {WSGI}", "gunicorn")),
    "gunicorn --preload": (4, Way(f"{GUNICORN} -w 4 --preload {WSGI}", "gunicorn")),
    "gunicorn -k gevent": (2, Way(f"{GUNICORN} -w 2 -k gevent {WSGI}", "gunicorn", "gevent")),
    "uvicorn": (2, Way(f"{UVICORN} --workers 2 {ASGI}", "uvicorn")),
    "granian": (2, Way(f"{GRANIAN} --interface wsgi --workers 2 {WSGI}", "granian")),
}
"""How many workers there are, and how their server is started."""
WITHOUT = "import sys\nsys.modules['watchfiles'] = None\n"
"""The extra is not installed."""
PATH = "/photos/cat"


def text(status):
    return f'[[rules]]\nfault = "http:{status}"\ntimes = 3\npath = "photos/"\n'


def answered(server):
    """Four requests; three meet the fault however many workers there are."""
    return sorted(server.statuses(PATH, 4))


@pytest.mark.slow
@pytest.mark.parametrize("watched", [True, False], ids=["watched", "hangup"])
@pytest.mark.parametrize("name", WAYS)
def test_rules_change_and_a_wrong_file_ends_nothing(name, watched, start, tmp_path):
    number, way = WAYS[name]
    if way.missing:
        pytest.skip(way.missing)
    path = tmp_path / "rules.toml"
    path.write_text(text(503))
    more = {}
    if not watched:
        (tmp_path / "sitecustomize.py").write_text(WITHOUT)
        more = {"PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))}
    server = start(way, FAULTINJECT_ENABLED="1", FAULTINJECT_FILE=str(path), **more)
    master = server.process.pid

    def workers():
        """Those that have read the file, if there are as many as there should be."""
        started = {int(each) for each in (server.folder / "started").read_text().split()} & server.workers()
        return started if len(started) == number else None

    def hang_up():
        """All workers are others afterwards, also those that have answered nothing so far."""
        before = workers()
        os.kill(master, signal.SIGHUP)
        server.until(lambda: (now := workers()) and before.isdisjoint(now))

    # One that starts later would read the file that is written below.
    server.until(workers)
    assert answered(server) == [200, 503, 503, 503]
    path.write_text(text(500))
    if watched:
        server.until(lambda: server.log.count("rules http:500,") >= 1)
    else:
        assert answered(server) == [200] * 4, "nobody looks"
        hang_up()
    assert answered(server) == [200, 500, 500, 500]
    path.write_text(text("5x3"))
    if watched:
        server.until(lambda: "rules.toml:2: " in server.log)
        assert answered(server) == [200] * 4
    hang_up()
    assert server.process.poll() is None
    assert answered(server) == [200] * 4, "what they had goes on, and so do the counts"
    assert 'fault = "http:5x3"\n          ^^^^^^^^^^' in server.log
    path.write_text(text(501))
    hang_up()
    assert answered(server) == [200, 501, 501, 501]
    told = server.log.count("rules.toml has changed, its rules are in force")
    assert told == 2, f"one of them publishes: {server.log}"


def test_wrong_at_the_first_start(start, tmp_path):
    """Then nothing starts, as ever."""
    path = tmp_path / "rules.toml"
    path.write_text(text("5x3"))
    with pytest.raises(AssertionError, match="http:5x3"):
        start(WAYS["gunicorn"][1], FAULTINJECT_ENABLED="1", FAULTINJECT_FILE=str(path))

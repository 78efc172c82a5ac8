"""Limits of faults hold for the server, not for each worker that replaces another."""

import signal

import pytest

from tests.pairs import in_turn

from .launch import CONTROL, GRANIAN, GUNICORN, HYPERCORN, UVICORN, Way

WSGI, ASGI = "served_counted:wsgi", "served_counted:asgi"
RECYCLED = "--max-requests 10"
WAYS = {
    "gunicorn": Way(f"{GUNICORN} -w 2 {RECYCLED} {WSGI}", "gunicorn"),
    "gunicorn, one worker": Way(f"{GUNICORN} -w 1 {RECYCLED} {WSGI}", "gunicorn"),
    "gunicorn --preload": Way(f"{GUNICORN} -w 2 --preload {RECYCLED} {WSGI}", "gunicorn"),
    "gunicorn -k gthread": Way(f"{GUNICORN} -w 2 -k gthread --threads 4 {RECYCLED} {WSGI}", "gunicorn"),
    "gunicorn -k gevent": Way(f"{GUNICORN} -w 2 -k gevent {RECYCLED} {WSGI}", "gunicorn", "gevent"),
    "uvicorn": Way(f"{UVICORN} --workers 2 --limit-max-requests 10 {ASGI}", "uvicorn"),
    "hypercorn": Way(f"{HYPERCORN} -w 2 {RECYCLED} {ASGI}", "hypercorn"),
    "gunicorn, HUP": Way(f"{GUNICORN} -w 2 {WSGI}", "gunicorn"),
    "granian, HUP": Way(f"{GRANIAN} --interface wsgi --workers 2 {WSGI}", "granian"),
}
ON = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503,path=photos/", **CONTROL}


class Recycled:
    """A server whose workers are replaced.

    Args:
        server: how it was started.
        hangs_up: whether a signal does it; else so many requests do.
    """

    def __init__(self, server, *, hangs_up):
        self.server = server
        self._hangs_up = hangs_up

    def states(self):
        """The states that the workers report."""
        return [state for _ in range(8) if (state := self.server.control("GET", "/state")) is not None]

    def recycle(self):
        """Have other processes for all workers."""
        server = self.server
        before = server.workers()
        if self._hangs_up:
            server.process.send_signal(signal.SIGHUP)
        server.until(
            lambda: (server.get("/ready"), now := server.workers()) and now and before.isdisjoint(now)
        )
        server.until(lambda: server.get("/ready") is not None)

    def statuses(self):
        """Of twenty requests that get an answer."""
        return {found[0] for _ in range(20) if (found := self.server.get("/photos/cat")) is not None}


@pytest.fixture
def recycled(start):
    def run(name, *, served="served_counted", **variables):
        way = Way(WAYS[name].line.replace("served_counted", served), *WAYS[name].needs)
        return Recycled(start(way, **ON | variables), hangs_up="HUP" in name)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS)
def test_a_duration_begins_with_the_server(name, recycled):
    """`FAULTINJECT_EXPIRES` names one moment in all workers, whenever they come."""
    at = recycled(name, FAULTINJECT_EXPIRES="1h")
    moments = {state["expires"] for state in at.states()}
    at.recycle()
    moments |= {state["expires"] for state in at.states()}
    assert (len(moments), at.statuses()) == (1, {503})


ENDS = {
    "FAULTINJECT_EXPIRES": {"FAULTINJECT_EXPIRES": "3s"},
    "FAULTINJECT_EXPIRES, memory": {"FAULTINJECT_EXPIRES": "3s", "FAULTINJECT_STORE": "memory:"},
    "end, memory": {"FAULTINJECT_RULES": "http:503,path=photos/,end=3s", "FAULTINJECT_STORE": "memory:"},
    "end": {"FAULTINJECT_RULES": "http:503,path=photos/,end=3s"},
    "on for a time": ("/on", {"for": "1s"}),
    "off": ("/off", {}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("end", "name"), in_turn(ENDS, ["gunicorn", "uvicorn"]))
def test_an_end_is_one_for_all(name, end, recycled):
    """Nothing is injected by those who come after it."""
    given = ENDS[end]
    at = recycled(name, **(given if isinstance(given, dict) else {}))
    if isinstance(given, tuple):
        assert at.statuses() == {503}
        at.server.until(lambda: at.server.control("POST", *given) is not None)
    at.server.until(lambda: at.statuses() == {200})
    at.recycle()
    assert at.statuses() == {200}


@pytest.mark.slow
@pytest.mark.parametrize("store", ["", "memory:"])
def test_a_begin_is_one_for_all(store, recycled):
    """A fault that has begun has begun for later workers too."""
    rule = "http:503,path=photos/,begin=6s"
    at = recycled("gunicorn, HUP", FAULTINJECT_RULES=rule, FAULTINJECT_STORE=store)
    at.server.until(lambda: at.statuses() == {503})
    at.recycle()
    assert at.statuses() == {503}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "store"),
    [
        ("gunicorn", "private"),
        ("gunicorn --preload", "file"),
        ("uvicorn", "redis"),
        ("granian, HUP", "private"),
    ],
    indirect=["store"],
)
def test_an_apps_own_failures_are_those_of_all(name, store, recycled):
    """Failures of short-lived workers add up to `abort`, and later workers stay off.

    No worker lives long enough to see twenty.
    """
    at = recycled(name, served="served_failing", FAULTINJECT_ABORT="5xx>50%/1h,min=20", **store)
    assert at.statuses() == {503}
    at.server.until(
        lambda: at.server.get("/broken") and "faultinject is off: 5xx>50%/1h,min=20: " in at.server.log
    )
    at.server.until(lambda: at.statuses() == {200})
    at.recycle()
    assert at.statuses() == {200}


@pytest.mark.slow
def test_a_server_that_is_started_again_begins_anew(recycled):
    """As systemd or a shell does: it is another server."""
    first, second = (recycled("gunicorn", FAULTINJECT_EXPIRES="1h") for _ in range(2))
    [before], [after] = ({state["expires"] for state in each.states()} for each in (first, second))
    assert before < after

"""Waits: never shorter than asked, over as soon as nobody waits any more."""

import gc
import subprocess
import sys
from types import SimpleNamespace

import anyio
import anyio.lowlevel
import pytest
from werkzeug.test import Client

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware, inject
from tests.virtual_time import Time

from .conftest import Wsgi
from .transport import LEFT, TESTCLIENT, App, cancel, hearing, only, recorder, saying

DELAYS = [
    "http:503,delay=90s",
    "http:503,delay=90s,when=after",
    "latency,delay=90s",
    "latency,delay=90s,when=after",
    "stall,duration=90s",
    "stall,duration=90s,when=after",
]
OF_THE_APP = ("latency", "stall")
BACKENDS = ["asyncio", "trio"]
START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body", "body": b"app"}


@pytest.fixture
def make(clock):
    """An injector in that time."""
    return lambda rules, **how: Injector(rules, seed="waiting", environ={}, waits=clock, **how)


@pytest.mark.parametrize("rule", DELAYS)
def test_never_shorter_than_asked(send, clock, make, rule):
    """Nor longer: the wait ends when it is over."""
    injector = make(rule, record_all=True)
    found = send(injector).status, only(injector).did
    assert found == ((200, "delayed") if rule.startswith(OF_THE_APP) else (503, "answered"))
    assert (clock.now, only(injector).elapsed) == (pytest.approx(90), pytest.approx(90))


def test_a_sleep_that_ends_early_is_slept_again():
    """Some systems wake early: the deadline is looked at again."""

    class Early(Time):
        def wait(self, seconds, sleep):
            super().wait(max(0.25, seconds / 2), sleep)

    early = Early()
    injector = Injector("http:503,delay=1s", environ={}, waits=early)
    assert (Wsgi()(injector).status, early.now) == (503, 1)


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        *zip(DELAYS, [lambda each: each.use("http:500"), lambda each: each.disable()] * 3, strict=True),
        (DELAYS[0], lambda each: (each.disable(), each.enable())),
    ],
)
def test_waits_end_with_the_scenario(send, clock, make, rule, end):
    """If the scenario is replaced or switched off, waits end at once, as they were decided."""
    injector = make(rule)
    clock.at(30, lambda: end(injector))
    assert (send(injector).status, clock.now) == (
        200 if rule.startswith(OF_THE_APP) else 503,
        pytest.approx(30),
    )


def test_waits_end_when_it_expires(send, clock):
    """`FAULTINJECT_EXPIRES` ends waits too, also where the system's clock is set meanwhile."""
    environ = {"FAULTINJECT_EXPIRES": "2026-01-01T00:00:10Z"}
    unix = [1_767_225_600.0]
    injector = Injector("http:503,delay=90s", environ=environ, clock=lambda: unix[0], waits=clock)
    clock.at(4, lambda: unix.append(unix.pop() + 3600))
    assert (send(injector).status, clock.now, send(injector).status) == (503, pytest.approx(5, abs=1.01), 200)


async def nobody(message):
    raise AssertionError("nobody is there")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rule", ["http:503,delay=20s,times=1", "http:503,delay=20s,times=1,when=after"])
def test_a_client_that_leaves_just_before_the_wait_ends(servers, clock, make, backend, rule):
    """On a busy machine a server hears late of a client's end, and reports it some steps later."""
    injector = make(rule)
    told = [{"type": "http.request"}, LEFT]

    async def receive():
        if len(told) == 1:
            clock.now += 50  # the wait ends meanwhile, on a machine that is busy
            for _ in range(4):
                await anyio.lowlevel.checkpoint()
        return told.pop(0)

    async def app(scope, receive, send):
        await receive()
        await saying(START, END)(scope, receive, send)

    clock.run(ASGIFaultMiddleware(app, injector=injector), servers.scope(), receive, nobody, backend=backend)
    assert (only(injector).did, only(injector).injected) == ("failed", False)


BROKEN = RuntimeError("the server's own")
BODY = [{"type": "http.request", "body": bytes([each]), "more_body": each < 100} for each in range(97, 101)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("takes", "told", "heard", "asked", "seconds"),
    [
        # The client gives up: it had its fault, and the app runs at once, with the whole body.
        (0, [BODY[-1], LEFT], [BODY[-1], LEFT], [0, 0], 0),
        # While a wait listens for the client, one piece of the body is kept for the app.
        (0, BODY, BODY, [0, 1, 2, 3], 10),
        # A `receive` that raises ends the listening, not the wait; the app meets it itself.
        (0, [BROKEN, BROKEN], [BROKEN], [0, 0], 10),
        # The app and the listener share one `receive`, which is not cancelled.
        (50, BODY[:1], BODY[:1], [0], 50),
    ],
)
def test_latency_hands_on_what_the_server_says(
    servers, clock, make, backend, takes, told, heard, asked, seconds
):
    """Each message once and in order, though the wait listens for the client."""
    injector, receive, got, turns = make("latency,delay=10s,times=1"), hearing(*told), [], []

    async def slowly():
        turns.append(len(got))
        await anyio.sleep(takes)
        return await receive()

    async def app(scope, receive, send):
        for _ in heard:
            try:
                got.append(await receive())
            except RuntimeError as error:
                got.append(error)

    wrapped = ASGIFaultMiddleware(app, injector=injector)
    clock.run(wrapped, servers.scope("PUT", "/b/k", http_version="2"), slowly, None, backend=backend)
    assert (got, turns, clock.now) == (heard, asked, pytest.approx(seconds))
    assert (only(injector).did, only(injector).injected) == ("delayed", True)


STOPPED_WHILE_IT_READS = {"CONTENT_LENGTH": "10", "wsgi.input": SimpleNamespace(read=sys.exit)}


class Timeout(BaseException):
    """As gevent's, or one of an alarm, which is raised in the wait."""


def time_out():
    raise Timeout


@pytest.mark.parametrize(
    ("rule", "more", "inside", "ends", "error"),
    [
        # gunicorn ends a sync worker that takes too long with SystemExit, wherever it is.
        *(
            (rule, more, inside, sys.exit, SystemExit)
            for inside in (False, True)
            for rule, more in (
                ("http:503,delay=1h", {}),
                ("http:503,delay=1h,when=after", {}),
                ("latency,delay=1h", {}),
                ("http:503", STOPPED_WHILE_IT_READS),
            )
        ),
        # The client of a server has not given up: the server has, as by a time-out of gevent.
        ("latency,delay=1h", {}, False, time_out, Timeout),
    ],
)
def test_a_server_that_gives_up_a_request_gives_the_take_back(
    servers, clock, make, rule, more, inside, ends, error
):
    """Nobody gets the fault any more."""
    clock.at(30, ends)
    injector = make(f"{rule},times=1")

    environ = servers.environ("PUT", **more)
    if inside:
        del environ["REMOTE_PORT"]
    with pytest.raises(error):
        WSGIFaultMiddleware(App().wsgi, injector=injector)(environ, None)
    assert (only(injector).did, injector.counts()["rule-1"].injected) == ("failed", 0)


def test_latency_after_waits_once_and_keeps_exc_info(servers, clock, make):
    """A second start_response, with exc_info or by keyword, does not repeat the wait."""
    calls = []

    def app(environ, start_response):
        start_response("200 OK", headers=[])
        start_response("404 Not Found", [], (LookupError, LookupError(), None))
        return [b"x"]

    def start(status, headers, exc_info=None):
        calls.append((status, clock.now >= 2, exc_info and exc_info[0]))

    injector = make("latency,delay=2s,when=after")
    assert list(WSGIFaultMiddleware(app, injector=injector)(servers.environ(), start)) == [b"x"]
    assert calls == [("200 OK", True, None), ("404 Not Found", True, LookupError)]
    assert clock.now < 2.1
    assert (only(injector).did, only(injector).when) == ("delayed", "after")


@pytest.mark.parametrize("noted", [True, False])
def test_a_late_app_that_fails_when_it_is_read(servers, clock, make_injector, noted):
    """A generator that raises before its answer keeps its fault counted: the client waited."""

    def app(environ, start_response):
        raise LookupError
        yield b""

    injector = make_injector("latency,delay=2s,times=1", waits=clock, record_all=noted)
    with pytest.raises(LookupError):
        next(iter(WSGIFaultMiddleware(app, injector=injector)(servers.environ(), None)))
    gc.collect()
    assert (
        only(injector).did,
        only(injector).answered,
        injector.counts()["rule-1"].injected,
        injector.finish(),
    ) == ("delayed", None, 1, 0)


IMPATIENT = [
    ("latency,delay=1h", "delayed", False),
    ("latency,delay=1h,when=after", "delayed", True),
    ("http:503,delay=1h", "failed", False),
    ("corrupt,delay=1h", "failed", False),
]


@pytest.mark.parametrize("record_all", [False, True], ids=["matched", "record_all"])
@pytest.mark.parametrize("way", ["wsgi", *BACKENDS])
@pytest.mark.parametrize(("rule", "did", "applied"), IMPATIENT)
def test_a_test_client_s_own_time_out_has_met_the_latency(
    servers, clock, make, rule, did, applied, way, record_all
):
    """A wait that is left counts as a fault; an error or a change that never came does not."""
    injector = make(f"{rule},times=1", record_all=record_all)

    async def scenario():
        with anyio.move_on_after(30):
            wrapped = ASGIFaultMiddleware(saying(START, END), injector=injector)
            await wrapped(servers.scope(**TESTCLIENT), hearing(), recorder()[1])

    if way == "wsgi":
        clock.at(30, time_out)
        with pytest.raises(Timeout):
            Client(WSGIFaultMiddleware(App().wsgi, injector=injector)).get("/films/cat")
    else:
        clock.run(scenario, backend=way)
    outcome = only(injector)
    assert (outcome.did, outcome.applied) == (did, applied)
    # The wait before the next attempt begins where this one was given up.
    assert (outcome.answered is not None) == (did == "delayed" and not applied)
    assert injector.injected == injector.counts()["rule-1"].injected == (did == "delayed")


def test_what_follows_a_time_out_is_its_retry(servers):
    """A failure of the call, with the wait between the two from the time-out on."""
    wrapped = ASGIFaultMiddleware(saying(START, END), [])
    with inject("latency,delay=1h,times=1") as faults:
        anyio.run(cancel, wrapped, servers.scope(**TESTCLIENT), servers.messages(), None)
        anyio.run(servers.asgi, wrapped, servers.scope(**TESTCLIENT), servers.messages())
    [call] = faults.calls
    assert [each.kind for each in call.attempts] == ["timeout", None]
    assert 0 <= call.gaps[0] < 60


PROGRAM = """
import threading
from concurrent.futures import ThreadPoolExecutor
from faultinject import Injector, WSGIFaultMiddleware

injector = Injector("http:503,delay=1h", environ={})
def ask():
    WSGIFaultMiddleware(None, injector=injector)({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None)
threading.Thread(target=lambda: (threading.main_thread().join(), ask())).start()
ThreadPoolExecutor(1).submit(ask)
threading.Thread(target=ask).start()
while len(injector.journal.outcomes) < 2:
    pass
"""


@pytest.mark.live
def test_the_end_of_the_program_ends_all_waits():
    """Threads that wait keep no program from ending, nor do those of a pool.

    It waits for a pool first; a late wait is none.
    """
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=100)

"""Waits: never shorter than asked, over as soon as nobody waits any more."""

from __future__ import annotations

import asyncio
import time

import anyio
import anyio.lowlevel
import pytest
from werkzeug.test import Client

from faultinject import ASGIFaultMiddleware, WSGIFaultMiddleware, inject
from faultinject.adapters.asgi_wait import Ends, Listener, pause
from faultinject.adapters.wsgi_wait import wait

DELAYS = [
    "http:503,delay=90s",
    "http:503,delay=90s,when=after",
    "latency,delay=90s",
    "latency,delay=90s,when=after",
]
BACKENDS = ["asyncio", "trio"]


def only(injector):
    [outcome] = injector.journal.outcomes
    return outcome


@pytest.mark.parametrize("rule", DELAYS)
def test_never_shorter_than_asked(send, clock, make_injector, rule):
    """The clock that is waited by has moved on by at least the delay, and hardly more."""
    injector = make_injector(rule, waits=clock, record_all=True)
    answer = send(injector)
    assert 90 <= clock.now < 90.1
    assert answer.status == (200 if rule.startswith("latency") else 503)
    outcome = only(injector)
    assert outcome.elapsed >= 90
    assert outcome.did == ("delayed" if rule.startswith("latency") else "answered")


def test_a_range_is_drawn_evenly_within_it(send, clock, make_injector):
    """Every wait lies within, and they differ."""
    injector = make_injector("http:503,delay=100ms..2s", waits=clock)
    waits = []
    for _ in range(40):
        before = clock.now
        send(injector)
        waits.append(clock.now - before)
    assert all(0.1 <= each <= 2.001 for each in waits)
    assert min(waits) < 0.6
    assert max(waits) > 1.5


def test_a_sleep_that_ends_early_is_slept_again(make_injector, monkeypatch):
    """uvloop and some systems wake early: the deadline is looked at again."""
    now = [0.0]

    def half(_, seconds, *__, **___):
        return now.__setitem__(0, now[0] + seconds / 2)

    monkeypatch.setattr("faultinject.adapters.alarm.Alarm.sleep", half)
    injector = make_injector("http:503", waits=lambda: now[0])
    wait(injector.own_plan, 1.0)
    assert now[0] == pytest.approx(1.0, abs=1e-9)


def sleeping(monkeypatch, sleep):
    """Whoever waits calls that instead, with the seconds that it would sleep at most."""

    async def asleep(_, seconds):
        sleep(seconds)
        await anyio.lowlevel.checkpoint()

    monkeypatch.setattr(
        "faultinject.adapters.alarm.Alarm.sleep", lambda _, seconds, *__, **___: sleep(seconds)
    )
    monkeypatch.setattr("faultinject.adapters.loop_watch.Wait.sleep", asleep)


ENDS = {
    "use": lambda injector: injector.use("http:500"),
    "disable": lambda injector: injector.disable(),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("rule", DELAYS)
def test_waits_end_with_the_scenario(send, make_injector, monkeypatch, rule, end):
    """Replaced or switched off: what waits goes on at once, decided by the scenario it came under."""
    injector = make_injector(rule)
    slices = []

    def sleep(seconds):
        slices.append(seconds)
        ENDS[end](injector)

    sleeping(monkeypatch, sleep)
    assert send(injector).status == (200 if rule.startswith("latency") else 503)
    assert len(slices) == 1


def test_waits_end_when_it_expires(send, monkeypatch, make_injector):
    """`FAULTINJECT_EXPIRES` ends waits too."""
    now = [1_000.0]
    monkeypatch.setattr("faultinject.injector.injector._STARTED", 1_000.0)
    injector = make_injector("http:503,delay=90s", now=lambda: now[0], FAULTINJECT_EXPIRES="10s")

    def sleep(seconds):
        assert seconds <= 5, "the system's clock may be set meanwhile"
        now[0] += 20

    sleeping(monkeypatch, sleep)
    assert send(injector).status == 503
    assert now == [1_020.0]
    assert send(injector).status == 200


def test_waits_end_with_the_block(send, monkeypatch, make_injector):
    """The end of `inject()` ends the waits of its faults."""
    injector = make_injector([])
    with inject("http:503,delay=90s") as faults:

        def sleep(seconds):
            faults.injector.take_out_of_force()

        sleeping(monkeypatch, sleep)
        assert send(injector).status == 503
        assert send(injector).status == 200
        faults.injector.put_in_force()


def test_wsgi_waits_end_with_the_program(monkeypatch, make_injector):
    """A waiting worker thread does not keep a server from shutting down."""
    from types import SimpleNamespace

    monkeypatch.setattr("threading.main_thread", lambda: SimpleNamespace(is_alive=lambda: False))
    injector = make_injector("http:503")
    wait(injector.own_plan, 3600.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_asgi_waits_end_when_the_client_leaves(servers, make_injector, backend):
    """A disconnect during the delay: nothing is sent, and the take goes back."""
    injector = make_injector("http:503,delay=1h,times=1")
    left = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive():
        return left.pop(0)

    async def send(message):
        raise AssertionError("nobody is there")

    wrapped = ASGIFaultMiddleware(None, injector=injector)
    anyio.run(wrapped, servers.scope(), receive, send, backend=backend)
    assert (only(injector).did, only(injector).injected) == ("failed", False)
    assert injector.counts()["rule-1"]["injected"] == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rule", ["http:503,delay=20ms,times=1", "http:503,delay=20ms,times=1,when=after"])
def test_a_client_that_leaves_just_before_the_wait_ends(servers, make_injector, backend, rule):
    """A busy machine looks at its sockets late: a server hears of the end then, and tells it some steps later."""
    injector = make_injector(rule)
    left = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive():
        if len(left) == 1:
            time.sleep(0.05)  # noqa: ASYNC251 - the wait ends meanwhile, on a machine that is busy
            for _ in range(4):
                await anyio.lowlevel.checkpoint()
        return left.pop(0)

    async def send(message):
        raise AssertionError("nobody is there")

    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    anyio.run(ASGIFaultMiddleware(app, injector=injector), servers.scope(), receive, send, backend=backend)
    assert (only(injector).did, only(injector).injected) == ("failed", False)


@pytest.mark.parametrize("backend", BACKENDS)
def test_latency_meets_a_client_that_gives_up(servers, make_injector, backend):
    """A client that loses its patience has met the fault; the app runs at once, and hears all that was heard."""
    injector = make_injector("latency,delay=1h,times=1")
    told = [
        {"type": "http.request", "body": b"a", "more_body": False},
        {"type": "http.disconnect"},
    ]
    left, heard = list(told), []

    async def receive():
        return left.pop(0)

    async def app(scope, receive, send):
        heard.extend([await receive(), await receive()])

    wrapped = ASGIFaultMiddleware(app, injector=injector)
    anyio.run(wrapped, servers.scope("PUT", "/b/k", body=b"a"), receive, None, backend=backend)
    assert heard == told
    assert (only(injector).did, only(injector).injected) == ("delayed", True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_latency_hands_on_the_body_in_order(servers, clock, make_injector, backend):
    """Of a body on its way one piece is kept while the client is listened for; the app gets all of it."""
    injector = make_injector("latency,delay=1s", waits=clock)
    pieces = [
        {"type": "http.request", "body": bytes([each]), "more_body": each < 100} for each in range(97, 101)
    ]
    left, seen = list(pieces), []

    async def receive():
        seen.append(len(heard))
        return left.pop(0)

    heard = []

    async def app(scope, receive, send):
        while True:
            heard.append(await receive())
            if not heard[-1]["more_body"]:
                return

    wrapped = ASGIFaultMiddleware(app, injector=injector)
    anyio.run(wrapped, servers.scope("PUT", "/b/k", http_version="2"), receive, None, backend=backend)
    assert heard == pieces
    assert seen == [0, 1, 2, 3]


def test_expect_continue_is_not_read_ahead(servers, clock, make_injector):
    """Reading would make the server send `100 Continue` before its time."""
    injector = make_injector("latency,delay=1s", waits=clock)

    async def receive():
        raise AssertionError("not asked")

    async def app(scope, receive, send):
        pass

    scope = servers.scope("PUT", "/b/k", [("expect", "100-continue"), ("content-length", "1")])
    anyio.run(ASGIFaultMiddleware(app, injector=injector), scope, receive, None)
    assert clock.now >= 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_clock_runs_while_others_are_served(servers, make_injector, backend):
    """A wait under ASGI blocks no other request."""
    order = []

    async def one(wrapped, name, target):
        async def send(message):
            if message["type"] == "http.response.start":
                order.append((name, message["status"]))

        await wrapped(servers.scope("GET", target), servers.messages(), send)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def scenario():
        wrapped = ASGIFaultMiddleware(app, injector=make_injector("http:503,delay=60ms,path=slow"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one, wrapped, "slow", "/slow")
            tasks.start_soon(one, wrapped, "quick", "/quick")

    anyio.run(scenario, backend=backend)
    assert order == [("quick", 200), ("slow", 503)]


def test_a_server_that_cancels_a_wait_gives_the_take_back(servers, make_injector):
    """Cancelled in the delay: the fault was not given."""
    import asyncio

    async def scenario(injector):
        wrapped = ASGIFaultMiddleware(None, injector=injector)
        task = asyncio.ensure_future(wrapped(servers.scope(), servers.messages(), None))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for rule in ("http:503,delay=1h,times=1", "latency,delay=1h,times=1"):
        injector = make_injector(rule)
        asyncio.run(scenario(injector))
        assert injector.counts()["rule-1"] == {"matched": 1, "injected": 0}
        assert only(injector).did == "failed"


@pytest.mark.parametrize("rule", ["http:503,delay=1h", "http:503,delay=1h,when=after", "latency,delay=1h"])
def test_a_worker_stopped_in_a_wait_gives_the_take_back(servers, monkeypatch, make_injector, rule):
    """gunicorn's time-out ends a sync worker that waits too long."""

    def sleep(seconds):
        raise SystemExit(1)

    sleeping(monkeypatch, sleep)
    injector = make_injector(f"{rule},times=1")

    def app(environ, start_response):
        start_response("200 OK", [])
        return []

    with pytest.raises(SystemExit):
        WSGIFaultMiddleware(app, injector=injector)(servers.environ(), None)
    assert only(injector).did == "failed"
    assert injector.counts()["rule-1"]["injected"] == 0


def test_latency_after_waits_once_and_keeps_exc_info(servers, clock, make_injector):
    """start_response may be called again with exc_info, and by keyword: the wait is not repeated."""
    import sys

    calls = []

    def app(environ, start_response):
        start_response("200 OK", headers=[])
        try:
            raise LookupError
        except LookupError:
            start_response("404 Not Found", [], sys.exc_info())
        return [b"x"]

    def start(status, headers, exc_info=None):
        calls.append((status, clock.now >= 2, exc_info and exc_info[0]))

    injector = make_injector("latency,delay=2s,when=after", waits=clock)
    assert list(WSGIFaultMiddleware(app, injector=injector)(servers.environ(), start)) == [b"x"]
    assert calls == [("200 OK", True, None), ("404 Not Found", True, LookupError)]
    assert clock.now < 2.1


def test_a_listener_lives_with_a_server_that_cannot_receive(make_injector):
    """A receive that raises ends the listening, not the wait."""

    async def receive():
        raise RuntimeError("the server's own")

    async def scenario():
        async with anyio.create_task_group() as tasks:
            return await Listener(receive, tasks).wait(make_injector("http:503").own_plan, 0.001)

    assert anyio.run(scenario) is True


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_receive_that_has_begun_is_handed_on(make_injector, backend):
    """The app asks while the listener still does: one receive serves both, and none is cancelled."""
    asked = []

    async def scenario():
        arrives = anyio.Event()

        async def receive():
            asked.append(1)
            await arrives.wait()
            return {"type": "http.request", "body": b"x", "more_body": True}

        async with anyio.create_task_group() as tasks:
            listener = Listener(receive, tasks)
            assert await listener.wait(make_injector("http:503").own_plan, 0.001)
            found = []

            async def app():
                found.append(await listener.receive())

            tasks.start_soon(app)
            await anyio.wait_all_tasks_blocked()
            arrives.set()
            await anyio.wait_all_tasks_blocked()
            return found

    [message] = anyio.run(scenario, backend=backend)
    assert message["body"] == b"x"
    assert asked == [1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_wait_is_no_wait(make_injector, backend):
    """Zero seconds do not even yield."""
    anyio.run(pause, make_injector("http:503").own_plan, 0.0, Ends(None), backend=backend)


@pytest.mark.parametrize("swift", [True, False])
def test_a_wait_ends_however_short_the_switch_off_was(swift):
    """Off and on again between two looks of a waiting request still ends its wait."""
    from faultinject import Injector
    from faultinject.adapters.wsgi_wait import wait

    injector = Injector("http:503,delay=1h", environ={})
    plan = injector.own_plan
    looks = []

    def monotonic():
        looks.append(None)
        if len(looks) == 3:
            injector.disable()
            if swift:
                injector.enable()
        return 0.0

    plan.services.monotonic = monotonic
    wait(plan, 0.001)
    assert len(looks) <= 4


IMPATIENT = [
    ("latency,delay=1h", "delayed", False),
    ("latency,delay=1h,when=after", "delayed", True),
    ("http:503,delay=1h", "failed", False),
    ("corrupt,delay=1h", "failed", False),
]


@pytest.mark.parametrize("record_all", [False, True])
@pytest.mark.parametrize(("rule", "did", "applied"), IMPATIENT)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_test_client_s_own_time_out_has_met_the_latency(
    servers, make_injector, backend, rule, did, applied, record_all
):
    """As a client that leaves a server: the wait is the fault. An error or a change that never came is none."""
    injector = make_injector(f"{rule},times=1", record_all=record_all)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"app"})

    async def receive():
        await anyio.sleep_forever()

    async def send(message):
        pass

    wrapped = ASGIFaultMiddleware(app, injector=injector)
    scope = servers.scope(extensions={"http.response.debug": {}})

    async def scenario():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wrapped, scope, receive, send)
            while not injector.journal.outcomes:
                await anyio.lowlevel.checkpoint()
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    anyio.run(scenario, backend=backend)
    outcome = only(injector)
    assert (outcome.did, outcome.applied) == (did, applied)
    # The wait before the next attempt begins where this one was given up.
    assert (outcome.answered is not None) == (did == "delayed" and not applied)
    assert injector.injected == injector.counts()["rule-1"]["injected"] == (did == "delayed")


@pytest.mark.parametrize(("rule", "did", "applied"), [each for each in IMPATIENT if "after" not in each[0]])
def test_a_wsgi_test_client_s_own_time_out(monkeypatch, make_injector, rule, did, applied):
    """The same where what ends the wait is raised in it, as by gevent's Timeout or an alarm."""

    class Timeout(BaseException):
        pass

    def sleep(seconds):
        raise Timeout

    sleeping(monkeypatch, sleep)
    injector = make_injector(f"{rule},times=1")
    client = Client(WSGIFaultMiddleware(lambda environ, start_response: [], injector=injector))
    with pytest.raises(Timeout):
        client.get("/films/cat")
    outcome = only(injector)
    assert (outcome.did, outcome.applied) == (did, applied)
    # The wait before the next attempt begins where this one was given up.
    assert (outcome.answered is not None) == (did == "delayed" and not applied)
    assert injector.injected == (did == "delayed")


def test_what_follows_a_time_out_is_its_retry():
    """A failure of the call, with the wait between the two from the time-out on."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"app"})

    wrapped = ASGIFaultMiddleware(app, [])

    async def scenario():
        httpx = pytest.importorskip("httpx")
        transport = httpx.ASGITransport(wrapped)
        async with httpx.AsyncClient(transport=transport, base_url="http://storage.example") as client:
            first = asyncio.ensure_future(client.get("/films/cat"))
            while not faults.outcomes:
                await asyncio.sleep(0)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            await client.get("/films/cat")

    with inject("latency,delay=1h,times=1") as faults:
        asyncio.run(scenario())
    [call] = faults.calls
    assert [each.kind for each in call.attempts] == ["timeout", None]
    assert 0 <= call.gaps[0] < 60

"""ASGI apps of all manners under faults that change the answer's body, or break its connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace

import anyio
import pytest

from faultinject import ASGIFaultMiddleware

from .transport import App, AsgiWire, Broken, Exchange, loopback, read

WAYS = pytest.mark.parametrize("inside", [False, True], ids=["connection", "inside"])
SHAPES = pytest.mark.parametrize("rule", ["truncate,keep_bytes=8", "drip,rate=1KB", "corrupt"])
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]}
WHOLE = {"type": "http.response.body", "body": b"0123456789"}
PATHSEND = "http.response.pathsend"


@pytest.fixture
def wire(servers):
    return AsgiWire(servers)


def last(injector):
    return injector.journal.outcomes[-1].did


@SHAPES
def test_a_server_that_sends_files_itself_is_not_shown(servers, make_injector, rule):
    """What the server reads from a file could not be changed: the app is told of no such extension, only then."""
    extensions = {PATHSEND: {}, "http.response.zerocopysend": {}, "http.response.early_hint": {}}
    scope = servers.scope(extensions=extensions)
    told = []

    async def app(scope, receive, send):
        told.append(set(scope["extensions"]))
        await send(dict(START))
        await send(dict(WHOLE))

    async def send(message):
        pass

    wrapped = ASGIFaultMiddleware(app, injector=make_injector(f"{rule},times=1"))
    for _ in range(2):
        with suppress(ConnectionAbortedError):
            asyncio.run(wrapped(dict(scope), servers.messages(), send))
    assert told == [{"http.response.early_hint"}, set(extensions)]
    assert set(extensions) == set(scope["extensions"])


@WAYS
@pytest.mark.parametrize(
    "rule", ["reset,when=after", "close,when=after", "hang,duration=10ms,when=after", "truncate"]
)
def test_what_comes_behind_an_answer_is_done(wire, make_injector, rule, inside):
    """An app that goes on behind its answer comes to its end before the server hears of the fault."""
    done = []

    async def app(scope, receive, send):
        await send(dict(START))
        await send(dict(WHOLE))
        await send({"type": "http.response.body"})  # one more than an answer has
        await anyio.lowlevel.checkpoint()
        done.append("background")

    injector = make_injector(rule)
    seen = wire(injector, app, inside=inside)
    assert done == ["background"]
    assert isinstance(seen.error, OSError) == inside
    assert injector.counts()["rule-1"]["injected"] == 1


@pytest.mark.parametrize("rule", ["truncate", "drip,rate=1KB", "corrupt"])
def test_other_messages_pass(servers, make_injector, rule):
    """Hints before an answer, and what a test client is told beside it."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.early_hint", "links": []})
        await send(dict(START))
        await send({"type": "http.response.debug", "info": {}})
        await send(dict(WHOLE))

    async def send(message):
        sent.append(message["type"].removeprefix("http.response."))

    scope = servers.scope(client=("testclient", 50000), extensions={"http.response.debug": {}})
    wrapped = ASGIFaultMiddleware(app, injector=make_injector(rule))
    try:
        asyncio.run(wrapped(scope, servers.messages(), send))
    except OSError:
        assert rule == "truncate"
    assert sent[:4] == ["early_hint", "start", "debug", "body"]


@WAYS
@SHAPES
def test_headers_that_can_be_read_once(wire, make_injector, rule, inside):
    """Also a generator gets to the client, and its Content-Length is seen; none at all are none."""

    async def app(scope, receive, send):
        await send(START | {"headers": (each for each in START["headers"])})
        await send(dict(WHOLE))

    injector = make_injector(rule)
    assert wire(injector, app, inside=inside).headers["content-length"] == "10"
    assert injector.journal.outcomes[-1].injected


@BACKENDS
def test_an_app_that_listens_for_the_end(servers, make_injector, backend):
    """The connection that was cut is one that the client left: an endless stream hears it and ends."""

    async def app(scope, receive, send):
        async def listen(scope):
            while (await receive())["type"] != "http.disconnect":
                pass
            scope.cancel()

        await send({"type": "http.response.start", "status": 200, "headers": []})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, tasks.cancel_scope)
            while True:
                await send({"type": "http.response.body", "body": b"0123456789", "more_body": True})

    injector = make_injector("truncate,keep_bytes=15")
    with loopback() as (client, server):
        scope = servers.scope(client=client.getsockname())
        exchange = Exchange(server, "GET")
        wrapped = ASGIFaultMiddleware(app, injector=injector)
        assert anyio.run(exchange.run, wrapped, scope, backend=backend) is None
        raw, end = read(client)
    assert raw.partition(b"\r\n\r\n")[2] == b"a\r\n0123456789\r\n5\r\n01234\r\n"
    assert (end, last(injector)) == ("FIN", "truncated")


@BACKENDS
@pytest.mark.parametrize("leaves", ["before", "between"])
def test_a_client_that_leaves_a_slow_body(servers, make_injector, leaves, backend):
    """Nothing more is sent; what had gone out counts, what had not is given back."""
    injector = make_injector("drip,rate=40,times=1")
    with loopback() as (client, server):
        exchange = Exchange(server, "GET")
        if leaves == "before":
            client.close()
        scope = servers.scope(client=("127.0.0.1", 9))
        sent = []

        async def send(self, message):
            sent.append(message)
            if message.get("body"):
                client.close()

        exchange.send = send.__get__(exchange)
        app = App()
        assert (
            anyio.run(exchange.run, ASGIFaultMiddleware(app.asgi, injector=injector), scope, backend=backend)
            is None
        )
    [outcome] = injector.journal.outcomes
    assert (outcome.did, app.closed) == ("dripped", 1)
    assert [each.get("body") for each in sent] == ([None] if leaves == "before" else [None, b"01"])
    assert outcome.final


def test_a_client_that_has_left_a_cut_body(servers, make_injector):
    """Not even the head could be given: the take goes back."""
    injector = make_injector("truncate,times=1")
    with loopback() as (client, server):
        client.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: it leaves with an RST
        client.close()
        wrapped = ASGIFaultMiddleware(App().asgi, injector=injector)
        assert asyncio.run(Exchange(server, "GET").run(wrapped, servers.scope())) is None
    assert last(injector) == "failed"
    assert injector.counts()["rule-1"]["injected"] == 0


def test_a_client_that_reads_nothing(servers, make_injector, monkeypatch):
    """A body that finds no room is given up after a while; the app comes to its end."""
    monkeypatch.setattr("faultinject.adapters.asgi_special.PATIENCE", 0.05)
    app = App(bytes(50_000_000), bytes(50_000_000))
    injector = make_injector("truncate,keep=0.9,times=1")
    with loopback() as (_, server):
        wrapped = ASGIFaultMiddleware(app.asgi, injector=injector)
        assert asyncio.run(Exchange(server, "GET").run(wrapped, servers.scope())) is None
    assert (last(injector), app.closed) == ("failed", 1)
    assert injector.counts()["rule-1"]["injected"] == 0


@BACKENDS
@pytest.mark.parametrize("rule", ["drip,rate=1", "truncate,keep_bytes=8", "hang,duration=1h"])
def test_a_server_that_cancels(servers, make_injector, rule, backend):
    """Some do when their client left: what was done stays done, what was not is given back."""
    injector = make_injector(f"{rule},times=1")

    async def app(scope, receive, send):
        await send(dict(START))
        await send({"type": "http.response.body", "body": b"0123", "more_body": True})
        await anyio.sleep_forever()

    async def scenario(server):
        exchange = Exchange(server, "GET")
        wrapped = ASGIFaultMiddleware(app, injector=injector)
        with anyio.move_on_after(0.05) as scope:
            await wrapped(servers.scope(), exchange.receive, exchange.send)
        return scope.cancelled_caught

    with loopback() as (_, server):
        assert anyio.run(scenario, server, backend=backend)
    did = {"drip,rate=1": "dripped", "hang,duration=1h": "closed"}.get(rule, "failed")
    assert last(injector) == did
    assert injector.counts()["rule-1"]["injected"] == (did != "failed")
    assert len(injector._surroundings._free) == injector._surroundings.most_active


@WAYS
@SHAPES
def test_an_app_that_answers_nothing(wire, make_injector, rule, inside):
    """An app that ends without an answer has failed."""

    async def app(scope, receive, send):
        pass

    injector = make_injector(f"{rule},times=1")
    seen = wire(injector, app, inside=inside)
    assert (seen.raw, seen.error, last(injector)) == (b"", None, "app_failed")
    assert injector.counts()["rule-1"]["injected"] == 0


@WAYS
def test_an_app_that_stops_in_the_middle(wire, make_injector, inside):
    """A body that does not come to its end, and not to the cut, was not cut by us."""

    async def app(scope, receive, send):
        await send(dict(START))
        await send({"type": "http.response.body", "body": b"0123", "more_body": True})

    injector = make_injector("truncate,keep_bytes=8,times=1")
    seen = wire(injector, app, inside=inside)
    assert (seen.saw, seen.error) == ((200, b"0123", "FIN"), None)
    assert last(injector) == "nothing_to_cut"
    assert injector.counts()["rule-1"]["injected"] == 0


@pytest.mark.parametrize(
    "rule",
    [
        "drip,rate=1",
        "drip,rate=1,delay=10ms",
        "hang",
        "latency,delay=1h",
        "latency,delay=1h,when=after",
        "cos:InternalError,status=200,delay=1h",
    ],
)
def test_uvicorn_s_end_ends_a_wait(servers, make_injector, rule):
    """It lets go of the connection when it shuts down, and waits for what is under way; it tells nobody."""
    wrapped = ASGIFaultMiddleware(App().asgi, injector=make_injector(rule))

    async def scenario(server):
        exchange = Exchange(server, "GET")
        exchange.keep_alive = True
        asyncio.get_running_loop().call_later(0.1, setattr, exchange, "keep_alive", False)
        with anyio.fail_after(5):
            return await exchange.run(wrapped, servers.scope())

    with loopback() as (client, server):
        assert asyncio.run(scenario(server)) is None
        server.close()
        body = read(client)[0].partition(b"\r\n\r\n")[2]
    if "InternalError" in rule:
        assert body.count(b"?> ") == 1
        assert body.endswith(b"</Error>\n\n")
    else:
        assert body == (b"" if rule == "hang" else b"0123456789")


def test_a_failing_app_s_own_error_stands(wire, make_injector):
    """An error behind the answer is the app's: the server gets to see it, the client the fault."""

    async def app(scope, receive, send):
        await send(dict(START))
        await send(dict(WHOLE))
        raise Broken

    for rule, saw in (("reset,when=after", (0, b"", "RST")), ("truncate", (200, b"01234", "FIN"))):
        injector = make_injector(rule)
        seen = wire(injector, app)
        assert (seen.saw, type(seen.error)) == (saw, Broken)
        assert injector.journal.outcomes[-1].injected


def test_a_send_of_no_object(servers, make_injector):
    """Most servers' `send` is a function, or a method of something without a transport."""
    sent = []

    async def send(message):
        sent.append(message)

    for each in (send, SimpleNamespace(send=send).send):
        asyncio.run(
            ASGIFaultMiddleware(App().asgi, injector=make_injector("reset"))(servers.scope(), None, each)
        )
    assert [each["status"] for each in sent if "status" in each] == [502, 502]

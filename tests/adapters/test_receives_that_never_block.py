"""`receive()` that answers at once, every time, as middleware that replays a body does: nobody else is kept waiting."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from faultinject import ASGIFaultMiddleware
from faultinject.adapters.asgi_wait import MOST_IDLE, MOST_MESSAGES, Hearing, noticed
from tests.slowly import others_slowly

from .transport import App, Exchange, loopback, settle

pytestmark = pytest.mark.live

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
FAR_TOO_OFTEN = 50 * MOST_IDLE
# Each listens, drains or looks for the end of a broken connection. They wait for longer than a busy machine keeps all of them waiting.
RULES = [
    "latency,delay=250ms",
    "http:503,delay=250ms",
    "http:503,delay=250ms,when=after",
    "http:503,delay=250ms,drain=no",
    "cos:InternalError,status=200,delay=250ms",
    "truncate,delay=250ms",
    "truncate,of=cos:SlowDown,delay=250ms",
    "drip,rate=1MB,delay=250ms",
    "hang,duration=250ms",
    "hang,duration=250ms,when=after",
    "reset",
    "reset,when=after",
    "close,delay=250ms",
    "cos:SlowDown,exact=yes",
]
MESSAGES = {
    "the whole body": {"type": "http.request", "body": b"x" * 1000, "more_body": False},
    "no body": {"type": "http.request"},
    "an empty piece": {"type": "http.request", "body": b"", "more_body": True},
    "something else": {"type": "http.something"},
}


class Endless:
    """A `receive` that says the same for ever, and never waits; as soon as that is far too often it does."""

    def __init__(self, message):
        self.message = message
        self.asked = 0

    async def __call__(self):
        self.asked += 1
        if self.asked > FAR_TOO_OFTEN:
            await anyio.sleep_forever()
        return dict(self.message)


@BACKENDS
@pytest.mark.parametrize("says", others_slowly(MESSAGES, ("the whole body", "an empty piece").__contains__))
@pytest.mark.parametrize("rule", RULES)
def test_others_run_and_it_ends(servers, make_injector, rule, says, backend):
    """Others get their turn while the fault is given, and the `receive` is not asked without end."""
    injector = make_injector(rule)
    receive = Endless(MESSAGES[says])
    turns = 0

    async def app(scope, receive, send):
        await receive()
        await App().asgi(scope, Endless(MESSAGES["no body"]), send)

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await (anyio.lowlevel.checkpoint() if turns < 20 else anyio.sleep(0.005))

    async def scenario(server):
        exchange = Exchange(server, "PUT")
        exchange.receive = receive
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            scope = servers.scope("PUT", "/b/k", body=b"x" * 1000)
            with anyio.fail_after(20):
                await exchange.run(ASGIFaultMiddleware(app, injector=injector), scope)
            tasks.cancel_scope.cancel()

    with loopback() as (_, server):
        anyio.run(scenario, server, backend=backend)
    settle()
    assert receive.asked < 5 * MOST_IDLE
    assert turns > 2
    assert injector._services.active == 0


@BACKENDS
def test_of_what_is_replayed_one_is_kept(servers, make_injector, backend):
    """The app gets what was heard first, once, and asks for the rest itself."""
    receive = Endless(MESSAGES["the whole body"])
    heard = []

    async def app(scope, receive, send):
        before = -1
        while before != endless.asked:  # who listened during the delay gives it up first
            before = endless.asked
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
        heard.extend([await receive(), await receive()])
        assert endless.asked - before == 1

    endless = receive
    wrapped = ASGIFaultMiddleware(app, injector=make_injector("latency,delay=50ms"))
    anyio.run(wrapped, servers.scope("PUT", "/b/k", body=b"x" * 1000), receive, None, backend=backend)
    assert heard == 2 * [MESSAGES["the whole body"]]


@BACKENDS
def test_a_body_of_empty_pieces_is_given_up(servers, make_injector, backend):
    """The fault is given, and the journal says that the body was not read to its end."""
    injector = make_injector("cos:SlowDown")
    receive = Endless(MESSAGES["an empty piece"])
    sent = []

    async def send(message):
        sent.append(message)

    wrapped = ASGIFaultMiddleware(None, injector=injector)
    anyio.run(wrapped, servers.scope("PUT", "/b/k", body=b"x"), receive, send, backend=backend)
    assert sent[0]["status"] == 503
    [outcome] = injector.journal.outcomes
    assert (outcome.did, outcome.body_complete) == ("drain_cut", False)


@BACKENDS
def test_an_app_that_never_waits_is_cut_off(servers, make_injector, monkeypatch, backend):
    """Its answer has no end and says nothing: the clock that cuts it off gets its turn."""
    monkeypatch.setattr("faultinject.adapters.asgi_after.LONGEST", 0.05)
    injector = make_injector("http:503,when=after")
    sent = []

    async def send(message):
        sent.append(message)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        for _ in range(10_000_000):
            await send({"type": "http.response.body", "more_body": True})

    scope, receive = servers.scope(), Endless(MESSAGES["no body"])
    anyio.run(ASGIFaultMiddleware(app, injector=injector), scope, receive, send, backend=backend)
    assert sent[0]["status"] == 503
    assert injector.journal.outcomes[-1].did == "app_cut"


def test_messages_are_bounded(monkeypatch):
    """Also those that bring something."""
    monkeypatch.setattr("faultinject.adapters.asgi_wait.MOST_MESSAGES", 3)
    receive = Endless({"type": "http.request", "body": b"x", "more_body": True})

    async def hear():
        hearing = Hearing(receive)
        return [await hearing.next() is not None for _ in range(5)]

    assert anyio.run(hear) == [True] * 3 + [False] * 2
    assert receive.asked == 3
    assert MOST_MESSAGES >= 100_000


@BACKENDS
def test_the_end_of_a_connection_is_not_waited_for_from_who_never_tells(backend):
    """Asked as often as is bearable, and then no more."""
    receive = Endless(MESSAGES["no body"])
    anyio.run(noticed, receive, backend=backend)
    assert receive.asked == MOST_IDLE

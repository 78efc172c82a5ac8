"""A `receive()` that always answers at once, as of a replayed body, blocks nobody else."""

from contextlib import suppress

import anyio
import anyio.lowlevel
import pytest

from faultinject import ASGIFaultMiddleware, Injector
from tests.pairs import pairs

from .transport import BACKENDS, TESTCLIENT, App, Exchange, last, loopback, recorder, saying

pytestmark = pytest.mark.live

OFTEN = 5_000
# Each listens, drains or looks for the end of a broken connection.
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
]
MESSAGES = {
    "the whole body": {"type": "http.request", "body": b"x" * 1000, "more_body": False},
    "no body": {"type": "http.request"},
    "an empty piece": {"type": "http.request", "body": b"", "more_body": True},
    "something else": {"type": "http.something"},
}


async def take_turns(turns, most=1000):
    """Note each turn of the loop, and every tenth of a second behind so many."""
    while True:
        turns.append(1)
        await (anyio.lowlevel.checkpoint() if len(turns) <= most else anyio.sleep(0.1))


class Endless:
    """A `receive` that repeats its message without waiting, until that is far too often."""

    def __init__(self, message):
        self.message = message
        self.asked = 0

    async def __call__(self):
        self.asked += 1
        if self.asked > 10 * OFTEN:
            await anyio.sleep_forever()
        return dict(self.message)


@pytest.mark.parametrize(
    ("rule", "says", "backend"),
    pairs(
        rule=RULES,
        says=MESSAGES,
        backend=["asyncio", "trio"],
        alike={"says": lambda says: says == "the whole body"},
    ),
)
def test_others_run_and_it_ends(servers, clock, rule, says, backend):
    """Other tasks run while the fault is given, and `receive` is not called without end."""
    injector = Injector(rule, seed=1, environ={"FAULTINJECT_MAX_ACTIVE": "1"}, waits=clock)
    turns = []

    async def app(scope, receive, send):
        await receive()
        await App().asgi(scope, Endless(MESSAGES["no body"]), send)

    async def scenario():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take_turns, turns, 20)
            for _ in range(2):  # none stays under way
                with loopback() as (_, server):
                    exchange = Exchange(server, "PUT")
                    exchange.receive = receive = Endless(MESSAGES[says])
                    scope = servers.scope("PUT", "/b/k", body=b"x" * 1000)
                    await exchange.run(ASGIFaultMiddleware(app, injector=injector), scope)
                assert receive.asked < OFTEN
            tasks.cancel_scope.cancel()

    clock.run(scenario, backend=backend)
    assert len(turns) > 2
    assert injector.injected == 2
    # A body of empty pieces is given up, and not taken for a whole one.
    assert says != "an empty piece" or not injector.journal.outcomes[-1].body_complete


@BACKENDS
def test_an_app_that_never_waits_is_cut_off(servers, clock, backend):
    """Its answer has no end and says nothing: the clock that cuts it off gets its turn."""
    injector = Injector("http:503,when=after", environ={}, waits=clock)
    sent, send = recorder()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        for _ in range(9999):
            clock.now += 0.01
            await send({"type": "http.response.body", "more_body": True})

    scope, receive = servers.scope(), Endless(MESSAGES["no body"])
    clock.run(ASGIFaultMiddleware(app, injector=injector), scope, receive, send, backend=backend)
    assert (sent[0]["status"], last(injector).did) == (503, "app_cut")


@BACKENDS
def test_others_run_beside_an_app_that_never_waits_behind_its_cut(servers, backend):
    """Its answer may have no end: who cancels it gets a turn."""
    injector, turns = Injector("truncate,keep_bytes=1", environ={}), []
    piece = {"type": "http.response.body", "body": b"x", "more_body": True}
    app = saying({"type": "http.response.start", "status": 200}, *[piece] * 100)

    async def scenario():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take_turns, turns)
            with suppress(ConnectionError):
                await ASGIFaultMiddleware(app, injector=injector)(
                    servers.scope(**TESTCLIENT), servers.messages(), recorder()[1]
                )
            tasks.cancel_scope.cancel()

    anyio.run(scenario, backend=backend)
    assert len(turns) > 50

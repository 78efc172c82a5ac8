"""ASGI: a small body that comes in one message is read at once; any other goes on from there, on every event loop."""

import anyio
import pytest
from anyio.lowlevel import checkpoint

from faultinject import ASGIFaultMiddleware, Injector
from tests.rows import row_by_row

from .conftest import make_scope
from .transport import LEFT, hearing, recorder

BODY = b"data"


def whole(body=BODY):
    return {"type": "http.request", "body": body, "more_body": False}


def ask(receive, *, backend="asyncio", times=1):
    """Statuses of the answers, and the outcomes, of PUT requests with four bytes."""
    injector = Injector("cos:SlowDown", seed=1, environ={})
    wrapped = ASGIFaultMiddleware(None, injector=injector)
    sent, send = recorder()

    async def run():
        for _ in range(times):
            await wrapped(make_scope("PUT", "/photos/cat.jpg", body=BODY), receive, send)

    anyio.run(run, backend=backend)
    return [each["status"] for each in sent if "status" in each], injector.journal.outcomes


def later(turns, *told):
    """A `receive` that waits so many turns of the loop before it says each."""
    said = hearing(*told)

    async def receive():
        for _ in range(turns):
            await checkpoint()
        return await said()

    return receive


@row_by_row("backend", ["asyncio", "trio"])
@row_by_row("turns", [0, 1, 3])
def test_it_is_heard_to_its_end(turns, backend):
    """Whether it answers at once or waits first; and the next request as well."""
    statuses, outcomes = ask(later(turns, whole(), whole()), backend=backend, times=2)
    assert statuses == [503, 503]
    assert [(each.did, each.request_bytes, each.body_complete) for each in outcomes] == [
        ("answered", 4, True)
    ] * 2
    assert len({each.request_digest for each in outcomes}) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("turns", [0, 1])
def test_pieces(backend, turns):
    """The first comes at once or not, the rest later."""
    receive = later(turns, whole(b"da") | {"more_body": True}, whole(b"ta"))
    statuses, [outcome] = ask(receive, backend=backend)
    assert (statuses, outcome.request_bytes, outcome.body_complete) == ([503], 4, True)
    assert outcome.request_digest == ask(hearing(whole()))[1][0].request_digest


@row_by_row("backend", ["asyncio", "trio"])
@row_by_row("turns", [0, 1])
@row_by_row("told", [LEFT, OSError("gone"), None, whole], ids=["leaves", "fails", "nothing", "is not async"])
def test_a_client_that_leaves_and_a_server_that_fails(told, turns, backend):
    """Nobody is answered, and the journal says so; a server that does not keep to ASGI is no error of the app."""
    receive = told if told is whole else later(turns, told)
    statuses, [outcome] = ask(receive, backend=backend)
    assert (statuses, outcome.did) == ([], "failed")


class Cycle:
    """What uvicorn's `receive` is a method of; another server's may have one of the same names only."""

    def __init__(self, **shown):
        vars(self).update(shown)

    async def receive(self):
        await checkpoint()
        return whole()


class Set:
    def is_set(self):
        return True


@pytest.mark.parametrize(
    "shown", [{"more_body": False, "message_event": Set()}, {"more_body": False}, {"message_event": Set()}]
)
def test_what_the_server_shows_of_it(shown):
    """Whatever is known before, the body is heard."""
    statuses, [outcome] = ask(Cycle(**shown).receive)
    assert (statuses, outcome.request_bytes, outcome.body_complete) == ([503], 4, True)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_client_that_is_heard_leaving_a_hang(out_of_reach, servers, backend):
    """Its connection is not found, so only the server tells: the fault was met, and the wait is over."""
    out_of_reach()

    async def receive():
        await anyio.sleep(0.01)
        return {"type": "http.disconnect"}

    injector = Injector("hang,delay=1h", seed=1, environ={})
    live = servers.scope("GET", "/photos/cat.jpg", client=("127.0.0.1", 9))
    anyio.run(ASGIFaultMiddleware(None, injector=injector), live, receive, None, backend=backend)
    [outcome] = injector.journal.outcomes
    assert (outcome.did, outcome.fault, outcome.final) == ("closed", "hang", True)
    assert outcome.answered - outcome.arrived < 1800

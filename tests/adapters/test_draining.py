"""The request body before an injected answer is read to its end, within limits."""

import asyncio
import io
from types import SimpleNamespace
from unittest.mock import Mock

import anyio
import pytest
from anyio.lowlevel import checkpoint

from faultinject import ASGIFaultMiddleware, Injector, RuleCounts, WSGIFaultMiddleware

from .test_aws_chunks import digest
from .transport import LEFT, hearing, loopback, only, recorder

RULE = "cos:SlowDown,times=1"
MEGABYTE = 1_000_000


def make(rules, seed=1, **how):
    return Injector(rules, seed=seed, environ={}, **how)


def never(*_):
    raise AssertionError("the app is not called")


class Source(io.BytesIO):
    """An input that counts what was read of it."""

    def __init__(self, data):
        super().__init__(data)
        self.sizes = []

    def read1(self, size):
        self.sizes.append(size)
        return super().read(size)


def what(outcome):
    return outcome.did, outcome.request_bytes, outcome.request_digest, outcome.body_complete


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}


@pytest.mark.parametrize(
    ("more", "data", "sizes", "left", "size"),
    [
        # On a keep-alive connection what follows the body is the next request.
        (
            {"CONTENT_LENGTH": "100000"},
            b"x" * 100_000 + b"GET /next",
            [65_536, 34_464],
            b"GET /next",
            100_000,
        ),
        ({**CHUNKED, "wsgi.input_terminated": True}, b"chunked", [65_536] * 2, b"", 7),
        # Without a length or a marked end reading would never stop, so nothing is read.
        (CHUNKED, b"chunked", [], b"chunked", None),
    ],
)
def test_wsgi_reads_to_the_end_and_no_further(servers, more, data, sizes, left, size):
    """By the length, or by the end that the server marks."""
    injector, source = make(RULE), Source(data)
    environ = servers.environ("PUT", "/b/k", **more, **{"wsgi.input": source})
    assert servers.wsgi(WSGIFaultMiddleware(never, injector=injector), environ).status == 503
    assert (source.sizes, source.read()) == (sizes, left)
    found = (None, None, None) if size is None else (size, digest((), data[:size])[1], True)
    assert what(only(injector)) == ("answered", *found)


def test_no_body_is_not_read(servers):
    """A request that announces no body is answered without looking."""
    wsgi, asgi = (each(never, injector=make(RULE)) for each in (WSGIFaultMiddleware, ASGIFaultMiddleware))
    assert servers.wsgi(wsgi, servers.environ(**{"wsgi.input": None})).status == 503
    asked = hearing(AssertionError("not asked"))
    assert asyncio.run(servers.asgi(asgi, servers.scope(), asked)).status == 503


def test_asgi_expect_continue_is_answered_instead(servers):
    """The error goes out instead of the 100: reading would make the server send it."""
    injector = make(RULE)
    scope = servers.scope("PUT", "/b/k", [("Expect", "100-Continue"), ("Content-Length", "5")])
    wrapped = ASGIFaultMiddleware(never, injector=injector)
    assert asyncio.run(servers.asgi(wrapped, scope, hearing(AssertionError("not asked")))).status == 503
    assert what(only(injector)) == ("answered", None, None, None)


def test_bytes_are_bounded(send, servers, clock):
    """Past the bound the fault is given all the same, and the outcome says `drain_cut`."""
    injector, length = make(RULE, waits=clock), [("content-length", str(10**9))]
    read = []

    def give(size=MEGABYTE):
        read.append(size)
        return bytes(size)

    async def receive():
        return piece(give(), more=True)

    if send.kind == "wsgi":
        answer = send(
            injector, "PUT", "/b/k", length, app=never, **{"wsgi.input": SimpleNamespace(read=give)}
        )
    else:
        scope = servers.scope("PUT", "/b/k", length)
        answer = clock.run(servers.asgi, ASGIFaultMiddleware(never, injector=injector), scope, receive)
    outcome = only(injector)
    assert answer.status == 503
    assert (outcome.did, outcome.body_complete, outcome.injected) == ("drain_cut", False, True)
    assert 2**27 <= sum(read) < 2**27 + 10 * MEGABYTE
    assert answer.header("connection") == "close"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_asgi_seconds_are_bounded(servers, clock, backend):
    """A client that stalls holds us no longer than the bound."""
    injector = make(RULE, waits=clock)
    left = [{"type": "http.request", "body": b"x", "more_body": True}]

    async def receive():
        await (anyio.sleep_forever() if not left else anyio.sleep(3))
        return left.pop()

    wrapped = ASGIFaultMiddleware(never, injector=injector)
    scope = servers.scope("PUT", "/b/k", [("transfer-encoding", "chunked")])
    assert clock.run(servers.asgi, wrapped, scope, receive, backend=backend).status == 503
    assert clock.now == pytest.approx(10)
    assert what(only(injector)) == ("drain_cut", 1, digest((), b"x")[1], False)


@pytest.mark.parametrize("end", [b"", ConnectionResetError("gone"), ValueError("a bad chunk")], ids=repr)
def test_wsgi_client_gone_in_the_middle(servers, end):
    """A fault that was not given does not count: the next request gets that of `times=1`."""
    injector, read = make(RULE), Mock(side_effect=[b"abc", end])
    environ = servers.environ(
        "PUT", "/b/k", CONTENT_LENGTH="10", **{"wsgi.input": SimpleNamespace(read=read)}
    )
    answer = servers.wsgi(WSGIFaultMiddleware(never, injector=injector), environ)
    headers = [("content-length", "0"), ("x-faultinject", "error"), ("connection", "close")]
    assert answer.wire == (500, headers, b"")
    outcome = only(injector)
    assert (outcome.did, outcome.left, outcome.status, outcome.request_id, outcome.injected, outcome.final) == (
        "failed", True, None, None, False, True
    )  # fmt: skip
    assert injector.errors == []
    assert injector.counts() == {"rule-1": RuleCounts(1, 0)}
    wrapped = WSGIFaultMiddleware(never, injector=injector)
    assert servers.wsgi(wrapped, servers.environ("PUT", "/b/k")).status == 503


def later(turns, *told):
    """A `receive` that waits so many turns of the loop before it says each."""
    said = hearing(*told)

    async def receive():
        for _ in range(turns):
            await checkpoint()
        return await said()

    return receive


def piece(data, *, more=False):
    return {"type": "http.request", "body": data, "more_body": more}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("turns", [0, 1, 3])
@pytest.mark.parametrize(
    "told", [[piece(b"data")], [piece(b"da", more=True), piece(b"ta")]], ids=["whole", "pieces"]
)
def test_asgi_hears_a_body_to_its_end(servers, backend, turns, told):
    """The body is read at once or later, in one message or several; so is the next one."""
    injector = make("cos:SlowDown")
    wrapped, receive = ASGIFaultMiddleware(never, injector=injector), later(turns, *told * 2)
    sent, send = recorder()

    async def run():
        for _ in range(2):
            await wrapped(servers.scope("PUT", "/b/k", body=b"data"), receive, send)

    anyio.run(run, backend=backend)
    assert [each["status"] for each in sent if "status" in each] == [503, 503]
    assert [what(each) for each in injector.journal.outcomes] == [
        ("answered", 4, digest((), b"data")[1], True)
    ] * 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    "told",
    [
        [piece(b"abc", more=True), LEFT],
        [piece(b"abc", more=True), ConnectionResetError()],
        *([each] for each in (LEFT, OSError("gone"), None)),
    ],
    ids=str,
)
@pytest.mark.parametrize("turns", [0, 1])
def test_asgi_client_gone_in_the_middle(servers, backend, turns, told):
    """If the client is gone, nothing is sent, and the count is returned."""
    injector = make(RULE)
    wrapped = ASGIFaultMiddleware(never, injector=injector)
    scope = servers.scope("PUT", "/b/k", body=b"data")
    anyio.run(wrapped, scope, later(turns, *told), never, backend=backend)
    assert (only(injector).did, only(injector).left) == ("failed", True)
    assert asyncio.run(servers.asgi(wrapped, servers.scope(), servers.messages())).status == 503


def test_digest_depends_on_bytes_and_seed(send):
    """Other bytes or another seed, another digest."""
    digests = set()
    for body, seed in ((b"a", 1), (b"b", 1), (b"a", 2)):
        injector = make(RULE, seed=seed)
        send(injector, "PUT", "/b/k", body=body)
        digests.add(only(injector).request_digest)
    assert len(digests) == 3


class Hasty:
    """A server's socket, for which ten seconds are over soon.

    The client of these tests sends a part, and then nothing.
    """

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)

    def settimeout(self, seconds):
        self._real.settimeout(0.1 if seconds == 10 else seconds)


@pytest.fixture
def injector():
    return Injector("http:503", environ={})


def last(injector):
    outcome = injector.journal.outcomes[-1]
    return outcome.did, outcome.body_complete


def ask(servers, injector, source, **more):
    given = {"CONTENT_LENGTH": "100000", "wsgi.input": source, **more}
    return servers.wsgi(WSGIFaultMiddleware(None, injector=injector), servers.environ("PUT", "/b/k", **given))


@pytest.mark.live
def test_a_client_that_stalls(servers, injector):
    """The fault is given in the end, and the server's socket has its own patience again."""
    with loopback() as (client, server), server.makefile("rb") as source:
        client.sendall(b"x")
        answer = ask(
            servers, injector, SimpleNamespace(read=source.read), **{"werkzeug.socket": Hasty(server)}
        )
        assert server.gettimeout() is None
        server.sendall(b"sent")
        assert client.recv(4) == b"sent"
    assert answer.status == 503
    assert last(injector) == ("drain_cut", False)


def test_a_client_that_trickles(servers, clock):
    """A byte in two seconds: no more is asked for at a time than what is there soon."""
    asked = []

    def read(size):
        asked.append(size)
        clock.now += 2 * size
        return b"x" * size

    injector = Injector("http:503", environ={}, waits=clock)
    assert ask(servers, injector, SimpleNamespace(read=read)).status == 503
    assert last(injector) == ("drain_cut", False)
    asked.clear()
    assert (
        ask(servers, injector, SimpleNamespace(read=lambda size: read(1)), CONTENT_LENGTH="4").status == 503
    )
    assert last(injector) == ("answered", True)


@pytest.mark.live
@pytest.mark.parametrize("known", [True, False])
def test_a_body_that_comes_in_time(servers, known):
    """The connection stays readable; a client that breaks off has left."""
    injector = Injector("http:503", environ={})
    with loopback() as (client, server), server.makefile("rb") as source:
        client.sendall(b"x" * 1000)
        more = {"CONTENT_LENGTH": "1000", **({"werkzeug.socket": server} if known else {})}
        answer = ask(servers, injector, SimpleNamespace(read=source.read), **more)
        client.sendall(b"next")
        assert source.read(4) == b"next"
        client.close()
        assert ask(servers, injector, SimpleNamespace(read=source.read), **more).status == 500
    assert answer.status == 503
    assert [each.did for each in injector.journal.outcomes][-2:] == ["answered", "failed"]

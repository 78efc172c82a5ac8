"""The request body before an injected answer is read to its end, within limits."""

import io
from types import SimpleNamespace
from unittest.mock import Mock

import anyio
import pytest
from anyio.lowlevel import checkpoint

from faultinject import ASGIFaultMiddleware, Injector, RuleCounts

from .conftest import Asgi, Wsgi
from .test_aws_chunks import digest
from .transport import LEFT, hearing, last, loopback, only, recorder, values

RULE = "cos:SlowDown,times=1"
MEGABYTE = 1_000_000


def make(rules, seed=1, **how):
    return Injector(rules, seed=seed, environ={}, **how)


@pytest.fixture
def injector():
    return make("http:503")


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


WHAT = "did", "request_bytes", "request_digest", "body_complete"
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
def test_wsgi_reads_to_the_end_and_no_further(more, data, sizes, left, size):
    """By the length, or by the end that the server marks."""
    injector, source = make(RULE), Source(data)
    answer = Wsgi()(injector, "PUT", "/b/k", app=never, **more, **{"wsgi.input": source})
    assert (answer.status, source.sizes, source.read()) == (503, sizes, left)
    found = (None, None, None) if size is None else (size, digest((), data[:size])[1], True)
    assert values(only(injector), *WHAT) == ("answered", *found)


def test_no_body_is_not_read():
    """A request that announces no body is answered without looking."""
    assert Wsgi()(make(RULE), app=never, **{"wsgi.input": None}).status == 503
    assert Asgi()(make(RULE), app=never, receive=hearing(AssertionError("not asked"))).status == 503


def test_asgi_expect_continue_is_answered_instead():
    """The error goes out instead of the 100: reading would make the server send it."""
    injector, asked = make(RULE), hearing(AssertionError("not asked"))
    headers = [("Expect", "100-Continue"), ("Content-Length", "5")]
    assert Asgi()(injector, "PUT", "/b/k", headers, app=never, receive=asked).status == 503
    assert values(only(injector), *WHAT) == ("answered", None, None, None)


def test_bytes_are_bounded(send, clock):
    """Past the bound the fault is given all the same, and the outcome says `drain_cut`."""
    injector, length = make(RULE, waits=clock), [("content-length", str(10**9))]
    read = []

    def give(size=MEGABYTE):
        read.append(size)
        return bytes(size)

    async def receive():
        return piece(give(), more=True)

    how = {"wsgi": {"wsgi.input": SimpleNamespace(read=give)}, "asgi": {"receive": receive}}
    answer = send(injector, "PUT", "/b/k", length, app=never, **how[send.kind])
    assert (answer.status, answer.header("connection")) == (503, "close")
    assert values(only(injector), "did", "body_complete", "injected") == ("drain_cut", False, True)
    assert 2**27 <= sum(read) < 2**27 + 10 * MEGABYTE


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_asgi_seconds_are_bounded(servers, clock, backend):
    """A client that stalls holds us no longer than the bound."""
    injector = make(RULE, waits=clock)
    left = [piece(b"x", more=True)]

    async def receive():
        await (anyio.sleep_forever() if not left else anyio.sleep(3))
        return left.pop()

    wrapped = ASGIFaultMiddleware(never, injector=injector)
    scope = servers.scope("PUT", "/b/k", [("transfer-encoding", "chunked")])
    assert (clock.run(servers.asgi, wrapped, scope, receive, backend=backend).status, clock.now) == (
        503,
        pytest.approx(10),
    )
    assert values(only(injector), *WHAT) == ("drain_cut", 1, digest((), b"x")[1], False)


@pytest.mark.parametrize("end", [b"", ConnectionResetError("gone"), ValueError("a bad chunk")], ids=repr)
def test_wsgi_client_gone_in_the_middle(end):
    """A fault that was not given does not count: the next request gets that of `times=1`."""
    injector, source = make(RULE), SimpleNamespace(read=Mock(side_effect=[b"abc", end]))
    answer = Wsgi()(injector, "PUT", "/b/k", app=never, CONTENT_LENGTH="10", **{"wsgi.input": source})
    headers = [("content-length", "0"), ("x-faultinject", "error"), ("connection", "close")]
    assert answer.wire == (500, headers, b"")
    found = values(only(injector), "did", "left", "status", "request_id", "injected", "final")
    assert (found, injector.errors, injector.counts()) == (
        ("failed", True, None, None, False, True),
        [],
        {"rule-1": RuleCounts(1, 0)},
    )
    assert Wsgi()(injector, "PUT", "/b/k", app=never).status == 503


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
    assert [values(each, *WHAT) for each in injector.journal.outcomes] == [
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
    assert (only(injector).did, only(injector).left, Asgi()(injector).status) == ("failed", True, 503)


def test_digest_depends_on_bytes_and_seed(send):
    """Other bytes or another seed, another digest."""
    made = [(make(RULE, seed=seed), body) for body, seed in ((b"a", 1), (b"b", 1), (b"a", 2))]
    for injector, body in made:
        send(injector, "PUT", "/b/k", body=body)
    assert len({only(injector).request_digest for injector, _ in made}) == 3


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


def asked(injector, read, **more):
    """The status of an answer to such a request, and what the journal says of it."""
    given = {"CONTENT_LENGTH": "100000", "wsgi.input": SimpleNamespace(read=read), **more}
    status = Wsgi()(injector, "PUT", "/b/k", app=never, **given).status
    return status, last(injector).did, last(injector).body_complete


@pytest.mark.live
def test_a_client_that_stalls(injector):
    """The fault is given in the end, and the server's socket has its own patience again."""
    with loopback() as (client, server), server.makefile("rb") as source:
        client.sendall(b"x")
        found = asked(injector, source.read, **{"werkzeug.socket": Hasty(server)})
        server.sendall(b"sent")
        assert (found, server.gettimeout(), client.recv(4)) == ((503, "drain_cut", False), None, b"sent")


def test_a_client_that_trickles(clock):
    """A byte in two seconds: no more is asked for at a time than what is there soon."""

    def read(size):
        clock.now += 2 * size
        return b"x" * size

    injector = make("http:503", waits=clock)
    assert asked(injector, read) == (503, "drain_cut", False)
    assert asked(injector, lambda _: read(1), CONTENT_LENGTH="4") == (503, "answered", True)


@pytest.mark.live
@pytest.mark.parametrize("known", [True, False])
def test_a_body_that_comes_in_time(injector, known):
    """The connection stays readable; a client that breaks off has left."""
    with loopback() as (client, server), server.makefile("rb") as source:
        client.sendall(b"x" * 1000)
        more = {"CONTENT_LENGTH": "1000", **({"werkzeug.socket": server} if known else {})}
        assert asked(injector, source.read, **more) == (503, "answered", True)
        client.sendall(b"next")
        assert source.read(4) == b"next"
        client.close()
        assert asked(injector, source.read, **more)[:2] == (500, "failed")

"""The journal has the digest of the body that the app reads, to compare attempts."""

import asyncio
import io
from contextlib import suppress

import pytest
from cheroot.server import ChunkedRFile

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware

from .conftest import Asgi, Wsgi
from .transport import LEFT, READERS, App, Broken, Taking, hearing, only, recorder, values

BODY = b"a film of a cat in three parts\n" * 1000
CHUNKED = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
TARGET = "/films/cat"
SEEN = "request_bytes", "body_complete", "request_digest"


def digest_of(body):
    """The digest of the same body if an injected answer reads it."""
    injector = Injector("http:503", seed="0", environ={})
    Wsgi()(injector, "PUT", TARGET, body=body)
    assert only(injector).body_complete
    return only(injector).request_digest


def recorded(rules="http:503,path=elsewhere/"):
    """An injector that records every request."""
    return Injector(rules, seed="0", environ={}, record_all=True)


def put(injector, how, **environ):
    """One PUT to a WSGI app that reads its body in some way: the pieces that it got."""
    app = Taking(how=how)
    Wsgi()(injector, "PUT", TARGET, body=BODY, app=app, **environ)
    return [piece for _, piece in app.taken]


@pytest.mark.parametrize("way", READERS)
def test_wsgi(way):
    """However the app reads it; the digest is that of a body that an answer of ours has read."""
    injector = recorded()
    assert (b"".join(put(injector, READERS[way])), values(only(injector), *SEEN)) == (
        BODY,
        (len(BODY), True, digest_of(BODY)),
    )
    assert only(injector).request_digest != digest_of(BODY[:-1] + b"!")


class OneLine(io.BytesIO):
    """An input as granian's: by `readline` it gives one line alone."""

    def readline(self, size=-1):
        return b"" if self.tell() else super().readline(size)

    def readlines(self, hint=-1):
        return [self.readline()]


def chunks(body):
    """cheroot's input of a body in chunks, which its `readline` never ends."""
    return ChunkedRFile(io.BytesIO(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)), 1 << 20)


@pytest.mark.parametrize(
    ("source", "way"), [(OneLine, "readlines"), (OneLine, "lines"), (chunks, "readlines")]
)
def test_lines_of_a_server_whose_own_are_wrong(source, way):
    """The app gets the whole body."""
    assert b"".join(put(recorded(), READERS[way], **CHUNKED | {"wsgi.input": source(BODY)})) == BODY


def a_part(source):
    """Read the beginning alone."""
    return [source.read(100)]


@pytest.mark.parametrize(
    ("how", "environ", "size", "whole"),
    [
        # A body that was not seen whole has its announced length only; one without a length has an end when it is read.
        (None, {}, len(BODY), None),
        (a_part, {}, len(BODY), None),
        (READERS["pieces"], CHUNKED, len(BODY), True),
        (a_part, CHUNKED, None, None),
    ],
)
def test_what_is_known_of_a_body(how, environ, size, whole):
    """As far as the app reads it."""
    injector = recorded()
    put(injector, how, **environ)
    assert values(only(injector), *SEEN) == (size, whole, digest_of(BODY) if whole else None)


def test_a_server_that_gives_no_input(servers):
    """The app is called all the same; nobody has seen the body."""
    injector, app = recorded(), App()
    environ = servers.environ("PUT", TARGET, CONTENT_LENGTH="9")
    del environ["wsgi.input"]
    assert [*WSGIFaultMiddleware(app.wsgi, injector=injector)(environ, lambda *_: None)] == [*app.pieces]
    assert (only(injector).request_bytes, only(injector).request_digest) == (9, None)


def test_an_input_has_what_the_servers_has():
    """Also what PEP 3333 does not ask for."""
    assert put(recorded(), lambda source: [source.getvalue()]) == [BODY]


@pytest.mark.parametrize("rule", ["reset,when=after", "http:503,when=after", "latency,delay=1ms", "corrupt"])
def test_the_app_also_reads_what_gets_a_fault_afterwards(send, rule):
    """A lost answer's retry can be compared with it."""
    injector = recorded(f"{rule},times=1")
    for _ in range(2):
        with suppress(ConnectionError):
            send(injector, "PUT", TARGET, body=BODY, app=Taking())
    assert [each.request_digest for each in injector.journal.outcomes] == [digest_of(BODY)] * 2


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("header", [("content-length", str(len(BODY))), ("transfer-encoding", "chunked")])
def test_asgi(header, version):
    """The same, as messages."""
    injector = recorded()
    for app in Taking(), App():
        first = {"type": "http.request", "body": BODY[:1000], "more_body": True}
        receive = hearing(first, {"type": "http.request", "body": BODY[1000:]})
        Asgi()(injector, "PUT", TARGET, [header], app=app, receive=receive, http_version=version)
    read, unread = injector.journal.outcomes
    found = read.request_bytes, read.request_digest, unread.request_digest
    assert found == (len(BODY), digest_of(BODY), None)


@pytest.mark.parametrize("header", [("content-length", str(2 * len(BODY))), ("transfer-encoding", "chunked")])
@pytest.mark.parametrize("pieces", [(), (BODY,)])
@pytest.mark.parametrize("rule", ["http:503,path=elsewhere/", "http:503", "reset,when=after"])
def test_an_upload_that_breaks_off(servers, rule, pieces, header):
    """Its announced length is not what its client has sent, whether the app or a fault reads it.

    The app hears of it as of the server, and a part of a body has no digest.
    """
    injector, app = recorded(rule), Taking()
    told = [{"type": "http.request", "body": each, "more_body": True} for each in pieces]
    wrapped = ASGIFaultMiddleware(app.asgi, injector=injector)
    with suppress(Broken):
        asyncio.run(wrapped(servers.scope("PUT", TARGET, [header]), hearing(*told, LEFT), recorder()[1]))
    outcome = only(injector)
    assert (outcome.left, outcome.request_bytes, app.ran) == (True, None, 0)
    if "path" in rule:
        assert (outcome.request_digest, app.body) == (None, b"".join(pieces))


@pytest.mark.parametrize("rule", ["http:503,path=elsewhere/", "http:503,path=films/"])
def test_a_request_that_announces_no_body_sent_none(send, rule):
    """A file that the first attempt read to its end is recorded as zero bytes."""
    injector = recorded(rule)
    send(injector, "PUT", TARGET, app=Taking())
    assert (only(injector).request_bytes, only(injector).request_digest) == (0, None)


@pytest.mark.parametrize(
    ("rule", "reads", "size"),
    [
        ("http:503,drain=no", True, None),
        ("cos:SlowDown,drain=no,delay=1ms", True, None),
        ("http:503,path=elsewhere", False, None),
        ("http:503,path=elsewhere", True, len(BODY)),
        ("latency,delay=1ms", False, None),
        ("latency,delay=1ms", True, len(BODY)),
        ("http:503,when=after", True, len(BODY)),
        ("edit,set.x-a=b", False, None),
    ],
)
def test_a_body_that_was_announced_and_kept_back(send, rule, reads, size):
    """A client that waits for `100 Continue` may have sent nothing; any other has its length."""
    for headers, known in (([("Expect", "100-Continue")], size), ([], len(BODY))):
        injector = recorded(rule)
        send(injector, "PUT", TARGET, headers, BODY, app=Taking() if reads else App(status=403))
        assert only(injector).request_bytes == known

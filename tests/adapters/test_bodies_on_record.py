"""What the app reads of a request is on record, where every request is: so two attempts can be told to send the same."""

import asyncio
import io
from http import HTTPStatus

import pytest
from cheroot.server import ChunkedRFile
from flask import Flask, request

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from tests.rows import row_by_row

BODY = b"a film of a cat in three parts\n" * 100
KNOWN = ((b"content-length", str(len(BODY)).encode()),)


def digest_of(body, content_type="", seed="0", **more):
    """That of the same body in an answer of ours, which reads it itself."""
    injector = Injector("http:503", seed=seed, environ={})
    ask_wsgi(injector, None, body, content_type=content_type, **more)
    [outcome] = injector.journal.outcomes
    assert outcome.body_complete
    return outcome.request_digest


def ask_wsgi(injector, read, body=BODY, *, content_type="", source=None, **environ):
    """One PUT to an app that reads its body in some way."""

    def app(environ, start_response):
        read(environ["wsgi.input"])
        start_response("200 OK", [("Content-Length", "0")])
        return []

    asked = {
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": "/films/cat",
        "QUERY_STRING": "",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body) if source is None else source,
        **environ,
    }
    asked = {name: value for name, value in asked.items() if value is not None}
    list(WSGIFaultMiddleware(app, injector=injector)(asked, lambda *_: None))


def recorded(rules="http:503,path=elsewhere/", seed="0"):
    """An injector that records every request."""
    return Injector(rules, seed=seed, environ={}, record_all=True)


class Plain:
    """An input with what PEP 3333 asks for and no more."""

    def __init__(self, body):
        self._file = io.BytesIO(body)
        self.read, self.readline, self.readlines = self._file.read, self._file.readline, self._file.readlines

    def __iter__(self):
        return iter(self._file)


def fill(source):
    buffer = bytearray(100)
    while source.readinto(buffer):
        pass


def pieces(read):
    """Read until there is no more."""

    def run(source):
        while read(source):
            pass

    return run


WAYS = {
    "read": lambda source: source.read(),
    "read a length": lambda source: source.read(len(BODY)),
    "pieces": pieces(lambda source: source.read(77)),
    "read1": pieces(lambda source: source.read1(77)),
    "readinto": fill,
    "readline": pieces(lambda source: source.readline()),
    "readlines": lambda source: source.readlines(),
    "lines": list,
    "a line, then the rest": lambda source: (source.readline(), source.read()),
}


WAYS_OF_LINES = {"readlines": lambda source: source.readlines(), "lines": list}


@row_by_row("way", WAYS)
def test_wsgi(way):
    """However the app reads it; the digest is that of a body that an answer of ours has read."""
    injector = recorded()
    ask_wsgi(injector, WAYS[way])
    [outcome] = injector.journal.outcomes
    assert (outcome.request_bytes, outcome.body_complete) == (len(BODY), True)
    assert outcome.request_digest == digest_of(BODY)
    assert outcome.request_digest != digest_of(BODY[:-1] + b"!")


class OneLine(Plain):
    """An input as granian's: by `readline` it gives one line alone."""

    def __init__(self, body):
        super().__init__(body)
        self.readline = lambda: b"" if self._file.tell() else self._file.readline()


def chunks(body):
    """cheroot's input of a body in chunks, which its `readline` never ends."""
    return ChunkedRFile(io.BytesIO(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)), 1 << 20)


@pytest.mark.parametrize(
    ("source", "way", "size"),
    [(OneLine, "readlines", len(BODY)), (OneLine, "lines", len(BODY)), (chunks, "readlines", 0)],
)
def test_lines_are_those_of_the_server(source, way, size):
    """Each way of its own: what the app gets is what it would get without us."""
    bare, seen, injector = WAYS_OF_LINES[way](source(BODY)), [], recorded()
    ask_wsgi(
        injector, lambda read: seen.append(WAYS_OF_LINES[way](read)), source=source(BODY), CONTENT_LENGTH=None
    )
    assert seen == [bare]
    assert sum(map(len, bare)) == size


@pytest.mark.parametrize(
    "read", [lambda source: None, lambda source: source.read(100)], ids=["none", "a part"]
)
def test_a_body_that_the_app_does_not_read_has_a_length_only(read):
    """What it did not see nobody can compare."""
    injector = recorded()
    ask_wsgi(injector, read)
    [outcome] = injector.journal.outcomes
    assert (outcome.request_bytes, outcome.request_digest, outcome.body_complete) == (len(BODY), None, None)


def test_a_body_without_a_length():
    """Its end is seen when the app reads no more."""
    chunked = {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    injector = recorded()
    ask_wsgi(injector, WAYS["pieces"], **chunked)
    ask_wsgi(injector, lambda source: source.read(100), **chunked)
    whole, part = injector.journal.outcomes
    assert (whole.request_bytes, whole.request_digest) == (len(BODY), digest_of(BODY))
    assert (part.request_bytes, part.request_digest) == (None, None)


def test_a_server_that_gives_no_input():
    """The app is called all the same; nobody has seen the body."""
    injector, seen = recorded(), []

    def app(environ, start_response):
        seen.append("wsgi.input" in environ)
        start_response("204 No Content", [])
        return []

    environ = {"REQUEST_METHOD": "PUT", "PATH_INFO": "/films/cat", "CONTENT_LENGTH": "9"}
    assert list(WSGIFaultMiddleware(app, injector=injector)(environ, lambda *_: None)) == []
    [outcome] = injector.journal.outcomes
    assert (seen, outcome.request_bytes, outcome.request_digest) == ([False], 9, None)


def test_an_input_has_what_the_servers_has():
    """Nothing more, nothing less: who asks for `read1` or a descriptor gets the server's answer."""
    seen = []
    ask_wsgi(recorded(), seen.append, source=Plain(BODY))
    [source] = seen
    assert not hasattr(source, "read1")
    assert not hasattr(source, "readinto")
    ask_wsgi(recorded(), lambda source: seen.append(source.getvalue()))
    assert seen[1] == BODY


@pytest.mark.parametrize("rules", ["http:503,path=elsewhere/", "http:503,probability=0"])
def test_where_not_every_request_is_recorded_the_app_gets_the_servers_input(rules):
    """The very same object."""
    seen, source = [], io.BytesIO(BODY)
    ask_wsgi(Injector(rules, environ={}), seen.append, source=source)
    assert seen == [source]


@pytest.mark.parametrize("rule", ["reset,when=after", "http:503,when=after", "latency,delay=1ms"])
def test_the_app_also_reads_what_gets_a_fault_afterwards(rule):
    """A lost answer's retry can be compared with it."""
    app = Flask(__name__)

    @app.put("/films/<name>")
    def store(name):
        assert request.get_data() == BODY
        return "", HTTPStatus.CREATED

    injector = Injector(f"{rule},times=1", seed="0", environ={}, record_all=True)
    app.wsgi_app = WSGIFaultMiddleware(app.wsgi_app, injector=injector)
    client = app.test_client()
    for _ in range(2):
        try:
            client.put("/films/cat", data=BODY)
        except ConnectionError:
            assert rule.startswith("reset")
    digests = {each.request_digest for each in injector.journal.outcomes}
    assert (len(injector.journal.outcomes), digests) == (2, {digest_of(BODY)})


async def ask_asgi(injector, *, read=True, headers=KNOWN, version="1.1"):
    """One PUT, whose body comes in two pieces, to an app that reads it or not."""
    coming = [
        {"type": "http.request", "body": BODY[:1000], "more_body": True},
        {"type": "http.request", "body": BODY[1000:], "more_body": False},
        {"type": "http.disconnect"},
    ]
    given = []

    async def receive():
        return coming.pop(0)

    async def send(message):
        """Nobody listens."""

    async def app(scope, receive, send):
        given.append(receive)
        if read:
            while (await receive()).get("more_body"):
                pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    scope = {
        "type": "http", "http_version": version, "method": "PUT", "path": "/films/cat", "query_string": b"",
        "headers": list(headers),
    }  # fmt: skip
    await ASGIFaultMiddleware(app, injector=injector)(scope, receive, send)
    return bool(given) and given[0] is receive


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("headers", [KNOWN, ((b"transfer-encoding", b"chunked"),)])
def test_asgi(headers, version):
    """The same, as messages."""
    injector = recorded()
    assert not asyncio.run(ask_asgi(injector, headers=headers, version=version))
    asyncio.run(ask_asgi(injector, read=False, headers=headers, version=version))
    read, unread = injector.journal.outcomes
    assert (read.request_bytes, read.request_digest) == (len(BODY), digest_of(BODY))
    assert unread.request_digest is None


@pytest.mark.parametrize("pieces", [(), (BODY,)])
def test_a_client_that_leaves_while_asgi_sends(pieces):
    """The app hears of it as of the server, and a part of a body has no digest."""
    coming = [{"type": "http.request", "body": each, "more_body": True} for each in pieces]
    coming.append({"type": "http.disconnect"})
    heard = []

    async def receive():
        return coming.pop(0)

    async def app(scope, receive, send):
        while not heard or heard[-1]["type"] == "http.request":
            heard.append(await receive())

    injector, expected = recorded(), [*coming]
    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/films/cat",
        "query_string": b"",
        "headers": [(b"transfer-encoding", b"chunked")],
    }
    asyncio.run(ASGIFaultMiddleware(app, injector=injector)(scope, receive, None))
    [outcome] = injector.journal.outcomes
    assert (heard, outcome.request_bytes, outcome.request_digest) == (expected, None, None)


def test_asgi_where_not_every_request_is_recorded():
    """The app gets the server's `receive`; so does a request without a body."""
    assert asyncio.run(ask_asgi(Injector("http:503,probability=0", environ={})))
    assert asyncio.run(ask_asgi(recorded(), headers=()))


@pytest.mark.parametrize("rule", ["http:503,path=elsewhere/", "http:503,path=films/"])
@pytest.mark.parametrize("wire", ["wsgi", "asgi"])
def test_a_request_that_announces_no_body_sent_none(wire, rule):
    """So is a file on record that was read to its end by the first attempt: it is zero bytes, not unknown."""
    injector = recorded(rule)
    if wire == "wsgi":
        ask_wsgi(injector, WAYS["read"], b"", CONTENT_LENGTH=None, SERVER_PROTOCOL="HTTP/1.1")
    else:
        asyncio.run(ask_asgi(injector, headers=(), read=False))
    [outcome] = injector.journal.outcomes
    assert (outcome.request_bytes, outcome.request_digest) == (0, None)


class Refusing:
    """An app that answers without a look at the body."""

    @staticmethod
    def wsgi(_environ, start_response):
        start_response("403 Forbidden", [("Content-Length", "0")])
        return []

    @staticmethod
    async def asgi(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


@pytest.mark.parametrize(
    ("rule", "app", "size"),
    [
        ("http:503,drain=no", None, None),
        ("cos:SlowDown,drain=no,delay=1ms", None, None),
        ("http:503,path=elsewhere", Refusing, None),
        ("http:503,path=elsewhere", None, len(BODY)),
        ("latency,delay=1ms", Refusing, None),
        ("latency,delay=1ms", None, len(BODY)),
        ("http:503,when=after", None, len(BODY)),
        ("edit,set.x-a=b", Refusing, None),
    ],
)
def test_a_body_that_was_announced_and_kept_back(send, rule, app, size):
    """A client that waits for `100 Continue` may have sent nothing of what nobody has read; one that does not wait has its length."""
    for headers, known in (([("Expect", "100-Continue")], size), ([], len(BODY))):
        injector = recorded(rule)
        send(injector, "PUT", "/films/cat", headers, BODY, app=app)
        assert [each.request_bytes for each in injector.journal.outcomes] == [known]

"""The end of the connection after an answer that leaves a body unread, for each server."""

import asyncio
import functools
import io
import socket
import threading
from contextlib import contextmanager
from types import MethodType, SimpleNamespace
from unittest.mock import Mock

import pytest
from werkzeug.wsgi import LimitedStream

from faultinject import ASGIFaultMiddleware, WSGIFaultMiddleware
from tests.rows import each_row

from .conftest import Asgi
from .transport import PATIENCE, READERS, TESTCLIENT, hearing, loopback, read, recorder, settle

UNREAD = "cos:SlowDown,drain=no"
CLOSES = "cos:SlowDown,set.connection=close"
BODY = b"x" * 100_000


def stream(data):
    """A request body that a server reads from its connection as the app asks."""
    return SimpleNamespace(read=io.BytesIO(data).read)


class Server:
    """A server's objects of one exchange, its environ, and the signal for the end."""

    shown = {}
    told = None

    def __init__(self):
        self.started = None

    def start_response(self, status, headers, exc_info=None):
        self.started = status, list(headers)
        return lambda piece: None

    @property
    def connection(self):
        """The values of the header that the app has given."""
        return [value for name, value in self.started[1] if name.lower() == "connection"]


class Gunicorn(Server):
    """It ignores the header, and says `Connection: close` itself."""

    shown = {"gunicorn.socket": None}
    told = False

    def force_close(self):
        self.told = True


class Cheroot(Server):
    """It would shut both directions under a client that is sending."""

    shown = {"SERVER_SOFTWARE": "Cheroot/11.1.2 Server"}

    def __init__(self):
        super().__init__()
        self.req = SimpleNamespace(close_connection=False, conn=SimpleNamespace(linger=False))

    @property
    def told(self):
        return self.req.close_connection, self.req.conn.linger


def environ_of(makers, source=None, body=BODY, **more):
    """An upload on a server."""
    environ = makers.environ("PUT", "/b/k", CONTENT_LENGTH=str(len(body)), **more)
    environ["wsgi.input"] = stream(body) if source is None else source
    return environ


CHUNKED_WITHOUT_END = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
CHUNKED = {**CHUNKED_WITHOUT_END, "wsgi.input_terminated": True}


def give(injector, environ, server, app=None, to=None):
    """Send an answer piece by piece `to` a connection, as servers do, and return it."""
    sent = bytearray()
    write = sent.extend if to is None else to.sendall
    result = WSGIFaultMiddleware(app, injector=injector)(environ | server.shown, server.start_response)
    for piece in result:
        write(piece)
    getattr(result, "close", lambda: None)()
    return sent


GEVENT = {"SERVER_SOFTWARE": "gevent/20.0 Python/3.11"}
GRANIAN = {"SERVER_SOFTWARE": "Granian"}
LATE = "cos:InternalError,status=200,delay=1ms,drain=no"


@each_row(
    ("make", "rule", "more", "told", "said", "left"),
    [
        (Gunicorn, UNREAD, {}, True, [], None),
        # An error that is changed on its way goes through the server as any other answer.
        (Gunicorn, "drip,of=cos:SlowDown,rate=1MB", CHUNKED_WITHOUT_END, True, [], None),
        (Cheroot, UNREAD, CHUNKED, (True, True), ["close"], None),
        # granian shows no socket, and would reset the connection of a client that is sending: the body is read behind
        # the answer, unless that has no length, or the client was not told to go on. The server would say 100 then.
        (Server, UNREAD, GRANIAN, None, ["close"], 0),
        (Server, LATE, GRANIAN | CHUNKED, None, ["close"], len(BODY)),
        (Server, UNREAD, GRANIAN | {"HTTP_EXPECT": "100-continue"}, None, ["close"], len(BODY)),
        # These take the header from an app; one that is not known has to.
        *(
            (Server, UNREAD, shows, None, ["close"], None)
            for shows in (
                {"uwsgi.version": b"2"},
                GEVENT,
                {"asgi.scope": {"asgi": {"spec_version": "2.3"}}},
                {"SERVER_SOFTWARE": "x/1"},
                {},
            )
        ),
        # Over HTTP/2 the connection is not this request's alone, and the header is forbidden.
        (Gunicorn, UNREAD, {"SERVER_PROTOCOL": "HTTP/2"}, False, [], None),
        (Gunicorn, CLOSES, {"SERVER_PROTOCOL": "HTTP/2"}, False, [], None),
        # The name and the word are read in any case; on the wire it is one word.
        (Server, "http:503,set.connection=Close", GEVENT, None, ["close"], None),
        (Server, "http:503,set.Connection=close", GEVENT, None, ["close"], None),
    ],
)
def test_what_a_server_is_told(servers, make_injector, make, rule, more, told, said, left):
    """By the way that it has, and by the header where it hears that."""
    server, environ = make(), environ_of(servers) | more
    give(make_injector(rule), environ, server)
    assert (server.told, server.connection) == (told, said)
    if left is not None:
        assert len(environ["wsgi.input"].read()) == left


@pytest.mark.parametrize(
    "source",
    [SimpleNamespace(read=Mock(side_effect=OSError)), stream(BODY[:-1])],
    ids=["fails", "ends early"],
)
def test_a_body_that_cannot_be_read_behind_its_answer(servers, make_injector, source):
    """The client has its answer."""
    assert b"SlowDown" in give(make_injector(UNREAD), environ_of(servers, source) | GRANIAN, Server())


@pytest.mark.parametrize(("rule", "said"), [(CLOSES, ["close"]), (UNREAD, [])])
def test_a_test_client_sees_the_header_that_the_rule_asks_for(servers, make_injector, rule, said):
    """In process it is a header like any other; a body left unread is nobody's next request."""
    environ, server = environ_of(servers), Server()
    del environ["REMOTE_PORT"]
    give(make_injector(rule), environ, server)
    answer = Asgi()(make_injector(rule), "PUT", "/b/k", body=BODY, **TESTCLIENT)
    in_asgi = [value for name, value in answer.headers if name == "connection"]
    assert (server.connection, in_asgi) == (said, said)


MORE = bytes(8_000_000)


@contextmanager
def answered(servers, injector):
    """A client's and a server's end, with an answer between them that leaves a body unread."""
    with loopback() as (client, server):
        give(injector, environ_of(servers, **{"werkzeug.socket": server}), Server(), to=server)
        yield client, server
    settle()


@pytest.mark.parametrize("closes", [False, True])
def test_a_connection_ends_behind_the_answer(servers, make_injector, closes):
    """The client can send everything, sees the answer and a FIN, and no reset."""
    with answered(servers, make_injector(UNREAD)) as (client, server):
        if closes:
            client.sendall(b"unread")
            server.close()
        client.sendall(MORE)
        raw, end = read(client)
        assert (raw[:5], end) == (b"<?xml", "FIN")


def test_a_client_that_goes_on_and_on(servers, make_injector):
    """It is let go of."""
    with answered(servers, make_injector(UNREAD)) as (client, server):
        server.close()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(99):
                client.sendall(MORE)


def test_a_server_that_shuts_both_directions(servers, make_injector):
    """A client that waits for room to send is not left waiting."""
    with loopback() as (client, server):
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.sendall(MORE)  # until nothing more fits
        give(make_injector(UNREAD), environ_of(servers, **{"werkzeug.socket": server}), Server(), to=server)
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        client.settimeout(PATIENCE)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            client.sendall(MORE)
    settle()


def test_where_no_more_threads_can_be_had(servers, make_injector, monkeypatch):
    """The FIN goes out, and what is still sent is the server's."""
    monkeypatch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
    with answered(servers, make_injector(UNREAD)) as (client, _):
        assert read(client)[1] == "FIN"


def by_closure(start):
    def wrapped(*given):
        return start(*given) if given else never

    if start is None:
        never = None  # else the closure has a cell that is empty
    return wrapped


class Wrapping:
    """Other middleware with the server's callable in it, and itself, as frameworks have."""

    def __init__(self, start):
        self.start, self.own, self.again = start, self.begin, self.begin

    def __call__(self, *given):
        return self.start(*given)

    def start_response(self, *given):
        return self.start(*given)

    begin = __call__


WRAPPINGS = {
    "nothing": lambda start: start,
    "closure": by_closure,
    "partial": functools.partial,
    "partial argument": lambda start: functools.partial(lambda inner, *given: inner(*given), start),
    "method": lambda start: Wrapping(start).__call__,
    "method of the same name": lambda start: Wrapping(start).start_response,
    "object": Wrapping,
    "twice": lambda start: by_closure(functools.partial(start)),
    "objects that hold themselves": lambda start: functools.reduce(
        lambda inner, _: Wrapping(inner).begin, range(5), start
    ),
    # Nobody looks into the defaults of a function.
    "hidden": lambda start: lambda *given, held=(start,): held[0](*given),
}


@pytest.mark.parametrize("wrap", WRAPPINGS)
@each_row("rule", [UNREAD, CLOSES])
def test_a_server_beneath_other_middleware(servers, make_injector, wrap, rule):
    """Middleware does not hide the server; if it does, the answer comes all the same."""
    server, injector = Gunicorn(), make_injector(rule)
    environ, start = environ_of(servers, **server.shown), WRAPPINGS[wrap](server.start_response)
    answer = b"".join(WSGIFaultMiddleware(None, injector=injector)(environ, start))
    assert (b"SlowDown" in answer, server.told, server.connection) == (True, wrap != "hidden", [])


class Source(io.BytesIO):
    """A body that offers all ways to read, and cannot be looked at twice."""

    def seekable(self):
        return False


TO_THE_END = [
    lambda source, read=READERS[name]: (list(read(source)), source.read(1))
    for name in ("read", "readlines", "lines")
]
A_PART = [
    lambda source: None,
    lambda source: source.read(0),
    lambda source: source.read(9),
    lambda source: source.close(),
]


def reading(read):
    """An app that reads its body in some way."""

    def app(environ, start_response):
        list(read(environ["wsgi.input"]) or ())
        start_response("200 OK", [])
        return []

    return app


@each_row(
    ("read", "more", "told"),
    [
        # The connection is in sync and stays, however all was read; an empty piece ends chunks, or is all at once.
        *(
            (read, {}, False)
            for read in (
                lambda source: [LimitedStream(source, len(BODY)).read()],  # as Flask reads
                lambda source: [source.read(len(BODY))],
                *READERS.values(),
            )
        ),
        *((read, CHUNKED, False) for read in TO_THE_END),
        # Else the server is told to close, where it marks the end itself, too; of a body that is closed, or that has no
        # end which a server shows, nobody can say.
        *((read, more, True) for read in A_PART for more in ({}, CHUNKED)),
        *((read, CHUNKED_WITHOUT_END, True) for read in TO_THE_END),
    ],
)
def test_what_an_app_has_left_of_its_body(servers, make_injector, read, more, told):
    """It decides about the connection."""
    server, environ = Gunicorn(), environ_of(servers, Source(BODY)) | more
    give(make_injector("cos:SlowDown,when=after"), environ, server, reading(read))
    assert server.told is told


def test_an_app_that_has_read_a_part(servers, make_injector):
    """Only what it has left is read."""
    source, app = stream(BODY + b"next"), reading(lambda source: source.read(10))
    give(make_injector("cos:SlowDown,when=after"), environ_of(servers, source) | GRANIAN, Server(), app)
    assert source.read() == b"next"


@pytest.mark.parametrize(
    ("rule", "known", "version", "closes"),
    [
        # Also one that is not known; over HTTP/2 only the stream ends.
        (UNREAD, True, "1.1", True),
        (CLOSES, True, "1.1", True),
        (UNREAD, False, "1.1", True),
        (UNREAD, True, "2", False),
        (CLOSES, True, "2", False),
    ],
)
def test_what_an_asgi_server_is_told(servers, make_injector, rule, known, version, closes):
    """By the header."""
    sent, send = recorder()
    scope = servers.scope("PUT", "/b/k", body=BODY, http_version=version)
    wrapped = ASGIFaultMiddleware(None, injector=make_injector(rule))
    if known:  # by the object with a connection whose method it is
        send = MethodType(lambda _, message, send=send: send(message), SimpleNamespace(transport=object()))
    asyncio.run(wrapped(scope, hearing({"type": "http.request"}), send))
    assert [value for name, value in sent[0]["headers"] if name == b"connection"] == [b"close"] * closes

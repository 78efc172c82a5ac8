"""The end of the connection behind an answer that leaves a request body unread, server by server."""

import asyncio
import functools
import io
import sys
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest

from faultinject import ASGIFaultMiddleware, WSGIFaultMiddleware
from faultinject.exceptions import ConfigurationError

from .transport import TESTCLIENT, loopback, read, settle

UNREAD = "cos:SlowDown,drain=no"
CLOSES = "cos:SlowDown,set.connection=close"
BODY = b"x" * 100_000


class Stream:
    """A request body that a server reads from its connection as the app asks."""

    def __init__(self, data, error=None):
        self._data = io.BytesIO(data)
        self._error = error

    def read(self, *size):
        if self._error is not None:
            raise self._error
        return self._data.read(*size)

    @property
    def left(self):
        return len(self._data.read())


class Server:
    """What a server has of one exchange, what its environ shows, and how it was told that the connection ends."""

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


class Gevent(Server):
    shown = {"SERVER_SOFTWARE": "gevent/20.0 Python/3.11"}


class Cheroot(Server):
    """It reads what has a length before it answers, and stays in step."""

    shown = {"SERVER_SOFTWARE": "Cheroot/11.1.2 Server"}

    def __init__(self, *, in_chunks=True):
        super().__init__()
        self.req = SimpleNamespace(close_connection=False, chunked_read=in_chunks)

    @property
    def told(self):
        return self.req.close_connection


class Wsgiref(Server):
    """It refuses the header from an app; it and Django take it once the answer has started."""

    shown = {"SERVER_SOFTWARE": "WSGIServer/0.2"}

    def __init__(self):
        super().__init__()
        self.told = self.headers = {}

    def start_response(self, status, headers, exc_info=None):
        assert not [name for name, _ in headers if name.lower() == "connection"]
        return super().start_response(status, headers)


def environ_of(makers, stream=None, body=BODY, **more):
    """An upload on a server."""
    environ = makers.environ("PUT", "/b/k", CONTENT_LENGTH=str(len(body)), **more)
    environ["wsgi.input"] = Stream(body) if stream is None else stream
    return environ


CHUNKED = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}


def give(injector, environ, server, app=None, to=None):
    """What the server gets to send, and does send; piece by piece `to` its connection, as servers do."""
    result = WSGIFaultMiddleware(app, injector=injector)(environ | server.shown, server.start_response)
    sent = b""
    for piece in result:
        sent += piece
        if to is not None:
            to.sendall(piece)
    getattr(result, "close", lambda: None)()
    return sent


CLOSE, GRANIAN = {"Connection": "close"}, {"SERVER_SOFTWARE": "Granian"}
LATE = "cos:InternalError,status=200,delay=1ms,drain=no"


@pytest.mark.parametrize(
    ("make", "rule", "more", "told", "said", "left"),
    [
        (Gunicorn, UNREAD, {}, True, [], None),
        (Wsgiref, UNREAD, {}, CLOSE, [], None),
        (Wsgiref, CLOSES, {}, CLOSE, [], None),
        (functools.partial(Cheroot, in_chunks=False), UNREAD, {}, False, [], len(BODY)),
        # Of what it marks the end itself, chunks, the rest is read: it would take them for the next request, and closed,
        # it would reset the connection.
        (Cheroot, UNREAD, CHUNKED, False, [], 0),
        # An answer without a length: its client waits for the end, nothing is read before that, and the connection closes.
        (Cheroot, LATE, CHUNKED, True, ["close"], len(BODY)),
        # granian shows no socket, and would reset the connection of a client that is sending: the body is read behind
        # the answer, unless the client was not told to go on. The server would say 100 then.
        (Server, UNREAD, GRANIAN, None, [], 0),
        (Server, UNREAD, GRANIAN | {"HTTP_EXPECT": "100-continue"}, None, ["close"], len(BODY)),
        # These take the header from an app; one that is not known has to.
        *(
            (Server, UNREAD, shows, None, ["close"], None)
            for shows in (
                {"uwsgi.version": b"2"},
                Gevent.shown,
                {"asgi.scope": {"asgi": {"spec_version": "2.3"}}},
                {"SERVER_SOFTWARE": "x/1"},
                {},
            )
        ),
        # Over HTTP/2 the connection is not this request's alone, and the header is forbidden.
        (Gunicorn, UNREAD, {"SERVER_PROTOCOL": "HTTP/2"}, False, [], None),
        (Gunicorn, CLOSES, {"SERVER_PROTOCOL": "HTTP/2"}, False, [], None),
        # The name and the word are read in any case; on the wire it is one word.
        (Gevent, "http:503,set.connection=Close", {}, None, ["close"], None),
        (Gevent, "http:503,set.Connection=close", {}, None, ["close"], None),
    ],
)
def test_what_a_server_is_told(servers, make_injector, make, rule, more, told, said, left):
    """By the way that it has, and by the header where it hears that."""
    server, environ = make(), environ_of(servers) | more
    give(make_injector(rule), environ, server)
    assert (server.told, server.connection) == (told, said)
    if left is not None:
        assert environ["wsgi.input"].left == left


@pytest.mark.parametrize(
    ("stream", "length"),
    [(Stream(BODY, OSError()), ""), (Stream(BODY[:-1]), str(len(BODY))), (SimpleNamespace(read=bytes), "")],
    ids=["fails", "ends early", "never ends"],
)
def test_cheroot_s_chunks_that_cannot_be_read(servers, make_injector, stream, length):
    """Then the connection is closed all the same."""
    server = Cheroot()
    environ = environ_of(servers, stream) | CHUNKED | {"CONTENT_LENGTH": length}
    give(make_injector(UNREAD), environ, server)
    assert (server.told, server.connection) == (True, [])


def impatient(monkeypatch):
    """Who joins a thread for so many seconds finds that they are over soon."""
    join = threading.Thread.join
    monkeypatch.setattr(threading.Thread, "join", lambda self, timeout=None: join(self, timeout and 0.05))


@pytest.mark.parametrize("why", ["stalls", "no more threads"])
def test_a_client_that_stalls_holds_no_worker(servers, make_injector, monkeypatch, why):
    """Though the server's `read` waits for it without end."""
    released = threading.Event()

    class Stalling(Stream):
        def read(self, *size):
            released.wait()
            return b""

    impatient(monkeypatch)
    server = Cheroot()
    environ = environ_of(servers, Stalling(BODY)) | CHUNKED
    with monkeypatch.context() as patch:
        if why == "no more threads":

            def start(self):
                raise RuntimeError("can't start new thread")

            patch.setattr(threading.Thread, "start", start)
        assert b"SlowDown" in give(make_injector(UNREAD), environ, server)
    assert server.told is True
    released.set()
    for each in threading.enumerate():
        if each.name == "faultinject reader":
            each.join()


def test_a_server_does_not_wait_for_the_thread_that_reads(servers, make_injector, monkeypatch):
    """The client that stalls has its connection ended, and with it the reading."""
    impatient(monkeypatch)
    with loopback() as (client, peer):
        server, source = Cheroot(), peer.makefile("rb")
        environ = environ_of(servers, SimpleNamespace(rfile=source, read=source.read)) | CHUNKED
        raw = give(make_injector(UNREAD), environ, server)
        assert (b"SlowDown" in raw, server.told) == (True, True)
        source.close()
        assert read(client)[1] == "FIN"


def settle_lingering():
    """Wait until nothing lingers any more."""
    for each in threading.enumerate():
        if each.name == "faultinject lingering":  # it ends with its connection
            each.join(60)
            assert not each.is_alive()


def test_waitress_is_asked_as_by_its_client(servers, make_injector):
    """It has read the body, and stays in step; asked for it, it closes as it does for a client that wants that."""
    request = SimpleNamespace(headers={})

    class Channel:
        requests = [request]

        def check_client_disconnected(self):
            return False

    told = {"waitress.client_disconnected": Channel().check_client_disconnected}
    server = Server()
    give(make_injector(UNREAD), environ_of(servers, io.BytesIO(BODY), **told), server)
    assert request.headers == {}
    give(make_injector(CLOSES), environ_of(servers, io.BytesIO(BODY), **told), server)
    assert (request.headers, server.connection) == ({"CONNECTION": "close"}, [])


def test_a_test_client_sees_the_header_that_the_rule_asks_for(servers, make_injector):
    """In process it is a header like any other; a body left unread is nobody's next request."""
    for rule, said in (CLOSES, ["close"]), (UNREAD, []):
        environ = environ_of(servers)
        del environ["REMOTE_PORT"]
        server = Server()
        give(make_injector(rule), environ, server)
        assert server.connection == said
        scope = servers.scope("PUT", "/b/k", body=BODY) | TESTCLIENT
        wrapped = ASGIFaultMiddleware(None, injector=make_injector(rule))
        answer = asyncio.run(servers.asgi(wrapped, scope, servers.messages(BODY)))
        assert answer.header("connection") == (said[0] if said else [])


def test_a_connection_ends_behind_the_answer(servers, make_injector):
    """A FIN goes out behind it, should the server not close; what comes is read."""
    with loopback() as (client, server):
        environ = environ_of(servers, **{"werkzeug.socket": server})
        give(make_injector(UNREAD), environ, Server(), to=server)
        client.sendall(BODY)
        raw, end = read(client)
        assert raw.startswith(b"<?xml")
        assert end == "FIN"
        assert environ["wsgi.input"].left == len(BODY)
    settle_lingering()


def by_closure(start):
    def wrapped(*given):
        return start(*given) if given else never

    if start is None:
        never = None  # else the closure has a cell that is empty
    return wrapped


class Wrapping:
    """Other middleware with the server's callable in it."""

    def __init__(self, start):
        self.start = start

    def __call__(self, *given):
        return self.start(*given)

    def start_response(self, *given):
        return self.start(*given)


WRAPPINGS = {
    "closure": by_closure,
    "partial": functools.partial,
    "partial argument": lambda start: functools.partial(lambda inner, *given: inner(*given), start),
    "method": lambda start: Wrapping(start).__call__,
    "method of the same name": lambda start: Wrapping(start).start_response,
    "object": Wrapping,
    "twice": lambda start: by_closure(functools.partial(start)),
}


@pytest.mark.parametrize("wrap", WRAPPINGS)
@pytest.mark.parametrize("rule", [UNREAD, CLOSES])
def test_a_server_beneath_other_middleware(servers, make_injector, wrap, rule):
    """That wraps `start_response`, as all do that measure or trace answers: the server is told all the same."""
    for server in Gunicorn(), Wsgiref():
        wrapped = WRAPPINGS[wrap](server.start_response)
        environ = environ_of(servers, **server.shown)
        b"".join(WSGIFaultMiddleware(None, injector=make_injector(rule))(environ, wrapped))
        assert server.told
        assert server.connection == []


class Hiding:
    """Middleware that nobody looks into."""

    __slots__ = ("_start",)

    def __init__(self, start):
        self._start = start

    def __call__(self, *given):
        return self._start(*given)


def test_a_server_that_is_hidden(servers, make_injector):
    """The client gets its answer all the same."""
    server = Wsgiref()
    app = WSGIFaultMiddleware(None, injector=make_injector(UNREAD))
    answer = b"".join(app(environ_of(servers, **server.shown), Hiding(server.start_response)))
    assert (b"SlowDown" in answer, server.headers) == (True, {})


@pytest.mark.parametrize("wrap", WRAPPINGS)
def test_an_asgi_server_beneath_other_middleware(servers, make_injector, wrap):
    """That wraps `receive` and `send`."""
    wrapping = WRAPPINGS[wrap]
    in_step = Exchange(waiting_for_100_continue=False, more_body=True)
    request = SimpleNamespace(must_close=False)
    closes = Exchange()
    channel = SimpleNamespace(persistent=True, transport=object())
    daphne = Exchange()

    async def send(_, message):
        await daphne.send(message)

    partial = functools.partial(send, SimpleNamespace(channel=channel))
    for exchange, sends in (
        (in_step, in_step.send),
        (closes, sent_by_gunicorn(closes, request)),
        (daphne, partial),
    ):
        scope = servers.scope("PUT", "/b/k", body=BODY)
        wrapped = ASGIFaultMiddleware(None, injector=make_injector(UNREAD))
        asyncio.run(wrapped(scope, wrapping(exchange.receive), wrapping(sends)))
        assert exchange.connection == []
    assert (request.must_close, channel.persistent) == (True, True)


@pytest.mark.parametrize("rule", ["drip,of=cos:SlowDown,rate=1MB", "truncate,of=cos:SlowDown"])
def test_an_error_that_is_changed_on_its_way(servers, make_injector, out_of_reach, rule):
    """Through the server, which is told as of any other answer."""
    out_of_reach()
    server = Gunicorn()
    environ = environ_of(servers) | {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    with suppress(ConnectionAbortedError):
        give(make_injector(rule), environ, server)
    assert (server.started[0], server.told) == ("503 Slow Down", True)


class Source(io.BytesIO):
    """A body that offers all ways to read, and cannot be looked at twice."""

    def seekable(self):
        return False


READERS = {
    "read": lambda source: source.read(len(BODY)),
    "read, all": lambda source: source.read(),
    "read, minus": lambda source: source.read(-1),
    "read, pieces": lambda source: [source.read(60_000), source.read(60_000)],
    "read1": lambda source: [source.read1(60_000), source.read1(60_000)],
    "readinto": lambda source: [source.readinto(bytearray(60_000)) for _ in range(2)],
    "readline": lambda source: source.readline(),
    "readlines": lambda source: source.readlines(),
    "iter": list,
    "werkzeug": lambda source: __import__("werkzeug.wsgi").wsgi.LimitedStream(source, len(BODY)).read(),
}
TO_THE_END = [
    lambda source, each=READERS[name]: (each(source), source.read(1))
    for name in ("read, all", "readlines", "iter")
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
        read(environ["wsgi.input"])
        start_response("200 OK", [])
        return []

    return app


@pytest.mark.parametrize(
    ("read", "more", "told"),
    [
        # However it has read all, the connection is in step, and stays; an empty piece is the end of chunks, or all at once.
        *((read, {}, False) for read in READERS.values()),
        *((read, CHUNKED, False) for read in TO_THE_END),
        # Else the server is told to close, where it marks the end itself, too; of a body that is closed nobody can say.
        *((read, more, True) for read in A_PART for more in ({}, CHUNKED)),
    ],
)
def test_what_an_app_has_left_of_its_body(servers, make_injector, read, more, told):
    """It decides about the connection."""
    server, environ = Gunicorn(), environ_of(servers, Source(BODY)) | more
    environ.pop("wsgi.input_terminated", None)
    give(make_injector("cos:SlowDown,when=after"), environ, server, reading(read))
    assert server.told is told


def test_an_app_that_has_read_a_part(servers, make_injector):
    """Only what it has left is read."""
    environ = environ_of(servers, Stream(BODY + b"next"), SERVER_SOFTWARE="Granian")
    source = environ["wsgi.input"]
    give(make_injector("cos:SlowDown,when=after"), environ, Server(), reading(lambda source: source.read(10)))
    assert source.left == len(b"next")


def test_an_answer_that_its_server_never_closes(servers, make_injector):
    """Our own descriptor is given back with it."""
    with loopback() as (_, server):
        environ = environ_of(servers, **{"werkzeug.socket": server})
        result = WSGIFaultMiddleware(None, injector=make_injector(UNREAD))(environ, Server().start_response)
        assert sys.getrefcount(result) == 2
        del result


class Exchange:
    """What an ASGI server has of one request."""

    def __init__(self, **shown):
        self.sent = []
        vars(self).update({"transport": object(), "keep_alive": True} | shown)

    piece = {"type": "http.request", "body": b"", "more_body": False}

    async def receive(self):
        return self.piece

    async def send(self, message):
        self.sent.append(message)

    @property
    def connection(self):
        return [value for name, value in self.sent[0]["headers"] if name == b"connection"]


def sent_by_gunicorn(exchange, request, *, complete=False):
    """Its `send` is a function that has what it needs in its closure."""
    self, body_receiver = SimpleNamespace(transport=object()), SimpleNamespace(_complete=complete)

    async def send(message):
        assert self
        assert request
        assert body_receiver
        await exchange.send(message)

    return send


def give_asgi(injector, scope, exchange, send=None):
    asyncio.run(ASGIFaultMiddleware(None, injector=injector)(scope, exchange.receive, send or exchange.send))


@pytest.mark.parametrize(
    ("rule", "shown", "version", "closes"),
    [
        # uvicorn reads what it has asked for: only a client that was not told to go on may leave its body out.
        (UNREAD, {"waiting_for_100_continue": True, "more_body": True}, "1.1", True),
        (UNREAD, {"waiting_for_100_continue": True, "more_body": False}, "1.1", False),
        (UNREAD, {"waiting_for_100_continue": False, "more_body": True}, "1.1", False),
        # One that is not known has to hear the header; over HTTP/2 only the stream ends.
        (UNREAD, {"transport": None}, "1.1", True),
        (UNREAD, {}, "2", False),
        (CLOSES, {}, "2", False),
    ],
)
def test_what_an_asgi_server_is_told(servers, make_injector, rule, shown, version, closes):
    """By the header."""
    exchange = Exchange(**shown)
    if exchange.transport is None:
        del exchange.transport
    give_asgi(make_injector(rule), servers.scope("PUT", "/b/k", body=BODY, http_version=version), exchange)
    assert exchange.connection == [b"close"] * closes


def test_a_body_past_its_bounds_is_not_waited_for(servers, make_injector):
    """Then uvicorn closes, too."""
    exchange = Exchange(waiting_for_100_continue=False, more_body=True)
    exchange.piece = {"type": "http.request", "body": bytes(65 << 20), "more_body": True}
    injector = make_injector("cos:SlowDown")
    give_asgi(injector, servers.scope("PUT", "/b/k", body=BODY), exchange)
    assert exchange.connection == [b"close"]
    assert [each.did for each in injector.journal.outcomes] == ["drain_cut"]


@pytest.mark.parametrize("complete", [True, False])
def test_gunicorn_s_own_worker_is_told(servers, make_injector, complete):
    """It ignores the header; what it has whole is in step."""
    request = SimpleNamespace(must_close=False)
    exchange = Exchange()
    send = sent_by_gunicorn(exchange, request, complete=complete)
    give_asgi(make_injector(UNREAD), servers.scope("PUT", "/b/k", body=BODY), exchange, send)
    assert (request.must_close, exchange.connection) == (not complete, [])


@pytest.mark.parametrize(("rule", "closes"), [(UNREAD, False), (CLOSES, True)])
def test_daphne_has_read_all_of_it(servers, make_injector, rule, closes):
    """It keeps its connection, and closes it when asked, which the header alone would not do."""
    exchange = Exchange()
    channel = SimpleNamespace(persistent=True, transport=object())
    web_request = SimpleNamespace(channel=channel)

    async def send(_, message):
        await exchange.send(message)

    scope = servers.scope("PUT", "/b/k", body=b"" if closes else BODY)
    give_asgi(make_injector(rule), scope, exchange, functools.partial(send, web_request))
    assert (channel.persistent, exchange.connection) == (not closes, [b"close"] * closes)


def test_a_full_queue_is_emptied(servers, make_injector):
    """hypercorn ends an exchange through the queue by which the app receives."""
    queue = asyncio.Queue(1)
    sent = []

    class Part:
        """A stream, its protocol and the connection send one by the other."""

        def __init__(self, below=None):
            self.writer = SimpleNamespace(transport=object())
            if below is not None:
                self.send = below

        async def app_send(self, message):
            sent.append(message["type"])
            if message["type"] == "http.response.body":
                await queue.put({"type": "http.disconnect"})

    send = Part(Part(Part().app_send).app_send).app_send

    async def scenario():
        await queue.put({"type": "http.request", "body": b"x", "more_body": True})
        scope = servers.scope("PUT", "/b/k", body=BODY)
        wrapped = ASGIFaultMiddleware(None, injector=make_injector(UNREAD))
        await asyncio.wait_for(wrapped(scope, queue.get, send), 60)

    asyncio.run(scenario())
    assert sent == ["http.response.start", "http.response.body"]


def test_an_answer_that_cannot_be_sent_leaves_nothing(servers, make_injector):
    """The error is the server's own, and our descriptor is given back."""

    class Failing(Exchange):
        async def send(self, message):
            if message["type"] == "http.response.body":
                raise OSError("gone")

    with loopback() as (client, server):
        transport = SimpleNamespace(get_extra_info={"socket": server}.get)
        exchange = Failing(transport=transport, waiting_for_100_continue=True, more_body=True)
        with pytest.raises(OSError, match="gone"):
            give_asgi(make_injector(UNREAD), servers.scope("PUT", "/b/k", body=BODY), exchange)
        client.close()
        assert server.recv(1) == b""
    settle()


@pytest.mark.parametrize("value", ["keep-alive", "upgrade", "x-test", "", "close, te"])
def test_nothing_else_may_be_said_of_a_connection(make_injector, value):
    """The server says it; the message has what a rule can ask for."""
    with pytest.raises(ConfigurationError, match=r"set\.connection=close"):
        make_injector(f'http:503,set.connection="{value}"')

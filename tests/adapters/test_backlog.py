"""What of an answer is still on its way when its connection is to be reset: asked of servers and of the system."""

import socket
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from tests.virtual_time import Time

from .live import uvicorn_server, waitress_server, werkzeug_server
from .transport import PATIENCE, Encrypted, Exchange, leave, loopback, read

pytestmark = pytest.mark.live

MOST = 8_000_000
"""More than the systems of both sides hold."""
IN_THE_MIDDLE = "reset,when=after,after_bytes=3"


@pytest.fixture
def ends():
    """A client's end, and a server's."""
    with loopback() as both:
        yield both


def rest_of(client):
    """How much comes, and how the connection ends."""
    data, end = read(client)
    return len(data), end


def wsgi(environ, start_response):
    size = int(environ["PATH_INFO"].strip("/") or 0)
    start_response("200 OK", [("Content-Length", str(size))])
    return [bytes(size)]


async def asgi(scope, receive, send):
    size = int(scope["path"].strip("/") or 0)
    length = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": bytes(size)})


@pytest.mark.parametrize("server", [werkzeug_server, waitress_server, uvicorn_server])
def test_a_client_that_reads_late_gets_every_byte_before_the_reset(server):
    """As many as the rule says, though no buffer holds them."""
    size = MOST - 1_000_000
    injector = Injector(f"reset,when=after,after_bytes={size}", environ={})
    wrap, app = (ASGIFaultMiddleware, asgi) if server is uvicorn_server else (WSGIFaultMiddleware, wsgi)
    with server(wrap(app, injector=injector)) as port, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", int(port)))
        client.sendall(f"GET /{MOST} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        assert rest_of(client) == (size, "RST")


class Channel:
    """Waitress', as far as it is looked at: it holds so many bytes each time that it is asked, then the last of them."""

    requests = [SimpleNamespace(headers={})]

    def __init__(self, server, *held, passes=lambda: None):
        self.socket = server
        self.held = [*held]
        self.passes = passes

    @property
    def total_outbufs_len(self):
        self.passes()
        return self.held.pop(0) if len(self.held) > 1 else self.held[0]

    def client_disconnected(self):
        return False


def reset(servers, time, channel=None, **shown):
    """What becomes of an answer of 5 bytes that is reset behind 3: the error that the server gets, and the outcome."""
    injector = Injector(IN_THE_MIDDLE, environ={}, waits=time)
    if channel is not None:
        shown = {"waitress.client_disconnected": channel.client_disconnected}
    error = None
    try:
        servers.wsgi(WSGIFaultMiddleware(wsgi, injector=injector), servers.environ("GET", "/5", **shown))
    except ConnectionAbortedError as raised:
        error = raised
    [outcome] = injector.journal.outcomes
    assert outcome.response_bytes == 3
    return error, outcome.did


@pytest.mark.parametrize("seconds", [0, 9])
def test_what_the_server_holds(servers, ends, seconds):
    """It is waited for as long as there is something; it may take long in all, if something moves in time."""
    time = Time()
    channel = Channel(ends[1], 3, 2, 1, 0, passes=lambda: setattr(time, "now", time.now + seconds))
    assert reset(servers, time, channel) == (None, "reset")
    assert channel.held == [0]
    assert len(time.slept) >= 3
    assert time.now >= 4 * seconds
    assert rest_of(ends[0])[1] == "RST"


@pytest.mark.parametrize("encrypted", [False, True], ids=["sent by us", "sent by the server"])
def test_a_client_that_takes_nothing(servers, ends, encrypted):
    """It is given up when nothing has moved for ten seconds: a FIN ends the connection, or the server does."""
    server = Encrypted(fileno=ends[1].detach()) if encrypted else ends[1]
    with server:
        time, channel = Time(), Channel(server, 3, 3, 2)
        error, did = reset(servers, time, channel)
        assert (did, error is not None) == ("closed", encrypted)
        assert 10 <= time.now < 11


def test_a_client_that_leaves_meanwhile(servers, ends):
    """Nobody waits for it."""
    client, server = ends
    time, channel = Time(), Channel(server, 1)
    time.at(0, lambda: leave(client))
    reset(servers, time, channel)
    assert time.now < 1


def test_a_system_that_does_not_tell(servers, ends, monkeypatch):
    """Then the server's word alone counts."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert reset(servers, Time(), **{"werkzeug.socket": ends[1]}) == (None, "reset")


class Sender:
    """What `send` belongs to."""

    def __init__(self, exchange):
        self._exchange = exchange

    async def send(self, message):
        await self._exchange.send(message)


def layers(kind, exchange, buffer):
    """A server's `send`, whose transport speaks TLS and holds `buffer`."""
    shown = {"socket": exchange.transport.get_extra_info("socket"), "sslcontext": object()}
    transport = SimpleNamespace(get_write_buffer_size=lambda: buffer[0], get_extra_info=shown.get)
    sender = Sender(exchange)
    if kind == "uvicorn":
        sender.transport = transport
        return sender.send
    if kind == "daphne":
        type_ = type("Transport", (), {"dataBuffer": property(lambda _: bytes(buffer[0] + 1))})
        below = type_()
        vars(below).update(offset=1, _tempDataLen=0, socket=shown["socket"])
        above = SimpleNamespace(transport=below, getPeerCertificate=None)
        owner = SimpleNamespace(channel=SimpleNamespace(transport=above))
        return partial(lambda _, message: exchange.send(message), owner)
    if kind == "hypercorn":
        connection = Sender(exchange)
        connection.writer = SimpleNamespace(transport=transport)
        protocol, stream = Sender(exchange), Sender(exchange)
        own = stream.send
        protocol.send, stream.send = connection.send, protocol.send
        return own
    self = SimpleNamespace(transport=transport)

    async def send(message):
        assert self
        await exchange.send(message)

    return send


@pytest.mark.parametrize("kind", ["uvicorn", "daphne", "hypercorn", "gunicorn"])
def test_what_an_asgi_server_holds(servers, ends, kind):
    """Also beneath other middleware."""
    time, buffer = Time(), [7]
    injector = Injector(IN_THE_MIDDLE, environ={}, waits=time)
    exchange = Exchange(ends[1], "GET")
    send = layers(kind, exchange, buffer)

    async def wrapped(message):
        await send(message)

    time.at(3, lambda: buffer.__setitem__(0, 0))
    app = ASGIFaultMiddleware(asgi, injector=injector)
    time.run(app, servers.scope("GET", "/5"), exchange.receive, wrapped)
    assert time.now >= 3
    assert injector.journal.outcomes[0].did == "reset"
    assert rest_of(ends[0])[1] == "RST"


def test_a_reset_in_the_middle_for_an_asgi_client_that_takes_nothing(servers, ends):
    """The server closes its connection, and the journal says so."""
    time = Time()
    injector = Injector(IN_THE_MIDDLE, environ={}, waits=time)
    exchange = Exchange(ends[1], "GET")
    app = ASGIFaultMiddleware(asgi, injector=injector)
    with pytest.raises(ConnectionAbortedError):
        time.run(app, servers.scope("GET", "/5"), exchange.receive, layers("uvicorn", exchange, [7]))
    [outcome] = injector.journal.outcomes
    assert (outcome.did, outcome.response_bytes, time.now >= 10) == ("closed", 3, True)

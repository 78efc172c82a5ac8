"""What of earlier answers is still on its way: asked of servers and of the system, waited for, and given up."""

from __future__ import annotations

import socket
import sys
import threading
from functools import partial
from time import monotonic, sleep
from types import SimpleNamespace

import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from tests.virtual_time import RealTime, Time

from .live import uvicorn_server, waitress_server
from .transport import PATIENCE, Exchange, loopback

pytestmark = pytest.mark.live

BIG = bytes(8_000_000)
ENDS = {"reset": "RST", "close": "FIN"}


@pytest.fixture
def ends():
    """A client's end, and a server's."""
    with loopback() as (client, server):
        client.settimeout(PATIENCE)
        yield client, server


def fill(server):
    """Send as much as the system takes."""
    server.setblocking(False)
    sent = 0
    while True:
        try:
            sent += server.send(bytes(65_536))
        except BlockingIOError:
            return sent


def read(client, size):
    while size:
        size -= len(client.recv(min(size, 65_536)))


def end_of(client):
    try:
        return "FIN" if not client.recv(1) else "more"
    except ConnectionResetError:
        return "RST"


def ask(servers, server, waits, rule="reset", **more):
    """The status that a server of WSGI is given to send."""
    wrapped = WSGIFaultMiddleware(wsgi, injector=Injector(rule, environ={}, waits=waits))
    return servers.wsgi(wrapped, servers.environ(**{"werkzeug.socket": server}, **more)).status


class Channel:
    """Waitress', as far as it is looked at: it holds so many bytes each time that it is asked, then the last of them."""

    def __init__(self, *held):
        self.held = [*held]

    @property
    def total_outbufs_len(self):
        return self.held.pop(0) if len(self.held) > 1 else self.held[0]

    def client_disconnected(self):
        return False


@pytest.mark.parametrize("rule", ENDS)
def test_nothing_was_sent(servers, ends, rule):
    """Nothing is waited for."""
    time = Time()
    ask(servers, ends[1], time, rule)
    assert time.slept == []
    assert end_of(ends[0]) == ENDS[rule]


@pytest.mark.skipif(sys.platform != "linux", reason="what the system holds is asked on Linux")
@pytest.mark.parametrize("rule", ENDS)
def test_what_the_system_holds(servers, ends, rule):
    """It is waited for until the client has it."""
    client, server = ends
    size = fill(server)
    time = RealTime()
    found = []

    def reads():
        time.until_one_waits()
        read(client, size)
        found.append(end_of(client))

    reader = threading.Thread(target=reads)
    reader.start()
    ask(servers, server, time, rule)
    reader.join(PATIENCE)
    assert found == [ENDS[rule]]


@pytest.mark.parametrize(
    ("scheme", "held"), [("http", [1, 2, 1]), ("https", [1, 2, 1, 0, 5, 0, 0, 0])], ids=["plain", "tls"]
)
def test_what_the_server_holds(servers, ends, scheme, held):
    """As long as there is something; of TLS, of which it shows a part, a few looks more, from the beginning where more comes."""
    time, channel = Time(), Channel(*held, 0)
    client, server = ends
    host, port = client.getsockname()
    shown = {"REMOTE_ADDR": host, "REMOTE_PORT": str(port), "SERVER_PORT": str(server.getsockname()[1])}
    shown |= {"waitress.client_disconnected": channel.client_disconnected, "wsgi.url_scheme": scheme}
    ask(servers, None, time, **shown)
    assert channel.held == [0]
    assert len(time.slept) >= len(held) - 1
    assert end_of(client) == "RST"


def test_a_client_that_takes_nothing(servers, ends):
    """It is given up when nothing has moved for ten seconds: the server gets an answer to send."""
    time, channel = Time(), Channel(3, 3, 2, 2, 2, 1)
    shown = {"waitress.client_disconnected": channel.client_disconnected}
    assert ask(servers, ends[1], time, **shown) == 502
    assert 10 <= time.now < 11


@pytest.mark.parametrize("held", [[0, 0, 2], [2]], ids=["sent by us", "sent by the server"])
def test_a_reset_in_the_middle_for_a_client_that_takes_nothing(servers, ends, held):
    """After ten seconds its connection is closed, by us or by the server, and the journal says that it was."""
    time, channel = Time(), Channel(*held)
    injector = Injector("reset,when=after,after_bytes=3", environ={}, waits=time)
    shown = {"werkzeug.socket": ends[1], "waitress.client_disconnected": channel.client_disconnected}
    try:
        servers.wsgi(WSGIFaultMiddleware(wsgi, injector=injector), servers.environ("GET", "/5", **shown))
    except ConnectionAbortedError:
        assert held == [2]
    [outcome] = injector.journal.outcomes
    assert (outcome.did, outcome.response_bytes, time.now >= 10) == ("closed", 3, True)


def test_one_that_moves_in_time(servers, ends):
    """It may take longer in all."""
    time = Time()

    class Slow(Channel):
        @property
        def total_outbufs_len(self):
            time.now += 9
            return super().total_outbufs_len

    shown = {"waitress.client_disconnected": Slow(3, 2, 1, 0).client_disconnected}
    ask(servers, ends[1], time, **shown)
    assert time.now >= 36
    assert end_of(ends[0]) == "RST"


def test_a_client_that_has_left(servers, ends):
    """Nobody waits for it."""
    client, server = ends
    fill(server)
    client.close()
    time = Time()
    ask(servers, server, time, **{"waitress.client_disconnected": Channel(1).client_disconnected})
    assert time.slept == []


def test_a_system_that_does_not_tell(servers, ends, monkeypatch):
    """Then the server's word alone counts; without one there are a few looks."""
    _, server = ends
    fill(server)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    time = Time()
    ask(servers, server, time)
    assert len(time.slept) == 3


class Sender:
    """What `send` belongs to."""

    def __init__(self, exchange):
        self._exchange = exchange

    async def send(self, message):
        await self._exchange.send(message)


def layers(kind, exchange, buffer):
    """A server's `send`, and the transports that it goes through, of which one holds `buffer`."""
    sender = Sender(exchange)
    if kind == "uvicorn":
        sender.transport = SimpleNamespace(
            get_write_buffer_size=lambda: buffer[0], get_extra_info=exchange.transport.get_extra_info
        )
        return sender.send
    if kind == "daphne":
        size = SimpleNamespace(offset=1, _tempDataLen=0)
        type_ = type("Transport", (), {"dataBuffer": property(lambda _: bytes(buffer[0] + 1))})
        below = type_()
        vars(below).update(vars(size))
        owner = SimpleNamespace(channel=SimpleNamespace(transport=SimpleNamespace(transport=below)))
        return partial(lambda _, message: exchange.send(message), owner)
    protocol = SimpleNamespace(transport=SimpleNamespace(get_write_buffer_size=lambda: buffer[0]))

    async def send(message):
        assert protocol
        await exchange.send(message)

    send.__module__ = "gunicorn.asgi.protocol" if kind == "gunicorn" else "somebody.elses"
    return send


@pytest.mark.parametrize("kind", ["uvicorn", "daphne", "gunicorn", "another"])
def test_what_an_asgi_server_holds(servers, ends, kind):
    """Below TLS and middleware; what an unknown server has is not looked into."""
    time, buffer = Time(), [7]
    injector = Injector("reset", environ={}, waits=time)
    client, server = ends
    exchange = Exchange(server, "GET")
    scope = servers.scope(client=client.getsockname(), server=server.getsockname())
    send = layers(kind, exchange, buffer)

    async def wrapped(message):
        await send(message)

    time.at(3, lambda: buffer.__setitem__(0, 0))
    app = ASGIFaultMiddleware(asgi, injector=injector)
    time.run(app, scope, exchange.receive, wrapped)
    assert (time.now >= 3) is (kind != "another")
    assert end_of(client) == "RST"


def test_a_reset_in_the_middle_for_an_asgi_client_that_takes_nothing(servers, ends):
    """The server closes its connection, and the journal says so."""
    time = Time()
    injector = Injector("reset,when=after,after_bytes=3", environ={}, waits=time)
    exchange = Exchange(ends[1], "GET")
    scope = servers.scope("GET", "/5")
    app = ASGIFaultMiddleware(asgi, injector=injector)
    with pytest.raises(ConnectionAbortedError):
        time.run(app, scope, exchange.receive, layers("uvicorn", exchange, [7]))
    [outcome] = injector.journal.outcomes
    assert (outcome.did, outcome.response_bytes, time.now >= 10) == ("closed", 3, True)


@pytest.mark.parametrize("rule", ["reset", "close"])
def test_one_that_has_ended_its_side_and_reads_nothing(servers, ends, rule):
    """Its connection is not broken at the end of the delay: the earlier answers are its own."""
    time = Time()
    client, server = ends
    size = fill(server)
    client.shutdown(socket.SHUT_WR)
    injector = Injector(f"{rule},delay=1h", environ={}, waits=time)
    environ = servers.environ(**{"werkzeug.socket": server})
    assert servers.wsgi(WSGIFaultMiddleware(wsgi, injector=injector), environ).status == 502
    read(client, size)
    assert injector.journal.outcomes[-1].did == "failed"


def wsgi(environ, start_response):
    size = int(environ["PATH_INFO"].strip("/") or 0)
    start_response("200 OK", [("Content-Length", str(size))])
    return [BIG[:size]]


async def asgi(scope, receive, send):
    size = int(scope["path"].strip("/") or 0)
    length = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": BIG[:size]})


FAULTS = ("reset", "close", "hang,duration=10ms", "truncate", "cos:SlowDown,exact=yes")


class Hasty(Time):
    """Time that goes on by a quarter of a second whenever somebody looks at it."""

    def monotonic(self):
        self.now += 0.25
        return self.now


CASES = [(server, fault) for server in (waitress_server, uvicorn_server) for fault in FAULTS]
CASES.append((waitress_server, "drip,rate=100KB"))  # over ASGI the server sends that, behind what it holds


@pytest.mark.parametrize(("server", "fault"), CASES)
def test_one_that_reads_nothing_for_too_long(server, fault):
    """When it reads at last, the answers are there in their order, the second one given by the server."""
    injector = Injector(f"{fault},path=/100", environ={}, waits=Hasty())
    wrap, app = (ASGIFaultMiddleware, asgi) if server is uvicorn_server else (WSGIFaultMiddleware, wsgi)
    with server(wrap(app, injector=injector)) as port, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", int(port)))
        requests = [f"GET /{size} HTTP/1.1\r\nHost: a.example\r\n\r\n" for size in (1_000_000, 100)]
        client.sendall("".join(requests).encode())
        until(lambda: injector.journal.outcomes)
        with client.makefile("rb") as file:
            assert answer(file) == (200, 1_000_000)
            status, length = answer(file)
        if fault == "truncate":
            assert status == 200
        elif fault.startswith("drip"):
            assert (status, length) == (200, 100)
        else:
            assert status == (503 if "exact" in fault else 502)
            assert injector.journal.outcomes[0].did == "answered"


def until(true):
    end = monotonic() + PATIENCE
    while not true():
        assert monotonic() < end
        sleep(0.01)


def answer(file):
    """Status and length of the body of one answer."""
    status, length = int(file.readline().split()[1]), 0
    while (line := file.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status, len(file.read(length))

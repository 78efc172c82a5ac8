"""The unsent part of an answer before a reset, by servers and by the system."""

import socket
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from tests.virtual_time import Time

from . import live
from .transport import PATIENCE, App, Exchange, leave, loopback, read

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
    """Read the received bytes, and the end of the connection."""
    data, end = read(client)
    return len(data), end


@pytest.mark.parametrize("name", live.SERVERS)
def test_a_client_that_reads_late_gets_every_byte_before_the_reset(name):
    """As many as the rule says, though no buffer holds them."""
    size = MOST - 1_000_000
    injector = Injector(f"reset,when=after,after_bytes={size}", environ={})
    with live.serve(name, App(bytes(MOST)), injector) as port, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", int(port)))
        client.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        assert rest_of(client) == (size, "RST")


class Channel:
    """Waitress's channel with an unsent rest, which becomes smaller each time it is read."""

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
    """Reset an answer of 10 bytes after 3; returns the server's error and the outcome."""
    injector = Injector(IN_THE_MIDDLE, environ={}, waits=time)
    if channel is not None:
        shown = {"waitress.client_disconnected": channel.client_disconnected}
    error = None
    try:
        servers.wsgi(WSGIFaultMiddleware(App().wsgi, injector=injector), servers.environ(**shown))
    except ConnectionAbortedError as raised:
        error = raised
    [outcome] = injector.journal.outcomes
    assert outcome.response_bytes == 3
    return error, outcome.did


def test_what_the_server_holds(servers, ends):
    """The fault waits for the unsent rest as long as a part of it moves in time."""
    time = Time()
    channel = Channel(ends[1], 3, 2, 1, 0, passes=lambda: setattr(time, "now", time.now + 9))
    assert reset(servers, time, channel) == (None, "reset")
    assert (channel.held, rest_of(ends[0])[1]) == ([0], "RST")
    assert time.now >= 4 * 9


def test_a_client_that_takes_nothing(servers, ends):
    """It is given up when nothing has moved for ten seconds: a FIN ends the connection."""
    time = Time()
    assert reset(servers, time, Channel(ends[1], 3, 3, 2)) == (None, "closed")
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


def send_of(server_is, exchange, held):
    """The server's `send`, whose transport tells how much it holds."""
    exchange.transport.get_write_buffer_size = held.__len__
    if server_is == "uvicorn":
        return exchange.send
    sock = exchange.transport.get_extra_info("socket")
    below = SimpleNamespace(dataBuffer=held, offset=0, _tempDataLen=0, socket=sock)
    above = SimpleNamespace(transport=below, getPeerCertificate=None)
    owner = SimpleNamespace(channel=SimpleNamespace(transport=above))
    return partial(lambda _, message: exchange.send(message), owner)


@pytest.mark.parametrize("server_is", ["uvicorn", "daphne"])
@pytest.mark.parametrize("taken", [True, False])
def test_what_an_asgi_server_holds(servers, ends, server_is, taken):
    """It is waited for; a FIN ends the connection of a client that takes nothing."""
    time, held = Time(), bytearray(7)
    injector = Injector(IN_THE_MIDDLE, environ={}, waits=time)
    exchange = Exchange(ends[1], "GET")
    if taken:
        time.at(3, held.clear)
    wrapped = ASGIFaultMiddleware(App().asgi, injector=injector)
    time.run(wrapped, servers.scope(), exchange.receive, send_of(server_is, exchange, held))
    [outcome] = injector.journal.outcomes
    assert (outcome.did, outcome.response_bytes) == ("reset" if taken else "closed", 3)
    assert time.now >= (3 if taken else 10)
    assert not taken or rest_of(ends[0])[1] == "RST"

"""The unsent part of an answer before a reset, by servers and by the system."""

import socket
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from faultinject import ASGIFaultMiddleware, Injector
from tests.virtual_time import Time

from . import live
from .conftest import Wsgi
from .transport import PATIENCE, App, Exchange, Seen, leave, loopback, only, read

pytestmark = pytest.mark.live

MOST = 8_000_000
"""More than the systems of both sides hold."""
IN_THE_MIDDLE = "reset,when=after,after_bytes=3"


@pytest.fixture
def ends():
    """A client's end, and a server's."""
    with loopback() as both:
        yield both


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
        seen = Seen(*read(client), None)
    assert (len(seen.body), seen.end) == (size, "RST")


class Channel:
    """Waitress's channel, with what it has not sent yet."""

    requests = [SimpleNamespace(headers={})]

    def __init__(self, server, held):
        self.socket = server
        self.held = held

    @property
    def total_outbufs_len(self):
        return len(self.held)

    def client_disconnected(self):
        return False


def reset(time, **shown):
    """Reset an answer of 10 bytes after 3; returns the outcome."""
    injector = Injector(IN_THE_MIDDLE, environ={}, waits=time)
    Wsgi()(injector, app=App(), **shown)
    return only(injector)


def by_waitress(servers, time, server, held):
    return reset(time, **{"waitress.client_disconnected": Channel(server, held).client_disconnected})


def by_asgi(send_of):
    """Do the same by a server whose `send` this gives."""

    def ask(servers, time, server, held):
        injector = Injector(IN_THE_MIDDLE, environ={}, waits=time)
        exchange = Exchange(server, "GET")
        exchange.transport.get_write_buffer_size = held.__len__
        wrapped = ASGIFaultMiddleware(App().asgi, injector=injector)
        time.run(wrapped, servers.scope(), exchange.receive, send_of(exchange, held))
        return only(injector)

    return ask


def send_of_daphne(exchange, held):
    sock = exchange.transport.get_extra_info("socket")
    below = SimpleNamespace(dataBuffer=held, offset=0, _tempDataLen=0, socket=sock)
    above = SimpleNamespace(transport=below, getPeerCertificate=None)
    owner = SimpleNamespace(channel=SimpleNamespace(transport=above))
    return partial(lambda _, message: exchange.send(message), owner)


HOLDING = {
    "waitress": by_waitress,
    "uvicorn": by_asgi(lambda exchange, _: exchange.send),
    "daphne": by_asgi(send_of_daphne),
}
TAKES = {"soon": [(3, 7)], "slowly": [(9, 3), (18, 3), (27, 1)], "never": []}
"""The seconds at which so many of seven bytes are taken."""


@pytest.mark.parametrize("server_is", HOLDING)
@pytest.mark.parametrize("takes", TAKES)
def test_what_a_server_holds(servers, ends, server_is, takes):
    """It is waited for as long as a part of it moves in ten seconds; then comes a FIN."""
    (client, server), time, held = ends, Time(), bytearray(7)
    for at, size in TAKES[takes]:
        time.at(at, partial(held.__delitem__, slice(size)))
    outcome = HOLDING[server_is](servers, time, server, held)
    assert (outcome.did, outcome.response_bytes) == ("closed" if takes == "never" else "reset", 3)
    seconds = TAKES[takes][-1][0] if TAKES[takes] else 10
    assert seconds <= time.now < seconds + 1
    assert not TAKES[takes] or read(client)[1] == "RST"


def test_a_client_that_leaves_meanwhile(servers, ends):
    """Nobody waits for it."""
    (client, server), time = ends, Time()
    time.at(0, lambda: leave(client))
    by_waitress(servers, time, server, bytearray(7))
    assert time.now < 1


def test_a_system_that_does_not_tell(ends, monkeypatch):
    """Then the server's word alone counts."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert reset(Time(), **{"werkzeug.socket": ends[1]}).did == "reset"

"""What of earlier answers is still on its way: asked of servers and of the system, waited for, and given up."""

from __future__ import annotations

import socket
import sys
import threading
from functools import partial
from types import SimpleNamespace

import pytest

from faultinject import ASGIFaultMiddleware, WSGIFaultMiddleware
from faultinject.adapters import asgi_wait, backlog, connection, wsgi_wait
from faultinject.adapters.backlog import held_asgi, held_wsgi, until_delivered
from faultinject.adapters.connection import Connection
from faultinject.adapters.descriptors import hold
from faultinject.adapters.lingering import Lingering
from faultinject.adapters.wsgi_wait import delivered
from faultinject.engine.body_digest import LONGEST

from .live import uvicorn_server, waitress_server
from .transport import PATIENCE, loopback

pytestmark = pytest.mark.live

BIG = bytes(8_000_000)


@pytest.fixture
def held():
    """A client's end, a server's, and our descriptor beside it."""
    with loopback() as (client, server):
        client.settimeout(PATIENCE)
        with Connection(hold(server.fileno()), server.fileno(), encrypted=False) as ours:
            yield client, server, ours


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


def looks(steps, most=100):
    """How often it looks again, and what it says."""
    for number in range(most):
        try:
            next(steps)
        except StopIteration as end:
            return number, end.value
    raise AssertionError("no end")


def test_nothing_was_sent(held):
    """Nothing is waited for."""
    assert looks(until_delivered(held[2])) == (0, True)


@pytest.mark.skipif(sys.platform != "linux", reason="what the system holds is asked on Linux")
def test_what_the_system_holds(held):
    """It is waited for until the client has it; a server that shows nothing has a few looks more."""
    client, server, ours = held
    size = fill(server)
    assert ours.backlog() > 0
    steps = until_delivered(ours)
    next(steps)
    reader = threading.Thread(target=read, args=(client, size))
    reader.start()
    assert delivered(ours)
    reader.join(PATIENCE)
    assert ours.backlog() == 0
    assert looks(until_delivered(ours)) == (3, True)
    ours.held = lambda: 0
    assert looks(until_delivered(ours)) == (0, True)
    ours.encrypted = True
    assert looks(until_delivered(ours)) == (3, True)


def test_what_the_server_holds(held):
    """As long as there is something, and from its beginning where more comes."""
    left = [1, 2, 1, 0, 5, 0, 0, 0, 0, 0]
    ours = held[2]
    ours.encrypted = True
    ours.held = lambda: left.pop(0)
    assert looks(until_delivered(ours)) == (8, True)
    assert left == [0]


def test_a_client_that_takes_nothing(held, monkeypatch):
    """It is given up when nothing has moved for a while."""
    now = [0.0]
    monkeypatch.setattr(backlog, "monotonic", lambda: now[0])
    ours = held[2]
    left = [3]
    ours.held = lambda: left[0]
    steps = until_delivered(ours)
    for moved in 2, 1:
        next(steps)
        now[0] += 0.9 * backlog.PATIENCE
        left[0] = moved
    next(steps)
    now[0] += backlog.PATIENCE
    assert looks(steps) == (0, False)


def test_a_client_that_has_left(held):
    """Nobody waits for it."""
    client, server, ours = held
    fill(server)
    client.close()
    ours.held = lambda: 1
    assert delivered(ours)


def test_a_system_that_does_not_tell(held, monkeypatch):
    """Then the server's word alone counts."""
    _, server, ours = held
    fill(server)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert ours.backlog() == 0
    monkeypatch.setattr(connection, "_HALF_ENDED", {})
    assert ours.has_sent()


def test_whether_anything_was_sent(held):
    """True where nobody knows."""
    _, server, ours = held
    assert not ours.has_sent()
    server.send(b"x")
    assert ours.has_sent()
    ours.release()
    assert ours.has_sent()
    one, other = socket.socketpair()
    with one, other, Connection(hold(one.fileno()), one.fileno(), encrypted=False) as unix:
        assert unix.has_sent()


def test_who_shows_nothing():
    """Servers that are not known."""

    async def send(message):
        pass

    assert held_wsgi({}) is None
    assert held_asgi(send) is None
    assert held_asgi(SimpleNamespace()) is None


def test_layers():
    """TLS above TCP, and middleware above both."""
    below = SimpleNamespace(dataBuffer=b"abcd", offset=1, _tempDataLen=10)
    owner = SimpleNamespace(channel=SimpleNamespace(transport=SimpleNamespace(transport=below)))
    send = partial(print, owner)

    async def wrapped(message):
        await send(message)

    assert held_asgi(send)() == held_asgi(wrapped)() == 13
    below.offset, below._tempDataLen = 4, 0
    assert held_asgi(send)() == 0


def test_gunicorn_s_own_worker():
    """Its `send` is a function that has the protocol; nobody else's are looked into."""
    protocol = SimpleNamespace(transport=SimpleNamespace(get_write_buffer_size=lambda: 7))

    async def send(message):
        return protocol

    assert held_asgi(send) is None
    send.__module__ = "gunicorn.asgi.protocol"
    assert held_asgi(send)() == 7


def test_a_server_that_holds_more_than_we_wait_for(held):
    """A connection that lingers is left to it."""
    client, _, ours = held
    left = [1]
    ours.held = lambda: left[0]
    lingering = Lingering(ours, 0.0)
    now = lingering.due
    assert lingering.look(now + 0.01)
    assert not lingering.look(now + LONGEST)
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    left[0] = 0
    assert not lingering.look(now + LONGEST)
    client.settimeout(PATIENCE)
    assert client.recv(1) == b""


@pytest.mark.parametrize("rule", ["reset", "close"])
def test_one_that_has_ended_its_side_and_reads_nothing(servers, make_injector, monkeypatch, rule):
    """Its connection is not broken at the end of the delay: the earlier answers are its own."""
    monkeypatch.setattr(backlog, "PATIENCE", 0.05)
    injector = make_injector(f"{rule},delay=1h")
    with loopback() as (client, server):
        size = fill(server)
        client.shutdown(socket.SHUT_WR)
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


@pytest.fixture
def given_up(monkeypatch):
    """Set when somebody has not been waited for any longer, which is soon."""
    monkeypatch.setattr(backlog, "PATIENCE", 0.05)
    event = threading.Event()

    def steps(ours):
        if not (yield from until_delivered(ours)):
            event.set()
            return False
        return True

    for module in wsgi_wait, asgi_wait:
        monkeypatch.setattr(module, "until_delivered", steps)
    return event


CASES = [(server, fault) for server in (waitress_server, uvicorn_server) for fault in FAULTS]
CASES.append((waitress_server, "drip,rate=100KB"))  # over ASGI the server sends that, behind what it holds


@pytest.mark.parametrize(("server", "fault"), CASES)
def test_one_that_reads_nothing_for_too_long(make_injector, given_up, server, fault):
    """When it reads at last, the answers are there in their order, the second one given by the server."""
    injector = make_injector(f"{fault},path=/100")
    wrap, app = (ASGIFaultMiddleware, asgi) if server is uvicorn_server else (WSGIFaultMiddleware, wsgi)
    with server(wrap(app, injector=injector)) as port, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", int(port)))
        requests = [f"GET /{size} HTTP/1.1\r\nHost: a.example\r\n\r\n" for size in (1_000_000, 100)]
        client.sendall("".join(requests).encode())
        assert given_up.wait(PATIENCE)
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


def answer(file):
    """Status and length of the body of one answer."""
    status, length = int(file.readline().split()[1]), 0
    while (line := file.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status, len(file.read(length))

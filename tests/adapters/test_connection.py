"""The connection of a request on real sockets is found, ended as asked, and left clean."""

import _socket
import asyncio
import gc
import io
import os
import socket
import stat
import sys
from contextlib import ExitStack, suppress
from functools import partial
from types import MethodType, SimpleNamespace
from unittest.mock import Mock

import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware

from .transport import App, by_asgi, by_wsgi, leave, loopback, only, read, settle

pytestmark = pytest.mark.live


def sockets():
    """The sockets that this process holds: their descriptors and inodes."""
    found = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError):  # the listing's own
            status = os.fstat(int(name))
            if stat.S_ISSOCK(status.st_mode):
                found.add((int(name), status.st_ino))
    return found


@pytest.fixture(autouse=True)
def no_descriptor_is_left():
    """A test leaves no new descriptor behind; older ones may be closed meanwhile."""
    settle()
    before = sockets()
    yield
    if sockets() - before:
        gc.collect()
    assert sockets() - before == set()


@pytest.fixture
def injector():
    return Injector("reset", environ={})


def ask(servers, injector, **environ):
    """Apply an action to the connection of a request, as a server shows it."""
    wrapped = WSGIFaultMiddleware(App().wsgi, injector=injector)
    list(wrapped(servers.environ(**environ), lambda *_: None))
    return only(injector)


def alive(client, server):
    """Whether bytes still go both ways."""
    client.sendall(b"ping")
    server.sendall(b"pong")
    return server.recv(4) == b"ping" and client.recv(4) == b"pong"


# Ends


@pytest.mark.parametrize("ctypes", [True, False])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_reset_is_a_true_rst(servers, injector, monkeypatch, host, ctypes):
    """The connection has ended, though the server still holds its descriptor."""
    if not ctypes:
        monkeypatch.setitem(sys.modules, "ctypes", None)
    with loopback(host) as (client, server):
        by_wsgi(servers, injector, server)
        assert (only(injector).did, read(client)) == ("reset", (b"", "RST"))
        with suppress(ConnectionResetError):
            server.recv(1)
        assert server.recv(1) == b""  # ENOTCONN would let OpenSSL try again for ever
        with pytest.raises(BrokenPipeError):
            server.sendall(b"late")


@pytest.fixture
def of_uwsgi(monkeypatch):
    """Make the environ of a uWSGI with such options, which shows this connection."""

    def shown(server, options, port=""):
        uwsgi = SimpleNamespace(opt=options, connection_fd=server.fileno)
        monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
        return {"uwsgi.version": b"2", "SERVER_PORT": port or str(server.getsockname()[1])}

    return shown


REFUSING = SimpleNamespace(CDLL=lambda _: SimpleNamespace(connect=lambda *_: -1))


@pytest.mark.parametrize("ctypes", [REFUSING, None], ids=["a kernel that refuses", "no ctypes"])
def test_a_connection_that_the_server_will_not_give_up_gets_a_fin(servers, injector, monkeypatch, ctypes):
    """If the reset does not work, a FIN is sent and reported."""
    monkeypatch.setitem(sys.modules, "ctypes", ctypes)
    monkeypatch.setattr(_socket, "socketpair", Mock(side_effect=OSError("too many open files")))
    with loopback() as (client, server):
        by_wsgi(servers, injector, server)
        assert (only(injector).did, read(client), server.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER)) == (
            "closed",
            (b"", "FIN"),
            0,
        )


@pytest.mark.parametrize("by", [by_wsgi, by_asgi])
def test_a_unix_socket_knows_no_rst(servers, injector, by):
    """It gets a FIN, and that is what the journal says."""
    near, far = socket.socketpair()
    with near, far:
        by(servers, injector, far)
        assert (only(injector).did, read(near)) == ("closed", (b"", "FIN"))


# The client leaves


@pytest.fixture(params=["POLLRDHUP", "recv"])
def way_of_leaving(request, monkeypatch):
    """The system's report of the end."""
    if request.param == "recv":
        monkeypatch.delattr("select.POLLRDHUP")


@pytest.mark.parametrize("how", [socket.socket.close, leave, lambda client: client.shutdown(socket.SHUT_WR)])
def test_a_client_that_leaves_is_seen(servers, way_of_leaving, how):
    """At once, and however it leaves: with a FIN, with an RST, or only its own half."""
    injector = Injector("http:503,delay=1h", environ={})
    with loopback() as (client, server):
        how(client)
        by_wsgi(servers, injector, server)
    assert (only(injector).did, only(injector).left) == ("failed", True)


def test_unread_bytes_are_no_farewell(servers, way_of_leaving):
    """A request that nobody reads: its client is there, and the server finds every byte."""
    injector = Injector("latency,delay=120ms", environ={}, record_all=True)
    with loopback() as (client, server):
        client.sendall(b"an upload")
        by_wsgi(servers, injector, server)
        assert server.recv(65_536) == b"an upload"
    outcome = only(injector)
    assert (outcome.did, outcome.left, outcome.elapsed >= 0.12) == ("delayed", False, True)


# Finding


def test_the_server_s_own_socket(servers, injector):
    """Whomever the request names as its client; the others live."""
    with ExitStack() as stack:
        many = [stack.enter_context(loopback()) for _ in range(5)]
        (address, port), own = many[0][0].getsockname(), str(many[0][1].getsockname()[1])
        forged = {"REMOTE_ADDR": address, "REMOTE_PORT": str(port), "SERVER_PORT": own}
        client, server = many.pop(2)
        by_wsgi(servers, injector, server, HTTP_X_FORWARDED_FOR=f"{address}:{port}", **forged)
        assert (read(client), all(alive(*each) for each in many)) == ((b"", "RST"), True)


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"SERVER_SOFTWARE": "Granian"},
        {"SERVER_SOFTWARE": "another/1"},
        # In memory, a stranger, or a body that middleware has replaced.
        {"werkzeug.socket": io.BytesIO()},
        {"werkzeug.socket": None},
        {"SERVER_SOFTWARE": "Cheroot/11", "wsgi.input": object()},
        # Outside of a request its own call raises.
        {"uwsgi.version": b"2"},
    ],
    ids=["nothing", "granian", "another", "memory", "none", "cheroot", "uwsgi"],
)
def test_a_server_that_shows_no_socket(servers, injector, monkeypatch, shown):
    """The only connection that there is may be another client's: none is touched."""
    uwsgi = SimpleNamespace(connection_fd=Mock(side_effect=ValueError("not now")), opt={})
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    with loopback() as (client, server):
        (address, port), own = client.getsockname(), str(server.getsockname()[1])
        peer = {"REMOTE_ADDR": address, "REMOTE_PORT": str(port), "SERVER_PORT": own}
        assert (ask(servers, injector, **peer, **shown).status, alive(client, server)) == (502, True)


def test_no_descriptor_left_to_look_with(servers, injector, monkeypatch):
    """Nothing is found, nothing is left."""
    monkeypatch.setattr(os, "dup", Mock(side_effect=OSError("too many open files")))
    with loopback() as (client, server):
        assert (ask(servers, injector, **{"werkzeug.socket": server}).status, alive(client, server)) == (
            502,
            True,
        )


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("platform", ["Linux", "without SOCK_NONBLOCK"])
def test_the_server_s_blocking_flag_stays(servers, monkeypatch, blocking, platform):
    """socket.setdefaulttimeout() of the app does not reach the server's descriptor through ours."""
    if platform == "Linux":  # it is not even changed for a moment
        monkeypatch.setattr(os, "set_blocking", Mock(side_effect=AssertionError))
    else:
        monkeypatch.delattr(_socket, "SOCK_NONBLOCK")
    with loopback() as (_, server):
        server.setblocking(blocking)
        socket.setdefaulttimeout(30)
        try:
            by_wsgi(servers, Injector("latency,delay=1ms", environ={}), server)
        finally:
            socket.setdefaulttimeout(None)
        assert os.get_blocking(server.fileno()) is blocking


# Servers that are not in this process


@pytest.mark.parametrize(
    ("port", "end"), [("", "RST"), ("80", "FIN")], ids=["its own port", "behind its router"]
)
def test_uwsgi(servers, injector, of_uwsgi, port, end):
    """Its own call names the descriptor; a router would not hand on an RST, so none is claimed."""
    with loopback() as (client, server):
        did = ask(servers, injector, **of_uwsgi(server, {"http": b"80"}, port)).did
        assert (did, read(client)) == ({"RST": "reset", "FIN": "closed"}[end], (b"", end))


@pytest.mark.parametrize(
    "options", [{}, {"threads": b"2"}, {b"enable-threads": True}, {"enable-threads": b"false"}], ids=str
)
def test_uwsgi_with_threads_and_without(servers, of_uwsgi, options):
    """Without a thread after the request, the long work is done within it."""
    injector = Injector("hang,duration=1ms", environ={})
    with loopback() as (client, server):
        ask(servers, injector, **of_uwsgi(server, options))
        assert read(client) == (b"", "FIN")
    settle()
    assert only(injector).did == "closed"


@pytest.mark.parametrize("option", ["socket", b"uwsgi-socket", b"scgi-socket", b"fastcgi-socket"])
@pytest.mark.parametrize(
    ("rule", "length", "did", "size"),
    [
        ("drip,rate=1MB", False, "dripped", 10),
        # nginx would take a cut for the end of the body, and its client would not notice.
        ("truncate", False, "nothing_to_cut", 10),
        ("reset,when=after,after_bytes=5", False, "nothing_to_cut", 10),
        ("truncate", True, "truncated", 5),
        ("reset,when=after,after_bytes=5", True, "closed", 5),
    ],
)
def test_uwsgi_that_is_asked_by_another_protocol(servers, of_uwsgi, option, rule, length, did, size):
    """nginx frames the answer: what has no length is not cut, and no reset is claimed."""
    injector = Injector(rule, environ={})
    with loopback() as (client, server):
        environ = servers.environ(**of_uwsgi(server, {option: b"x"}, "80"))
        wrapped = WSGIFaultMiddleware(App(length=length).wsgi, injector=injector)
        body = bytearray()
        with suppress(ConnectionAbortedError):
            for piece in wrapped(environ, lambda *_: None):
                body += piece
        assert (len(body), only(injector).did) == (size, did)
        assert did not in ("dripped", "nothing_to_cut") or alive(client, server)


def test_a_connection_of_pyopenssl(servers, injector):
    """cheroot may have one, which is no socket of Python's."""
    with loopback() as (client, server):
        shown = SimpleNamespace(fileno=server.fileno, get_peer_certificate=None)
        stream = SimpleNamespace(rfile=SimpleNamespace(raw=SimpleNamespace(_sock=shown)))
        ask(servers, injector, SERVER_SOFTWARE="Cheroot/11", **{"wsgi.input": stream})
        assert read(client) == (b"", "RST")


async def never(_, message):
    raise AssertionError


def hypercorn_on_trio(stream):
    above = MethodType(never, SimpleNamespace(stream=stream))
    for _ in range(2):
        above = MethodType(never, SimpleNamespace(send=above))
    return above


def daphne(transport):
    return partial(never, SimpleNamespace(channel=SimpleNamespace(transport=transport)))


@pytest.mark.parametrize(
    ("server_is", "below"), [(hypercorn_on_trio, "transport_stream"), (daphne, "transport")]
)
@pytest.mark.parametrize("tls", [False, True])
def test_a_stream_of_another_library(servers, injector, server_is, below, tls):
    """Trio's and Twisted's, which have another one below their TLS."""
    with loopback() as (client, server):
        stream = SimpleNamespace(socket=server)
        send = server_is(SimpleNamespace(**{below: stream}) if tls else stream)
        wrapped = ASGIFaultMiddleware(None, injector=injector)
        asyncio.run(wrapped(servers.scope(), servers.messages(more=[{"type": "http.disconnect"}]), send))
        assert read(client) == (b"", "RST")

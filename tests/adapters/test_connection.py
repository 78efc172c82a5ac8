"""The connection under a request, on real sockets: found or not, ended, taken over, and nothing left behind."""

import _socket
import gc
import io
import os
import select
import socket
import stat
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from faultinject.adapters import of_environ, of_send

from .transport import PATIENCE, leave, loopback, read

pytestmark = pytest.mark.live


def raises(error):
    def call(*_):
        raise error

    return call


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
    """Nothing new stays behind a test; what earlier ones have left may go meanwhile, by a thread of theirs or the collector."""
    for each in threading.enumerate():
        if each.name == "faultinject lingering":  # an earlier test's, which ends with its connection
            each.join(PATIENCE)
            assert not each.is_alive()
    before = sockets()
    yield
    if sockets() - before:
        gc.collect()
    assert sockets() - before == set()


@pytest.fixture(params=["AF_UNSPEC", "SO_LINGER"])
def way_of_reset(request, monkeypatch):
    """Each way to a true RST, alone."""
    if request.param == "SO_LINGER":
        monkeypatch.setitem(sys.modules, "ctypes", None)
    return request.param


@pytest.fixture(autouse=True)
def bystander():
    """Another connection of this process, which no test ends."""
    with loopback() as (client, server):
        server.settimeout(PATIENCE)
        yield
        for one, other in (client, server), (server, client):
            one.sendall(b"still here")
            assert other.recv(10) == b"still here"


@pytest.fixture
def exchange():
    """`exchange(family, host)`: a client, the server's socket for it, and what the server would tell of them."""
    with ExitStack() as stack:

        def make(family=socket.AF_INET, host="127.0.0.1"):
            if family == socket.AF_UNIX:
                client, server = socket.socketpair()
                environ = {"REMOTE_ADDR": "", "SERVER_PORT": "", "gunicorn.socket": server}
            else:
                with socket.create_server((host, 0), family=family) as listening:
                    client = socket.create_connection(listening.getsockname()[:2])
                    server = listening.accept()[0]
                (address, port), own = server.getpeername()[:2], server.getsockname()[1]
                environ = {"REMOTE_ADDR": address, "REMOTE_PORT": str(port), "SERVER_PORT": str(own)}
                environ["werkzeug.socket"] = server
            client.settimeout(PATIENCE)
            stack.enter_context(client)
            stack.enter_context(server)
            return SimpleNamespace(client=client, server=server, environ=environ)

        yield make


def alive(exchange):
    """Whether bytes still go both ways."""
    exchange.client.sendall(b"ping")
    exchange.server.sendall(b"pong")
    return exchange.server.recv(4) == b"ping" and exchange.client.recv(4) == b"pong"


# Ends


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_reset_is_a_true_rst(exchange, way_of_reset, family, host):
    """The client gets ECONNRESET, though the server holds its descriptor still."""
    given = exchange(family, host)
    with of_environ(given.environ) as found:
        assert found.reset() == "reset"
    assert read(given.client) == (b"", "RST")


def test_the_server_sees_an_end_after_a_reset(exchange, way_of_reset):
    """It reads nothing more and cannot write: as if the client had left."""
    given = exchange()
    with of_environ(given.environ) as found:
        found.reset()
    with suppress(ConnectionResetError):
        given.server.recv(1)
    assert given.server.recv(1) == b""  # ENOTCONN would let OpenSSL try again for ever
    with pytest.raises(BrokenPipeError):
        given.server.sendall(b"late")


REFUSING = SimpleNamespace(CDLL=lambda _: SimpleNamespace(connect=lambda *_: -1))


@pytest.mark.parametrize("ctypes", [REFUSING, None], ids=["a kernel that refuses", "no ctypes"])
def test_a_connection_that_the_server_will_not_give_up_gets_a_fin(exchange, monkeypatch, ctypes):
    """A connect() that did nothing is no reset, and the last close() is not ours: a FIN is sent, and said; nothing lingers."""
    monkeypatch.setitem(sys.modules, "ctypes", ctypes)
    monkeypatch.setattr(_socket, "socketpair", raises(OSError("too many open files")))
    given = exchange()
    with of_environ(given.environ) as found:
        assert found.reset() == "closed"
    assert given.server.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER) == 0
    assert read(given.client) == (b"", "FIN")


def test_a_unix_socket_knows_no_rst(exchange):
    """It degrades to a FIN, by either mechanism."""
    given = exchange(socket.AF_UNIX)
    with of_environ(given.environ) as found:
        assert found.reset() == "closed"
    assert read(given.client) == (b"", "FIN")


def test_after_release_everything_is_quiet(exchange):
    """Ends said again are harmless; the server keeps its connection."""
    given = exchange()
    found = of_environ(given.environ)
    found.release()
    found.release()
    assert found.left(0)
    assert found.reset() == found.close() == "closed"
    assert not found.detach_from_server()
    assert alive(given)


# The client leaves


@pytest.fixture(params=["POLLRDHUP", "recv"])
def way_of_leaving(request, monkeypatch):
    if request.param == "recv":
        monkeypatch.delattr(select, "POLLRDHUP")
    return request.param


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("how", ["FIN", "RST", "half"])
def test_a_client_that_leaves_is_seen(exchange, way_of_leaving, taken, how):
    """At once, also after it was taken over, and however it leaves."""
    given = exchange()
    with of_environ(given.environ) as found:
        assert found.detach_from_server() if taken else True
        assert not found.left(0)
        assert not found.left(0.01)
        if how == "half":
            given.client.shutdown(socket.SHUT_WR)
        elif how == "RST":
            leave(given.client)
        else:
            given.client.close()
        assert found.left(PATIENCE)


@pytest.mark.parametrize("taken", [False, True])
def test_unread_bytes_are_no_farewell(exchange, way_of_leaving, taken):
    """A request that nobody reads: its client is there, and the server finds every byte."""
    given = exchange()
    with of_environ(given.environ) as found:
        assert found.detach_from_server() if taken else True
        given.client.sendall(b"an upload")
        select.select([found.fileno()], [], [], PATIENCE)
        assert not found.left(0)
        assert not found.left(0.12)
        if not taken:
            assert given.server.recv(65_536) == b"an upload"


def test_unread_bytes_do_not_hide_a_farewell(exchange, way_of_leaving):
    """Where only recv() can tell, what is left of the request is read away, once it is ours alone."""
    given = exchange()
    with of_environ(given.environ) as found:
        found.detach_from_server()
        given.client.sendall(bytes(20_000))
        given.client.shutdown(socket.SHUT_WR)
        assert found.left(PATIENCE)


def test_bytes_that_another_thread_took_are_no_end(exchange, monkeypatch):
    """They had come when it was looked, and are gone when they are read."""
    monkeypatch.delattr(select, "POLLRDHUP")
    given = exchange()
    looks = [[(given.server.fileno(), select.POLLIN)]]
    poll = SimpleNamespace(register=lambda *_: None, poll=lambda _: looks.pop() if looks else [])
    with of_environ(given.environ) as found:
        monkeypatch.setattr(select, "poll", lambda: poll)
        assert not found.left(0)
    assert looks == []


# Taking over


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_taking_over(exchange, family):
    """The server reads an end and cannot write; no child gets its number, and the client notices nothing, and is ours."""
    given = exchange(family)
    with of_environ(given.environ) as found:
        assert found.detach_from_server()
        assert not os.get_inheritable(given.server.fileno())
        assert given.server.recv(1) == b""
        with pytest.raises(BrokenPipeError):
            given.server.send(b"x")
        given.server.close()
        assert found.push(b"late") == 4
        assert given.client.recv(4) == b"late"
        assert found.detach_from_server()
        assert of_environ(given.environ) is None
    assert read(given.client) == (b"", "FIN")


def test_a_number_that_is_another_connection_by_now_is_left_alone(exchange):
    """The server was faster: the innocent one lives."""
    given, innocent = exchange(), exchange()
    with of_environ(given.environ) as found:
        os.dup2(innocent.server.fileno(), given.server.fileno())
        assert not found.detach_from_server()
    assert alive(innocent)
    innocent.server.close()
    innocent.server = given.server
    assert alive(innocent)


def test_a_number_that_is_no_socket_by_now_is_left_alone(exchange):
    """A file that has got the number since."""
    given = exchange()
    with of_environ(given.environ) as found, Path(os.devnull).open("rb") as file:
        os.dup2(file.fileno(), given.server.fileno())
        assert not found.detach_from_server()
        assert os.path.sameopenfile(file.fileno(), given.server.fileno())
        assert found.push(b"x") == 1


def test_no_descriptor_left_for_the_dead_socket(exchange, monkeypatch):
    """Taking over is refused, and the connection stays the server's."""
    given = exchange()
    with of_environ(given.environ) as found:
        monkeypatch.setattr(_socket, "socketpair", raises(OSError("too many open files")))
        assert not found.detach_from_server()
    assert alive(given)


# Finding


def test_the_server_s_own_socket(exchange):
    """Whomever the request names as its client; the others live."""
    many = [exchange() for _ in range(5)]
    other = many[0].environ
    forged = {name: other[name] for name in ("REMOTE_ADDR", "REMOTE_PORT", "SERVER_PORT")}
    said = "{REMOTE_ADDR}:{REMOTE_PORT}".format(**other)
    with of_environ({**many[2].environ, **forged, "HTTP_X_FORWARDED_FOR": said}) as found:
        assert found.reset() == "reset"
    assert read(many[2].client) == (b"", "RST")
    assert all(alive(each) for each in many if each is not many[2])


def test_a_server_that_shows_no_socket(exchange):
    """The only connection that there is may be another client's: none is touched."""
    given = exchange()
    peer = {name: given.environ[name] for name in ("REMOTE_ADDR", "REMOTE_PORT", "SERVER_PORT")}
    for software in ({}, {"SERVER_SOFTWARE": "Granian"}, {"SERVER_SOFTWARE": "another/1"}):
        assert of_environ({**peer, **software}) is None
    assert of_send(nowhere) is None
    assert alive(given)


def test_no_descriptor_left_to_look_with(exchange, monkeypatch):
    """No dup(): nothing found, nothing leaked."""
    given = exchange()
    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", raises(OSError("too many open files")))
        assert of_environ(given.environ) is None
    with monkeypatch.context() as patch:
        patch.setattr(os, "get_blocking", raises(OSError("not here")))
        assert of_environ(given.environ) is None


def test_only_sockets_are_ever_duplicated(exchange, monkeypatch):
    """A dup() of a file, a terminal or an epoll is never made."""
    given = exchange()
    kinds = []
    dup = os.dup
    monkeypatch.setattr(os, "dup", lambda number: kinds.append(os.fstat(number).st_mode) or dup(number))
    with Path(os.devnull).open("rb"), select.epoll(), of_environ(given.environ):
        assert kinds
        assert all(stat.S_ISSOCK(kind) for kind in kinds)


# The blocking flag


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("platform", ["Linux", "without SOCK_NONBLOCK"])
def test_the_server_s_blocking_flag_stays(exchange, monkeypatch, blocking, platform):
    """socket.setdefaulttimeout() of the app does not reach the server's descriptor through ours."""
    if platform == "Linux":  # it is not even changed for a moment
        monkeypatch.setattr(os, "set_blocking", raises(AssertionError))
    else:
        monkeypatch.delattr(_socket, "SOCK_NONBLOCK")
    given = exchange()
    given.server.setblocking(blocking)
    socket.setdefaulttimeout(30)
    try:
        with of_environ(given.environ) as found:
            assert os.get_blocking(given.server.fileno()) is blocking
            assert found.push(b"x") == 1
            while found.push(bytes(1 << 20)):
                pass
            assert not found.left(0)
            assert os.get_blocking(given.server.fileno()) is blocking
    finally:
        socket.setdefaulttimeout(None)


# Forks

FORKED = """
import os, socket, sys
from faultinject.adapters import of_environ

with socket.create_server(("127.0.0.1", 0)) as listening:
    client = socket.create_connection(listening.getsockname())
    server, address = listening.accept()
environ = {"werkzeug.socket": server}
found = of_environ(environ)
child = os.fork()
if not child:
    with of_environ(environ) as own:
        sys.exit(found.fileno() == -1 and own.push(b"child") == 5)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
assert found.push(b"parent") == 6
assert client.recv(11, socket.MSG_WAITALL) == b"childparent"
"""


def test_a_child_holds_no_client():
    """Forked while a client was held: it can look, and no client's end waits for it."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


# Handles


@pytest.mark.parametrize(
    "handle",
    [io.BytesIO, lambda: None, object, lambda: os.fdopen(os.open(os.devnull, os.O_RDONLY))],
    ids=["memory", "none", "object", "file"],
)
def test_a_handle_that_is_no_socket(exchange, handle):
    """In memory, a file, a stranger, or a body that middleware has replaced: there is no connection."""
    made = handle()
    assert of_environ({**exchange().environ, "werkzeug.socket": made}) is None
    assert of_environ({"SERVER_SOFTWARE": "Cheroot/11", "wsgi.input": made}) is None
    getattr(made, "close", int)()


@pytest.mark.parametrize(
    ("options", "threads"),
    [
        ({}, False),
        ({"threads": b"2"}, True),
        ({"threads": b"1"}, False),
        ({"enable-threads": True}, True),
        ({b"enable-threads": True}, True),
        ({"enable-threads": b"false", b"threads": [b"4"]}, True),
        ({"enable-threads": b"false"}, False),
    ],
    ids=str,
)
def test_uwsgi(exchange, monkeypatch, options, threads):
    """Its own call names the descriptor; without threads nothing could go on after the request."""
    given = exchange()
    uwsgi = SimpleNamespace(opt=options, connection_fd=given.server.fileno)
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    port = str(given.server.getsockname()[1])
    shown = {"uwsgi.version": b"2", "wsgi.url_scheme": "https", "SERVER_PORT": port}
    with of_environ(shown) as found:
        assert found.encrypted
        assert found.push(b"x") == 1
        assert found.detach_from_server() is threads
        assert found.reset() == "reset"
    assert read(given.client) == (b"x", "RST")


@pytest.mark.parametrize(
    ("family", "port", "relayed"),
    [(socket.AF_INET, "80", True), (socket.AF_UNIX, "", False)],
    ids=["behind its router", "on a path"],
)
def test_uwsgi_whose_client_gets_no_rst(exchange, monkeypatch, family, port, relayed):
    """The router's connection is not the client's: an RST would not be handed on, and is not claimed. A path has no port."""
    given = exchange(family)
    monkeypatch.setitem(
        sys.modules, "uwsgi", SimpleNamespace(connection_fd=given.server.fileno, opt={"http": port})
    )
    with of_environ({"uwsgi.version": b"2", "SERVER_PORT": port}) as found:
        assert found.relayed is relayed
        assert found.writable
        assert found.reset() == "closed"
    assert read(given.client) == (b"", "FIN")


@pytest.mark.parametrize("option", ["socket", b"scgi-socket"])
def test_uwsgi_that_is_asked_by_another_protocol(exchange, monkeypatch, option):
    """Only the server writes on such a connection: who asks for one to write on gets none."""
    given = exchange(socket.AF_INET)
    monkeypatch.setitem(
        sys.modules, "uwsgi", SimpleNamespace(connection_fd=given.server.fileno, opt={option: b"x"})
    )
    environ = {"uwsgi.version": b"2", "SERVER_PORT": "80"}
    assert of_environ(environ, plain=True) is None
    with of_environ(environ) as found:
        assert not found.writable
        with found.again() as same:
            assert not same.writable


def test_uwsgi_outside_of_a_request(monkeypatch):
    """Its call raises there."""
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(connection_fd=raises(ValueError("not now"))))
    assert of_environ({"uwsgi.version": b"2"}) is None


# ASGI


async def nowhere(_message):
    raise AssertionError


def test_a_connection_of_pyopenssl(exchange):
    """cheroot may have one, which is no socket of Python's."""
    shown = SimpleNamespace(fileno=exchange().server.fileno, get_peer_certificate=None)
    stream = SimpleNamespace(rfile=SimpleNamespace(raw=SimpleNamespace(_sock=shown)))
    with of_environ({"SERVER_SOFTWARE": "Cheroot/11", "wsgi.input": stream}) as found:
        assert found.encrypted


class Sender:
    """What `send` of hypercorn, and of what is below it, is a method of."""

    def __init__(self, send=None, **more):
        vars(self).update(more)
        if send is not None:
            self.send = send

    def method(self):
        raise AssertionError


def hypercorn_on_trio(stream):
    below = Sender(stream=stream)
    return Sender(Sender(below.method).method).method


@pytest.mark.parametrize("encrypted", [False, True])
def test_hypercorn_on_trio(exchange, encrypted):
    """Its stream has the socket, below its TLS where there is some."""
    given = exchange()
    stream = SimpleNamespace(socket=given.server)
    if encrypted:
        stream = SimpleNamespace(transport_stream=stream)
    with of_send(hypercorn_on_trio(stream)) as found:
        assert found.encrypted is encrypted
        assert found.backlog() == 0
        assert found.push(b"x") == 1


@pytest.mark.parametrize("encrypted", [False, True])
def test_daphne(exchange, encrypted):
    """Its transport is Twisted's, which has another one below its TLS."""
    given = exchange()
    transport = SimpleNamespace(socket=given.server)
    if encrypted:
        transport = SimpleNamespace(transport=transport, getPeerCertificate=None)
    request = SimpleNamespace(channel=SimpleNamespace(transport=transport))
    with of_send(partial(nowhere, request)) as found:
        assert found.encrypted is encrypted
        assert found.backlog() == 0  # where another version of Twisted tells nothing
        assert found.push(b"x") == 1

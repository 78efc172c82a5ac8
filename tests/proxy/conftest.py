"""A server behind that says what a test has it say, and the proxy in front of it."""

import re
import socket
import ssl
import threading
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from faultinject import get_injector, install
from faultinject.proxy.app import Proxy
from faultinject.proxy.client import proxy_server
from faultinject.proxy.target import Target
from faultinject.server.bounds import LIMITS
from faultinject.server.certificates import certificate
from tests.on_loopback import Listener, in_thread


class Behind(Listener):
    """A server that keeps what it was sent, and plays something with each connection.

    Attributes:
        sent: the bytes of each connection.
        ended: how each ended, by the other side: `FIN` or `RST`.
    """

    def __init__(self, *plays):
        self.sent = []
        self.ended = []
        self.left = threading.Semaphore(0)
        self._plays = plays
        super().__init__(self._talk)
        self.url = f"http://127.0.0.1:{self.port}"

    def _talk(self, connection):
        play = self._plays[min(len(self.sent), len(self._plays) - 1)]
        self.sent.append(bytearray())
        talk = Talk(connection, self.sent[-1])
        end = "FIN"
        with connection:
            connection.settimeout(60)
            try:
                play(talk)
                while talk.read():
                    pass
            except ConnectionResetError:
                end = "RST"
            except EOFError:
                pass
            except OSError:
                end = "none"
        self.ended.append(end)
        self.left.release()


class Talk:
    """One connection of it."""

    def __init__(self, connection, sent):
        self.connection = connection
        self._sent = sent
        self._read = 0

    def read(self):
        piece = self.connection.recv(65_536)
        self._sent += piece
        return piece

    def until(self, end):
        """The bytes up to `end` that were sent since the last call."""
        while (at := self._sent.find(end, self._read)) < 0:
            if not self.read():
                raise EOFError
        start, self._read = self._read, at + len(end)
        return bytes(self._sent[start : self._read])

    def request(self):
        """Read a request with its body, and return its head; an earlier answer would break it off."""
        head = self.until(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        end = self._read + int(length[1] if length else 0)
        while len(self._sent) < end:
            if not self.read():
                raise EOFError
        self._read = end
        return head

    def say(self, *pieces):
        for each in pieces:
            self.connection.sendall(each)

    def end(self, how):
        """End the connection by `FIN` or `RST`."""
        if how == "RST":
            by_reset(self.connection)
        self.connection.close()


def saying(*steps, until=b"\r\n\r\n", times=1):
    """Make a play that reads up to `until` and then does one step after the other.

    Bytes are said, an event is waited for, a function is called, and `FIN` or `RST` ends the connection.
    """

    def play(talk):
        for _ in range(times):
            talk.until(until)
            for step in steps:
                if isinstance(step, bytes):
                    talk.say(step)
                elif isinstance(step, threading.Event):
                    assert step.wait(60)
                elif isinstance(step, str):
                    talk.end(step)
                else:
                    step()

    return play


def by_reset(connection):
    """Have a reset end it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.fixture
def behind():
    """`behind(*plays)`: a server; each connection has the next `play(talk)`, then all the last."""
    with ExitStack() as made:
        yield lambda *plays: made.enter_context(Behind(*plays))


@contextmanager
def running(app, target, certificate=None, *, within=2, loop=None, limits=LIMITS):
    """The server of the app, and its port.

    `within`: seconds after which it complains of what is under way at its end; `loop`: as uvicorn calls it, in place
    of the usual one.
    """
    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = proxy_server(app, target, certificate, within=within, limits=limits)
        server.config.loop = loop or server.config.loop
        with in_thread(partial(server.run, [sock]), partial(setattr, server, "should_exit", True)):
            yield server, sock.getsockname()[1]


def wrapped(around, inner):
    """Its requests go through `around`."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await around(inner, scope, receive, send)
        else:
            await inner(scope, receive, send)

    return app


def busy(told, ended, pieces=1):
    """An app around the proxy; behind so many pieces it keeps the loop busy until an event."""

    async def around(proxy, scope, receive, send):
        left = pieces

        async def held():
            nonlocal left
            message = await receive()
            left -= message["type"] == "http.request"
            if not left and not ended.is_set():
                told.set()
                assert ended.wait(60)  # in the loop's own thread
            return message

        await proxy(scope, held, send)

    return around


class Front:
    """The proxy in front, and a client of it."""

    def __init__(self, port, injector, server, context):
        self.port = port
        self.injector = injector
        self.server = server
        self._context = context

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return (
            plain if self._context is None else self._context.wrap_socket(plain, server_hostname="localhost")
        )


@pytest.fixture
def front():
    """`front(url, rules)`: the proxy to that server, with faults.

    `around` wraps it into another app, `tls` gives it a certificate.
    """
    with ExitStack() as stack:

        def make(url, rules="", *, around=None, within=2, loop=None, limits=LIMITS, tls=(None, None), **more):
            target = Target(url)
            app = Proxy(target, **more)
            if rules:
                app = install(app, rules, enabled=True)
            injector = get_injector(app)
            if around:
                app = wrapped(around, app)
            given, context = tls
            server, port = stack.enter_context(
                running(app, target, given, within=within, loop=loop, limits=limits)
            )
            return Front(port, injector, server, context)

        make.ends = stack.close
        yield make


@pytest.fixture(scope="session")
def made():
    """A certificate, and the context of a client that trusts it."""
    pytest.importorskip("trustme")
    with certificate("localhost") as found:
        yield found, ssl.create_default_context(cafile=found.authority)


@pytest.fixture
def secure(front, made):
    """`front`, in TLS."""
    return partial(front, tls=made)


@pytest.fixture(params=["front", "secure"])
def either(request):
    """Without TLS and with it."""
    return request.getfixturevalue(request.param)


def up_to(client, end):
    """Receive until these bytes."""
    got = b""
    while not got.endswith(end):
        piece = client.recv(65_536)
        assert piece, got
        got += piece
    return got


def pieces(client, size):
    """So many bytes, in however many pieces; all where that is None."""
    while size is None or size > 0:
        piece = client.recv(min(65_536, size or 65_536))
        if not piece:
            break
        size = size and size - len(piece)
        yield piece


def some(client, size):
    """So many bytes; all where that is None."""
    return b"".join(pieces(client, size))


def ask(client, request, size):
    """Send a request, and receive so many bytes of what is said to it."""
    client.sendall(request)
    return some(client, size)


def hears_nothing(client):
    """For a moment, in which it would."""
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(60)


def exchange(proxy, request, *, reads=None):
    """All bytes until the end of the connection, or so many, and how it ends."""
    got, end = b"", "FIN"
    with proxy.connect() as connection:
        connection.sendall(request)
        try:
            for piece in pieces(connection, reads):
                got += piece
        except ConnectionResetError:
            end = "RST"
    return got, end


@pytest.fixture
def through(behind, front):
    """`through(play, request, rules)`: the same by the proxy to such a server, and the server."""

    def call(play, request, rules="", *, reads=None, **more):
        server = behind(play)
        return *exchange(front(server.url, rules, **more), request, reads=reads), server

    return call


@pytest.fixture
def connected(behind, front):
    """Connect a client to the proxy in front of a server that plays so.

    `with connected(*plays) as (client, server)`.
    """

    @contextmanager
    def connect(*plays, rules="", **more):
        server = behind(*plays)
        with front(server.url, rules, **more).connect() as client:
            yield client, server

    return connect


@pytest.fixture
def no_complaint(front, capsys):
    """The proxy ends, and has not said on its way that anything went wrong."""
    yield
    front.ends()
    assert capsys.readouterr().err == ""

"""A server's bound of connections, and the order in which they end."""

import asyncio
import resource
import select
import socket
import ssl
import threading
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection
from wsproto.events import Request as Upgrade

from faultinject.cli.listening import uvicorn_server
from faultinject.server.bounds import LIMITS, Limits
from faultinject.server.certificates import certificate
from faultinject.server.connections import Server
from tests.on_loopback import in_thread
from tests.until import until

PATIENCE = 60
"""Seconds that only end a hang."""
SOON = 0.05
"""Seconds of a limit whose end is waited for."""
HEAD = b"PUT /read HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"
HALF_BODY = HEAD + b"x"
WHOLE = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
ASKING = HEAD.replace(b"/read", b"/wait").replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
WAIT = WHOLE.replace(b"/ ", b"/wait ")
MUCH = 64 << 20
"""Bytes that no kernel keeps for a client."""


class App:
    """Answers when it may, and says what it was asked."""

    def __init__(self):
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Event()
        self.paths = []

    async def __call__(self, scope, receive, send):
        request, path = Request(scope, receive), scope["path"]
        self.paths.append(path)
        if path == "/wait":
            self.asked.release()
            await asyncio.to_thread(self.may_answer.wait, PATIENCE)
        content = path.encode()
        if path == "/read":
            try:
                content = b"%d" % len(await request.body())
            except ClientDisconnect:
                return
        if path == "/endless":
            answer = StreamingResponse(endless())
        else:
            answer = Response(bytes(MUCH) if path == "/much" else content)
        await answer(scope, receive, send)


async def endless():
    while True:
        yield bytes(1 << 20)
        await asyncio.sleep(0)  # else nothing else goes on once its client has left


@pytest.fixture
def app():
    return App()


@contextmanager
def connected(server):
    with socket.create_connection(server.server_address, timeout=PATIENCE) as sock:
        yield sock


@contextmanager
def waiting(server, app, sent=WAIT):
    """In this block a client waits for its answer, which comes behind it."""
    with connected(server) as sock:
        sock.sendall(sent)
        assert app.asked.acquire(timeout=PATIENCE)
        yield
        app.may_answer.set()
        assert answer(sock).endswith(b"/wait")


@pytest.fixture
def over_tls(app):
    """From a number of connections to a server, and what connects to it over TLS."""
    pytest.importorskip("trustme")
    with certificate() as made, ExitStack() as stack:
        trusting = ssl.create_default_context(cafile=made.authority)

        def serve(connections):
            limits = Limits(connections=connections)
            server = stack.enter_context(Server(app, limits=limits, context=made.context))

            def secured():
                below = stack.enter_context(connected(server))
                return stack.enter_context(trusting.wrap_socket(below, server_hostname="localhost"))

            return server, secured

        yield serve


def idle(sock):
    sock.sendall(WHOLE)
    assert answer(sock).endswith(b"\r\n\r\n/")


def half_of_the_next(sock):
    idle(sock)
    sock.sendall(WHOLE[:20])


def left_body(sock):
    """Of a request that was answered without it."""
    sock.sendall(HALF_BODY.replace(b"/read", b"/"))
    assert answer(sock).endswith(b"\r\n\r\n/")


def takes_nothing(sock, more=b""):
    """Its answer has begun, and is all made."""
    sock.sendall(WHOLE.replace(b"/ HTTP/1.1\r\n", b"/much HTTP/1.1\r\n" + more))
    assert b"\0" in answer(sock)


def answer(sock):
    """The bytes received, at least up to the body's first ones."""
    got = b""
    while not got.partition(b"\r\n\r\n")[2]:
        piece = sock.recv(1000)
        assert piece, got
        got += piece
    return got


def ends(sock):
    """The connection ends, without a whole answer of that size."""
    size = 0
    with suppress(ConnectionError):
        while piece := sock.recv(1 << 20):
            size += len(piece)
    return size < MUCH // 2


SILENT = {
    "nothing": lambda sock: None,
    "half a head": lambda sock: sock.sendall(WHOLE[:20]),
    "half a body": lambda sock: sock.sendall(HALF_BODY),
    "idle": idle,
    "half of the next head": half_of_the_next,
    "a body that nobody reads": left_body,
    "takes nothing": takes_nothing,
    # The server has closed the connection, and still has most of the answer.
    "takes nothing of the last": partial(takes_nothing, more=b"Connection: close\r\n"),
}


@pytest.mark.parametrize("be_silent", SILENT.values(), ids=SILENT)
def test_one_more_ends_the_one_that_is_silent_for_longest(app, be_silent):
    """Not one that waits for its answer, nor a later silent one; the new one is answered."""
    with (
        Server(app, limits=Limits(connections=3)) as server,
        waiting(server, app, ASKING),
        ExitStack() as stack,
    ):
        later, silent = (stack.enter_context(connected(server)) for _ in range(2))
        be_silent(silent)
        # The server's loop reads from a connection four turns after it was made; an answer takes two turns.
        for _ in range(4):
            idle(later)
        new = stack.enter_context(connected(server))
        assert ends(silent)
        idle(new)
        idle(later)


def test_a_handshake_of_tls_counts(over_tls):
    """One that never ends takes no place from others, nor do those that have failed."""
    server, secured = over_tls(2)
    with connected(server) as silent, connected(server) as wrong:
        wrong.sendall(WHOLE)
        assert ends(wrong)
        first = secured()
        idle(first)
        second = secured()
        assert ends(silent)
        for each in second, first:
            idle(each)


def test_an_end_of_tls_that_is_not_confirmed(over_tls, monkeypatch):
    """The connection counts until it ends."""
    monkeypatch.setattr("asyncio.constants.SSL_SHUTDOWN_TIMEOUT", 10 * PATIENCE)
    _, secured = over_tls(1)
    first = secured()
    first.sendall(WHOLE.replace(b"Host", b"Connection: close\r\nHost"))
    assert answer(first)
    idle(secured())
    with socket.fromfd(first.fileno(), socket.AF_INET, socket.SOCK_STREAM) as below:
        below.settimeout(PATIENCE)
        assert ends(below)


def test_a_client_that_does_not_take_an_answer_that_goes_on(app):
    """It is silent from when nothing more fits on the way to it."""
    with Server(app, limits=Limits(connections=1)) as server, connected(server) as silent:
        silent.sendall(WHOLE.replace(b"/ ", b"/endless "))
        assert answer(silent)
        until(partial(is_answered, server))
        assert ends(silent)


def is_answered(server):
    """Whether a client that comes now is."""
    with suppress(ConnectionError), connected(server) as new:
        new.sendall(WHOLE)
        return new.recv(1000) != b""
    return False


def test_where_all_wait_for_their_answers(app):
    """The new one ends: no request that is under way is cut."""
    with Server(app, limits=Limits(connections=1)) as server, waiting(server, app), connected(server) as new:
        assert ends(new)


def test_those_that_have_ended_do_not_count(app):
    """However many there were."""
    with Server(app, limits=Limits(connections=2)) as server, connected(server) as first:
        idle(first)
        for _ in range(5):
            with connected(server) as other:
                other.sendall(WHOLE.replace(b"Host", b"Connection: close\r\nHost"))
                assert answer(other)
                assert ends(other)
        idle(first)


@pytest.mark.parametrize(
    ("files", "told", "held"),
    [
        # A quarter of them is for others.
        (4, 100, 3),
        (resource.RLIM_INFINITY, 1, 1),
    ],
    ids=["few files", "no limit of files"],
)
def test_there_are_fewer_where_few_files_can_be_open(app, monkeypatch, files, told, held):
    """A process without a limit of files has as many connections as it was told."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    with Server(app, limits=Limits(connections=told)) as server, ExitStack() as stack:
        first, *others = (stack.enter_context(connected(server)) for _ in range(held + 1))
        assert ends(first)
        for other in others:
            idle(other)


def test_websockets_count_until_they_end_and_stay():
    """One that says nothing is no client that says nothing."""
    held, left = threading.Semaphore(0), threading.Semaphore(0)

    async def app(scope, receive, send):
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            held.release()
            await receive()
            left.release()
        elif scope["type"] == "http":
            await Response("/")(scope, receive, send)

    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn_server(app, limits=Limits(connections=2))
    server.server_address = sock.getsockname()
    with (
        sock,
        in_thread(lambda: server.run(sockets=[sock]), lambda: setattr(server, "should_exit", True)),
    ):
        for _ in range(3):
            speaker = WSConnection(ConnectionType.CLIENT)
            with connected(server) as upgraded:
                upgraded.sendall(speaker.send(Upgrade(host="h", target="/")))
                speaker.receive_data(upgraded.recv(1000))
                assert isinstance(next(speaker.events()), AcceptConnection)
                assert held.acquire(timeout=PATIENCE)
                with connected(server) as first:
                    idle(first)
                    with connected(server) as new:
                        assert ends(first)
                        idle(new)
            assert left.acquire(timeout=PATIENCE)


def drips(start, sock):
    """A byte now and then, until the connection ends."""
    with suppress(ConnectionError):
        sock.sendall(start)
        while not select.select([sock], [], [], SOON / 10)[0]:
            sock.sendall(b"x")


def the_next_drips(sock):
    idle(sock)
    drips(WHOLE[:20], sock)


LATE = {
    **{name: SILENT[name] for name in SILENT if "takes" not in name and name != "idle"},
    "drips of a head": partial(drips, WHOLE[:20]),
    "drips of the next head": the_next_drips,
    "drips of a body": partial(drips, HALF_BODY),
}


@pytest.mark.parametrize("be_slow", LATE.values(), ids=LATE)
def test_what_does_not_come_in_time(app, be_slow):
    """The connection ends, and nothing is said."""
    with Server(app, limits=Limits(request=SOON)) as server, connected(server) as sock:
        be_slow(sock)
        assert ends(sock)
        with connected(server) as other:
            idle(other)


def test_what_comes_in_time_may_wait_for_its_answer(app):
    """Also where the next request has begun behind it."""
    with Server(app, limits=Limits(request=SOON)) as server, waiting(server, app, WAIT + WHOLE[:20]):
        for _ in range(2):
            with connected(server) as later:
                assert ends(later)


def test_what_clients_never_meet():
    """The defaults have no deadline for what is slow."""
    assert Limits(connections=1024, request=None) == LIMITS

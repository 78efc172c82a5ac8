"""The proxy's bound of connections, and the order in which they end."""

import resource
import socket
import threading
from contextlib import ExitStack, suppress
from functools import partial
from ssl import SSLError

import pytest

from faultinject.server.bounds import Limits
from tests.until import until

from .conftest import some, up_to

pytestmark = pytest.mark.live

GET = b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n"
WAIT = GET.replace(b"/k", b"/wait")
UPLOAD = b"PUT /wait HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"
ASKING = UPLOAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
MUCH = 64 << 20
"""Bytes that no kernel keeps for a client."""


class Play:
    """The server behind: it answers when it may."""

    def __init__(self):
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Event()

    def __call__(self, talk):
        with suppress(OSError, EOFError):
            while True:
                head = talk.until(b"\r\n\r\n")
                if b"/read" in head:
                    talk.until(b"x")
                    self.asked.release()
                    talk.until(b"y")
                if b"/wait" in head:
                    self.asked.release()
                    self.may_answer.wait(60)
                size = MUCH if b"/much" in head else 2
                talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, b"ok" * (size // 2))


@pytest.fixture
def play():
    made = Play()
    yield made
    made.may_answer.set()


def idle(client, _=None, request=GET):
    client.sendall(request)
    assert up_to(client, b"\r\n\r\nok")


def half_sent(client, play):
    client.sendall(UPLOAD.replace(b"/wait", b"/read") + b"x")
    assert play.asked.acquire(timeout=60)


def left_body(client, _):
    """Of a request that was answered without it."""
    idle(client, request=UPLOAD.replace(b"/wait", b"/k"))


def ends(client):
    """The connection ends, without a whole answer of that size."""
    size = 0
    with suppress(ConnectionError, SSLError):
        while piece := client.recv(1 << 20):
            size += len(piece)
    return size < MUCH // 2


@pytest.mark.parametrize(
    ("be_silent", "waits"),
    [
        (lambda client, play: None, WAIT),
        (lambda client, play: client.sendall(GET[:20]), ASKING),
        (half_sent, WAIT),
        (left_body, ASKING),
        (idle, WAIT),
    ],
    ids=["nothing", "half a head", "half a body", "a body that nobody reads", "idle"],
)
def test_one_more_ends_the_one_that_is_silent_for_longest(behind, either, play, be_silent, waits):
    """Not one that waits for its answer, nor a later silent one; the new one is answered."""
    proxy = either(behind(play).url, limits=Limits(connections=3))
    with ExitStack() as stack:
        waiting, later, silent = (stack.enter_context(proxy.connect()) for _ in range(3))
        waiting.sendall(waits)
        assert play.asked.acquire(timeout=60)
        be_silent(silent, play)
        # The proxy's loop reads from a connection four turns after it was made; an answer takes two turns or more.
        for _ in range(4):
            idle(later)
        new = stack.enter_context(proxy.connect())
        assert ends(silent)
        idle(new)
        idle(later)
        play.may_answer.set()
        assert up_to(waiting, b"\r\n\r\nok")


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"], ids=["more", "last"])
def test_a_client_that_does_not_take_its_answer(behind, either, play, more):
    """It is silent from when nothing more fits on the way to it."""
    proxy = either(behind(play).url, limits=Limits(connections=1))
    with proxy.connect() as silent:
        silent.sendall(GET.replace(b"/k", b"/much").replace(b"\r\n\r\n", b"\r\n" + more + b"\r\n"))
        assert some(silent, 200)
        until(partial(is_answered, proxy))
        assert ends(silent)


def is_answered(proxy):
    """Whether a client that comes now is."""
    with suppress(ConnectionError, SSLError), proxy.connect() as new:
        new.sendall(GET)
        return new.recv(1000) != b""
    return False


def test_a_handshake_of_tls_counts(behind, secure, play):
    """One that never ends takes no place from others."""
    proxy = secure(behind(play).url, limits=Limits(connections=2))
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as silent, proxy.connect() as first:
        idle(first)
        with proxy.connect() as second:
            assert ends(silent)
            idle(second)
            idle(first)


def test_where_all_wait_for_their_answers(behind, front, play):
    """The new one ends: no request that is under way is cut."""
    proxy = front(behind(play).url, limits=Limits(connections=1))
    with proxy.connect() as waiting:
        waiting.sendall(WAIT)
        assert play.asked.acquire(timeout=60)
        with proxy.connect() as new:
            assert ends(new)
        play.may_answer.set()
        assert up_to(waiting, b"\r\n\r\nok")


def test_there_are_fewer_where_few_files_can_be_open(behind, front, play, monkeypatch):
    """A client takes two: the other is that of its connection to the server."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4, 4))
    proxy = front(behind(play).url)
    with proxy.connect() as first, proxy.connect() as new:
        assert ends(first)
        idle(new)

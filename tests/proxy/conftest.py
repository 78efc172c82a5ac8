"""A server behind that says what a test has it say, and the proxy in front of it."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager

import pytest

from faultinject import get_injector, install
from faultinject.cli.listening import proxy_server
from faultinject.proxy.app import Proxy
from faultinject.proxy.target import Target


class Behind:
    """A server that keeps what it was sent, and does what `play` does with each connection.

    Attributes:
        sent: the bytes of each connection.
        ended: how each ended, by the other side: `FIN` or `RST`.
    """

    def __init__(self, play):
        self.sent = []
        self.ended = []
        self.left = threading.Semaphore(0)
        self._play = play
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        self.sent.append(bytearray())
        talk = Talk(connection, self.sent[-1])
        end = "FIN"
        with connection:
            connection.settimeout(20)
            try:
                self._play(talk)
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

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._threads:
            each.join(20)


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
        """What was sent up to there, since the last time."""
        while (at := self._sent.find(end, self._read)) < 0:
            if not self.read():
                raise EOFError
        start, self._read = self._read, at + len(end)
        return bytes(self._sent[start : self._read])

    def request(self):
        """The head of the next request whose body has come as well: an answer before that would end its way."""
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

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()


@pytest.fixture
def behind():
    """`behind(play)`: a server whose connections `play(talk)`."""
    made = []

    def make(play):
        made.append(Behind(play))
        return made[-1]

    yield make
    for each in made:
        each.close()


@contextmanager
def served(app, target, certificate=None, *, within=2):
    """The port that the app is on; `within`: seconds after which the server complains of what is still under way at its end."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = proxy_server(app, target, certificate)
        server.config.timeout_graceful_shutdown = within
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)
        assert not thread.is_alive()


class Front:
    """The proxy in front, and a client of it."""

    def __init__(self, port, injector):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.injector = injector

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@pytest.fixture
def front():
    """`front(url, rules)`: the proxy to that server with faults."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def make(url, rules="", **more):
            target = Target(url)
            app = Proxy(target, **more)
            if rules:
                app = install(app, rules, enabled=True)
            return Front(stack.enter_context(served(app, target)), get_injector(app))

        yield make


@pytest.fixture
def exchange(front):
    """`exchange(front, request)`: what comes back until the end of the connection, and how that ends."""

    def call(proxy, request, *, reads=None):
        with proxy.connect() as connection:
            connection.sendall(request)
            got, end = b"", "FIN"
            try:
                while reads is None or len(got) < reads:
                    piece = connection.recv(65_536)
                    if not piece:
                        break
                    got += piece
            except ConnectionResetError:
                end = "RST"
        return got, end

    return call

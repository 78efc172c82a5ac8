"""A wire that is listened to: what goes through a connection, either way."""

from __future__ import annotations

import contextlib
import socket
import threading


class Tap:
    """Passes connections on to an address, and keeps their bytes.

    Attributes:
        url: where it is.
        said: of each connection, what the client has sent.
        answered: of each, what came back.
    """

    def __init__(self, port):
        self.said = []
        self.answered = []
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads = []
        self._start(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._threads:
            each.join(20)

    def _start(self, target, *arguments):
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            ends = threading.Semaphore(0)
            for came, goes, kept in ((client, server, self.said), (server, client, self.answered)):
                kept.append(bytearray())
                self._start(self._pass_on, came, goes, kept[-1], ends)
            self._start(self._close, client, server, ends)

    @staticmethod
    def _pass_on(came, goes, kept, ends):
        try:
            while piece := came.recv(65_536):
                kept += piece
                goes.sendall(piece)
            goes.shutdown(socket.SHUT_WR)
        except OSError:
            for each in (came, goes):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        ends.release()

    @staticmethod
    def _close(client, server, ends):
        ends.acquire()
        ends.acquire()
        client.close()
        server.close()


def messages(stream):
    """The messages of one way: each its head, its body, and what stands behind that; chunks are put together."""
    found = []
    while stream:
        head, end, stream = stream.partition(b"\r\n\r\n")
        assert end, head[:200]
        fields = dict(
            line.lower().split(b":", 1)
            for line in head.split(b"\r\n")[1:]
            if line.lower().startswith((b"content-length", b"transfer-enc"))
        )
        body, behind = b"", b""
        if fields.get(b"transfer-encoding", b"").strip() == b"chunked":
            while True:
                size, _, stream = stream.partition(b"\r\n")
                length = int(size.partition(b";")[0], 16)
                if not length:
                    break
                body += stream[:length]
                stream = stream[length + 2 :]
            behind, _, stream = (b"\r\n" + stream).partition(b"\r\n\r\n")
        elif not head.startswith((b"HTTP/1.1 100", b"HTTP/1.1 204", b"HTTP/1.1 304")):
            length = int(fields.get(b"content-length", b"0"))
            if stream.startswith(b"HTTP/1.1 ") and head.startswith(b"HTTP/1.1 "):
                length = 0  # of a HEAD
            body, stream = stream[:length], stream[length:]
        found.append((head, body, behind))
    return found

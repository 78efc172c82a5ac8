"""A wire that is listened to: what goes through a connection, either way."""

import contextlib
import socket
import threading

from tests.on_loopback import Listener


class Tap(Listener):
    """Passes connections on to an address, and keeps their bytes.

    Attributes:
        url: where it is.
        said: of each connection, what the client has sent.
        answered: of each, what came back.
    """

    def __init__(self, port):
        self.said = []
        self.answered = []
        self._behind = ("127.0.0.1", port)
        super().__init__(self._pass_on)
        self.url = f"http://127.0.0.1:{self.port}"

    def _pass_on(self, client):
        wire = Wire()
        self.said.append(wire.said)
        self.answered.append(wire.answered)
        with client, socket.create_connection(self._behind) as server:
            answers = threading.Thread(target=self._answer, args=[server, client, wire], daemon=True)
            answers.start()
            self._ask(client, server, wire)
            answers.join()

    def _ask(self, client, server, wire):
        """Pass on the client's bytes; its leaving is passed on only after the answer.

        An early end would cut the recording.
        """
        try:
            while piece := client.recv(65_536):
                wire.said += piece
                server.sendall(piece)
        except OSError:
            wire.broken = True
        wire.answers_it()
        shut(server, socket.SHUT_RDWR if wire.broken else socket.SHUT_WR)

    def _answer(self, server, client, wire):
        reads = True
        try:
            while piece := server.recv(65_536):
                with wire.changed:
                    wire.answered += piece
                    wire.changed.notify()
                if reads:
                    try:
                        client.sendall(piece)
                    except OSError:
                        reads = False
            shut(client, socket.SHUT_WR)
        except OSError:
            for each in (client, server):
                shut(each, socket.SHUT_RDWR)
        with wire.changed:
            wire.over = True
            wire.changed.notify()


class Wire:
    """The bytes of one connection."""

    def __init__(self):
        self.said, self.answered = bytearray(), bytearray()
        self.changed = threading.Condition()
        self.over = self.broken = False

    def answers_it(self):
        """Wait until each whole request has its answer, or there is none any more."""
        methods = [head.partition(b" ")[0] for head, *_ in messages(self.said, whole=True)]
        with self.changed:
            self.changed.wait_for(lambda: self.over or self._answers(methods) >= len(methods), 60)

    def _answers(self, methods):
        told = messages(self.answered, methods, whole=True)
        return sum(not head.startswith(b"HTTP/1.1 1") for head, *_ in told)


def shut(connection, how):
    with contextlib.suppress(OSError):
        connection.shutdown(how)


def messages(stream, methods=(), *, whole=False):
    """The messages of one direction: head, decoded body and the bytes behind it.

    Args:
        stream: its bytes.
        methods: of answers: what was asked for by each.
        whole: without the last one where that is cut.
    """
    found, methods, stream = [], iter(methods), bytes(stream)
    while stream:
        head, end, stream = stream.partition(b"\r\n\r\n")
        if whole and not end:
            break
        assert end, head[:200]
        fields = dict(
            line.lower().split(b":", 1)
            for line in head.split(b"\r\n")[1:]
            if line.lower().startswith((b"content-length", b"transfer-enc"))
        )
        meanwhile = head.startswith(b"HTTP/1.1 1")
        bodiless = meanwhile or head.startswith((b"HTTP/1.1 204", b"HTTP/1.1 304"))
        if head.startswith(b"HTTP/1.1 ") and not meanwhile:
            bodiless = next(methods, b"") == b"HEAD" or bodiless
        body, behind = b"", b""
        if bodiless:
            pass
        elif fields.get(b"transfer-encoding", b"").strip() == b"chunked":
            while True:
                size, end, stream = stream.partition(b"\r\n")
                length = int(size.partition(b";")[0], 16) if end else 0
                if not length or len(stream) < length + 2:
                    break
                body += stream[:length]
                stream = stream[length + 2 :]
            behind, ended, stream = (b"\r\n" + stream).partition(b"\r\n\r\n")
            if whole and not (end and ended and not length):
                break
        else:
            length = int(fields.get(b"content-length", b"0"))
            body, stream = stream[:length], stream[length:]
            if whole and len(body) < length:
                break
        found.append((head, body, behind))
    return found

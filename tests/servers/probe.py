"""A client on a raw socket, which notes every byte of an answer, its time, and the end."""

import socket
import ssl
import time

HOST = "storage.example"
PATIENCE = 60.0
"""Seconds without a byte after which a connection counts as open, more than any limit here."""


class Answer:
    """One answer as it came.

    Attributes:
        interim: the statuses of interim answers, such as 100.
        line: the status line; empty when no head came.
        fields: the headers in order, names and values as sent.
        body: the bytes of the body, without the marks of chunks.
        whole: whether the body came to the end that the head announces.
        head_at: when the head was there, seconds after the request had left; None without one.
        done_at: when the answer or the connection ended, or patience did.
        times: when how many bytes of the body were there, for each piece.
        end: `FIN` or `RST` when the connection ended, `open` when patience did; empty when the answer did.
    """

    def __init__(self):
        self.line = self.end = ""
        self.body = b""
        self.whole = False
        self.head_at = self.done_at = None
        self.interim, self.fields, self.times = [], [], []

    @property
    def status(self):
        """The number in the status line; 0 without one."""
        return int(self.line.split()[1]) if self.line else 0

    def one(self, name):
        """The value of a header, any case, that is there at most once; None without it."""
        found = [value for each, value in self.fields if each.lower() == name.lower()]
        assert len(found) < 2, found
        return found[0] if found else None

    def __repr__(self):
        return f"<Answer {self.line!r} {self.fields} {len(self.body)} bytes, whole={self.whole} {self.end}>"


class Tls:
    """TLS between us and the socket: how the connection below it ends is seen as it is.

    Args:
        below: the connected socket.
        context: an `ssl.SSLContext`.
    """

    def __init__(self, below, context):
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname="127.0.0.1")
        while True:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                below.sendall(self._outgoing.read())
                data = below.recv(65_536)
                if not data:
                    raise ConnectionResetError("closed during the handshake") from None
                self._incoming.write(data)
            else:
                below.sendall(self._outgoing.read())
                return

    def locked(self, data):
        """The bytes to send for a call."""
        self._object.write(data)
        return self._outgoing.read()

    def opened(self, data):
        """The bytes that came with it, maybe none yet."""
        self._incoming.write(data)
        found = b""
        while True:
            try:
                piece = self._object.read(65_536)
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                return found
            if not piece:
                return found
            found += piece


class Client:
    """One connection.

    Args:
        address: host and port, or the path of a unix socket.
        tls: an `ssl.SSLContext`, or None.
        patience: seconds for the connection and for each that is sent.

    Raises:
        OSError: there is no connection.

    Attributes:
        name: our side's address.
        raw: every byte that has come.
    """

    def __init__(self, address, tls=None, *, patience=PATIENCE):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(patience)
        try:
            self.socket.connect(address)
            self.name = self.socket.getsockname()
            self._tls = None if tls is None else Tls(self.socket, tls)
        except BaseException:
            self.socket.close()
            raise
        self.raw = b""
        self._left = b""
        self._end = ""
        self._reset = False
        self._sent = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Leave."""
        self.socket.close()

    def send(self, data):
        """Send bytes, all of them; what goes wrong shows when reading."""
        try:
            self.send_whole(data)
        except ConnectionResetError:
            # Who has been told once reads a plain end from here.
            self._reset = True
        except OSError:
            return

    def send_whole(self, data):
        """Send bytes, all of them.

        Raises:
            OSError: that cannot be.
        """
        self._sent = time.monotonic()
        self.socket.sendall(data if self._tls is None else self._tls.locked(data))

    def ask(self, method, target, body=None, *, patience=PATIENCE, more=""):
        """Send one request and read its answer."""
        self.send(request(method, target, body, more=more))
        return self.answer(method, patience=patience)

    def answer(self, method="GET", *, patience=PATIENCE, begun=None, interim=False):
        """Read one answer, to its end, the connection's, or that of patience (seconds from now).

        Args:
            method: of the request.
            patience: seconds.
            begun: seconds for the rest of an answer whose head is there; None: what is left of patience.
            interim: come back also when an interim answer is there.
        """
        found = Answer()
        until = time.monotonic() + patience
        while not found.line:
            head = self._take(b"\r\n\r\n", until)
            if head is None:
                found.end = self._end or "open"
                found.done_at = time.monotonic() - self._sent
                return found
            line, *lines = head.decode("latin-1").split("\r\n")
            if line.split()[1].startswith("1"):
                found.interim.append(int(line.split()[1]))
                if interim:
                    return found
                continue
            found.line = line
            found.head_at = time.monotonic() - self._sent
            found.fields = [
                (name, value.strip()) for name, _, value in (each.partition(":") for each in lines)
            ]
        if begun is not None:
            until = time.monotonic() + begun
        found.whole = self._body(found, method, until)
        if not found.whole:
            found.end = self._end or "open"
        found.done_at = time.monotonic() - self._sent
        return found

    def _body(self, found, method, until):
        if method == "HEAD" or found.status in (204, 304):
            return True
        if "chunked" in (found.one("transfer-encoding") or ""):
            while (size := self._take(b"\r\n", until)) is not None:
                if not self._piece(found, int(size, 16), until) or self._take(b"\r\n", until) is None:
                    return False
                if not int(size, 16):
                    return True
            return False
        if (length := found.one("content-length")) is not None:
            return self._piece(found, int(length), until)
        self._piece(found, 1 << 40, until)
        found.end = self._end
        return self._end == "FIN"

    def _piece(self, found, size, until):
        """Add `size` bytes to the body."""
        while size:
            while not self._left:
                if not self._more(until):
                    return False
            piece, self._left = self._left[:size], self._left[size:]
            found.body += piece
            found.times.append((time.monotonic() - self._sent, len(found.body)))
            size -= len(piece)
        return True

    def _take(self, mark, until):
        """Read up to the mark; None if it does not come."""
        while mark not in self._left:
            if not self._more(until):
                return None
        found, _, self._left = self._left.partition(mark)
        return found

    def _more(self, until):
        """Wait for more bytes; no when the connection has ended or patience has."""
        if self._end:
            return False
        self.socket.settimeout(max(until - time.monotonic(), 0.001))
        try:
            data = self.socket.recv(65_536)
        except TimeoutError:
            return False
        except ConnectionResetError:
            self._end = "RST"
            return False
        if not data:
            self._end = "RST" if self._reset else "FIN"
            return False
        if self._tls is not None:
            data = self._tls.opened(data)
        self._left += data
        self.raw += data
        return True

    def take(self, until):
        """Whatever has come, or None when the connection ends, or that moment has come."""
        while not self._left:
            if not self._more(until):
                return None
        found, self._left = self._left, b""
        return found

    def end(self, patience=PATIENCE):
        """Wait for the connection's end, with the bytes before it: `("FIN", b"")`."""
        until = time.monotonic() + patience
        while self._more(until):
            pass
        left, self._left = self._left, b""
        return self._end or "open", left

    def silent(self):
        """Whether nothing has come that was not read, not even an end."""
        while self._more(time.monotonic()):
            pass
        return not self._left and not self._end


def request(method, target, body=None, *, more=""):
    """The bytes of a request."""
    length = "" if body is None else f"Content-Length: {len(body)}\r\n"
    return f"{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n{length}{more}\r\n".encode() + (body or b"")

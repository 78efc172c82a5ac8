"""One answer of a WSGI app on its way: its head, where its body ends, and whether another may follow."""

from __future__ import annotations

import time

from faultinject.http.wire import can_be_written, head, http_date, length_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_OF_THE_CONNECTION = frozenset(("connection", "keep-alive", "transfer-encoding"))


class Answer:
    """What an app says is sent; a server's other half of PEP 3333.

    Args:
        send: sends bytes.
        method: of the request.
        version: of the request: `HTTP/1.1`.
        name: of the server, for a `Server` where the app has none.
        keeps: asked when the head goes out: whether the connection may be kept behind the answer.

    Attributes:
        begun: whether the head has gone out.
        keeps: whether both sides know where the answer ended, and neither wants the connection to end.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        *,
        method: str,
        version: str,
        name: str,
        keeps: Callable[[], bool],
    ) -> None:
        self.begun = False
        self.keeps = False
        self._send = send
        self._method = method
        self._modern = version != "HTTP/1.0"
        self._name = name
        self._may_keep = keeps
        self._status = ""
        self._headers: list[tuple[str, str]] | None = None
        self._length: int | None = None
        self._sent = 0
        self._silent = self._chunked = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """See PEP 3333; nothing is sent before the first byte of the body, or the end."""
        try:
            if exc_info and self.begun:
                raise exc_info[1].with_traceback(exc_info[2])
            if self._headers is not None and not exc_info:
                raise AssertionError("start_response was called a second time, without exc_info")
        finally:
            exc_info = None
        if not can_be_written(status, headers) or not (status[:3].isdecimal() and status[3:4] in ("", " ")):
            raise ValueError(f"not the head of an answer: {status!r}, {headers!r}")
        self._status, self._headers = status, [*headers]
        return self.write

    def run(self, pieces: Iterable[bytes]) -> None:
        """Send what an app has given, to its end."""
        whole = len(pieces) == 1 if isinstance(pieces, list | tuple) else False
        for piece in pieces:
            self.write(piece, whole=whole)
        if not self.begun:
            self._begin(0)
        if self._chunked:
            self._send(b"0\r\n\r\n")
        if self._length is not None and self._sent != self._length and not self._silent:
            self.keeps = False

    def write(self, data: bytes, *, whole: bool = False) -> None:
        """Send a piece of the body.

        Args:
            data: the piece.
            whole: whether it is all of it.
        """
        first = b""
        if not self.begun:
            if not data and not whole:
                return
            first = self._begin(len(data) if whole else None, held=True)
        if self._silent:
            data = b""
        elif self._length is not None:
            data = data[: self._length - self._sent]
        self._sent += len(data)
        if data and self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if first or data:
            self._send(first + data)

    def fail(self) -> None:
        """Answer that the app has failed, where nothing has gone out yet."""
        if self.begun:
            self.keeps = False
            return
        body = b"Internal Server Error"
        self._headers = None
        self.start_response(
            "500 Internal Server Error",
            [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))],
        )
        self.run([body])

    def _begin(self, length: int | None, *, held: bool = False) -> bytes:
        """Word the head, and send it unless it is to be held for what follows.

        Args:
            length: of the whole body, where that is known.
            held: give it back instead.
        """
        if self._headers is None:
            raise AssertionError("the app has not called start_response")
        status = int(self._status[:3])
        self.begun = True
        self._silent = self._method == "HEAD" or status < 200 or status in (204, 304)
        said = [value.lower() for name, value in self._headers if name.lower() == "connection"]
        headers = [each for each in self._headers if each[0].lower() not in _OF_THE_CONNECTION]
        names = {name.lower() for name, _ in headers}
        self._length = length_of(headers)
        self.keeps = self._may_keep() and not any("close" in each for each in said)
        if self._length is None and not self._silent:
            if length is not None:
                self._length = length
                headers.append(("Content-Length", str(length)))
            elif self._modern:
                self._chunked = True
                headers.append(("Transfer-Encoding", "chunked"))
            else:
                self.keeps = False
        if "date" not in names:
            headers.append(("Date", http_date(time.time())))
        if "server" not in names:
            headers.append(("Server", self._name))
        if not self.keeps:
            headers.append(("Connection", "close"))
        elif not self._modern:
            headers.append(("Connection", "keep-alive"))
        data = head(self._status, headers)
        if held:
            return data
        self._send(data)
        return b""

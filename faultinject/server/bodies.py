"""The body of a request as it comes over a connection: its end is found, and nothing behind it is touched."""

from __future__ import annotations

import io
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST_LINE = 4_096
"""Bytes of the line before a chunk, or of a trailer."""
MOST_TRAILERS = 100
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")


class ClientGone(ConnectionResetError):
    """The client has left, or says what is not HTTP, so that the connection is of no use any more."""


class Body(io.RawIOBase):
    """The bytes of a body, as they come.

    Args:
        source: the connection's bytes.
        ask: called before the first of them is read: the client may be waiting to be asked.

    Attributes:
        asked: whether it has been asked for.
    """

    def __init__(self, source: io.BufferedReader, ask: Callable[[], None]) -> None:
        self._source = source
        self._ask = ask
        self.asked = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has come into the buffer; 0 at the end.

        Raises:
            ClientGone: the client left before the end.
        """
        if not self.asked:
            self.asked = True
            self._ask()
        data = self._take(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    @property
    def left(self) -> float:
        """Bytes that are still to come, as far as anybody knows: infinity where the end is not in sight."""
        raise NotImplementedError  # pragma: no cover - of each kind

    def _take(self, size: int) -> bytes:
        raise NotImplementedError  # pragma: no cover - of each kind

    def _some(self, size: int) -> bytes:
        """At least one byte and at most `size`."""
        data = self._source.read1(size)
        if not data:
            raise ClientGone("the client left before the end of its request")
        return data


class Sized(Body):
    """A body whose length was announced; of length 0, none."""

    def __init__(self, source: io.BufferedReader, ask: Callable[[], None], length: int) -> None:
        super().__init__(source, ask)
        self._left = length
        self.asked = not length

    @property
    def left(self) -> float:
        """See `Body`."""
        return self._left

    def _take(self, size: int) -> bytes:
        size = min(size, self._left)
        data = self._some(size) if size else b""
        self._left -= len(data)
        return data


class Chunked(Body):
    """A body in chunks (RFC 9112 7.1); extensions and trailers are dropped."""

    def __init__(self, source: io.BufferedReader, ask: Callable[[], None]) -> None:
        super().__init__(source, ask)
        self._chunk = 0
        self._began = self._over = False

    @property
    def left(self) -> float:
        """See `Body`."""
        return 0 if self._over else float("inf")

    def _take(self, size: int) -> bytes:
        if not self._chunk and not self._over:
            self._next()
        if self._over:
            return b""
        data = self._some(min(size, self._chunk))
        self._chunk -= len(data)
        return data

    def _next(self) -> None:
        """Read the line before a chunk; behind the last one, the trailers."""
        if self._began and self._line() not in (b"\r\n", b"\n"):
            raise ClientGone("a chunk is longer than announced")
        self._began = True
        found = _SIZE.fullmatch(self._line())
        if found is None:
            raise ClientGone("a chunk begins without its size")
        self._chunk = int(found[1], 16)
        if self._chunk:
            return
        for _ in range(MOST_TRAILERS):
            if self._line() in (b"\r\n", b"\n"):
                self._over = True
                return
        raise ClientGone("too many trailers")

    def _line(self) -> bytes:
        line = self._source.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ClientGone("a line of a chunked body does not end")
        return line

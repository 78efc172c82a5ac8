"""The request's body as a WSGI app reads it, perhaps with a wait in its middle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BufferedReader, RawIOBase
from typing import Any

from faultinject.engine.steps import Pause


class AppBody(BufferedReader):
    """A request's body as a stream for the app; it has all attributes of the server's stream.

    Args:
        body: reads the server's stream.

    Attributes:
        server_stream: the server's `wsgi.input`.
    """

    raw: ObservedBody

    def __init__(self, body: ObservedBody) -> None:
        super().__init__(body)
        self.server_stream = body.source

    def __getattr__(self, name: str) -> Any:
        return getattr(self.server_stream, name)


class ObservedBody(RawIOBase):
    """A request's body in pieces: listeners get each of them, and a pause may come before one.

    It calls only `read` of the server's stream: with `readline` and `readlines` granian gives only the first line, and
    cheroot misses the end of a chunked body.

    Args:
        source: the server's `wsgi.input`.
        length: the Content-Length, beyond which a server may block; None: the server marks the end.
        listeners: functions that get every piece, and an empty one at the end.
        pause: the place of the wait, and whether it is still due; or None.
        wait: carries out the wait.

    Attributes:
        source: as given.
        size: the number of bytes that were read.
        whole: whether the body was read to its end.
    """

    def __init__(
        self,
        source: Any,
        length: int | None,
        listeners: Sequence[Callable[[bytes], object]],
        pause: Pause | None,
        wait: Callable[[], object],
    ) -> None:
        self.source = source
        self.size = 0
        self.whole = False
        self._length = length
        self._listeners = listeners
        self._pause = pause
        self._wait = wait

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read a piece that fits into the buffer; wait first if the pause is due here."""
        pause = self._pause
        if pause is None or not pause.due:
            piece = self._read(len(buffer))
        elif self.size < pause.after:
            piece = self._read(min(len(buffer), pause.after - self.size))
        else:
            piece = self._read_after(pause, len(buffer))
        if not self.whole:
            self._count(piece)
        buffer[: len(piece)] = piece
        return len(piece)

    def _read(self, size: int) -> bytes:
        if self._length is not None:
            size = min(size, self._length - self.size)
        return self.source.read(size) if size > 0 else b""

    def _read_after(self, pause: Pause, size: int) -> bytes:
        """Wait if more of the body follows, then read on.

        If the body has no known length, only a read byte shows that more follows.
        """
        pause.due = False
        ahead = self._read(1) if self._length is None else b""
        if ahead or (self._length is not None and self.size < self._length):
            pause.done = True
            self._wait()
            pause.finish()
        return ahead or self._read(size)

    def _count(self, piece: bytes) -> None:
        """Count a piece, and give it to the listeners; once the body is whole, also its end."""
        self.size += len(piece)
        self.whole = not piece or self.size == self._length
        for listen in self._listeners:
            if piece:
                listen(piece)
            if self.whole:
                listen(b"")

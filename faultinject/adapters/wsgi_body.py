"""The request's body as a WSGI app reads it, perhaps with a wait in its middle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BufferedReader, RawIOBase
from typing import Any

from faultinject.engine.steps import Pause


class AppBody(BufferedReader):
    """A request's body as a stream for the app; its other attributes are those of the server's.

    Args:
        body: where it comes from.

    Attributes:
        server_stream: the server's `wsgi.input`.
    """

    raw: HeardBody

    def __init__(self, body: HeardBody) -> None:
        super().__init__(body)
        self.server_stream = body.source

    def __getattr__(self, name: str) -> Any:
        return getattr(self.server_stream, name)


class HeardBody(RawIOBase):
    """A request's body, piece by piece: others hear each, and one may wait.

    Of the server's methods only `read` is called: by `readline` and `readlines` granian gives only the first line, and
    cheroot never comes to the end of chunks.

    Args:
        source: the server's `wsgi.input`.
        length: the Content-Length, beyond which a server may wait for ever; None: the server marks the end.
        listeners: each called with every piece that is read, and with nothing once at the end.
        pause: says where the wait is, and whether it is over; or None.
        wait: waits.

    Attributes:
        source: as given.
        size: bytes that were read.
        whole: whether that is all of them.
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
        """Read a piece that fits into the buffer, and wait before it where the pause is."""
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
        """Wait, if more of the body follows: a byte shows that where no length does."""
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

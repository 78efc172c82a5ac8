"""WSGI: a request's body as the app reads it, noted, and with a pause in it."""

from __future__ import annotations

from io import RawIOBase

from faultinject.engine.steps import Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from faultinject.engine.steps import Pause


class AppBody(RawIOBase):
    """A request's body below the `io.BufferedReader` by which the app reads it: its ways to read are those of any file.

    Args:
        source: the server's `wsgi.input`.
        length: the Content-Length; None: the server marks the end.
        listeners: each called with every piece, and with nothing at the end.
        pause: a wait in its middle, told when it has been; or None.
        wait: waits.

    Attributes:
        source: the server's `wsgi.input`.
        size: bytes that have been read.
        whole: whether that is all of them.
    """

    def __init__(
        self,
        source: Any,
        length: int | None,
        listeners: Sequence[Callable[[bytes], object]],
        pause: Pause | None,
        wait: Callable[[Wait], object],
    ) -> None:
        self.source = source
        self.size = 0
        self.whole = False
        # What has come so far, where the server can say: an app may read on while the client waits.
        self._read: Callable[[int], bytes] = getattr(source, "read1", source.read)
        self._length = length
        self._listeners = listeners
        self._pause = pause
        self._wait = wait

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has come into the buffer; 0 at the end."""
        piece = self._next(len(buffer))
        buffer[: len(piece)] = piece
        self.size += len(piece)
        self.whole = not piece or self.size == self._length
        for listen in self._listeners:
            listen(piece)
        return len(piece)

    def _next(self, most: int) -> bytes:
        """So many bytes of it at most. Some servers would wait for more than there are."""
        if self._length is not None:
            most = min(most, self._length - self.size)
        if self.whole or not most:
            return b""
        pause = self._pause
        if pause is None or not pause.due:
            return self._read(most)
        if self.size < pause.after:
            return self._read(min(most, pause.after - self.size))
        # One byte shows that more follows.
        piece = self._read(1)
        pause.due, pause.done = False, bool(piece)
        if piece:
            self._wait(Wait(pause.seconds))
        return piece

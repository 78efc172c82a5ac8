"""WSGI: a request's body as the app reads it, counted, or with a pause in it."""

from __future__ import annotations

from io import RawIOBase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    from faultinject.engine.steps import Pause

    Read = TypeVar("Read", bytes, list[bytes])


def some_of(read: Callable[..., Read], size: int | None) -> Read:
    """So many bytes, or lines of them; all where none or a negative size is asked for, which not every server's `read` knows."""
    return read() if size is None or size < 0 else read(size)


class Overheard:
    """A request's body as the app reads it, counted.

    Args:
        source: the server's `wsgi.input`.
        length: the Content-Length; None: the server marks the end.
        listeners: each called with every piece that is read, and with nothing once at the end.

    Attributes:
        size: bytes that the app has read.
        whole: whether that is all of them.
    """

    def __init__(self, source: Any, length: int | None, *listeners: Callable[[bytes], object]) -> None:
        self._source = source
        self._length = length
        self._listeners = listeners
        self.size = 0
        self.whole = False

    def read(self, size: int | None = -1, /) -> bytes:
        """As the server's."""
        # Asked for any number of bytes a stream gives all, and nothing only at its end.
        return self._told(some_of(self._source.read, size), size, at_end=size is None or size < 0)

    def readline(self, size: int | None = -1, /) -> bytes:
        """As the server's."""
        return self._told(some_of(self._source.readline, size), size)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """As the server's own: line by line granian gives the first alone, and cheroot never comes to the end of chunks."""
        lines = [self._told(line, hint) for line in some_of(self._source.readlines, hint)]
        if hint is None or hint <= 0 or not lines:
            self._told(b"", hint, at_end=True)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        for line in self._source:
            yield self._told(line, None)
        self._told(b"", None)

    def __getattr__(self, name: str) -> Any:
        """What a server may have beyond PEP 3333, and does not have to."""
        found = getattr(self._source, name)
        if name == "read1":
            return lambda size=-1: self._told(some_of(found, size), size)
        return self._fill if name == "readinto" else found

    def _fill(self, buffer: Any) -> int:
        piece = self.read(len(buffer))
        memoryview(buffer)[: len(piece)] = piece
        return len(piece)

    def _told(self, piece: bytes, size: int | None, *, at_end: bool = False) -> bytes:
        self.size += len(piece)
        if piece:
            for listen in self._listeners:
                listen(piece)
        if not self.whole and (at_end or self.size == self._length or not (piece or size == 0)):
            self.whole = True
            for listen in self._listeners:
                listen(b"")
        return piece


class PausedBody(RawIOBase):
    """A request's body with a pause in it; a `BufferedReader` gives it to the app in every way in which a file is read.

    Args:
        source: the server's `wsgi.input`.
        length: the Content-Length; None: the server marks the end.
        pause: where the wait is; told when it has been.
        wait: waits.
    """

    def __init__(self, source: Any, length: int | None, pause: Pause, wait: Callable[[], object]) -> None:
        # What has come so far, where the server can say.
        self._read = getattr(source, "read1", source.read)
        self._length = length
        self._size = 0
        self._pause = pause
        self._wait = wait

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what comes next."""
        wanted, pause = len(buffer), self._pause
        if self._length is not None:
            # Not every server ends the body at its end.
            wanted = min(wanted, self._length - self._size)
        if pause.due and self._size < pause.after:
            wanted = min(wanted, pause.after - self._size)
        elif pause.due and self._length is None:
            wanted = 1  # only a byte shows that more follows
        elif pause.due:
            self._come_to_it()
        piece = self._read(wanted) if wanted else b""
        if piece and pause.due and self._size == pause.after:
            self._come_to_it()
        self._size += len(piece)
        buffer[: len(piece)] = piece
        return len(piece)

    def _come_to_it(self) -> None:
        self._pause.due = False
        self._pause.done = True
        self._wait()

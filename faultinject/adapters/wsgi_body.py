"""WSGI: a request's body as the app reads it, counted, or with a pause in it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from faultinject.engine.steps import Pause

Read = TypeVar("Read", bytes, list[bytes])


class AppBody:
    """A request's body with the methods of PEP 3333, and those that its server has beyond it.

    Args:
        source: the server's `wsgi.input`.
    """

    def __init__(self, source: Any) -> None:
        self._source = source

    @abstractmethod
    def read(self, size: int | None = -1, /) -> bytes:
        """Read as the server's `read` does."""

    @abstractmethod
    def readline(self, size: int | None = -1, /) -> bytes:
        """Read as the server's `readline` does."""

    @abstractmethod
    def _read1(self, read1: Callable[..., bytes], size: int) -> bytes:
        """Read as the server's `read1` does, where it has one."""

    def __getattr__(self, name: str) -> Any:
        """Get a method that a server may have beyond PEP 3333."""
        method = getattr(self._source, name)
        if name == "read1":
            return lambda size=-1: self._read1(method, size)
        return self._fill if name == "readinto" else method

    def _fill(self, buffer: Any) -> int:
        piece = self.read(len(buffer))
        memoryview(buffer)[: len(piece)] = piece
        return len(piece)


def some_of(read: Callable[..., Read], size: int | None) -> Read:
    """Read up to a size; all, where the size is None or negative.

    Not every server's `read` takes these two.
    """
    return read() if size is None or size < 0 else read(size)


class Overheard(AppBody):
    """A request's body that counts what the app reads, and gives it to listeners.

    Args:
        source: the server's `wsgi.input`.
        length: the Content-Length; None: the server marks the end.
        listeners: each called with every piece that is read, and with nothing once at the end.

    Attributes:
        size: bytes that the app has read.
        whole: whether that is all of them.
    """

    def __init__(self, source: Any, length: int | None, *listeners: Callable[[bytes], object]) -> None:
        super().__init__(source)
        self._length = length
        self._listeners = listeners
        self.size = 0
        self.whole = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as the server's `read` does."""
        # Without a size a stream gives all; with a size it gives nothing only at its end.
        return self._count(some_of(self._source.read, size), size, at_end=size is None or size < 0)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read as the server's `readline` does."""
        return self._count(some_of(self._source.readline, size), size)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """Read by the server's own `readlines`.

        Read line by line, granian gives only the first line, and cheroot never comes to the end of chunks.
        """
        lines = [self._count(line, hint) for line in some_of(self._source.readlines, hint)]
        if hint is None or hint <= 0 or not lines:
            self._count(b"", hint, at_end=True)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        for line in self._source:
            yield self._count(line, None)
        self._count(b"", None)

    def _read1(self, read1: Callable[..., bytes], size: int) -> bytes:
        return self._count(some_of(read1, size), size)

    def _count(self, piece: bytes, size: int | None, *, at_end: bool = False) -> bytes:
        """Count a piece, and give it to the listeners; once the body is whole, also its end."""
        self.size += len(piece)
        if piece:
            for listen in self._listeners:
                listen(piece)
        if not self.whole and (at_end or self.size == self._length or not (piece or size == 0)):
            self.whole = True
            for listen in self._listeners:
                listen(b"")
        return piece


class PausedBody(AppBody):
    """A request's body that waits once in its middle, as the app reads it.

    Args:
        source: the server's `wsgi.input`.
        pause: says where the wait is, and whether it is over.
        wait: waits.
        sized: whether the request's length says that more follows; else a byte is read ahead to see it.
    """

    def __init__(self, source: Any, pause: Pause, wait: Callable[[], object], *, sized: bool) -> None:
        super().__init__(source)
        self._left = pause.after
        self._pause = pause
        self._wait = wait
        self._sized = sized
        self._ahead = b""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as the server's `read` does."""
        return self._take(size, self._source.read)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read as the server's `readline` does."""
        return self._take(size, self._source.readline, by_line=True)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """Read lines as `readlines` of PEP 3333 does."""
        lines: list[bytes] = []
        size = 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint is not None and 0 < hint <= size:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _read1(self, read1: Callable[..., bytes], size: int) -> bytes:
        return self._take(size, read1, at_once=True)

    def _take(
        self, size: int | None, read: Callable[..., bytes], *, by_line: bool = False, at_once: bool = False
    ) -> bytes:
        """Read a number of bytes, a line, or what has come, and wait where the pause is."""
        wanted = -1 if size is None or size < 0 else size
        if not wanted:
            return b""
        before = b""
        if self._pause.due and self._left:
            up_to_pause = self._left if wanted < 0 else min(wanted, self._left)
            before = read(up_to_pause)
            self._left -= len(before)
            ended = by_line and before[-1:] == b"\n"
            if self._left or len(before) == wanted or at_once or ended:
                return before
        if self._pause.due:
            self._wait_once()
        ahead, self._ahead = self._ahead, b""
        before += ahead
        if len(before) == wanted or (by_line and before[-1:] == b"\n") or (ahead and at_once):
            return before
        return before + some_of(read, wanted if wanted < 0 else wanted - len(before))

    def _wait_once(self) -> None:
        """Wait, if more of the body follows."""
        self._pause.due = False
        if not self._sized:
            self._ahead = self._source.read(1)
            if not self._ahead:
                return
        self._pause.done = True
        self._wait()
        self._pause.finish()

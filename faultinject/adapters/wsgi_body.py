"""WSGI: a request's body as the app reads it, counted, or with a pause in it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from faultinject.engine.steps import Pause

Read = TypeVar("Read", bytes, list[bytes])


class AppBody:
    """A request's body as the app reads it: by what PEP 3333 asks for, and by what its server has beyond that.

    Args:
        source: the server's `wsgi.input`.
    """

    def __init__(self, source: Any) -> None:
        self._source = source

    @abstractmethod
    def read(self, size: int | None = -1, /) -> bytes:
        """As the server's."""

    @abstractmethod
    def readline(self, size: int | None = -1, /) -> bytes:
        """As the server's."""

    @abstractmethod
    def _read1(self, read1: Callable[..., bytes], size: int) -> bytes:
        """As the server's, where it has one."""

    def __getattr__(self, name: str) -> Any:
        """What a server may have beyond PEP 3333, and does not have to."""
        found = getattr(self._source, name)
        if name == "read1":
            return lambda size=-1: self._read1(found, size)
        return self._fill if name == "readinto" else found

    def _fill(self, buffer: Any) -> int:
        piece = self.read(len(buffer))
        memoryview(buffer)[: len(piece)] = piece
        return len(piece)


def some_of(read: Callable[..., Read], size: int | None) -> Read:
    """So many bytes, or lines of them; all where none or a negative size is asked for, which not every server's `read` knows."""
    return read() if size is None or size < 0 else read(size)


class Overheard(AppBody):
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
        super().__init__(source)
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

    def _read1(self, read1: Callable[..., bytes], size: int) -> bytes:
        return self._told(some_of(read1, size), size)

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


class PausedBody(AppBody):
    """A request's body as the app reads it, with a pause in it.

    Args:
        source: the server's `wsgi.input`.
        pause: where the wait is; told when it has been.
        wait: waits.
        sized: whether it is known that more follows; else a byte of it is looked at first.
    """

    def __init__(self, source: Any, pause: Pause, wait: Callable[[], object], *, sized: bool) -> None:
        super().__init__(source)
        self._left = pause.after
        self._pause = pause
        self._wait = wait
        self._sized = sized
        self._ahead = b""

    def read(self, size: int | None = -1, /) -> bytes:
        """As the server's."""
        return self._take(size, self._source.read)

    def readline(self, size: int | None = -1, /) -> bytes:
        """As the server's."""
        return self._take(size, self._source.readline, by_line=True)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """As the server's."""
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
        """So many bytes, a line, or what there is; with the pause where it belongs."""
        wanted = -1 if size is None or size < 0 else size
        if not wanted:
            return b""
        before = b""
        if self._pause.due and self._left:
            asked = self._left if wanted < 0 else min(wanted, self._left)
            before = read(asked)
            self._left -= len(before)
            ended = by_line and before[-1:] == b"\n"
            if self._left or len(before) == wanted or at_once or ended:
                return before
        if self._pause.due:
            self._come_to_it()
        ahead, self._ahead = self._ahead, b""
        before += ahead
        if len(before) == wanted or (by_line and before[-1:] == b"\n") or (ahead and at_once):
            return before
        return before + some_of(read, wanted if wanted < 0 else wanted - len(before))

    def _come_to_it(self) -> None:
        self._pause.due = False
        if not self._sized:
            self._ahead = self._source.read(1)
            if not self._ahead:
                return
        self._pause.done = True
        self._wait()
        self._pause.finish()

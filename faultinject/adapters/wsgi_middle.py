"""WSGI: an upload in the middle of which nothing comes for a while, as the app reads it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from faultinject.engine.steps import Pause


class PausedBody:
    """A request's body as the app reads it, with a pause in it.

    Args:
        source: the server's `wsgi.input`.
        pause: where the wait is; told when it has been.
        wait: waits.
        sized: whether it is known that more follows; else a byte of it is looked at first.
    """

    def __init__(self, source: Any, pause: Pause, wait: Callable[[], object], *, sized: bool) -> None:
        self._source = source
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

    def __getattr__(self, name: str) -> Any:
        """What a server may have beyond PEP 3333, and does not have to."""
        found = getattr(self._source, name)
        if name == "read1":
            return lambda size=-1: self._take(size, found, at_once=True)
        return self._fill if name == "readinto" else found

    def _fill(self, buffer: Any) -> int:
        piece = self.read(len(buffer))
        memoryview(buffer)[: len(piece)] = piece
        return len(piece)

    def _take(
        self, size: int | None, read: Callable[[int], bytes], *, by_line: bool = False, at_once: bool = False
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
        return before + (read(-1) if wanted < 0 else read(wanted - len(before)))

    def _come_to_it(self) -> None:
        self._pause.due = False
        if not self._sized:
            self._ahead = self._source.read(1)
            if not self._ahead:
                return
        self._pause.done = True
        self._wait()

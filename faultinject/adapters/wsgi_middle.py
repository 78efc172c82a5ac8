"""WSGI: an upload in the middle of which nothing comes for a while, as the app reads it."""

from __future__ import annotations

from faultinject.adapters.wsgi_wait import wait_for_client
from faultinject.engine.answers import marked
from faultinject.engine.exchange import undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from faultinject.adapters.types import Environ, Start, WSGIApp
    from faultinject.engine.actions import Forward
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import WSGIRequest
    from faultinject.http.types import Headers


def forward_with_a_pause(
    app: WSGIApp,
    environ: Environ,
    start_response: Start,
    plan: Plan,
    action: Forward,
    request: WSGIRequest,
    after: int,
) -> Iterable[bytes]:
    """Run the app, whose reading of the request's body is interrupted after so many bytes.

    An app that begins its answer before it has read so much gets no pause.
    """
    entry = action.entry
    entry.write("stalled", answered=False, applied=True, last=False)
    body = PausedBody(
        environ["wsgi.input"],
        after,
        lambda: wait_for_client(environ, plan, action.delay),
        sized=request.content_length is not None,
    )
    environ["wsgi.input"] = body
    started = False

    def start(status: str, headers: Headers, *more: Any, **named: Any) -> Callable[[bytes], object]:
        nonlocal started
        if not started:
            started = True
            body.begin_answer()
            if body.paused:
                entry.saw(status[:3], headers)
                entry.write("stalled", applied=True)
            else:
                undo(plan, entry, "nothing_to_cut", applied=True, status=int(status[:3]))
        if body.paused and plan.services.marked:
            headers = marked(headers, entry.rule or "")
        return start_response(status, headers, *more, **named)

    try:
        return app(environ, start)
    except BaseException:
        if body.paused and not started:
            # Its client may have lost patience: that is what the fault is for.
            entry.write("stalled", answered=False, applied=True)
        elif not started:
            undo(plan, entry, "app_failed", applied=True)
        raise


class PausedBody:
    """A request's body as the app reads it, with a pause in it.

    Args:
        source: the server's `wsgi.input`.
        after: bytes that the app gets before the pause.
        pause: waits.
        sized: whether it is known that more follows; else a byte of it is looked at first.

    Attributes:
        paused: whether the pause has been.
    """

    def __init__(self, source: Any, after: int, pause: Callable[[], object], *, sized: bool) -> None:
        self._source = source
        self._left = after
        self._pause = pause
        self._sized = sized
        self._ahead = b""
        self._waits = True
        self.paused = False

    def begin_answer(self) -> None:
        """From now on there is no pause any more."""
        self._waits = False

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
        if self._waits and self._left:
            asked = self._left if wanted < 0 else min(wanted, self._left)
            before = read(asked)
            self._left -= len(before)
            ended = by_line and before[-1:] == b"\n"
            if self._left or len(before) == wanted or at_once or ended:
                return before
        if self._waits:
            self._come_to_it()
        ahead, self._ahead = self._ahead, b""
        before += ahead
        if len(before) == wanted or (by_line and before[-1:] == b"\n") or (ahead and at_once):
            return before
        return before + (read(-1) if wanted < 0 else read(wanted - len(before)))

    def _come_to_it(self) -> None:
        self._waits = False
        if not self._sized:
            self._ahead = self._source.read(1)
            if not self._ahead:
                return
        self.paused = True
        self._pause()

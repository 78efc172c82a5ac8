"""WSGI, `when=after`: the app runs, its effects stay, its answer is dropped and the fault given instead."""

from __future__ import annotations

from itertools import chain

from faultinject.adapters.driving import undo
from faultinject.adapters.wsgi import wait
from faultinject.core.answers import taken_over
from faultinject.core.bodies import LONGEST, MOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from faultinject.adapters.wsgi import Environ, Start, WSGIApp
    from faultinject.core.actions import Respond
    from faultinject.core.plan import Plan


class AppAnswer:
    """What the app says through `start_response`, kept back; a 5xx goes out at once and unchanged."""

    def __init__(self, start_response: Start) -> None:
        self._start_response = start_response
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.dropped = 0
        """Bytes of the app's answer that went nowhere."""

    def start(self, status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
        """Stands in for the server's `start_response`."""
        self.status = int(status[:3])
        self.headers = headers
        return self._start_response(status, headers, *more) if self.status >= 500 else self.drop

    def drop(self, piece: bytes) -> None:
        """Stands in for the server's `write`."""
        self.dropped += len(piece)


def respond_after(
    app: WSGIApp, environ: Environ, start_response: Start, plan: Plan, action: Respond
) -> Iterable[bytes]:
    """Run the app, drop its answer, give the fault; an app that fails keeps its own answer."""
    entry = action.entry
    entry.write("answered", answered=False, last=False)
    answer = AppAnswer(start_response)
    try:
        result = app(environ, answer.start)
        if answer.status >= 500:
            undo(plan, entry, "app_failed", applied=True)
            return result
        failed, whole = _drop(result, answer, environ, plan)
    except Exception:
        undo(plan, entry, "app_failed", applied=True)
        raise
    if failed is not None:
        undo(plan, entry, "app_failed", applied=True)
        return failed
    wait(plan, action.delay)
    entry.write("answered" if whole else "app_cut", applied=True)
    headers = taken_over(action.headers, answer.headers) if action.answer.cors else action.headers
    start_response(f"{action.answer.status} {action.answer.reason}", headers)
    return [action.body] if action.body else []


def _drop(
    result: Iterable[bytes], answer: AppAnswer, environ: Environ, plan: Plan
) -> tuple[Iterable[bytes] | None, bool]:
    """Read and drop the app's answer; hands it back when it turns out to be a failure.

    Returns:
        The answer of an app that failed, else None; whether the whole answer was read.
    """
    close = getattr(result, "close", None)
    wrapper = environ.get("wsgi.file_wrapper")
    whole = True
    failed: Iterable[bytes] | None = None
    try:
        if not (answer.status and isinstance(wrapper, type) and isinstance(result, wrapper)):
            clock = plan.surroundings.monotonic
            end = clock() + LONGEST
            pieces = iter(result)
            for piece in pieces:
                if answer.status >= 500:
                    failed = _Rest(piece, pieces, close)
                    break
                answer.drop(piece)
                if answer.dropped > MOST or clock() > end:
                    whole = False
                    break
            if failed is None and answer.status >= 500:
                failed = _Rest(b"", iter(()), close)
    finally:
        if failed is None and close is not None:
            close()
    return failed, whole


class _Rest:
    """What is left of an app's answer, closed as the app's own would be."""

    def __init__(self, piece: bytes, pieces: Iterator[bytes], close: Callable[[], object] | None) -> None:
        self._pieces = chain((piece,), pieces)
        self._close = close

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """Close the app's answer."""
        if self._close is not None:
            self._close()

"""A WSGI app whose own answers are watched; bodies pass untouched."""

from __future__ import annotations

from faultinject.adapters.watched import Seen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from faultinject.adapters.types import Environ, Start, WSGIApp
    from faultinject.engine.services import Watch
    from faultinject.http.types import Headers


def watched(app: WSGIApp, watch: Watch) -> WSGIApp:
    """The app, each answer of which is noted when it begins."""

    def serve(environ: Environ, start_response: Start) -> Iterable[bytes]:
        seen = Seen(environ, watch)

        def start(status: str, headers: Headers, *more: Any, **named: Any) -> Callable[[bytes], object]:
            write = start_response(status, headers, *more, **named)
            seen.answer(headers, failed=status[:1] == "5")
            return write

        try:
            result = app(environ, start)
        except Exception as error:
            seen.fail(error)
            raise
        # A generator begins its answer when the server asks for the first piece.
        return result if seen.begun else Beginning(result, seen)

    return serve


class Beginning:
    """What an app returned that has not begun its answer: it may still raise instead."""

    def __init__(self, result: Iterable[bytes], seen: Seen) -> None:
        self._result = result
        self._seen = seen

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._result
        except Exception as error:
            self._seen.fail(error)
            raise

    def close(self) -> None:
        """End what the app returned."""
        getattr(self._result, "close", _nothing)()


def _nothing() -> None:
    """There is nothing to end."""

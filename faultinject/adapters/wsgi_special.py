"""What few scenarios ask for before a WSGI request is decided: to watch the app's own answers, and to read its own rules."""

from __future__ import annotations

from faultinject.adapters.special import HEADER, REFUSED, Seen, asked_by
from faultinject.engine.facets import ENVIRON
from faultinject.engine.request import environ_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from faultinject.adapters.types import Environ, Start, WSGIApp
    from faultinject.engine.plan import Plan
    from faultinject.http.types import Headers
    from faultinject.injector.failure_watch import FailureWatch


KEY = environ_key(HEADER)


def prepare(
    app: WSGIApp, environ: Environ, start_response: Start, plan: Plan
) -> tuple[WSGIApp, Start, tuple[Plan, Sequence[int]] | None]:
    """The app and `start_response` as the request is to have them, and the plan and candidates that it asks for itself."""
    own = app if plan.watch is None else watched(app, plan.watch)
    text = None if plan.asked is None else environ.get(KEY)
    if text is None:
        return own, start_response, None
    asked, why = asked_by(plan, text, ENVIRON, environ)
    if why:
        start_response = _refusing(start_response, why)
    return own, start_response, asked


def _refusing(start_response: Start, why: str) -> Start:
    """`start_response` that says in the answer what is wrong with the rules that were asked for."""

    def start(status: str, headers: Headers, *more: Any, **named: Any) -> Callable[[bytes], object]:
        return start_response(status, [*headers, (REFUSED, why)], *more, **named)

    return start


def watched(app: WSGIApp, watch: FailureWatch) -> WSGIApp:
    """The app, each answer of which is noted when it begins, and when it breaks off."""

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
        return Watched(result, seen) if _runs(result, environ) or not seen.begun else result

    return serve


def _runs(result: Iterable[bytes], environ: Environ) -> bool:
    """Whether the app goes on while its answer is read: neither a list, nor a file, which the server may send by itself."""
    wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(wrapper, type) and isinstance(result, wrapper):
        return False
    return hasattr(result, "__iter__") and not hasattr(result, "__len__")


class Watched:
    """What an app returned that may still raise: before its answer begins, as a generator does, or in its middle."""

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

"""WSGI, `when=after`: how an app runs whose answer is dropped."""

from __future__ import annotations

from itertools import chain

from faultinject.adapters.wsgi_body import Overheard
from faultinject.engine.body_digest import LONGEST, MOST
from faultinject.engine.steps import AppAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from faultinject.adapters.types import Environ, Start, WSGIApp
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import WSGIRequest
    from faultinject.http.types import Headers
    from faultinject.vendors.multi_delete import Listing


class Dropped:
    """What the app says through `start_response`, kept back; a 5xx goes out at once and unchanged."""

    def __init__(self, start_response: Start, plan: Plan) -> None:
        self._start_response = start_response
        self._clock = plan.services.monotonic
        self._end: float | None = None
        self._dropped = 0
        self.found = AppAnswer(0, [])
        """What the app has said so far."""

    def start(self, status: str, headers: Headers, *more: Any, **named: Any) -> Callable[[bytes], object]:
        """Stands in for the server's `start_response`."""
        self.found.status, self.found.headers = int(status[:3]), headers
        if self.found.failed:
            return self._start_response(status, headers, *more, **named)
        if self._end is None:
            self._end = self._clock() + LONGEST
        return self.write

    def write(self, piece: bytes) -> None:
        """Stands in for the server's `write`; raises as a server does when the client has left."""
        if not self.drop(piece):
            raise BrokenPipeError("the client has left")

    def drop(self, piece: bytes) -> bool:
        """Drop one piece; no when that was enough."""
        self._dropped += len(piece)
        if self._end is None:  # an app may say nothing, again and again, before it starts its answer
            self._end = self._clock() + LONGEST
        if self._dropped > MOST or self._clock() > self._end:
            self.found.cut = True
        return not self.found.cut


def run_dropped(
    app: WSGIApp,
    environ: Environ,
    start_response: Start,
    plan: Plan,
    request: WSGIRequest,
    listing: Listing | None,
) -> tuple[AppAnswer, Iterable[bytes] | None]:
    """Run the app and drop its answer: what it was, and what goes out of one that is a failure of the app's own."""
    answer = Dropped(start_response, plan)
    body: Overheard | None = None
    if request.has_body:
        listeners = () if listing is None else (listing.feed,)
        environ["wsgi.input"] = body = Overheard(environ["wsgi.input"], request.content_length, *listeners)
    failed: Iterable[bytes] | None = None
    try:
        result = app(environ, answer.start)
        failed = result if answer.found.failed else _drop(result, answer, environ)
    except Exception:
        if not answer.found.cut:
            raise
    answer.found.unread = body is not None and not body.whole
    return answer.found, failed


def _drop(result: Iterable[bytes], answer: Dropped, environ: Environ) -> Iterable[bytes] | None:
    """Read and drop the app's answer; hands it back when it turns out to be a failure."""
    close = getattr(result, "close", None)
    wrapper = environ.get("wsgi.file_wrapper")
    failed: Iterable[bytes] | None = None
    try:
        if not (answer.found.status and isinstance(wrapper, type) and isinstance(result, wrapper)):
            pieces = iter(result)
            for piece in pieces:
                if answer.found.failed:
                    failed = _Rest(piece, pieces, close)
                    break
                if not answer.drop(piece):
                    break
            if failed is None and answer.found.failed:
                failed = _Rest(b"", iter(()), close)
    finally:
        if failed is None and close is not None:
            close()
    return failed


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

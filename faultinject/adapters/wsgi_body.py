"""WSGI: an answer whose body is changed on its way goes out part by part, as the exchange says.

A cut and a slow body go past the server, on the connection itself: there the cut is exact whatever the server
buffers, and a slow body holds none of its workers. Where that cannot be, the server sends what is let through.
"""

from __future__ import annotations

from contextvars import copy_context

from faultinject.adapters.client_errors import cut_of, in_process
from faultinject.adapters.closing import tell_wsgi
from faultinject.adapters.connection import of_environ
from faultinject.adapters.wsgi_ending import Ending
from faultinject.adapters.wsgi_past_server import empty_response, end_past, go_on, send_all
from faultinject.adapters.wsgi_wait import delivered, wait
from faultinject.engine.steps import AppAnswer, AppEnded, ClientGone, Cut, NextPiece, Part, Reach
from faultinject.http.wire import FLUSH, Framing, can_be_written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from faultinject.adapters.connection import Connection
    from faultinject.adapters.types import Environ, Start, WSGIApp
    from faultinject.adapters.wsgi import Driver
    from faultinject.engine.body_transforms import BodyTransform
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import WSGIRequest
    from faultinject.engine.steps import Begin, RunApp
    from faultinject.http.types import Headers

    Step = RunApp | NextPiece | Part | Cut


# granian queues four pieces: when it has asked for six more, the first of these has left the queue, too.
_NOTHING = (b"",) * 6


class StreamedAnswer:
    """One answer on its way; what the server gets to read when it sends it itself.

    Args:
        driver: carries out what is neither of the app nor to be sent.
        environ: of the request.
        start_response: the server's.
        plan: the plan that decided.
        request: the view of the request.
        transform: what is done to the body.
    """

    def __init__(
        self,
        driver: Driver,
        environ: Environ,
        start_response: Start,
        plan: Plan,
        request: WSGIRequest,
        transform: BodyTransform,
    ) -> None:
        self._driver = driver
        self._environ = environ
        self._start_response = start_response
        self._plan = plan
        self._request = request
        self._transform = transform
        self._inside = in_process(environ)
        # An app that goes on in another thread does so in the context in which it began.
        goes_on = transform.slow and not self._inside
        self._call: Callable[..., Any] = copy_context().run if goes_on else lambda work, *given: work(*given)
        self._unread = False
        self._rule = self._status_line = ""
        self._headers: Headers = []
        self._result: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] = iter(())
        self._first: bytes | None = None
        self._step: Step | None = None
        self._begun = self._untouched = False
        self._write_on: Callable[[bytes], object] | None = None
        self._framing: Framing | None = None
        self._connection: Connection | None = None
        self._ending: Ending | None = None

    @property
    def passes_server(self) -> bool:
        """Whether it is written on the connection itself."""
        return self._framing is not None

    def run(self, app: WSGIApp) -> Iterable[bytes]:
        """Run the app: what the server gets."""
        try:
            self._result = self._call(app, self._environ, self._start)
            self._pieces = iter(self._result)
            first = self._next_piece()
            if not self._begun:
                self._app_begins(first)
            else:
                self._first = first
        except BaseException:
            self._fail()
            raise
        return self.send(self._step)

    def send(self, step: Step | None) -> Iterable[bytes]:
        """What the server gets of an answer that has begun.

        Args:
            step: what comes next.
        """
        self._step = step
        if self._framing is None:
            return self
        connection = self._connection
        if self._transform.slow and connection is not None and connection.detach_from_server():
            go_on(self._plan, self._rule, self._write_past_server)
        else:
            self._write_past_server()
        return empty_response(self._environ, self._start_response)

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._parts()
            while self._untouched and (piece := self._next()):
                yield piece
            if isinstance(self._step, Cut):
                if self._connection is None and not self._inside:
                    # What a server still has in a queue it may drop when the app fails.
                    yield from _NOTHING
                self._cut(self._step)
        except GeneratorExit:
            self._driver.close()
            raise
        except BaseException:
            self._fail()
            raise

    def close(self) -> None:
        """Close the app's answer, and let go of the connection."""
        # What has not come to its end by now was not asked for to its end.
        self._driver.close()
        result, self._result = self._result, ()
        try:
            close = getattr(result, "close", None)
            if close is not None:
                self._call(close)
        finally:
            if self._connection is not None:
                self._connection.release()
            if self._ending is not None:
                self._ending.close()

    def begin(self, step: Begin) -> Reach:
        """Begin it, through the server or past it."""
        self._begun = True
        self._rule, self._headers, self._unread = step.rule, step.headers, step.unread
        if step.own is not None:
            self._status_line = step.own.answer.status_line
        if (self._transform.cuts or self._transform.slow) and not self._inside:
            self._connection = found = of_environ(self._environ)
            plain = found is not None and not found.encrypted and not self._request.http2
            if plain and can_be_written(self._status_line, self._headers):
                self._framing = Framing(
                    self._status_line,
                    self._headers,
                    now=self._plan.services.clock(),
                    server=self._environ.get("SERVER_SOFTWARE", ""),
                    chunks=self._environ.get("SERVER_PROTOCOL") != "HTTP/1.0",
                )
                self._push(self._framing.head)
                return Reach.CONNECTION
        start = self._start_response
        if self._unread:
            # It is not read behind an answer that is slow: the connection ends.
            self._ending = Ending(self._environ, start, self._request, unread=True, broken=True, closes=False)
            start = self._ending.start_response
        self._write_on = start(self._status_line, self._headers)
        if self._inside:
            return Reach.IN_PROCESS
        return Reach.SERVER if self._connection is None else Reach.CONNECTION

    def send_past(self, part: Part) -> None:
        """Write a part on the connection itself."""
        assert self._framing is not None
        if part.data:
            self._push(self._framing.frame(part.data))
        if not part.more:
            self._push(self._framing.end)

    def wait(self, seconds: float) -> bool:
        """Wait while the client does; no when it has left."""
        # Whether one that has ended its side is still there shows when something is sent.
        return wait(self._plan, seconds, self._connection, reads_on=True)

    def _start(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
        """Stands in for the server's `start_response`."""
        if exc_info and self._begun:
            raise exc_info[1].with_traceback(exc_info[2])
        self._status_line, self._headers = status, headers
        return self._write

    def _write(self, piece: bytes) -> None:
        """Stands in for the server's `write`, which only old apps use."""
        if not piece:
            return
        if not self._begun:
            self._app_begins(piece)
        else:
            self._first = piece
        for part in self._parts(written=True):
            assert self._write_on is not None
            self._write_on(part)
        if self._untouched:
            assert self._write_on is not None
            self._write_on(self._next())
        elif self._step is None:
            raise BrokenPipeError("the client has left")

    def _app_begins(self, piece: bytes) -> None:
        """The app's answer begins, with that piece."""
        if not self._status_line:
            raise AssertionError("the app has not called start_response")
        self._step = self._driver.advance(AppAnswer(int(self._status_line[:3]), self._headers))
        if isinstance(self._step, NextPiece) and not self._begun:
            self._step = self._driver.advance((piece, bool(piece)))
        else:
            self._first = piece
        if not self._begun:
            self._begun = self._untouched = True
            self._write_on = self._start_response(self._status_line, self._headers)

    def _next_piece(self) -> bytes:
        """The next piece of the app's answer that is not empty; empty at its end."""
        piece: bytes | None = b""
        while piece == b"":
            piece = self._call(next, self._pieces, None)
        return piece or b""

    def _next(self) -> bytes:
        first, self._first = self._first, None
        return self._next_piece() if first is None else first

    def _parts(self, *, written: bool = False) -> Iterator[bytes]:
        """What the server gets of the body, each part when it is due.

        Args:
            written: only what the app has written is at hand.
        """
        while isinstance(self._step, Part | NextPiece):
            if isinstance(self._step, Part):
                if self._step.data:
                    yield self._step.data
                self._step = self._driver.advance(None)
            elif written and self._first is None:
                return
            else:
                piece = self._next()
                self._step = self._driver.advance((piece, bool(piece)))

    def _write_past_server(self) -> None:
        """Write the answer on the connection itself, and end that."""
        connection, step = self._connection, None
        assert connection is not None
        try:
            for _ in self._parts():
                pass
            step = self._step
        except Exception:
            # Only the app can fail here; the server below must not answer behind what has gone out.
            self._fail()
            return
        if isinstance(step, Cut) and step.resets and delivered(connection, self._plan):
            # What is left to the server is a socket whose other end has closed.
            connection.detach_from_server()
            did = connection.reset()
        else:
            end_past(connection, unread=self._unread)
            did = "closed"
        if isinstance(step, Cut):
            self._driver.advance(did)
        self.close()

    def _push(self, data: bytes) -> None:
        assert self._connection is not None
        try:
            send_all(self._connection, data)
        except OSError as error:
            raise ClientGone from error

    def _fail(self) -> None:
        self._driver.throw(AppEnded())
        if self._framing is not None and self._connection is not None:
            self._connection.close()
        self.close()

    def _cut(self, step: Cut) -> None:
        """End the connection behind what the server has sent."""
        if self._inside:
            self._driver.advance("raised")
            raise cut_of(step, self._rule)
        # Also a request that it has read already is not for this connection any more.
        tell_wsgi(self._environ, self._start_response)
        if self._connection is None:
            # What it has not sent by then it may drop, the head included.
            wait(self._plan, FLUSH)
        if self._connection is None or not (
            self._connection.gone(FLUSH) or delivered(self._connection, self._plan)
        ):
            # All servers close the connection then, though most of them log it.
            self._driver.advance("closed")
            raise ConnectionAbortedError("answer cut by faultinject")
        self._driver.advance(self._connection.reset() if step.resets else self._connection.close())

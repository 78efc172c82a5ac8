"""WSGI: an answer whose body is changed on its way, the app's own or a documented error.

A cut and a slow body go past the server, on the connection itself: there the cut is exact whatever the server
buffers, and a slow body holds none of its workers. Where that cannot be, the server sends what is let through.
"""

from __future__ import annotations

from contextvars import copy_context

from faultinject.adapters.client_errors import in_process
from faultinject.adapters.closing import tell_wsgi
from faultinject.adapters.connection import of_environ
from faultinject.adapters.transforming import Shaping
from faultinject.adapters.wsgi_ending import Ending
from faultinject.adapters.wsgi_past_server import empty_response, end_past, go_on, send_all
from faultinject.adapters.wsgi_wait import delivered, wait
from faultinject.engine.answers import marked
from faultinject.engine.body_transforms import slices
from faultinject.engine.exchange import ClientGone
from faultinject.http.wire import FLUSH, Framing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from faultinject.adapters.types import Environ, Start, WSGIApp
    from faultinject.engine.body_transforms import BodyTransform
    from faultinject.engine.journal_entry import Entry
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import WSGIRequest
    from faultinject.engine.types import Body
    from faultinject.http.types import Headers


# granian queues four pieces: when it has asked for six more, the first of these has left the queue, too.
_NOTHING = (b"",) * 6


def transform_body(
    app: WSGIApp,
    environ: Environ,
    start_response: Start,
    plan: Plan,
    entry: Entry,
    transform: BodyTransform,
    request: WSGIRequest,
    *,
    applied: bool = True,
    body: Body | None = None,
    unread: bool = False,
) -> Iterable[bytes]:
    """Run the app and change its answer's body.

    Args:
        app: the app, or what gives an answer instead of it.
        environ: of the request.
        start_response: the server's.
        plan: the plan that decided.
        entry: what goes into the journal.
        transform: what is done to the body.
        request: the view of the request.
        applied: whether it is the app itself that runs.
        body: what was read of the request's body.
        unread: whether something of it is left, and the answer is not the app's.
    """
    answer = ShapedAnswer(
        environ, start_response, plan, entry, transform, request, applied=applied, body=body, unread=unread
    )
    return answer.run(app)


class ShapedAnswer(Shaping):
    """One answer on its way; what the server gets to read when it sends it itself."""

    def __init__(
        self,
        environ: Environ,
        start_response: Start,
        plan: Plan,
        entry: Entry,
        transform: BodyTransform,
        request: WSGIRequest,
        *,
        applied: bool,
        body: Body | None,
        unread: bool,
    ) -> None:
        inside = in_process(environ)
        super().__init__(
            plan, entry, transform, request, applied=applied, body=body, unread=unread, inside=inside
        )
        self._environ = environ
        self._start_response = start_response
        # An app that goes on in another thread does so in the context in which it began.
        goes_on = transform.slow and not inside
        self._call: Callable[..., Any] = copy_context().run if goes_on else lambda work, *given: work(*given)
        self._status_line = ""
        self._result: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] = iter(())
        self._first = b""
        self._server_write: Callable[[bytes], object] | None = None
        self._over: Callable[[], None] | None = None
        self._ending: Ending | None = None

    def run(self, app: WSGIApp) -> Iterable[bytes]:
        """What the server gets."""
        try:
            self._result = self._call(app, self._environ, self._start)
            self._pieces = iter(self._result)
            while not self._first and (piece := self._next()) is not None:
                self._first = piece
            self._begin(self._first)
            if self._framing is None:
                if self._transform.slow and not self._passes:
                    self._entry.held = True
                    self._over = self._plan.services.finish
                return self
            connection = self._connection
            if self._transform.slow and connection is not None and connection.detach_from_server():
                go_on(self._plan, self._entry, self._past_server)
            else:
                self._past_server()
        except ClientGone:
            self.close()
        except BaseException:
            self._app_failed()
            raise
        return empty_response(self._environ, self._start_response)

    def __iter__(self) -> Iterator[bytes]:
        try:
            piece: bytes | None = self._first
            while piece is not None and not self._transform.done:
                if piece and self._passes:
                    yield piece
                elif piece:
                    yield from self._transformed(piece)
                if not self._transform.done:
                    piece = self._next()
            self._settle()
            if self._transform.done:
                if self._connection is None and not self._inside:
                    # What a server still has in a queue it may drop when the app fails.
                    yield from _NOTHING
                self._cut()
        except ClientGone:
            self._settle("failed")
        except GeneratorExit:
            self._settle("failed")
            raise
        except BaseException:
            self._app_failed()
            raise
        finally:
            self._finish()

    def close(self) -> None:
        """Close the app's answer, and let go of the connection."""
        # What has not come to its end by now was not asked for to its end.
        self._settle("failed")
        self._finish()
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

    def _start(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
        """Stands in for the server's `start_response`."""
        if exc_info and (self._framing is not None or self._server_write is not None):
            raise exc_info[1].with_traceback(exc_info[2])
        self._status_line, self._headers = status, headers
        return self._write

    def _write(self, piece: bytes) -> None:
        """Stands in for the server's `write`, which only old apps use."""
        if not piece:
            return
        try:
            self._begin(piece)
            write = self._server_write or self._send_framed
            if self._passes:
                write(piece)
            elif not self._transform.done:
                for part in self._transformed(piece):
                    write(part)
        except ClientGone as error:
            self._settle("failed")
            raise BrokenPipeError("the client has left") from error

    def _next(self) -> bytes | None:
        piece: bytes | None = self._call(next, self._pieces, None)
        return piece

    def _begin(self, piece: bytes) -> None:
        """Decide, once, how the answer that begins with that piece goes: untouched, through the server, or past it."""
        if self._framing is not None or self._server_write is not None:
            return
        if not self._status_line:
            raise AssertionError("the app has not called start_response")
        transform = self._transform
        takes = self._takes(int(self._status_line[:3]))
        if takes and self._is_marked(piece):
            self._headers = marked(self._headers, self._entry.rule or "")
        if takes and (transform.cuts or transform.slow) and not self._inside:
            self._connection = of_environ(self._environ)
            past = self._goes_past(self._status_line)
            if past is not None:
                self._framing = Framing(
                    self._status_line,
                    self._headers,
                    now=self._plan.services.clock(),
                    server=self._environ.get("SERVER_SOFTWARE", ""),
                    chunks=self._environ.get("SERVER_PROTOCOL") != "HTTP/1.0",
                )
                self._send(self._framing.head)
                return
        start = self._start_response
        if self._unread:
            # It is not read behind an answer that is slow: the connection ends.
            self._ending = Ending(self._environ, start, self._request, unread=True, broken=True, closes=False)
            start = self._ending.start_response
        self._server_write = start(self._status_line, self._headers)

    def _past_server(self) -> None:
        """Write the answer on the connection itself."""
        assert self._framing is not None
        assert self._connection is not None
        try:
            piece: bytes | None = self._first
            while piece is not None and not self._transform.done:
                for part in self._transformed(piece) if piece else ():
                    self._send_framed(part)
                if not self._transform.done:
                    piece = self._next()
            if not self._transform.done:
                self._send(self._framing.end)
            self._settle()
        except ClientGone:
            self._settle("failed")
        except Exception:
            # Only the app can fail here; the server below must not answer behind what has gone out.
            self._app_failed()
        if (
            self._transform.done
            and self._transform.how == "reset"
            and delivered(self._connection, self._plan)
        ):
            # What is left to the server is a socket whose other end has closed.
            self._connection.detach_from_server()
            did = self._connection.reset()
        else:
            end_past(self._connection, unread=self._unread)
            did = "closed"
        self._ended(did)
        self.close()

    def _send_framed(self, part: bytes) -> None:
        assert self._framing is not None
        self._send(self._framing.frame(part))

    def _send(self, data: bytes) -> None:
        assert self._connection is not None
        try:
            send_all(self._connection, data)
        except OSError as error:
            raise ClientGone from error

    def _transformed(self, piece: bytes) -> Iterator[bytes]:
        """The parts of a piece, each when it is due."""
        kept = self._transform.feed(piece)
        rate = self._transform.rate
        if rate is None:
            self._sent += len(kept)
            if kept:
                yield kept
            seconds = self._pause()
            if seconds and not wait(self._plan, seconds, self._connection, reads_on=True):
                raise ClientGone
            if held := self._transform.held_back():
                self._sent += len(held)
                yield held
            return
        for part in slices(kept, rate):
            left = self._due_in(part, rate)
            # Whether one that has ended its side is still there shows when something is sent.
            if not wait(self._plan, left, self._connection, reads_on=True):
                raise ClientGone
            yield part

    def _app_failed(self) -> None:
        self._fail()
        if self._framing is not None and self._connection is not None:
            self._connection.close()
        self.close()

    def _cut(self) -> None:
        """End the connection behind what the server has sent."""
        if self._inside:
            raise self._cut_error()
        # Also a request that it has read already is not for this connection any more.
        tell_wsgi(self._environ, self._start_response)
        if self._connection is None:
            # What it has not sent by then it may drop, the head included.
            wait(self._plan, FLUSH)
        if self._connection is None or not (
            self._connection.gone(FLUSH) or delivered(self._connection, self._plan)
        ):
            # All servers close the connection then, though most of them log it.
            self._ended("closed")
            raise ConnectionAbortedError("answer cut by faultinject")
        resets = self._transform.how == "reset"
        self._ended(self._connection.reset() if resets else self._connection.close())

    def _finish(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over()

"""WSGI: what the server alone cannot give: an answer that goes out part by part, the end of the connection.

A cut and a slow body go past the server, on the connection itself: there the cut is exact whatever the server
buffers, and a slow body holds none of its workers. Where that cannot be, the server sends what is let through.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import Thread

from faultinject.adapters.backlog import PATIENCE
from faultinject.adapters.client_errors import cut_of
from faultinject.adapters.closing import tell_wsgi
from faultinject.adapters.connection import of_environ
from faultinject.adapters.lingering import end
from faultinject.adapters.servers import in_process
from faultinject.adapters.wsgi_ending import Ending
from faultinject.adapters.wsgi_wait import delivered, wait
from faultinject.engine.steps import AppAnswer, AppEnded, ClientGone, Cut, NextPiece, Part, Reach
from faultinject.http.wire import FLUSH, Framing, can_be_written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from faultinject.adapters.connection import Connection
    from faultinject.adapters.types import Environ, Start, WSGIApp
    from faultinject.engine.body_transforms import BodyTransform
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import WSGIRequest
    from faultinject.engine.steps import Begin, Hold, RunApp, Write
    from faultinject.http.types import Headers

    Step = RunApp | NextPiece | Part | Cut


# granian queues four pieces: when it has asked for six more, the first of these has left the queue, too.
_NOTHING = (b"",) * 6


class Delivery:
    """One answer that the server alone cannot give, or the end of the connection instead.

    The server reads it where it sends the answer itself.

    Args:
        advance: carries out what is neither of the app nor to be sent, with what came of the step before.
        throw: tells that the app has ended, or the client has left.
        stop: tells that the server asks for no more of the answer.
        environ: of the request.
        start_response: the server's.
        plan: the plan that decided.
        request: the view of the request.
        rule: what the rule is called.
        transform: what is done to the body, or None.

    Attributes:
        begun: whether it has begun.
        connection: the client's, where it is held, or None.
    """

    def __init__(
        self,
        advance: Callable[[Any], Step | None],
        throw: Callable[[Exception], None],
        stop: Callable[[], None],
        environ: Environ,
        start_response: Start,
        plan: Plan,
        request: WSGIRequest,
        rule: str,
        transform: BodyTransform | None,
    ) -> None:
        self._advance = advance
        self._throw = throw
        self._stop = stop
        self._environ = environ
        self._start_response = start_response
        self._plan = plan
        self._request = request
        self._rule = rule
        self._inside = in_process(environ)
        self._slow = transform is not None and transform.slow and not self._inside
        self._past = transform is not None and (transform.cuts or transform.slow) and not self._inside
        # An app that goes on in another thread does so in the context in which it began.
        self._call: Callable[..., Any] = (
            copy_context().run if self._slow else lambda work, *given: work(*given)
        )
        self._unread = False
        self._status_line = ""
        self._headers: Headers = []
        self._result: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] = iter(())
        self._first: bytes | None = None
        self._step: Step | None = None
        self.begun = self._untouched = self._held = False
        self._write_on: Callable[[bytes], object] | None = None
        self._framing: Framing | None = None
        self.connection: Connection | None = None
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
            if not self.begun:
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
        if self._framing is not None:
            self._aside(self._write_past_server, detaches=self._slow)
        elif not self._held:
            return self
        return empty_response(self._environ, self._start_response)

    def hold(self, step: Hold) -> Reach:
        """Get hold of the client's connection, before an answer."""
        if self._inside:
            return Reach.IN_PROCESS
        self.connection = found = of_environ(self._environ)
        if found is not None and step.plain and found.encrypted:
            found.release()
            self.connection = found = None
        self._held = found is not None
        return Reach.CONNECTION if self._held else Reach.SERVER

    def go_on(self) -> None:
        """The connection is held, and nothing happens on it for a while: what is left of the exchange is done past the server."""
        self._aside(partial(self._advance, Reach.CONNECTION), detaches=True)

    def write(self, step: Write) -> None:
        """Write a whole answer on the connection, and end it."""
        with suppress(ClientGone):
            self._push(step.data)
        self._end_past(unread=step.unread)

    def end(self, step: Cut) -> str:
        """End the connection that is held, without an answer."""
        assert self.connection is not None
        with self.connection as connection:
            if step.resets:
                # What is left to the server is a socket whose other end has closed: one that was reset is an error
                # that servers log.
                connection.detach_from_server()
                return connection.reset()
            return connection.close()

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._parts()
            while self._untouched and (piece := self._next()):
                yield piece
            if isinstance(self._step, Cut):
                if self.connection is None and not self._inside:
                    # What a server still has in a queue it may drop when the app fails.
                    yield from _NOTHING
                self._cut(self._step)
        except GeneratorExit:
            self._stop()
            raise
        except BaseException:
            self._fail()
            raise

    def close(self) -> None:
        """Close the app's answer, and let go of the connection."""
        # What has not come to its end by now was not asked for to its end.
        self._stop()
        result, self._result = self._result, ()
        try:
            close = getattr(result, "close", None)
            if close is not None:
                self._call(close)
        finally:
            if self.connection is not None:
                self.connection.release()
            if self._ending is not None:
                self._ending.close()

    def begin(self, step: Begin) -> Reach:
        """Begin it, through the server or past it."""
        self.begun = True
        self._headers, self._unread = step.headers, step.unread
        if step.own is not None:
            self._status_line = step.own.answer.status_line
        if self._past:
            self.connection = found = of_environ(self._environ)
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
        if step.transform is None or step.unread:
            # Behind an answer that is changed it is not read: the connection ends.
            changed, closes = step.transform is not None, step.own is not None and step.own.answer.closes
            self._ending = Ending(
                self._environ, start, self._request,
                unread=step.unread, broken=step.broken or changed, closes=closes and not changed,
            )  # fmt: skip
            start = self._ending.start_response
        self._write_on = start(self._status_line, self._headers)
        if self._inside:
            return Reach.IN_PROCESS
        return Reach.SERVER if self.connection is None else Reach.CONNECTION

    def send_past(self, part: Part) -> None:
        """Write a part on the connection itself."""
        assert self._framing is not None
        if part.data:
            self._push(self._framing.frame(part.data))
        if not part.more:
            self._push(self._framing.end)

    def wait(self, seconds: float) -> bool:
        """Wait while the client does; no when it has left."""
        # Of an answer that has begun it shows when something is sent whether one that has ended its side is still there.
        return wait(self._plan, seconds, self.connection, reads_on=self.begun)

    def _start(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
        """Stands in for the server's `start_response`."""
        if exc_info and self.begun:
            raise exc_info[1].with_traceback(exc_info[2])
        self._status_line, self._headers = status, headers
        return self._write

    def _write(self, piece: bytes) -> None:
        """Stands in for the server's `write`, which only old apps use."""
        if not piece:
            return
        if not self.begun:
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
        self._step = self._advance(AppAnswer(int(self._status_line[:3]), self._headers))
        if isinstance(self._step, NextPiece) and not self.begun:
            self._step = self._advance((piece, bool(piece)))
        else:
            self._first = piece
        if not self.begun:
            self.begun = self._untouched = True
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
                self._step = self._advance(None)
            elif written and self._first is None:
                return
            else:
                piece = self._next()
                self._step = self._advance((piece, bool(piece)))

    def _write_past_server(self) -> None:
        """Write the answer on the connection itself, and end that."""
        try:
            # Each part goes out on the connection, so that none is left for the server.
            next(self._parts(), None)
        except Exception:
            # Only the app can fail here; the server below must not answer behind what has gone out.
            self._fail()
            return
        step, connection = self._step, self.connection
        assert connection is not None
        if not isinstance(step, Cut):
            self._end_past(unread=self._unread)
        elif step.resets and delivered(connection, self._plan):
            self._advance(self.end(step))
        else:
            self._end_past(unread=self._unread)
            self._advance("closed")
        self.close()

    def _end_past(self, *, unread: bool) -> None:
        """End a connection on which an answer was written past its server; of an unread body the server sees nothing more."""
        assert self.connection is not None
        with self.connection:
            if unread:
                self.connection.detach_from_server()
            end(self.connection, unread=unread)

    def _aside(self, work: Callable[[], object], *, detaches: bool) -> None:
        """Do the rest past the server, on a thread of its own: its worker is free, the client does not see that."""
        assert self.connection is not None
        connection = self.connection

        def run() -> None:
            try:
                with connection:
                    work()
            except Exception as error:
                self._plan.services.failed(error, self._rule)

        if not (detaches and connection.detach_from_server()):
            with connection:
                work()
            return
        try:
            Thread(target=run, name="faultinject", daemon=True).start()
        except RuntimeError:  # no more threads
            run()

    def _push(self, data: bytes) -> None:
        assert self.connection is not None
        rest = memoryview(data)
        try:
            while rest:
                sent = self.connection.push(rest)
                rest = rest[sent:]
                if not sent and not self.connection.wait_writable(PATIENCE):
                    raise ClientGone
        except OSError as error:
            raise ClientGone from error

    def _fail(self) -> None:
        self._throw(AppEnded())
        if self._framing is not None and self.connection is not None:
            self.connection.close()
        self.close()

    def _cut(self, step: Cut) -> None:
        """End the connection behind what the server has sent."""
        if self._inside:
            self._advance("raised")
            raise cut_of(step, self._rule)
        # Also a request that it has read already is not for this connection any more.
        tell_wsgi(self._environ, self._start_response)
        if self.connection is None:
            # What it has not sent by then it may drop, the head included.
            wait(self._plan, FLUSH)
        if self.connection is None or not (
            self.connection.gone(FLUSH) or delivered(self.connection, self._plan)
        ):
            # All servers close the connection then, though most of them log it.
            self._advance("closed")
            raise ConnectionAbortedError("answer cut by faultinject")
        self._advance(self.connection.reset() if step.resets else self.connection.close())


def empty_response(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """What the server gets to send to a client that it has lost; what it has read of further requests is left alone."""
    tell_wsgi(environ, start_response)
    start_response("502 Bad Gateway", [("Content-Length", "0")])
    return []

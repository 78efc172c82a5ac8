"""WSGI: the end of the connection behind an answer."""

from __future__ import annotations

import threading
from contextlib import suppress
from time import monotonic

from faultinject.adapters.connection import of_environ, threads_run
from faultinject.adapters.lingering import linger
from faultinject.adapters.servers import Told, in_process, in_sync_wsgi, say_behind, tell_wsgi, wsgi_server
from faultinject.engine.body_digest import LONGEST, MOST, PIECE
from faultinject.http.wire import CLOSE, length_of, without_connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from faultinject.adapters.connection import Connection
    from faultinject.adapters.types import Environ, Start
    from faultinject.engine.request import Request
    from faultinject.http.types import Headers


class Ending:
    """An answer behind which the connection ends, where the server would not stay in step or the rule asks for it.

    Args:
        environ: of the request.
        start_response: the server's.
        request: the view of the request.
        unread: whether something of the request's body is left.
        broken: whether reading it was given up in the middle.
        closes: whether the rule asks for the end.
    """

    def __init__(
        self,
        environ: Environ,
        start_response: Start,
        request: Request,
        *,
        unread: bool,
        broken: bool,
        closes: bool,
    ) -> None:
        self._environ = environ
        self._start = start_response
        self._request = request
        self._connection: Connection | None = None
        self._result: Iterable[bytes] = ()
        self._reads = False
        self._in_process = in_process(environ)
        self._ends = not (self._in_process or request.http2) and (
            closes or (unread and not in_sync_wsgi(environ, start_response, broken=broken))
        )
        self._closes = closes
        # A client that waits for 100 Continue would get it behind the answer.
        self._readable = unread and not broken and "HTTP_EXPECT" not in environ

    def start_response(self, status: str, headers: Headers, *more: Any) -> Callable[[bytes], object]:
        """Stands in for the server's `start_response`."""
        if self._in_process:
            return self._start(status, headers, *more)
        headers, told = without_connection(headers), None
        if self._ends:
            server = wsgi_server(self._environ)
            # An answer without a length ends only behind what we read.
            sized = self._readable and length_of(headers) is not None
            self._reads = sized and server is not None and server.reads_behind
            if self._closes or not self._reads:
                told = tell_wsgi(self._environ, self._start)
            if told is Told.HEADER:
                headers.append(CLOSE)
            if not self._reads:
                # Ours before the server lets go of it.
                self._connection = of_environ(self._environ)
        write = self._start(status, headers, *more)
        if told is Told.BEHIND_START:
            say_behind(self._start, *CLOSE)
        return write

    def behind(self, result: Iterable[bytes]) -> Iterable[bytes]:
        """What the server gets to send."""
        if not self._ends:
            return result
        self._result = result
        return self

    def __iter__(self) -> Iterator[bytes]:
        gone = False
        for piece in self._result:
            yield piece
            gone = True
        if gone:
            self._linger()
        if self._reads and not self._read_away():
            tell_wsgi(self._environ, self._start)
            connection = of_environ(self._environ)
            if connection is not None:
                # Else the server would wait for our thread, which holds its reader, before it closes.
                with connection:
                    connection.close()

    def close(self) -> None:
        """The server is done with the answer."""
        result, self._result = self._result, ()
        try:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        finally:
            self._linger()

    def _linger(self) -> None:
        """The answer has left, or at least its server has all of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            linger(connection)

    def __del__(self) -> None:
        # werkzeug closes no answer of a client that has reset the connection.
        if self._connection is not None:
            self._connection.release()

    def _read_away(self) -> bool:
        """Read the rest of the body behind the answer; no when that takes too long, or fails.

        A server's `read` may block for as long as a client sends nothing: the server's worker waits for a thread of
        ours, and only within bounds.
        """
        if not threads_run():
            return False
        whole = threading.Event()
        reader = threading.Thread(
            target=self._read_rest, args=(whole,), name="faultinject reader", daemon=True
        )
        try:
            reader.start()
        except RuntimeError:  # no more threads
            return False
        reader.join(LONGEST)
        return whole.is_set()

    def _read_rest(self, whole: threading.Event) -> None:
        source = self._environ["wsgi.input"]
        read = getattr(source, "read1", source.read)
        length = self._request.content_length
        left = MOST if length is None else length - getattr(source, "size", 0)
        until = monotonic() + LONGEST
        at_end = False
        with suppress(Exception):
            while left > 0 and not at_end and monotonic() < until:
                piece = read(min(PIECE, left))
                left -= len(piece)
                at_end = not piece
            if at_end if length is None else not left:
                whole.set()

"""Waits under WSGI, for a time or for a request's body.

Waits are never shorter than asked, and over soon after nobody waits. The body as the app reads it is here as well: it
may have a wait in its middle.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from contextlib import contextmanager, nullcontext
from io import BufferedReader, BytesIO, RawIOBase
from typing import TYPE_CHECKING, Any

from faultinject.adapters.connection import Connection, until_delivered
from faultinject.adapters.servers import OUR_SERVER, body_of, is_at_hand, of_environ, shown, wsgi_server
from faultinject.engine.plan import LOOK
from faultinject.engine.request import LONGEST, MOST, PIECE, Body, WSGIRequest
from faultinject.engine.steps import ClientGone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from faultinject.adapters.types import Environ
    from faultinject.engine.plan import Plan
    from faultinject.engine.steps import Pause
    from faultinject.vendors.multi_delete import Listing

FIRST_PIECE = 16
"""Bytes of a body that are asked for first.

Twice as many are asked for each time, as long as they come fast.
"""
SLOW = 0.05
"""Seconds after which a piece has come slowly: then only the next byte is asked for."""


def drain(
    environ: Environ,
    plan: Plan,
    request: WSGIRequest,
    listing: Listing | None = None,
    up_to: int | None = None,
    before: int = 0,
    *,
    in_process: bool,
) -> Body | None:
    """Read the request body and drop it, within bounds of bytes and seconds.

    The clock is looked at between two pieces, and a server's `read` waits for a whole piece, however slowly that
    comes: so pieces are small where a client is slow. A body without a length that ends before `up_to` is put back,
    for the app to read.

    Args:
        environ: of the request.
        plan: the plan that decided.
        request: the view of the request.
        listing: gets each piece.
        up_to: most bytes of it that are read; None: all.
        before: bytes of it that were read before.
        in_process: whether the client is in this process, so that its body is at hand.

    Returns:
        Bytes read, their digest, whether that was all; None when the body has no end that a server shows.

    Raises:
        ClientGone: the body ends too early, or the server cannot read it.
    """
    length = request.content_length
    if length is None and not environ.get("wsgi.input_terminated"):
        return None
    length = None if length is None else length - before
    kept: list[bytes] | None = [] if up_to is not None and length is None else None
    stream, clock = body_of(environ), plan.services.monotonic
    source = shown(wsgi_server(environ).body, stream) or stream
    # `read1` gives what has come so far, where the server has it.
    read = getattr(source, "read1", source.read)
    digest = request.body_digest(plan.origin[2])
    wanted = length if up_to is None else up_to
    at_hand = in_process or is_at_hand(environ)
    most, ended = PIECE if at_hand else FIRST_PIECE, False
    end = clock() + LONGEST
    with nullcontext() if at_hand else impatient(environ):
        while wanted is None or digest.size < wanted:
            began = clock()
            if digest.size >= MOST or began >= end:
                break
            try:
                piece = read(most if wanted is None else min(most, wanted - digest.size))
            except TimeoutError:
                break
            except Exception as error:
                raise ClientGone from error
            ended = not piece
            if ended:
                break
            digest.update(piece)
            if listing is not None:
                listing.feed(piece)
            if kept is not None:
                kept.append(piece)
            most = min(2 * most, PIECE) if clock() - began < SLOW else 1
    if ended and length is not None:
        raise ClientGone
    whole = ended or digest.size == length
    if kept is not None and whole:
        environ["wsgi.input"] = BytesIO(b"".join(kept))
    return digest.size, digest.hexdigest(), whole


@contextmanager
def impatient(environ: Environ) -> Iterator[None]:
    """Let the server wait for no byte of the request longer than `LONGEST`, if it can."""
    with of_environ(environ) or nullcontext() as connection:
        handle = None if connection is None else connection.handle
        if OUR_SERVER in environ and (stream := getattr(body_of(environ), "raw", None)) is not None:
            stream.allow(LONGEST)
            try:
                yield
            finally:
                stream.allow(None)
        elif handle is not None and hasattr(handle, "settimeout"):
            patience = handle.gettimeout()
            handle.settimeout(LONGEST)
            try:
                yield
            finally:
                handle.settimeout(patience)
        else:
            yield


def delivered(connection: Connection, plan: Plan) -> bool:
    """Wait until the client has all that was sent, or takes nothing for a while; say which.

    Returns:
        Whether the client has all, or is gone.
    """
    services = plan.services
    for seconds in until_delivered(connection, services.monotonic):
        services.rest(seconds, connection.gone)
    return connection.delivered()


def wait(plan: Plan, seconds: float, connection: Connection | None = None) -> bool:
    """Block for some seconds, and say whether the client is still there.

    The wait is never shorter than asked, unless the client leaves, the plan is over or the program ends: it looks twice
    a second. It looks for the client at its end, too: on a busy machine a client may have left just before.

    Args:
        plan: the plan that decided.
        seconds: how long; nothing, or less, when the time is over already.
        connection: shows when the client leaves, at once.
    """
    has_left: Callable[[float], object] = time.sleep if connection is None else connection.left
    services = plan.services
    end, endings = services.monotonic() + seconds, plan.endings
    while (left := end - services.monotonic()) > 0 and not plan.over(endings) and not program_ends():
        if services.rest(min(left, LOOK), has_left):
            return False
    return connection is None or not has_left(0)


def program_ends() -> bool:
    """Whether the program has begun to end.

    A program waits for its threads, and the threads of a pool wait for their work.
    """
    if getattr(threading, "_SHUTTING_DOWN", False) or not threading.main_thread().is_alive():
        return True
    # At SIGTERM a worker of gunicorn notes that it is to end, and wakes nobody.
    base = sys.modules.get("gunicorn.workers.base")
    worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return base is not None and isinstance(worker, base.Worker) and not worker.alive


class AppBody(BufferedReader):
    """A request's body as a stream for the app; its other attributes are those of the server's.

    Args:
        pieces: where it comes from.

    Attributes:
        server_stream: the server's `wsgi.input`.
    """

    raw: Pieces

    def __init__(self, pieces: Pieces) -> None:
        super().__init__(pieces)
        self.server_stream = pieces.source

    def __getattr__(self, name: str) -> Any:
        return getattr(self.server_stream, name)


class Pieces(RawIOBase):
    """A request's body, piece by piece: others hear each, and one may wait.

    Of the server's methods only `read` is called: by `readline` and `readlines` granian gives only the first line, and
    cheroot never comes to the end of chunks.

    Args:
        source: the server's `wsgi.input`.
        length: the Content-Length, beyond which a server may wait for ever; None: the server marks the end.
        listeners: each called with every piece that is read, and with nothing once at the end.
        pause: says where the wait is, and whether it is over; or None.
        wait: waits.

    Attributes:
        source: as given.
        size: bytes that were read.
        whole: whether that is all of them.
    """

    def __init__(
        self,
        source: Any,
        length: int | None,
        listeners: Sequence[Callable[[bytes], object]],
        pause: Pause | None,
        wait: Callable[[], object],
    ) -> None:
        self.source = source
        self.size = 0
        self.whole = False
        self._length = length
        self._listeners = listeners
        self._pause = pause
        self._wait = wait

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read a piece that fits into the buffer, and wait before it where the pause is."""
        pause = self._pause
        if pause is None or not pause.due:
            piece = self._read(len(buffer))
        elif self.size < pause.after:
            piece = self._read(min(len(buffer), pause.after - self.size))
        else:
            piece = self._read_after(pause, len(buffer))
        if not self.whole:
            self._count(piece)
        buffer[: len(piece)] = piece
        return len(piece)

    def _read(self, size: int) -> bytes:
        if self._length is not None:
            size = min(size, self._length - self.size)
        return self.source.read(size) if size > 0 else b""

    def _read_after(self, pause: Pause, size: int) -> bytes:
        """Wait, if more of the body follows: a byte shows that where no length does."""
        pause.due = False
        ahead = self._read(1) if self._length is None else b""
        if ahead or (self._length is not None and self.size < self._length):
            pause.done = True
            self._wait()
            pause.finish()
        return ahead or self._read(size)

    def _count(self, piece: bytes) -> None:
        """Count a piece, and give it to the listeners; once the body is whole, also its end."""
        self.size += len(piece)
        self.whole = not piece or self.size == self._length
        for listen in self._listeners:
            if piece:
                listen(piece)
            if self.whole:
                listen(b"")

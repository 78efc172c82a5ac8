"""WSGI: a request's body, as it is read and dropped, and as the app reads it."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock

from faultinject.adapters.connection import of_environ, threads_run
from faultinject.adapters.servers import OUR_SERVER, in_process, is_at_hand
from faultinject.engine.body_digest import LONGEST, MOST, PIECE
from faultinject.engine.steps import ClientGone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from socket import socket
    from typing import Any, Protocol

    from faultinject.adapters.connection import Connection
    from faultinject.adapters.types import Environ
    from faultinject.engine.body_digest import Body
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import WSGIRequest
    from faultinject.engine.steps import Pause

    class Reader(Protocol):
        """What gets each piece of a body."""

        def feed(self, piece: bytes) -> object:
            """One more."""


_AT_ONCE = 0.001


def drain(
    environ: Environ,
    plan: Plan,
    request: WSGIRequest,
    listing: Reader | None = None,
    upto: int | None = None,
) -> Body | None:
    """Read the request body and drop it, within bounds of bytes and seconds; `listing` gets each piece.

    A body without a length that ends before `upto` is put back, for the app to read.

    Args:
        environ: of the request.
        plan: the plan that decided.
        request: the view of the request.
        listing: gets each piece.
        upto: so many bytes of it are read, and not more; None: all.

    Returns:
        Bytes read, their digest, whether that was all; None when the body has no end that a server shows.

    Raises:
        ClientGone: the body ends too early, or the server cannot read it.
    """
    length = request.content_length
    if length is None and not environ.get("wsgi.input_terminated"):
        return None
    reading = BodyReading(environ, plan, request, listing, upto)
    if in_process(environ) or is_at_hand(environ) or not threads_run():
        reading.run()
    elif OUR_SERVER in environ and (stream := getattr(environ["wsgi.input"], "raw", None)) is not None:
        stream.allow(LONGEST)  # shutting its socket would end the answer as well
        try:
            reading.run()
        finally:
            stream.allow(None)
    elif (connection := of_environ(environ)) is not None:
        with connection, Cutoff(environ, plan, connection, reading):
            reading.run()
    else:
        reading.run_aside()
    body = reading.body
    if reading.kept is not None and body[2]:
        from io import BytesIO

        environ["wsgi.input"] = BytesIO(b"".join(reading.kept))
    return body


class BodyReading:
    """The reading of one request body.

    A server's `read` waits for the whole piece that it was asked for, however slowly that comes: who reads is stopped
    from outside when the time is over.

    Args:
        environ: of the request.
        plan: the plan that decided.
        request: the view of the request; without a Content-Length the server marks the end.
        listing: gets each piece.
        upto: so many bytes of it are read, and not more; None: all.

    Attributes:
        cut: whether the time is over; what comes after that does not count.
        kept: what was read, where the body may turn out to be shorter than `upto`; else None.
    """

    def __init__(
        self,
        environ: Environ,
        plan: Plan,
        request: WSGIRequest,
        listing: Reader | None,
        upto: int | None = None,
    ) -> None:
        length = request.content_length
        self.cut = False
        self.kept: list[bytes] | None = [] if upto is not None and length is None else None
        self._source = source = environ["wsgi.input"]
        # What has come so far, where the server can say.
        self._read = getattr(source, "read1", source.read)
        self._length = length
        self._upto = upto
        self._listing = listing
        self._clock = plan.services.monotonic
        self._rest = plan.services.rest
        self._digest = request.body_digest(plan.origin[2])
        self._whole = False
        self._lock = Lock()

    @property
    def body(self) -> Body:
        """Bytes read, their digest, whether that was all."""
        with self._lock:
            return self._digest.size, self._digest.hexdigest(), self._whole and not self.cut

    def stop(self) -> None:
        """The time is over."""
        with self._lock:
            self.cut = True

    def run(self) -> None:
        """Read to the end, or to a bound.

        Raises:
            ClientGone: the body ends too early, or the server cannot read it.
        """
        length, digest = self._length, self._digest
        wanted = length if self._upto is None else self._upto
        end = self._clock() + LONGEST
        while wanted is None or digest.size < wanted:
            if digest.size >= MOST or self.cut or self._clock() >= end:
                return
            try:
                piece = self._read(PIECE if wanted is None else min(PIECE, wanted - digest.size))
            except TimeoutError:
                self.stop()
                return
            except Exception as error:
                if self.cut:
                    return
                raise ClientGone from error
            with self._lock:
                if self.cut:
                    return
                if not piece:
                    break
                digest.update(piece)
            if self._listing is not None:
                self._listing.feed(piece)
            if self.kept is not None:
                self.kept.append(piece)
        if length is not None and digest.size < (wanted or 0):
            raise ClientGone
        # Of a body without a length as much as was wanted says nothing of its end.
        self._whole = digest.size == length if self._upto is not None and digest.size == wanted else True

    def run_aside(self) -> None:
        """As `run`, by a thread that is left alone when the time is over: nothing shows whose connection it waits for."""
        from threading import Thread

        raised: list[BaseException] = []

        def run() -> None:
            try:
                self.run()
            except BaseException as error:
                raised.append(error)

        reader = Thread(target=run, name="faultinject reader", daemon=True)
        try:
            reader.start()
        except RuntimeError:  # no more threads
            self.run()
            return
        self._rest(LONGEST, reader.join)
        if reader.is_alive():
            self.stop()
        elif raised:
            raise raised[0]


class Cutoff:
    """Ends the reading of a request body in time: a thread shuts the client's side of the connection.

    Under TLS an end that nobody has announced would keep the answer from being sent as well, so there, where the server
    shows its socket, the thread takes its patience away instead.

    Args:
        environ: of the request.
        plan: the plan that decided.
        connection: the request's.
        reading: stopped then.
    """

    def __init__(self, environ: Environ, plan: Plan, connection: Connection, reading: BodyReading) -> None:
        from threading import Event

        self._rest = plan.services.rest
        self._connection = connection
        self._reading = reading
        self._over = Event()
        self._lock = Lock()
        shown = environ.get("werkzeug.socket") or environ.get("gunicorn.socket") or _below(environ)
        self._handle: socket | None = shown if connection.encrypted else None
        self._patience: float | None = None

    def __enter__(self) -> None:
        from threading import Thread

        if self._handle is not None:
            self._patience = self._handle.gettimeout()
            self._handle.settimeout(LONGEST)
        # No more threads: then a slow client holds the worker for as long as its server lets it.
        with suppress(RuntimeError):
            Thread(target=self._run, name="faultinject cutoff", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over.set()
            if self._handle is not None:
                self._handle.settimeout(self._patience)

    def _run(self) -> None:
        self._rest(LONGEST, self._over.wait)
        with self._lock:  # the connection is ours as long as this is held
            if not self._over.is_set():
                self._reading.stop()
                if self._handle is None:
                    self._connection.shut_reading()
                else:
                    self._handle.settimeout(_AT_ONCE)


def _below(environ: Environ) -> socket | None:
    """The socket that cheroot's input reads from."""
    stream = getattr(environ["wsgi.input"], "rfile", None)
    found: socket | None = getattr(getattr(stream, "raw", None), "_sock", None)
    return found


ALL: tuple[tuple[int | None, ...], ...] = ((), (-1,), (None,))
"""What `read` is given when it is to read all."""


class Overheard:
    """A request's body as the app reads it, counted.

    Args:
        source: the server's `wsgi.input`.
        length: the Content-Length; None: the server marks the end.
        listeners: each called with every piece that is read, and with nothing once at the end.

    Attributes:
        size: bytes that the app has read.
        whole: whether that is all of them.
    """

    def __init__(self, source: Any, length: int | None, *listeners: Callable[[bytes], object]) -> None:
        self._source = source
        self._length = length
        self._listeners = listeners
        self.size = 0
        self.whole = False

    def read(self, *size: int) -> bytes:
        """As the server's."""
        # Asked for any number of bytes a stream gives all, and nothing only at its end.
        piece = self._source.read(*size)
        return self._told(piece, at_end=size in ALL or (not piece and size != (0,)))

    def readline(self, *size: int) -> bytes:
        """As the server's."""
        return self._line(self._source.readline(*size), size)

    def readlines(self, *hint: int) -> list[bytes]:
        """As the server's."""
        lines = [self._told(line) for line in self._source.readlines(*hint)]
        self._told(b"", at_end=hint in ALL or not lines)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        yield from map(self._told, self._source)
        self._told(b"", at_end=True)

    def __getattr__(self, name: str) -> Any:
        """What a server may have beyond PEP 3333, and does not have to."""
        found = getattr(self._source, name)
        if name == "read1":
            return lambda *size: self._line(found(*size), size)
        return self._filling(found) if name == "readinto" else found

    def _filling(self, readinto: Callable[[Any], int | None]) -> Callable[[Any], int | None]:
        def fill(buffer: Any) -> int | None:
            size = readinto(buffer)
            if size is not None:
                self._told(bytes(memoryview(buffer)[:size]), at_end=not size and len(buffer) > 0)
            return size

        return fill

    def _line(self, piece: bytes, size: tuple[int, ...]) -> bytes:
        return self._told(piece, at_end=not piece and size != (0,))

    def _told(self, piece: bytes, *, at_end: bool = False) -> bytes:
        self.size += len(piece)
        if piece:
            for listen in self._listeners:
                listen(piece)
        if not self.whole and (at_end or self.size == self._length):
            self.whole = True
            for listen in self._listeners:
                listen(b"")
        return piece


class PausedBody:
    """A request's body as the app reads it, with a pause in it.

    Args:
        source: the server's `wsgi.input`.
        pause: where the wait is; told when it has been.
        wait: waits.
        sized: whether it is known that more follows; else a byte of it is looked at first.
    """

    def __init__(self, source: Any, pause: Pause, wait: Callable[[], object], *, sized: bool) -> None:
        self._source = source
        self._left = pause.after
        self._pause = pause
        self._wait = wait
        self._sized = sized
        self._ahead = b""

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
        if self._pause.due and self._left:
            asked = self._left if wanted < 0 else min(wanted, self._left)
            before = read(asked)
            self._left -= len(before)
            ended = by_line and before[-1:] == b"\n"
            if self._left or len(before) == wanted or at_once or ended:
                return before
        if self._pause.due:
            self._come_to_it()
        ahead, self._ahead = self._ahead, b""
        before += ahead
        if len(before) == wanted or (by_line and before[-1:] == b"\n") or (ahead and at_once):
            return before
        return before + (read(-1) if wanted < 0 else read(wanted - len(before)))

    def _come_to_it(self) -> None:
        self._pause.due = False
        if not self._sized:
            self._ahead = self._source.read(1)
            if not self._ahead:
                return
        self._pause.done = True
        self._wait()

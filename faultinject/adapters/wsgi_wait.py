"""Waiting under WSGI: for the request's body, for a delay; over as soon as nobody waits any more."""

from __future__ import annotations

import time

from faultinject.adapters.driving import ClientGone, undo
from faultinject.core.bodies import LONGEST, MOST, PIECE, BodyDigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from socket import socket
    from typing import Any

    from faultinject.adapters.connection import Connection
    from faultinject.adapters.wsgi import Environ
    from faultinject.core.listing import Listing
    from faultinject.core.outcome import Body, Entry
    from faultinject.core.plan import Plan
    from faultinject.core.request import WSGIRequest

_SLICE = 0.05


def drain(environ: Environ, plan: Plan, request: WSGIRequest, listing: Listing | None = None) -> Body | None:
    """Read the request body and drop it, within bounds of bytes and seconds; `listing` gets each piece.

    Returns:
        Bytes read, their digest, whether that was all; None when the body has no end that a server shows.

    Raises:
        ClientGone: the body ends too early, or the server cannot read it.
    """
    length = request.content_length
    if length is None and not environ.get("wsgi.input_terminated"):
        return None
    # A client that stalls can be let go of where the server shows its connection.
    connection = environ.get("werkzeug.socket") or environ.get("gunicorn.socket")
    patience = None if connection is None else connection.gettimeout()
    try:
        return _read(environ, plan, length, connection, listing)
    finally:
        if connection is not None:
            connection.settimeout(patience)


def _read(
    environ: Environ,
    plan: Plan,
    length: int | None,
    connection: socket | None,
    listing: Listing | None,
) -> Body:
    source = environ["wsgi.input"]
    # What has come so far, where the server can say: a slow client must not hold us for a whole piece.
    read = getattr(source, "read1", source.read)
    digest = BodyDigest(plan.origin[2], environ.get("CONTENT_TYPE", ""))
    clock = plan.surroundings.monotonic
    end = clock() + LONGEST
    while length is None or digest.size < length:
        left = end - clock()
        if digest.size >= MOST or left <= 0:
            return digest.size, digest.hexdigest(), False
        if connection is not None:
            connection.settimeout(left)
        try:
            piece = read(PIECE if length is None else min(PIECE, length - digest.size))
        except TimeoutError:
            return digest.size, digest.hexdigest(), False
        except Exception as error:
            raise ClientGone from error
        if not piece:
            if length is None:
                break
            raise ClientGone
        digest.update(piece)
        if listing is not None:
            listing.feed(piece)
    return digest.size, digest.hexdigest(), True


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


def hold(environ: Environ, plan: Plan, entry: Entry, seconds: float, *, applied: bool = False) -> bool:
    """Wait before a fault is given; no when the client left first. When the server stops us, it is not given."""
    try:
        return wait_for_client(environ, plan, seconds)
    except BaseException:
        undo(plan, entry, "failed", applied=applied)
        raise


def wait_for_client(environ: Environ, plan: Plan, seconds: float) -> bool:
    """As `wait`, with the request's own connection where the server shows it."""
    if not seconds:
        return True
    from contextlib import nullcontext

    from faultinject.adapters.connection import of_environ

    with of_environ(environ) or nullcontext() as connection:
        return wait(plan, seconds, connection)


def wait(plan: Plan, seconds: float, connection: Connection | None = None) -> bool:
    """Block, never shorter than asked, unless the plan is over or the program ends; no when the client left first."""
    from threading import main_thread

    clock = plan.surroundings.monotonic
    end, endings = clock() + seconds, plan.endings
    while (left := end - clock()) > 0 and not plan.over(endings) and main_thread().is_alive():
        if connection is None:
            time.sleep(min(left, _SLICE))
        elif connection.left(min(left, _SLICE)):
            return False
    return True

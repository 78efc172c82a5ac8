"""Turns a client's request into a WSGI environ, and a WSGI answer into the client's.

A body is read only as far as its reader asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any
from urllib.parse import unquote_to_bytes

from faultinject.adapters import wsgi
from faultinject.adapters.types import Environ, WSGIApp
from faultinject.injector.injector import Injector

Head = list[tuple[str, str]]
"""Names and values of headers."""


def environ_of(
    method: str, scheme: str, path: str, query: str, headers: Iterable[tuple[str, str]], body: Any
) -> Environ:
    """The environ of a request.

    Args:
        method: the HTTP method.
        scheme: the scheme of the URL.
        path: the path of the URL, percent-encoded.
        query: the query of the URL.
        headers: names and values.
        body: a file with the body.
    """
    environ: Environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": path,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.url_scheme": scheme,
    }
    for name, value in headers:
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


def answer_of(app: WSGIApp, injector: Injector, environ: Environ) -> tuple[str, Head, Iterable[bytes]]:
    """The answer of an app with faults around it: status line, headers and body."""
    started: list[tuple[str, Head]] = []

    def start(status: str, headers: Head, *_: object) -> Any:
        started[:] = [(status, headers)]
        return lambda _: None

    body = wsgi.wrap(app, injector)(environ, start)
    return *started[0], body


def with_first_read(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Read the first piece at once, so that its error is raised now; return all pieces."""
    rest = iter(pieces)
    return chain((next(rest, b""),), rest)


class PiecesFile:
    """A file that reads the pieces of a body.

    Args:
        pieces: the bytes of the body.

    Attributes:
        was_read: whether anything was read.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.was_read = False
        self._pieces = chain(pieces)  # `iter` of the pieces is called only by the first read
        self._piece = memoryview(b"")

    def read(self, size: int | None = None) -> bytes:
        """The next `size` bytes, or all."""
        wanted = -1 if size is None else size
        data = bytearray()
        while wanted < 0 or len(data) < wanted:
            piece = self.read1(-1 if wanted < 0 else wanted - len(data))
            if not piece:
                break
            data += piece
        return bytes(data)

    def read1(self, size: int = -1) -> bytes:
        """The next bytes of the current piece, `size` at most."""
        self.was_read = True
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._piece = memoryview(piece)
        cut = len(self._piece) if size < 0 else size
        data, self._piece = bytes(self._piece[:cut]), self._piece[cut:]
        return data

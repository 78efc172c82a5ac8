"""Instructions that need a place in the middle of a body: which requests reach it, and what the store gets until there."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from urllib.parse import parse_qs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Shape = Callable[[WSGIApplication, WSGIEnvironment], WSGIApplication | None]
    """From the app and a request to the app that the rule is put around; None: the request is not meant."""

LENGTH, RANGE, INPUT = "CONTENT_LENGTH", "HTTP_CONTENT_RANGE", "wsgi.input"
_SPAN = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15}|\*)/(?:[0-9]{1,15}|\*)")


def upload_until(after: int) -> Shape:
    """Uploads that reach a byte: the store gets what is before it, and keeps that of a resumable one.

    Args:
        after: bytes of the object, all pieces of a resumable upload together.
    """

    def shape(app: WSGIApplication, environ: WSGIEnvironment) -> WSGIApplication | None:
        piece = _piece(environ)
        if piece is None or piece[1] < after:
            return None
        start = piece[0]
        if not _is_session(environ) or start >= after:
            return _nothing

        def first_bytes(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            data = _read(environ[INPUT], after - start)
            head = {LENGTH: str(after - start), RANGE: f"bytes {start}-{after - 1}/*"}
            return app({**environ, **head, INPUT: io.BytesIO(data)}, start_response)

        return first_bytes

    return shape


def download(app: WSGIApplication, environ: WSGIEnvironment) -> WSGIApplication | None:
    """Requests for the content of an object."""
    return app if _is_download(environ) else None


def upload_session(app: WSGIApplication, environ: WSGIEnvironment) -> WSGIApplication | None:
    """Pieces of resumable uploads."""
    return app if _is_session(environ) else None


def stall(seconds: int, after: int) -> tuple[str, dict[str, Any], Shape]:
    """The rule of a stall: its fault, its effects, and which requests it is for.

    The whole request waits, or the whole answer: nothing of the body goes before.
    """

    def shape(app: WSGIApplication, environ: WSGIEnvironment) -> WSGIApplication | None:
        if _is_download(environ):
            return app
        piece = _piece(environ)
        return app if piece is not None and piece[0] <= after <= piece[1] else None

    return "latency", {"delay": seconds}, shape


def _piece(environ: WSGIEnvironment) -> tuple[int, int] | None:
    """From where to where in the object the body of a request goes; None where it has none of an object."""
    if environ["REQUEST_METHOD"] not in ("POST", "PUT") or not environ.get("PATH_INFO", "").startswith(
        ("/upload/", "/resumable/upload/")
    ):
        return None
    length = environ.get(LENGTH, "")
    size = int(length[:15]) if length.isascii() and length.isdecimal() else 0
    span = environ.get(RANGE)
    if not _is_session(environ):
        return None if _query(environ, "uploadType") == "resumable" else (0, size)
    if span is None:
        return 0, size
    found = _SPAN.fullmatch(span)
    if found is None:
        return None
    start = int(found[1])
    return start, start + size if found[2] == "*" else int(found[2]) + 1


def _is_session(environ: WSGIEnvironment) -> bool:
    return bool(_query(environ, "upload_id"))


def _is_download(environ: WSGIEnvironment) -> bool:
    if environ["REQUEST_METHOD"] != "GET":
        return False
    return _query(environ, "alt") == "media" or environ.get("PATH_INFO", "").startswith("/download/")


def _query(environ: WSGIEnvironment, name: str) -> str:
    query: str = environ.get("QUERY_STRING", "")
    return parse_qs(query).get(name, [""])[0]


def _nothing(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An app that does nothing: the store keeps none of it."""
    start_response("204 No Content", [])
    return []


def _read(source: Any, size: int) -> bytes:
    """The first bytes of a body, fewer where the client leaves."""
    data = bytearray()
    while len(data) < size and (piece := source.read(size - len(data))):
        data += piece
    return bytes(data)

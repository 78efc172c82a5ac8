"""Instructions that need a place in the middle of a body: which requests reach it, and what the store gets until there."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Shaped = tuple[WSGIApplication, dict[str, Any]]
    Shape = Callable[[WSGIApplication, WSGIEnvironment], Shaped | None]
    """From the app and a request to the app that the rule is put around, and the effects of the rule that depend on the
    request; None: the request is not meant."""

LENGTH, RANGE = "CONTENT_LENGTH", "HTTP_CONTENT_RANGE"
_SPAN = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15}|\*)/(?:[0-9]{1,15}|\*)")


def upload_until(after: int) -> Shape:
    """Uploads that reach a byte: the store gets what is before it, and keeps that of a resumable one.

    Args:
        after: bytes of the object, all pieces of a resumable upload together.
    """

    def shape(app: WSGIApplication, environ: WSGIEnvironment) -> Shaped | None:
        piece = _piece(environ)
        if piece is None or piece[1] < after:
            return None
        start = piece[0]
        if not _is_session(environ) or start >= after:
            return _nothing, {}

        def first_bytes(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            # Without the server's word that the input has an end, nothing beyond the length is read.
            cut = {name: value for name, value in environ.items() if name != "wsgi.input_terminated"}
            cut |= {LENGTH: str(after - start), RANGE: f"bytes {start}-{after - 1}/*"}
            return app(cut, start_response)

        return first_bytes, {}

    return shape


def session_until(after: int) -> Shape:
    """The same of resumable uploads alone."""
    until = upload_until(after)
    return lambda app, environ: until(app, environ) if _is_session(environ) else None


def download(app: WSGIApplication, environ: WSGIEnvironment) -> Shaped | None:
    """Requests for the content of an object."""
    return (app, {}) if _is_download(environ) else None


def whole_download(app: WSGIApplication, environ: WSGIEnvironment) -> Shaped | None:
    """Requests for the content of an object from its first byte on."""
    first = environ.get("HTTP_RANGE", "bytes=0-").startswith("bytes=0-")
    return (app, {}) if first and _is_download(environ) else None


def upload_session(app: WSGIApplication, environ: WSGIEnvironment) -> Shaped | None:
    """Pieces of resumable uploads."""
    return (app, {}) if _is_session(environ) else None


def stall(after: int) -> Shape:
    """Uploads and downloads that go beyond a byte, and where in their own bodies that is.

    Args:
        after: bytes of the object, all pieces of a resumable upload together; of what is downloaded, of the answer.
    """

    def shape(app: WSGIApplication, environ: WSGIEnvironment) -> Shaped | None:
        if _is_download(environ):
            return app, {"when": "after", "after_bytes": after}
        piece = _piece(environ)
        if piece is None or not piece[0] <= after < piece[1]:
            return None
        return app, {"when": "before", "after_bytes": after - piece[0]}

    return shape


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
    return int(found[1]), int(found[1]) + size


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

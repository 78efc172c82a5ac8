"""One request to the store, whatever the service is, and the answers that it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from os import urandom
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIEnvironment

from werkzeug.wrappers import Request, Response

from faultinject.adapters.servers import SENT_HEADERS
from faultinject.engine.request import WSGIRequest
from faultinject.http.wire import reason
from faultinject.store.bodies import cut
from faultinject.store.buckets import Buckets, Stored, StoreError
from faultinject.store.uploads import Uploads
from faultinject.vendors.documented import DocumentedError
from faultinject.vendors.vendor import Addressing, Rendering, Vendor, without_port


class StoreAnswer(Response):
    """A response that has no Content-Type unless it is given one."""

    default_mimetype = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What all requests to one store share."""

    vendor: Vendor
    mistakes: Mapping[str, str]
    reading: Addressing
    buckets: Buckets
    uploads: Uploads
    clock: Callable[[], float]


class Exchange:
    """One request.

    Attributes:
        bucket: the bucket that it names, or empty.
        key: the key that it names, or empty.
        now: unix seconds.
        below: the path below the mount point, decoded.
        valid: whether path and query are UTF-8; of a query that is not, no parameter can be read.
    """

    content_type = ""
    """Of the answers' documents."""

    def __init__(self, service: Service, environ: WSGIEnvironment) -> None:
        self.service = service
        self.request = Request(environ, populate_request=False)
        self.now = service.clock()
        self.ids = service.vendor.make_ids(urandom(64), int(self.now))
        path = environ.get("PATH_INFO", "").encode("latin-1")
        self.below = path.decode(errors="replace")
        targets = (environ.get(name, "") for name in ("RAW_URI", "REQUEST_URI", "QUERY_STRING"))
        self.valid = self.below.encode() == path and all(map(_is_utf8, targets))
        self.bucket = self.key = ""

    @property
    def host(self) -> str:
        """The Host without port, in lower case."""
        return without_port(self.request.environ.get("HTTP_HOST", ""))

    def spelled_headers(self) -> list[tuple[str, str]]:
        """The request's headers with their names as they were sent, where the server tells those; else in lower case.

        WSGI has no underscores in them, which names of metadata have.
        """
        environ = self.request.environ
        # Of another server than ours a2wsgi gives the scope.
        sent = environ.get(SENT_HEADERS) or environ.get("asgi.scope", {}).get("headers")
        if sent is None:
            return [(name.lower(), value) for name, value in self.request.headers]
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in sent]

    def number(self, name: str, default: int) -> int:
        """A query parameter that is a number from 0 on."""
        text = self.request.args.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise StoreError("argument")
        return int(text)

    def answer(
        self,
        status: int,
        body: bytes | Iterable[bytes] = b"",
        *,
        document: bool = False,
        headers: Iterable[tuple[str, str]] = (),
    ) -> StoreAnswer:
        """A good answer, with the request id; `document` gives it the service's Content-Type if it has a body."""
        answer = StoreAnswer(body, status=status_line(status))
        for name, identity in self.service.vendor.id_headers[:1]:
            answer.headers[name] = self.ids[identity]
        if document and body:
            answer.headers["Content-Type"] = self.content_type
        for name, value in headers:
            answer.headers[name] = value
        return answer

    def content(
        self, stored: Stored, wanted: tuple[int, int] | None, headers: Iterable[tuple[str, str]]
    ) -> StoreAnswer:
        """An object's content, or of it what is wanted: from the first place up to the second."""
        if wanted is None:
            return self.answer(200, stored.blocks, headers=[*headers, ("Content-Length", str(stored.size))])
        start, stop = wanted
        part = [
            ("Content-Range", f"bytes {start}-{stop - 1}/{stored.size}"),
            ("Content-Length", str(stop - start)),
        ]
        return self.answer(206, cut(stored.blocks, start, stop), headers=[*headers, *part])

    def refusal(self, error: StoreError) -> StoreAnswer:
        """The vendor's documented error for a mistake."""
        vendor, reading, row = self.service.vendor, self.service.reading, self.documented(error)
        request = WSGIRequest(self.request.environ)
        assert row.status is not None
        asked = vendor.asked_form(row, request, row.status)
        made = Rendering(vendor, row, status=row.status, message=error.message, asked=asked)
        resource = ""
        if vendor.resource is not None:
            resource = vendor.resource(*reading.read_address(request), request.raw_path)
        body, more = made.render(request, reading, resource, self.ids, self.now, error.size)
        answer = StoreAnswer(body, status=f"{row.status} {made.reason or reason(row.status)}")
        answer.headers.clear()
        if made.bare_head and request.method.upper() == "HEAD":
            answer.headers["Content-Length"] = "0"
        else:
            if made.content_type:
                answer.headers["Content-Type"] = made.content_type
            answer.headers["Content-Length"] = str(len(body))
        ids = [(name, self.ids[which]) for name, which in made.id_headers]
        answer.headers.extend([*ids, *more, *error.headers])
        return answer

    def documented(self, error: StoreError) -> DocumentedError:
        """The vendor's row for a mistake."""
        return self.service.vendor.find(error.label or self.service.mistakes[error.mistake])


def _is_utf8(encoded: str) -> bool:
    """Whether a target is UTF-8 once it is decoded: some servers have put other characters in place of what is not."""
    try:
        unquote_to_bytes(encoded.encode("latin-1")).decode()
    except UnicodeError:
        return False
    return True


def status_line(code: int) -> str:
    """The status line, in the spelling of the standard: werkzeug writes it in capitals."""
    return f"{code} {HTTPStatus(code).phrase}"

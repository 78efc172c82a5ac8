"""One request to the store, read for the operations, and the answers that they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from os import urandom
from urllib.parse import quote

from werkzeug.wrappers import Request, Response

from faultinject.core.address import read_address
from faultinject.objectstore.buckets import Buckets, Stored
from faultinject.objectstore.dialects import Dialect
from faultinject.objectstore.mistakes import LABELS, StoreError
from faultinject.objectstore.preconditions import judge_write
from faultinject.objectstore.uploads import Uploads
from faultinject.vendors.vendor import DocumentedError, Vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

KEPT_HEADERS = (  # spelled as COS sends them, since its SDK gives them to its users in a plain dict
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Cache-Control",
    "Expires",
)
METADATA_BYTES = 2048
"""The most user metadata an object may have, names without their prefix (S3, QingStor and COS say 2 KB)."""


class Answer(Response):
    """A response that has no Content-Type unless it is given one."""

    default_mimetype = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What all requests to one store share."""

    vendor: Vendor
    dialect: Dialect
    endpoints: Sequence[str]
    buckets: Buckets
    uploads: Uploads
    clock: Callable[[], float]


class Call:
    """One request.

    Attributes:
        bucket: the bucket that it names, or empty.
        key: the key that it names, or empty.
        now: unix seconds.
    """

    def __init__(self, service: Service, environ: WSGIEnvironment) -> None:
        self.service = service
        self.dialect = service.dialect
        self.request = Request(environ, populate_request=False)
        self.now = service.clock()
        self.ids = service.vendor.make_ids(urandom(64), int(self.now))
        path = environ.get("PATH_INFO", "").encode("latin-1")
        below = path.decode(errors="replace")
        self.valid = below.encode() == path
        bucket, key = read_address(_host(environ), below, service.endpoints)
        self.bucket, self.key = bucket or "", key or ""

    def header(self, name: str) -> str | None:
        """A header of the vendor's own, by its name without the vendor's prefix."""
        for prefix in self.dialect.prefixes:
            if (value := self.request.headers.get(prefix + name)) is not None:
                return value
        return None

    def has(self, name: str) -> bool:
        """Whether the query has the parameter, given by S3's name."""
        return self.dialect.parameters.get(name, name) in self.request.args

    def parameter(self, name: str) -> str:
        """A query parameter, given by S3's name; empty when it is not there."""
        return self.request.args.get(self.dialect.parameters.get(name, name), "")

    def number(self, name: str, default: int) -> int:
        """A query parameter that is a number from 0 on."""
        text = self.parameter(name)
        if not text:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise StoreError("argument")
        return int(text)

    def judge_write(self, there: Stored | None) -> None:
        """Refuse a write that the request's conditions forbid for the object that is there."""
        judge_write(self.request.headers.get, there)

    def stored_headers(self) -> tuple[tuple[str, str], ...]:
        """The request's headers that are kept with an object and sent back with it."""
        headers = self.request.headers
        kept = {"Content-Type": headers.get("Content-Type") or "application/octet-stream"}
        for name in KEPT_HEADERS:
            if value := headers.get(name):
                kept[name] = value
        encodings = [each.strip() for each in kept.pop("Content-Encoding", "").split(",")]
        if encoding := ", ".join(each for each in encodings if each not in ("", "aws-chunked")):
            kept["Content-Encoding"] = encoding
        starts = tuple(f"{prefix}meta-" for prefix in self.dialect.prefixes)
        size = 0
        for name, value in headers:
            lower = name.lower()
            if lower.startswith(starts):
                kept[lower] = value
                size += len(lower.partition("meta-")[2]) + len(value)
        if size > METADATA_BYTES:
            raise StoreError("metadata")
        return tuple(kept.items())

    def answer(
        self,
        status: int,
        body: bytes | Iterable[bytes] = b"",
        *,
        document: bool = False,
        headers: Iterable[tuple[str, str]] = (),
    ) -> Answer:
        """A good answer, with the request id; `document` gives it the dialect's Content-Type if it has a body."""
        answer = Answer(body, status=_status(status))
        for name, identity in self.service.vendor.id_headers[:1]:
            answer.headers[name] = self.ids[identity]
        if document and body:
            answer.headers["Content-Type"] = self.dialect.documents.content_type
        for name, value in headers:
            answer.headers[name] = value
        return answer

    def refusal(self, error: StoreError) -> Answer:
        """The vendor's documented error for a mistake."""
        vendor = self.service.vendor
        row = self.documented(error)
        assert row.status is not None
        resource = None
        if vendor.resource is not None:
            resource = vendor.resource(self.bucket or None, self.key or None, self._raw_path())
        message = error.message or row.message
        body = vendor.render(
            code=row.code, message=message, status=row.status, resource=resource, ids=self.ids
        )
        answer = Answer(body, status=_status(row.status))
        answer.headers["Content-Type"] = vendor.content_type
        for name, identity in vendor.id_headers:
            answer.headers[name] = self.ids[identity]
        answer.headers.extend(error.headers)
        return answer

    def documented(self, error: StoreError) -> DocumentedError:
        """The vendor's row for a mistake."""
        vendor = self.service.vendor
        return vendor.find(LABELS[vendor.id][error.mistake])

    def _raw_path(self) -> str:
        environ = self.request.environ
        raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
        if raw.startswith("/"):
            return raw.partition("?")[0]
        path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        return quote(path.encode("latin-1")) or "/"


def _status(code: int) -> str:
    """The status line, in the spelling of the standard: werkzeug writes it in capitals."""
    return f"{code} {HTTPStatus(code).phrase}"


def _host(environ: WSGIEnvironment) -> str:
    """The Host without port, in lower case."""
    host: str = environ.get("HTTP_HOST", "").lower()
    return host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]

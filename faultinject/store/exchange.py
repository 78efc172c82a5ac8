"""The part of requests and answers that all services share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from os import urandom
from urllib.parse import unquote_to_bytes

from faultinject.http.wire import reason
from faultinject.store.bodies import cut
from faultinject.store.buckets import Buckets, Stored, StoreError
from faultinject.store.messages import StoreAnswer, StoreRequest, status_line
from faultinject.store.uploads import Uploads
from faultinject.vendors.addressing import Addressing, without_port
from faultinject.vendors.documented import DocumentedError
from faultinject.vendors.envelopes import Rendering
from faultinject.vendors.vendor import Vendor


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The data that all requests to one store share."""

    vendor: Vendor
    mistakes: Mapping[str, str]
    reading: Addressing
    buckets: Buckets
    uploads: Uploads
    clock: Callable[[], float]


class StoreExchange:
    """One request.

    Args:
        service: the data that all requests share.
        request: the request as it came.

    Attributes:
        bucket: the request's bucket, or empty.
        key: the request's key, or empty.
        now: the time of the request, unix seconds.
        below: the path below the mount point, decoded.
        valid: whether path and query are UTF-8; if not, no parameter can be read.
    """

    content_type = ""
    """The Content-Type of the answers' documents."""

    def __init__(self, service: Service, request: StoreRequest) -> None:
        self.service = service
        self.request = request
        self.now = service.clock()
        self.ids = service.vendor.make_ids(urandom(64), int(self.now))
        self.below = request.raw_path.decode(errors="replace")
        self.valid = self.below.encode() == request.raw_path and all(map(_is_utf8, request.targets))
        self.bucket = self.key = ""

    @property
    def host(self) -> str:
        """The Host without its port, in lower case."""
        return without_port(self.request.headers.get("host", ""))

    def number(self, name: str, default: int) -> int:
        """Read a query parameter that is a number from 0 on."""
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
        """Make a successful answer, with the request id.

        With `document`, an answer with a body has the Content-Type of the service's documents.
        """
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
        """Answer with an object's content, or with the wanted part: its start and its stop."""
        if wanted is None:
            return self.answer(200, stored.blocks, headers=[*headers, ("Content-Length", str(stored.size))])
        start, stop = wanted
        part = [
            ("Content-Range", f"bytes {start}-{stop - 1}/{stored.size}"),
            ("Content-Length", str(stop - start)),
        ]
        return self.answer(206, cut(stored.blocks, start, stop), headers=[*headers, *part])

    def refusal(self, error: StoreError) -> StoreAnswer:
        """Answer with the vendor's documented error for a mistake."""
        vendor, reading, row = self.service.vendor, self.service.reading, self.documented(error)
        request = self.request.view
        assert row.status is not None
        form = vendor.asked_form(row, request, row.status)
        rendering = Rendering(vendor, row, status=row.status, message=error.message, asked=form)
        resource = ""
        if vendor.resource is not None:
            resource = vendor.resource(*reading.read_address(request), request.raw_path)
        body, more = rendering.render(request, reading, resource, self.ids, self.now, error.size)
        answer = StoreAnswer(body, status=f"{row.status} {rendering.reason or reason(row.status)}")
        answer.headers.clear()
        if rendering.bare_head and request.method.upper() == "HEAD":
            answer.headers["Content-Length"] = "0"
        else:
            if rendering.content_type:
                answer.headers["Content-Type"] = rendering.content_type
            answer.headers["Content-Length"] = str(len(body))
        ids = [(name, self.ids[id_name]) for name, id_name in rendering.id_headers]
        answer.headers.extend([*ids, *more, *error.headers])
        return answer

    def documented(self, error: StoreError) -> DocumentedError:
        """Find the vendor's row for a mistake."""
        return self.service.vendor.find(error.label or self.service.mistakes[error.mistake])


def _is_utf8(encoded: str) -> bool:
    """Whether a target is UTF-8 once it is decoded."""
    # Some servers replace bytes that are not UTF-8 with other characters.
    try:
        unquote_to_bytes(encoded.encode("latin-1")).decode()
    except UnicodeError:
        return False
    return True

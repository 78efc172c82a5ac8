"""Requests to Azure: their names, settings and conditions."""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import count
from math import inf
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from werkzeug.http import http_date, parse_date, parse_etags

from faultinject.store.buckets import Bucket, Headers, Stored, StoreError
from faultinject.store.exchange import Service, StoreExchange
from faultinject.store.lease import Lease, lease_state
from faultinject.store.messages import StoreAnswer, StoreRequest
from faultinject.store.preconditions import judge_read

VERSION = "2021-12-02"
"""The API version of answers to requests that name none."""
META = "x-ms-meta-"
METADATA_BYTES = 8192
"""The largest size of metadata in bytes.

https://learn.microsoft.com/rest/api/storageservices/setting-and-retrieving-properties-and-metadata-for-blob-resources
"""
SETTINGS = {
    "x-ms-blob-content-type": "Content-Type",
    "x-ms-blob-content-encoding": "Content-Encoding",
    "x-ms-blob-content-language": "Content-Language",
    "x-ms-blob-content-disposition": "Content-Disposition",
    "x-ms-blob-cache-control": "Cache-Control",
    "x-ms-blob-content-md5": "Content-MD5",
}
"""The headers that show a blob's properties, by the headers that set them."""
ABSENT_HEADERS = (
    "x-ms-if-tags",
    "x-ms-source-if-tags",
    "x-ms-source-lease-id",
    "x-ms-structured-body",
    "x-ms-tags",
)
"""Headers that change a request's meaning, and that the store does not support."""
KIND, COUNT = "x-ms-blob-type", "x-ms-blob-committed-block-count"
"""Headers with a blob's kind, and with the number of an append blob's blocks."""
EPOCH = 621_355_968_000_000_000
"""1970 in the unit of Azure's entity tags: 100 ns since the year 1."""

_changes = count()


class AzureCall(StoreExchange):
    """One request: `/ACCOUNT/CONTAINER/BLOB`, or `/CONTAINER/BLOB` below the account's Host.

    Attributes:
        level: the level of its target: `account`, `container` or `blob`.
    """

    content_type = "application/xml"

    def __init__(self, service: Service, request: StoreRequest) -> None:
        super().__init__(service, request)
        self.bucket, self.key = _find_names(self.host, self.below, service)
        self.level = "blob" if self.key else "container" if self.bucket else "account"

    @property
    def endpoint(self) -> str:
        """The account's address, which listings show."""
        root = self.request.root_url
        if self.service.reading.bucket_of(self.host) is not None:
            return root
        return f"{root}{self.below.removeprefix('/').partition('/')[0]}/"

    def header(self, name: str) -> str | None:
        """Find a header of the request."""
        return self.request.headers.get(name)

    def answer(
        self,
        status: int,
        body: bytes | Iterable[bytes] = b"",
        *,
        document: bool = False,
        headers: Iterable[tuple[str, str]] = (),
    ) -> StoreAnswer:
        """Make a successful answer, which repeats the request's version and id."""
        answer = super().answer(status, body, document=document, headers=headers)
        answer.headers["x-ms-version"] = self.header("x-ms-version") or VERSION
        if client_id := self.header("x-ms-client-request-id"):
            answer.headers["x-ms-client-request-id"] = client_id
        return answer

    def settings(self) -> Headers:
        """The properties that the request sets."""
        return tuple((shown, value) for name, shown in SETTINGS.items() if (value := self.header(name)))

    def metadata(self) -> Headers:
        """Read the user metadata that the request sets; names keep their capitals.

        Raises:
            StoreError: `metadata`, `metadata_key`, `metadata_name`.
        """
        headers = self.request.sent
        metadata = [(name[len(META) :], value) for name, value in headers if name.lower().startswith(META)]
        for key, _ in metadata:
            if not key:
                raise StoreError("metadata_key")
            if not key.isidentifier():
                raise StoreError("metadata_name")
        if sum(len(key) + len(value) for key, value in metadata) > METADATA_BYTES:
            raise StoreError("metadata")
        return tuple((META + key, value) for key, value in metadata)

    def judge_conditions(self, present: Stored | None) -> None:
        """Refuse a change if the request's conditions forbid it for the present blob.

        Raises:
            StoreError: `blob_exists`, `precondition`.
        """
        match, none_match = self.header("if-match"), self.header("if-none-match")
        if match is not None and (present is None or not parse_etags(match).contains(present.etag)):
            raise StoreError("precondition")
        if present is None:
            return
        if none_match == "*":
            raise StoreError("blob_exists")
        if none_match is not None and parse_etags(none_match).contains_weak(present.etag):
            raise StoreError("precondition")
        self.judge_time(present.modified)

    def judge_time(self, changed: float) -> None:
        """Refuse a change if the request's conditions on the time of the last change forbid it.

        Raises:
            StoreError: `precondition`.
        """
        if (since := parse_date(self.header("if-unmodified-since"))) and int(changed) > since.timestamp():
            raise StoreError("precondition")
        if (since := parse_date(self.header("if-modified-since"))) and int(changed) <= since.timestamp():
            raise StoreError("precondition")

    @property
    def lease(self) -> Lease | None:
        """The lease of the blob or of the container; None if it has none."""
        return self.service.buckets.find(self.bucket).leases.get(self.key)

    def judge_lease(self, *, required: bool) -> None:
        """Refuse a request that the lease forbids.

        Args:
            required: whether the request needs the id of an active lease; then a lease that has ended is removed.

        Raises:
            StoreError: `lease`.
        """
        lease, id_given = self.lease, self.guid("x-ms-lease-id")
        current = lease_state(lease, self.now)
        locked = current in ("leased", "breaking")
        if id_given is None:
            if required and locked:
                raise self.lease_error("LeaseIdMissing")
            if required:
                self.service.buckets.find(self.bucket).leases.pop(self.key, None)
        elif lease is None or (not locked and id_given != lease.id):
            raise self.lease_error(f"LeaseNotPresentWith{self.level.title()}Operation")
        elif not locked:
            raise self.lease_error("LeaseLost")
        elif id_given != lease.id:
            raise self.lease_error(f"LeaseIdMismatchWith{self.level.title()}Operation")

    def lease_error(self, code: str) -> StoreError:
        """Make the error of a lease; its message names the container if that is leased."""
        message = self.service.vendor.find(code).message.replace("blob", self.level)
        return StoreError("lease", message, label=code)

    def guid(self, name: str) -> str | None:
        """Read a GUID of any form from a header, and return it in the usual form.

        Raises:
            StoreError: `header_value`.
        """
        text = self.header(name)
        try:
            return None if text is None else str(UUID(text))
        except ValueError:
            raise StoreError("header_value") from None

    def judge_write(self, present: Stored | None) -> None:
        """Refuse a write if its conditions or the blob's lease forbid it.

        Raises:
            StoreError: `blob_exists`, `precondition`, `lease`.
        """
        self.judge_conditions(present)
        self.judge_lease(required=True)

    def judge_change(self, present: Stored | None) -> None:
        """Refuse a change if there is no blob, or if its conditions or the lease forbid it.

        Raises:
            StoreError: `no_key`, `blob_exists`, `precondition`, `lease`.
        """
        if present is None:
            raise StoreError("no_key")
        self.judge_write(present)

    def copy_source(self) -> Stored | None:
        """Find the source of a copy; None if the request is not a copy.

        Raises:
            StoreError: `source`, `not_implemented`, `unsupported_header`, `no_bucket`, `no_key`,
                `source_precondition`.
        """
        source = self.header("x-ms-copy-source")
        if source is None:
            return None
        try:
            parts = urlsplit(source)
            host, known = parts.hostname or "", parts.netloc == self.request.host
        except ValueError:
            raise StoreError("source") from None
        if not known and self.service.reading.bucket_of(host) is None:
            raise StoreError("unsupported_header", "the embedded store supports copies from itself only")
        _refuse_past(parse_qs(parts.query, keep_blank_values=True))
        bucket, key = _find_names(host, unquote(parts.path), self.service)
        if not key:
            raise StoreError("source")
        stored = self.service.buckets.get(bucket, key)
        try:
            fits = judge_read(lambda name: self.header(f"x-ms-source-{name}"), stored)
        except StoreError:
            fits = False
        if not fits:
            raise StoreError("source_precondition")
        return stored


def refuse_absent(call: AzureCall) -> None:
    """Refuse a request for a feature of the service that the store does not support.

    Raises:
        StoreError: `not_implemented`, `unsupported_header`.
    """
    _refuse_past(call.request.args)
    for name in ABSENT_HEADERS:
        if call.header(name) is not None:
            raise StoreError("unsupported_header", f"the embedded store does not support {name}")
    if (call.header("x-ms-delete-snapshots") or "").lower() == "only":
        raise StoreError("unsupported_header", "the embedded store does not support snapshots")


def _refuse_past(parameters: Container[str]) -> None:
    """Refuse a query for a former state of a blob.

    Raises:
        StoreError: `not_implemented`.
    """
    for name in ("snapshot", "versionid"):
        if name in parameters:
            raise StoreError("not_implemented", f"the embedded store does not support {name}s")


def new_etag(now: float) -> str:
    """Make a unique entity tag in Azure's form."""
    return f"0x{_ticks(now) + next(_changes):X}"


def container_headers(bucket: Bucket) -> list[tuple[str, str]]:
    """ETag and Last-Modified of a container."""
    return [("ETag", f'"0x{_ticks(bucket.changed):X}"'), ("Last-Modified", http_date(bucket.changed))]


def kind_of(stored: Stored) -> str:
    """Find a blob's kind: `BlockBlob` or `AppendBlob`."""
    return dict(stored.headers).get(KIND, "BlockBlob")


def etag_headers(stored: Stored) -> list[tuple[str, str]]:
    """ETag and Last-Modified of a blob."""
    return [("ETag", f'"{stored.etag}"'), ("Last-Modified", http_date(stored.modified))]


def lease_headers(lease: Lease | None, now: float) -> Headers:
    """The headers that show the lease of a blob or container."""
    current = lease_state(lease, now)
    status = "locked" if current in ("leased", "breaking") else "unlocked"
    shown = (("x-ms-lease-status", status), ("x-ms-lease-state", current))
    if lease is None or current != "leased":
        return shown
    return (*shown, ("x-ms-lease-duration", "infinite" if lease.duration == inf else "fixed"))


def _ticks(moment: float) -> int:
    return EPOCH + int(moment * 10_000_000)


def _find_names(host: str, path: str, service: Service) -> tuple[str, str]:
    """Find the names of container and blob."""
    path = path.removeprefix("/")
    if service.reading.bucket_of(host) is None:
        path = path.partition("/")[2]
    bucket, _, key = path.partition("/")
    return bucket, key

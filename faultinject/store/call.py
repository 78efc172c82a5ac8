"""Requests in a dialect of S3, and the dialects' differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from faultinject.store.bodies import ReceivedBody
from faultinject.store.buckets import Headers, Stored, StoreError, UploadedPart
from faultinject.store.checksums import ecma, of_body
from faultinject.store.exchange import Service, StoreExchange
from faultinject.store.json import QingStorDocuments
from faultinject.store.messages import StoreRequest
from faultinject.store.preconditions import judge_delete, judge_own, judge_write
from faultinject.store.xml import XmlDocuments


@dataclass(frozen=True, slots=True)
class Dialect:
    """One vendor's differences from S3.

    Attributes:
        documents: the vendor's result and request documents.
        prefixes: the prefixes of the vendor's headers; the first is its own, the others are accepted too.
        parameters: the vendor's names of query parameters, by S3's names, if they differ.
        created: the status of answers that report something new.
        parts: the valid part numbers.
        reads_parts: whether a client can read one part of an object.
        pages: the default number of objects, and of uploads or parts, in a listing.
        checksums: whether answers about content have its CRC-64, which SDKs check.
        chunked: the mistake to report for an upload in HTTP chunks without a length; empty if the vendor accepts it.
        range_inside: whether a range that reaches beyond the object is ignored, unless the request asks for
            the behaviour of the standard
            (https://www.alibabacloud.com/help/en/oss/how-to-obtain-oss-resources-by-segmenting-http-range-requests).
        self_copy: the label of the error for a copy onto itself that changes nothing; empty if that is allowed.
        amz_checksums: whether it keeps the checksums of `x-amz-checksum-…` and gives them back.
        any_order: whether an upload may be finished with its parts in any order.
        empty_version: whether an empty version means no version, as the vendor's SDK sends one.
        absent: headers that ask for features of writes that the store does not support.
        amazon: whether it is Amazon's own S3. There creating a bucket that exists succeeds in us-east-1
            (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html; a configuration names another
            region); deleting a bucket drops the uploads in it (https://github.com/ceph/ceph/pull/15630); version 1 of
            a listing has the next marker only with a delimiter
            (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html); `+` in a copy's source is a blank
            (https://github.com/aws/aws-sdk-js/issues/1821); a range of the source must have both ends
            (https://github.com/fsspec/s3fs/issues/321); the client must list the ETag of each part
            (https://github.com/versity/versitygw/issues/2111); the default Content-Type is `binary/octet-stream`
            (https://github.com/aws/aws-sdk-java/issues/1143).
    """

    documents: XmlDocuments | QingStorDocuments
    prefixes: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    created: int = 200
    parts: range = range(1, 10001)
    reads_parts: bool = False
    pages: tuple[int, int] = (1000, 1000)
    checksums: bool = False
    chunked: str = ""
    range_inside: bool = False
    self_copy: str = ""
    amz_checksums: bool = False
    any_order: bool = False
    empty_version: bool = False
    absent: tuple[str, ...] = ("write-offset-bytes",)
    amazon: bool = False


KEPT_HEADERS = (  # spelled as COS sends them, since its SDK gives them to its users in a plain dict
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Cache-Control",
    "Expires",
)
VERSIONS = ("versionId", "generation")
"""Parameters that name a version of an object."""
ONLY_VERSION = "null"
"""The version of every object in a bucket without versions."""
METADATA_BYTES = 2048
"""The most bytes of user metadata, names without their prefix (S3, QingStor, COS: 2 KB)."""


def is_set(value: str | None) -> bool:
    """Whether a header or parameter switches its option on: it is neither empty nor `false`."""
    return (value or "").lower() not in ("", "false")


class S3Call(StoreExchange):
    """One request in a dialect of S3."""

    def __init__(self, dialect: Dialect, service: Service, request: StoreRequest) -> None:
        super().__init__(service, request)
        self.dialect = dialect
        self.content_type = dialect.documents.content_type
        named, path = service.reading.bucket_of(self.host), self.below.removeprefix("/")
        bucket, _, key = path.partition("/") if named is None else (named, "", path)
        self.bucket, self.key = bucket, key if bucket else ""

    def header(self, name: str) -> str | None:
        """Find a vendor's header by its name without the prefix."""
        for prefix in self.dialect.prefixes:
            if (value := self.request.headers.get(prefix + name)) is not None:
                return value
        return None

    def has(self, name: str) -> bool:
        """Whether the query has a parameter, named as S3 names it."""
        return self.dialect.parameters.get(name, name) in self.request.args

    def parameter(self, name: str) -> str:
        """Find a query parameter by S3's name; empty if it is missing."""
        return self.request.args.get(self.dialect.parameters.get(name, name), "")

    def number(self, name: str, default: int) -> int:
        """Read a query parameter that is a number from 0 on, by S3's name."""
        return super().number(self.dialect.parameters.get(name, name), default)

    def condition(self, name: str) -> str | None:
        """Find a condition of HTTP; TOS's SDK sends these with the vendor's prefix."""
        return self.request.headers.get(name) or self.header(name)

    def judge_start(self, present: Stored | None) -> None:
        """Refuse to begin a write if the vendor's own conditions forbid it."""
        if present is not None and (self.header("forbid-overwrite") or "").lower() == "true":
            raise StoreError("object_exists")
        judge_own(self.header, present)

    def judge_write(self, present: Stored | None) -> None:
        """Refuse a write if the request's conditions forbid it."""
        self.judge_start(present)
        judge_write(self.condition, present)

    def judge_delete(self, present: Stored | None) -> None:
        """Refuse to delete an object if the request's conditions forbid it."""
        judge_own(self.header, present)
        judge_delete(self.condition, present)

    def check_version(self) -> None:
        """Refuse a request for any version of an object but the only one.

        Raises:
            StoreError: `version` for a read; `argument` for other requests and for an empty version; `no_bucket`.
        """
        versions = [self.request.args[name] for name in VERSIONS if name in self.request.args]
        allowed = (ONLY_VERSION, "") if self.dialect.empty_version else (ONLY_VERSION,)
        if all(version in allowed for version in versions):
            return
        self.service.buckets.find(self.bucket)
        if self.request.method in ("GET", "HEAD") and all(versions):
            raise StoreError("version")
        raise StoreError("argument", "Invalid version id specified")

    def checksum(self, blocks: Iterable[bytes]) -> int | None:
        """Compute the CRC-64 of content, if the vendor has it."""
        return ecma(blocks) if self.dialect.checksums else None

    def tags(self, written: Stored | UploadedPart) -> list[tuple[str, str]]:
        """The ETag header, and the CRC-64 header if the vendor has it."""
        headers = [("ETag", f'"{written.etag}"')]
        crc = self.checksum(written.blocks) if written.crc is None else written.crc
        if crc is not None:
            headers.append((f"{self.dialect.prefixes[0]}hash-crc64ecma", str(crc)))
        return headers

    def checksums(self, content: ReceivedBody) -> Headers:
        """The headers of the client's checksum, if the vendor keeps it."""
        return of_body(content.checksum) if self.dialect.amz_checksums else ()

    def stored_headers(self) -> tuple[tuple[str, str], ...]:
        """Select the request's headers that are kept with an object and sent back with it."""
        headers = self.request.headers
        unknown = f"{'binary' if self.dialect.amazon else 'application'}/octet-stream"
        content_headers = {"Content-Type": headers.get("Content-Type") or unknown}
        content_headers |= {name: value for name in KEPT_HEADERS if (value := headers.get(name))}
        encodings = [encoding.strip() for encoding in content_headers.pop("Content-Encoding", "").split(",")]
        if encoding := ", ".join(name for name in encodings if name not in ("", "aws-chunked")):
            content_headers["Content-Encoding"] = encoding
        starts = tuple(f"{prefix}meta-" for prefix in self.dialect.prefixes)
        spelled = [(name.lower(), value) for name, value in self.request.sent]
        metadata = [(name, value) for name, value in spelled if name.startswith(starts)]
        if sum(len(name.partition("meta-")[2]) + len(value) for name, value in metadata) > METADATA_BYTES:
            raise StoreError("metadata")
        return *content_headers.items(), *dict(metadata).items()

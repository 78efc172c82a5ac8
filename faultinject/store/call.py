"""One request in a dialect of S3, read for the operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from faultinject.store.bodies import Content
from faultinject.store.buckets import Headers, Part, Stored, StoreError
from faultinject.store.checksums import ecma, of_body
from faultinject.store.exchange import Exchange, Service
from faultinject.store.json import QingStorDocuments
from faultinject.store.messages import StoreRequest
from faultinject.store.preconditions import judge_delete, judge_own, judge_write
from faultinject.store.xml import XmlDocuments


@dataclass(frozen=True, slots=True)
class Dialect:
    """One vendor's way of speaking S3.

    Attributes:
        documents: its result and request documents.
        prefixes: the prefixes of its own headers; the first is its own, the others are understood as well.
        parameters: from S3's name of a query parameter to its own, where they differ.
        created: the status for something made.
        parts: the part numbers that it takes.
        reads_parts: whether one part of an object can be read alone.
        pages: the number of objects, and of uploads or parts, in a listing when the client names no number.
        checksums: whether answers about content have its CRC-64, which SDKs check.
        chunked: the mistake if content comes in chunks of HTTP, without a length; empty where it is taken.
        range_inside: whether a range that reaches beyond the object is ignored, unless the request wants the
            standard's way
            (https://www.alibabacloud.com/help/en/oss/how-to-obtain-oss-resources-by-segmenting-http-range-requests).
        self_copy: the label of the error for a copy onto itself that changes nothing; empty where that is allowed.
        amz_checksums: whether it keeps the checksums of `x-amz-checksum-…` and gives them back.
        any_order: whether an upload may be finished with its parts in any order.
        empty_version: whether an empty version is none; its SDK sends it.
        absent: headers of its own that would make a put another one, which the store has not.
        amazon: whether it is Amazon's own. There a bucket that is there is made again with success in us-east-1
            (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html; with a configuration it is for
            another region), and deleted with the uploads in it (https://github.com/ceph/ceph/pull/15630); the first
            listing names the next marker only if there is a delimiter
            (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html); `+` in a copy's source is a blank
            (https://github.com/aws/aws-sdk-js/issues/1821), and a range of it has both ends in it
            (https://github.com/fsspec/s3fs/issues/321); a list of parts names the ETag of each
            (https://github.com/versity/versitygw/issues/2111); content without a Content-Type is
            `binary/octet-stream` (https://github.com/aws/aws-sdk-java/issues/1143).
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
    """Whether a header or parameter that switches something is there and does not switch it off."""
    return (value or "").lower() not in ("", "false")


class S3Call(Exchange):
    """One request in a dialect of S3."""

    def __init__(self, dialect: Dialect, service: Service, request: StoreRequest) -> None:
        super().__init__(service, request)
        self.dialect = dialect
        self.content_type = dialect.documents.content_type
        named, path = service.reading.bucket_of(self.host), self.below.removeprefix("/")
        bucket, _, key = path.partition("/") if named is None else (named, "", path)
        self.bucket, self.key = bucket, key if bucket else ""

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
        """A query parameter that is a number from 0 on, given by S3's name."""
        return super().number(self.dialect.parameters.get(name, name), default)

    def condition(self, name: str) -> str | None:
        """One of HTTP's conditions; TOS's SDK has them under the vendor's prefix."""
        return self.request.headers.get(name) or self.header(name)

    def judge_start(self, there: Stored | None) -> None:
        """Refuse to begin a write that the vendor's own conditions forbid for the object there."""
        if there is not None and (self.header("forbid-overwrite") or "").lower() == "true":
            raise StoreError("object_exists")
        judge_own(self.header, there)

    def judge_write(self, there: Stored | None) -> None:
        """Refuse a write that the request's conditions forbid for the object that is there."""
        self.judge_start(there)
        judge_write(self.condition, there)

    def judge_delete(self, there: Stored | None) -> None:
        """Refuse to delete an object that the request's conditions protect."""
        judge_own(self.header, there)
        judge_delete(self.condition, there)

    def check_version(self) -> None:
        """Refuse a request about another version of an object than the only one.

        Raises:
            StoreError: `version` for one that reads, else `argument`, as for an empty one; `no_bucket`.
        """
        versions = [self.request.args[name] for name in VERSIONS if name in self.request.args]
        fine = (ONLY_VERSION, "") if self.dialect.empty_version else (ONLY_VERSION,)
        if all(version in fine for version in versions):
            return
        self.service.buckets.find(self.bucket)
        if self.request.method in ("GET", "HEAD") and all(versions):
            raise StoreError("version")
        raise StoreError("argument", "Invalid version id specified")

    def checksum(self, blocks: Iterable[bytes]) -> int | None:
        """The CRC-64 of a content, where the vendor has it."""
        return ecma(blocks) if self.dialect.checksums else None

    def tags(self, written: Stored | Part) -> list[tuple[str, str]]:
        """The headers that identify a content."""
        headers = [("ETag", f'"{written.etag}"')]
        crc = self.checksum(written.blocks) if written.crc is None else written.crc
        if crc is not None:
            headers.append((f"{self.dialect.prefixes[0]}hash-crc64ecma", str(crc)))
        return headers

    def checksums(self, content: Content) -> Headers:
        """The headers of the checksum that came with a content, where the vendor keeps it."""
        return of_body(content.checksum) if self.dialect.amz_checksums else ()

    def stored_headers(self) -> tuple[tuple[str, str], ...]:
        """The request's headers that are kept with an object and sent back with it."""
        headers = self.request.headers
        unknown = f"{'binary' if self.dialect.amazon else 'application'}/octet-stream"
        kept = {"Content-Type": headers.get("Content-Type") or unknown}
        kept |= {name: value for name in KEPT_HEADERS if (value := headers.get(name))}
        encodings = [encoding.strip() for encoding in kept.pop("Content-Encoding", "").split(",")]
        if encoding := ", ".join(name for name in encodings if name not in ("", "aws-chunked")):
            kept["Content-Encoding"] = encoding
        starts = tuple(f"{prefix}meta-" for prefix in self.dialect.prefixes)
        spelled = [(name.lower(), value) for name, value in self.request.sent]
        own = [(name, value) for name, value in spelled if name.startswith(starts)]
        if sum(len(name.partition("meta-")[2]) + len(value) for name, value in own) > METADATA_BYTES:
            raise StoreError("metadata")
        return *kept.items(), *dict(own).items()

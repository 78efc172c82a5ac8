"""S3's XML documents, which most vendors have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote_plus
from xml.etree import ElementTree as ET

from faultinject.store.buckets import Bucket, Headers, Stored, StoreError, Upload, UploadedPart
from faultinject.store.checksums import COMPOSITE, KIND, WHOLE, element
from faultinject.store.documents import (
    OWNER,
    Deletion,
    Failure,
    KeysPage,
    NamedObject,
    iso,
    read_number,
    token_of,
)
from faultinject.vendors.envelopes import escape_xml

TAGS = 150_000
"""The largest number of tags in a document: each takes far more memory than its text."""
DECLARATION = "<?xml version='1.0' encoding='utf-8' ?>\n"

Field = tuple[str, "str | int | bool | Sequence[Field] | None"]
"""An element: name with attributes, and its text or children; None leaves it out."""

_NAMES: list[Field] = [("ID", OWNER), ("DisplayName", OWNER)]
_OWNER: Field = ("Owner", _NAMES)
_GRANTEE = 'Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'


class XmlDocuments:
    """Writes and reads S3's documents.

    Args:
        namespace: the namespace of the answers' root elements, or empty.
    """

    content_type = "application/xml"
    kind: str | None = None
    """The type of an object in a listing."""
    last: int | str | None = None
    """The next marker on the last page of a listing of uploads or parts."""

    def __init__(self, namespace: str = "") -> None:
        self._namespace = namespace

    def buckets(self, buckets: list[Bucket], prefix: str) -> bytes:
        """Write `ListAllMyBucketsResult`."""
        rows: list[Field] = [("Bucket", self._bucket(bucket)) for bucket in buckets]
        return self._document(
            "ListAllMyBucketsResult", [("Prefix", prefix or None), _OWNER, ("Buckets", rows)]
        )

    def _bucket(self, bucket: Bucket) -> list[Field]:
        return [("Name", bucket.name), ("Location", ""), ("CreationDate", self._time(bucket.created))]

    def location(self) -> bytes:
        """Write an empty `LocationConstraint`: the store is in no region."""
        return self._document("LocationConstraint", [])

    def never_versioned(self) -> bytes:
        """Write `VersioningConfiguration` of a bucket without versions."""
        return self._document("VersioningConfiguration", [])

    def private(self) -> bytes:
        """Write `AccessControlPolicy` of an object on which only the owner has rights."""
        grant: Field = ("Grant", [(_GRANTEE, _NAMES), ("Permission", "FULL_CONTROL")])
        return self._document("AccessControlPolicy", [_OWNER, ("AccessControlList", [grant])])

    def objects(
        self, keys: KeysPage, objects: list[Stored], *, token: str | None, owners: bool, marks: bool
    ) -> bytes:
        """Write `ListBucketResult`.

        Args:
            keys: the request and its page.
            objects: the objects of the page.
            token: the request's token for ListObjectsV2, or empty; None for ListObjects.
            owners: whether to show each object's owner.
            marks: whether ListObjects shows where the next page begins.
        """
        name, page = _encoder(keys.encoded), keys.page
        second, (marker, _) = token is not None, keys.marker
        following = None if page.next is None else page.next[0]
        fields: list[Field] = [
            ("Name", keys.bucket),
            ("EncodingType", "url" if keys.encoded else None),
            ("Prefix", name(keys.prefix)),
            ("StartAfter", name(marker) or None) if second else ("Marker", name(marker)),
            ("ContinuationToken", token or None),
            ("KeyCount", len(objects) + len(page.prefixes) if second else None),
            ("MaxKeys", keys.limit),
            ("Delimiter", name(keys.delimiter) if keys.delimiter else None),
            ("IsTruncated", following is not None),
            ("NextContinuationToken", token_of(following) if second and following else None),
            ("NextMarker", name(following) if marks and following and not second else None),
        ]
        for stored in objects:
            row: list[Field] = [("Key", name(stored.key)), ("LastModified", self._time(stored.modified))]
            row += [("ETag", f'"{stored.etag}"'), ("Type", self.kind), ("Size", stored.size)]
            row += [_OWNER] if owners else []
            row.append(("StorageClass", "STANDARD"))
            fields.append(("Contents", row))
        fields += _prefixes(page.prefixes, name)
        return self._document("ListBucketResult", fields)

    def uploads(self, keys: KeysPage, uploads: list[Upload]) -> bytes:
        """Write `ListMultipartUploadsResult`."""
        name, page = _encoder(keys.encoded), keys.page
        fields: list[Field] = [
            ("Bucket", keys.bucket),
            ("EncodingType", "url" if keys.encoded else None),
            ("KeyMarker", name(keys.marker[0])),
            ("UploadIdMarker", keys.marker[1]),
            ("Prefix", name(keys.prefix)),
            ("Delimiter", name(keys.delimiter) if keys.delimiter else None),
            ("MaxUploads", keys.limit),
            ("IsTruncated", page.next is not None),
        ]
        key, identity = (self.last, self.last) if page.next is None else (name(page.next[0]), page.next[1])
        fields += [("NextKeyMarker", key), ("NextUploadIdMarker", identity)]
        for upload in uploads:
            row: list[Field] = [("Key", name(upload.key)), ("UploadId", upload.id), _OWNER]
            row += [("StorageClass", "STANDARD"), ("Initiated", self._time(upload.started))]
            fields.append(("Upload", row))
        fields += _prefixes(page.prefixes, name)
        return self._document("ListMultipartUploadsResult", fields)

    def parts(
        self,
        upload: Upload,
        parts: list[UploadedPart],
        *,
        bucket: str,
        marker: int,
        limit: int,
        following: int | None,
        encoded: bool,
    ) -> bytes:
        """Write `ListPartsResult`; the next page begins after the part `following`."""
        fields: list[Field] = [
            ("Bucket", bucket),
            ("EncodingType", "url" if encoded else None),
            ("Key", _encoder(encoded)(upload.key)),
            ("UploadId", upload.id),
            _OWNER,
            ("StorageClass", "STANDARD"),
            ("PartNumberMarker", marker),
            ("NextPartNumberMarker", self.last if following is None else following),
            ("MaxParts", limit),
            ("IsTruncated", following is not None),
        ]
        for part in parts:
            row: list[Field] = [("PartNumber", part.number), ("LastModified", self._time(part.modified))]
            row += [("ETag", f'"{part.etag}"'), ("Size", part.size)]
            fields.append(("Part", [*row, *((element(name), value) for name, value in part.checksums)]))
        if upload.checksum:
            name, whole = upload.checksum
            fields.append(("ChecksumAlgorithm", name.upper()))
            fields.append((element(KIND), WHOLE if whole else COMPOSITE))
        return self._document("ListPartsResult", fields)

    def started(self, bucket: str, upload: Upload) -> bytes:
        """Write `InitiateMultipartUploadResult`."""
        fields: list[Field] = [("Bucket", bucket), ("Key", upload.key), ("UploadId", upload.id)]
        return self._document("InitiateMultipartUploadResult", fields)

    def finished(self, bucket: str, stored: Stored, location: str) -> bytes:
        """Write `CompleteMultipartUploadResult`."""
        fields: list[Field] = [("Location", location), ("Bucket", bucket), ("Key", stored.key)]
        fields.append(("ETag", f'"{stored.etag}"'))
        fields += [(element(name), value) for name, value in stored.checksums]
        return self._document("CompleteMultipartUploadResult", fields)

    def copied(self, etag: str, modified: float, *, part: bool, checksums: Headers = ()) -> bytes:
        """Write `CopyObjectResult` or `CopyPartResult`."""
        root = "CopyPartResult" if part else "CopyObjectResult"
        shown = [(element(name), value) for name, value in checksums]
        return self._document(root, [("ETag", f'"{etag}"'), ("LastModified", self._time(modified)), *shown])

    def deleted(self, keys: list[str], failures: list[Failure], deletion: Deletion) -> bytes:
        """Write `DeleteResult`."""
        name = _encoder(deletion.encoded)
        fields: list[Field] = [("EncodingType", "url")] if deletion.encoded else []
        fields += [] if deletion.quiet else [("Deleted", [("Key", name(key))]) for key in keys]
        for named, error in failures:
            row: list[Field] = [("Key", name(named.key)), ("VersionId", named.version)]
            fields.append(("Error", [*row, ("Code", error.code), ("Message", error.message)]))
        return self._document("DeleteResult", fields)

    def read_parts(self, document: bytes) -> list[tuple[int, str | None]]:
        """Read the parts of a `CompleteMultipartUpload`."""
        return [
            (read_number(part.findtext("{*}PartNumber", "").strip()), part.findtext("{*}ETag"))
            for part in parse(document).iterfind("{*}Part")
        ]

    def read_keys(self, document: bytes) -> Deletion:
        """Read the objects of a `Delete`; its `EncodingType` may percent-encode their keys."""
        root = parse(document)
        encoded = root.findtext("{*}EncodingType", "").strip().lower() == "url"
        name = unquote_plus if encoded else str
        objects = [
            NamedObject(
                name(element.findtext("{*}Key", "")),
                element.findtext("{*}VersionId") or None,
                element.findtext("{*}ETag") or None,
            )
            for element in root.iterfind("{*}Object")
        ]
        return Deletion(objects, root.findtext("{*}Quiet", "").strip().lower() == "true", encoded)

    def _time(self, moment: float) -> str:
        return iso(moment)

    def _document(self, root: str, fields: Sequence[Field]) -> bytes:
        space = f' xmlns="{self._namespace}"' if self._namespace else ""
        return f"{DECLARATION}<{root}{space}>{inner(fields)}</{root}>".encode()


class OssDocuments(XmlDocuments):
    """OSS's documents: S3's, with more about a bucket, and times without milliseconds.

    OSS's SDK cannot read milliseconds.
    """

    kind = "Normal"
    last = ""

    def _bucket(self, bucket: Bucket) -> list[Field]:
        return [
            ("Name", bucket.name),
            ("Location", "oss"),
            ("CreationDate", self._time(bucket.created)),
            ("ExtranetEndpoint", ""),
            ("IntranetEndpoint", ""),
            ("StorageClass", "Standard"),
        ]

    def _time(self, moment: float) -> str:
        return iso(int(moment))


def inner(fields: Sequence[Field]) -> str:
    """Write elements one after another."""
    return "".join(
        f"<{name}>{_text(value)}</{name.partition(' ')[0]}>" for name, value in fields if value is not None
    )


def _text(value: str | int | Sequence[Field]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return escape_xml(value)
    return str(value) if isinstance(value, int) else inner(value)


def _prefixes(prefixes: list[str], name: Callable[[str], str]) -> list[Field]:
    return [("CommonPrefixes", [("Prefix", name(prefix))]) for prefix in prefixes]


def _encoder(encoded: bool) -> Callable[[str], str]:
    return quote if encoded else str


def parse(document: bytes) -> ET.Element:
    """Read a document, and return its root element.

    Document type declarations are refused: they are the usual attack on parsers of XML.
    """
    try:
        text = document.decode()
        if "<!DOCTYPE" in text or text.count("<") > TAGS:
            raise StoreError("malformed")
        return ET.fromstring(text)  # noqa: S314  # no document type, so no entities
    except (UnicodeDecodeError, ET.ParseError) as error:
        raise StoreError("malformed") from error

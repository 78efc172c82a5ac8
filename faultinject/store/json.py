"""Documents in JSON: QingStor's own, and S3's documents in the JSON of TOS, BOS and JSS.

QingStor's follow its API pages and its SDK. TOS keeps S3's names, https://www.volcengine.com/docs/6349/74868; BOS's
names begin with a lowercase letter, https://cloud.baidu.com/doc/BOS/s/Ejwvyqobd. An element that XML repeats is a
list in JSON, with a plural name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from faultinject.store.buckets import Bucket, Stored, StoreError, Upload, UploadedPart
from faultinject.store.documents import OWNER, Deletion, Failure, KeysPage, NamedObject, iso, read_number
from faultinject.store.xml import Field, XmlDocuments


class QingStorDocuments:
    """Writes and reads QingStor's documents."""

    content_type = "application/json"

    def buckets(self, buckets: list[Bucket], prefix: str) -> bytes:  # noqa: ARG002
        """Write the list of buckets."""
        rows = [{"name": bucket.name, "location": "", "created": iso(bucket.created)} for bucket in buckets]
        return _dump({"count": len(rows), "buckets": rows})

    def location(self) -> bytes:
        """Write the region of a bucket, which is empty."""
        return _dump({"location": ""})

    def never_versioned(self) -> bytes:
        """Write the versioning of a bucket, which has none."""
        return _dump({})

    def objects(self, keys: KeysPage, objects: list[Stored], **_: object) -> bytes:
        """Write a page of objects; the next one begins at `next_marker`."""
        following = keys.page.next or ("", "")
        return _dump(
            {
                "name": keys.bucket,
                "prefix": keys.prefix,
                "delimiter": keys.delimiter,
                "marker": keys.marker[0],
                "next_marker": following[0],
                "limit": keys.limit,
                "has_more": keys.page.next is not None,
                "owner": {"id": OWNER, "name": OWNER},
                "keys": [
                    {
                        "key": stored.key,
                        "size": stored.size,
                        "modified": int(stored.modified),
                        "created": iso(stored.modified),
                        "mime_type": dict(stored.headers)["Content-Type"],
                        "etag": f'"{stored.etag}"',
                        "encrypted": False,
                        "storage_class": "STANDARD",
                    }
                    for stored in objects
                ],
                "common_prefixes": keys.page.prefixes,
            }
        )

    def uploads(self, keys: KeysPage, uploads: list[Upload]) -> bytes:
        """Write a page of multipart uploads."""
        key, identity = keys.page.next or ("", "")
        return _dump(
            {
                "name": keys.bucket,
                "prefix": keys.prefix,
                "delimiter": keys.delimiter,
                "marker": keys.marker[0],
                "next_key_marker": key,
                "next_upload_id_marker": identity,
                "limit": keys.limit,
                "has_more": keys.page.next is not None,
                "uploads": [
                    {"key": upload.key, "upload_id": upload.id, "created": iso(upload.started)}
                    for upload in uploads
                ],
                "common_prefixes": keys.page.prefixes,
            }
        )

    def parts(self, _upload: Upload, parts: list[UploadedPart], **_: object) -> bytes:
        """Write a page of parts."""
        rows = [
            {
                "part_number": part.number,
                "size": part.size,
                "created": iso(part.modified),
                "etag": f'"{part.etag}"',
            }
            for part in parts
        ]
        return _dump({"count": len(rows), "object_parts": rows})

    def started(self, bucket: str, upload: Upload) -> bytes:
        """Write bucket, key and the upload's id."""
        return _dump({"bucket": bucket, "key": upload.key, "upload_id": upload.id})

    def finished(self, bucket: str, stored: Stored, location: str) -> bytes:  # noqa: ARG002 - XML has them
        """Write an empty document, since the ETag is in a header."""
        return b""

    def copied(self, etag: str, modified: float, **_: object) -> bytes:  # noqa: ARG002 - XML has them
        """Write an empty document, since the ETag is in a header."""
        return b""

    def deleted(self, keys: list[str], failures: list[Failure], deletion: Deletion) -> bytes:
        """Write the deleted keys, and the keys that could not be deleted."""
        return _dump(
            {
                "deleted": [] if deletion.quiet else [{"key": key} for key in keys],
                "errors": [
                    {"key": named.key, "code": error.code, "message": error.message}
                    for named, error in failures
                ],
            }
        )

    def read_parts(self, document: bytes) -> list[tuple[int, str | None]]:
        """Read the parts of `{"object_parts": [{"part_number", "etag"}]}`."""
        return parts_in(read_object(document), "object_parts", "part_number", "etag")

    def read_keys(self, document: bytes) -> Deletion:
        """Read the keys of `{"objects": [{"key"}], "quiet"}`."""
        return objects_in(read_object(document), "objects", "key", "version_id", "quiet")


def _dump(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def read_object(document: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        StoreError: `malformed`.
    """
    try:
        loaded = json.loads(document)
        # It refuses half a surrogate pair, which no answer could repeat.
        json.dumps(loaded, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise StoreError("malformed") from error
    if not isinstance(loaded, dict):
        raise StoreError("malformed")
    return loaded


def _rows(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = document.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise StoreError("malformed")
    return rows


def parts_in(document: dict[str, Any], rows: str, number: str, etag: str) -> list[tuple[int, str | None]]:
    """Read part numbers and ETags, by the names of the list and of its fields.

    Raises:
        StoreError: `malformed`.
    """
    named = [(row.get(number), row.get(etag)) for row in _rows(document, rows)]
    if not all(isinstance(tag, str | None) for _, tag in named):
        raise StoreError("malformed")
    return [(read_number(str(part)), tag) for part, tag in named]


def objects_in(document: dict[str, Any], rows: str, key: str, version: str, quiet: str) -> Deletion:
    """Read the objects to delete, by the names of the list and of the fields.

    Raises:
        StoreError: `malformed`.
    """
    named: list[tuple[Any, Any]] = [(row.get(key), row.get(version) or None) for row in _rows(document, rows)]
    if not all(isinstance(key, str) and isinstance(version, str | None) for key, version in named):
        raise StoreError("malformed")
    return Deletion([NamedObject(key, version) for key, version in named], document.get(quiet) is True)


LISTS = {
    "Bucket": "Buckets",
    "CommonPrefixes": "CommonPrefixes",
    "Contents": "Contents",
    "Deleted": "Deleted",
    "Error": "Error",
    "Part": "Parts",
    "Upload": "Uploads",
}
"""The names of lists, by the element that XML repeats."""


class TosDocuments(XmlDocuments):
    """Writes and reads TOS's documents."""

    content_type = "application/json"
    quoted = True
    """Whether entity tags are quoted."""

    def read_parts(self, document: bytes) -> list[tuple[int, str | None]]:
        """Read the parts of `{"Parts": [{"PartNumber", "ETag"}]}`."""
        loaded = read_object(document)
        return parts_in(loaded, self._name("Parts"), self._name("PartNumber"), self._name("ETag"))

    def read_keys(self, document: bytes) -> Deletion:
        """Read the objects of `{"Objects": [{"Key", "VersionId"}], "Quiet"}`."""
        names = map(self._name, ("Objects", "Key", "VersionId", "Quiet"))
        return objects_in(read_object(document), *names)

    def _document(self, root: str, fields: Sequence[Field]) -> bytes:  # noqa: ARG002
        return json.dumps(self._object(fields), ensure_ascii=False, separators=(",", ":")).encode()

    def _object(self, fields: Sequence[Field]) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for name, value in fields:
            if value is None:
                continue
            if name == "ETag" and isinstance(value, str) and not self.quoted:
                value = value.strip('"')  # noqa: PLW2901
            if name in LISTS and isinstance(value, list):
                document.setdefault(self._name(LISTS[name]), []).append(self._object(value))
            elif name == "Buckets" and isinstance(value, list):
                document[self._name(name)] = [self._object(row) for _, row in value]
            else:
                document[self._name(name)] = self._object(value) if isinstance(value, list) else value
        return document

    def _name(self, name: str) -> str:
        return name


class BosDocuments(TosDocuments):
    """Writes and reads BOS's documents."""

    content_type = "application/json; charset=utf-8"
    quoted = False

    def _name(self, name: str) -> str:
        if name == "Error":
            return "errors"
        return "id" if name == "ID" else name[0].lower() + name[1:]


class JssDocuments(TosDocuments):
    """Writes and reads JSS's documents, whose lists have the name of one entry.

    No other field than `HasNext` is known to differ from S3's.
    """

    content_type = "application/json;charset=UTF-8"
    quoted = False

    def _object(self, fields: Sequence[Field]) -> dict[str, Any]:
        document = super()._object(fields)
        # JSS's client reads `Contents` of an empty page, too.
        return {"Contents": [], **document} if "MaxKeys" in document else document

    def _name(self, name: str) -> str:
        names = {"IsTruncated": "HasNext", "Objects": "Object", "Parts": "Part", "Uploads": "Upload"}
        return names.get(name, name)

"""Google's JSON resources, which describe buckets and objects.

An object's description is kept as headers: generation and metageneration, checksums and metadata have the names of
headers in Google's XML API, https://cloud.google.com/storage/docs/xml-api/reference-headers.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import md5
from itertools import count
from typing import Any
from urllib.parse import quote

from faultinject.store.buckets import Bucket, Headers, Stored, StoreError
from faultinject.store.checksums import DIGESTS, digest_of
from faultinject.store.documents import iso

DESCRIBED = {
    "contentType": "Content-Type",
    "contentEncoding": "Content-Encoding",
    "contentDisposition": "Content-Disposition",
    "contentLanguage": "Content-Language",
    "cacheControl": "Cache-Control",
}
"""The headers of an object's fields, by the fields that a client can set."""
META = "x-goog-meta-"
METADATA_BYTES = 8192
"""The largest size of metadata in bytes: https://cloud.google.com/storage/quotas#objects"""

STORAGE_CLASS, COMPONENTS = "x-goog-storage-class", "x-goog-component-count"
CLASSES = (
    "STANDARD",
    "NEARLINE",
    "COLDLINE",
    "ARCHIVE",
    "MULTI_REGIONAL",
    "REGIONAL",
    "DURABLE_REDUCED_AVAILABILITY",
)
"""The storage classes: https://cloud.google.com/storage/docs/storage-classes"""
GENERATION, METAGENERATION, HASH = "x-goog-generation", "x-goog-metageneration", "x-goog-hash"
NOT_COPIED = (GENERATION, METAGENERATION, HASH, COMPONENTS, STORAGE_CLASS)
"""Headers that a copy does not get from its source; the copy has the default storage class."""
NOTHING_THERE = ("0", "0")
BUCKET_METAGENERATION = "1"
"""The metageneration of every bucket: none has settings that change."""

_changes = count()


def generations(stored: Stored | None) -> tuple[str, str]:
    """Find the generation and metageneration of an object; both are 0 if there is none."""
    if stored is None:
        return NOTHING_THERE
    headers = dict(stored.headers)
    return headers[GENERATION], headers[METAGENERATION]


def new_generation(now: float) -> int:
    """Make a unique generation: microseconds since 1970, as Google's are."""
    return int(now * 1_000_000) + next(_changes)


def storage_class(stored: Stored) -> str:
    """Find an object's storage class."""
    return dict(stored.headers).get(STORAGE_CLASS, CLASSES[0])


def components(stored: Stored) -> str:
    """The number of objects in a composite; empty for an object that is not a composite."""
    return dict(stored.headers).get(COMPONENTS, "")


def describe_fields(document: Mapping[str, Any]) -> Headers:
    """Write a client's description of an object as headers.

    Raises:
        StoreError: `argument`, `metadata`.
    """
    given = {header: document.get(field) for field, header in DESCRIBED.items()}
    headers = {header: value for header, value in given.items() if value is not None}
    if not all(
        isinstance(value, str) and value.isascii() and value.isprintable() for value in headers.values()
    ):
        raise StoreError("argument")
    if wanted := _class_in(document):
        headers[STORAGE_CLASS] = wanted
    metadata = document.get("metadata")
    if not isinstance(metadata, dict | None):
        raise StoreError("argument")
    entries = {name: value for name, value in (metadata or {}).items() if value is not None}
    if not all(isinstance(value, str) for value in entries.values()):
        raise StoreError("argument")
    if sum(len(name.encode()) + len(value.encode()) for name, value in entries.items()) > METADATA_BYTES:
        raise StoreError("metadata")
    return (*headers.items(), *((f"{META}{name}", value) for name, value in entries.items()))


def updated_headers(stored: Stored, document: Mapping[str, Any], *, whole: bool) -> Headers:
    """Make an object's headers after an update.

    With `whole`, fields that the document does not name are dropped; otherwise they stay. Only a rewrite changes the
    storage class: https://cloud.google.com/storage/docs/changing-storage-classes

    Raises:
        StoreError: `argument`, `metadata`.
    """
    if _class_in(document) not in (None, storage_class(stored)):
        raise StoreError("argument")
    generation, metageneration = generations(stored)
    before = {name: value for name, value in stored.headers if not _is_set(name)}
    before |= {GENERATION: generation, METAGENERATION: str(int(metageneration) + 1)}
    if not whole:
        present = dict(stored.headers)
        removed = [header for field, header in DESCRIBED.items() if field in document]
        metadata = document.get("metadata", {})
        if metadata is None:
            removed += [name for name in present if name.startswith(META)]
        elif isinstance(metadata, dict):
            removed += [f"{META}{name}" for name in metadata]
        before |= {name: value for name, value in present.items() if _is_set(name) and name not in removed}
    given = {name: value for name, value in describe_fields(document) if name != STORAGE_CLASS}
    return tuple((before | given).items())


def object_resource(bucket: str, stored: Stored, base: str) -> dict[str, Any]:
    """Make an object's resource; `base` is the store's address."""
    headers = dict(stored.headers)
    generation, metageneration = generations(stored)
    sums = dict(digest.split("=", 1) for digest in headers[HASH].split(","))
    document: dict[str, Any] = {
        "kind": "storage#object",
        "id": f"{bucket}/{stored.key}/{generation}",
        "selfLink": _link(base, bucket, stored.key),
        "name": stored.key,
        "bucket": bucket,
        "generation": generation,
        "metageneration": metageneration,
        "storageClass": storage_class(stored),
        "size": str(stored.size),
        "etag": stored.etag,
        "timeCreated": iso(int(generation) / 1_000_000),
        "updated": iso(stored.modified),
        "crc32c": sums["crc32c"],
    }
    if "md5" in sums:
        document["md5Hash"] = sums["md5"]
    if COMPONENTS in headers:
        document["componentCount"] = int(headers[COMPONENTS])
    document |= {field: headers[header] for field, header in DESCRIBED.items() if header in headers}
    metadata = {name[len(META) :]: value for name, value in stored.headers if name.startswith(META)}
    if metadata:
        document["metadata"] = metadata
    return document


def bucket_resource(bucket: Bucket, base: str) -> dict[str, Any]:
    """Make a bucket's resource."""
    created = iso(bucket.created)
    return {
        "kind": "storage#bucket",
        "id": bucket.name,
        "selfLink": _link(base, bucket.name),
        "name": bucket.name,
        "projectNumber": "0",
        "metageneration": BUCKET_METAGENERATION,
        "location": "US",
        "storageClass": CLASSES[0],
        "etag": "CAE=",
        "timeCreated": created,
        "updated": created,
    }


def new_headers(description: Headers, sums: Mapping[str, str], now: float) -> Headers:
    """Make all headers of a new object: its description, and the store's own.

    A composite has no MD5.
    """
    names_kept = [name for name in sums if name != "md5" or COMPONENTS not in dict(description)]
    hashes = ",".join(f"{name}={sums[name]}" for name in names_kept)
    return (*description, (GENERATION, str(new_generation(now))), (METAGENERATION, "1"), (HASH, hashes))


def describe(content: bytes, now: float) -> tuple[str, Headers]:
    """Make the entity tag and the headers of an object."""
    headers = new_headers((("Content-Type", "application/octet-stream"),), sums_of([content]), now)
    return etag(headers), headers


def sums_of(blocks: Sequence[bytes]) -> dict[str, str]:
    """Compute the checksums of content, in base64 by name."""
    digests = {"crc32c": DIGESTS["crc32c"](), "md5": md5(usedforsecurity=False)}
    return {name: b64encode(digest_of(digest, blocks)).decode() for name, digest in digests.items()}


def content_headers(stored: Stored) -> list[tuple[str, str]]:
    """Select the headers to send with an object's content.

    Google's SDK for Node needs them to check the content: https://github.com/googleapis/nodejs-storage.
    """
    return [
        ("x-goog-stored-content-encoding", dict(stored.headers).get("Content-Encoding", "identity")),
        ("x-goog-stored-content-length", str(stored.size)),
        *(
            (name, value)
            for name, value in stored.headers
            if name.isascii()
            and value.isascii()
            and value.isprintable()
            and name.replace("-", "").isidentifier()
        ),
    ]


def etag(headers: Headers) -> str:
    """Make the entity tag of an object with these headers."""
    by_name = dict(headers)
    return b64encode(f"{by_name[GENERATION]}/{by_name[METAGENERATION]}".encode()).decode()


def _class_in(document: Mapping[str, Any]) -> str | None:
    """Read the storage class that a client names.

    Lowercase is accepted: googleapis/google-cloud-node#2001.

    Raises:
        StoreError: `argument`.
    """
    wanted = document.get("storageClass")
    if wanted is None:
        return None
    if not (isinstance(wanted, str) and wanted.upper() in CLASSES):
        raise StoreError("argument")
    return wanted.upper()


def _is_set(name: str) -> bool:
    return name.startswith(META) or name in DESCRIBED.values()


def _link(base: str, bucket: str, key: str | None = None) -> str:
    link = f"{base}storage/v1/b/{bucket}"
    return link if key is None else f"{link}/o/{quote(key, safe='')}"

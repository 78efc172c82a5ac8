"""Azure's XML documents: listings, and lists of blocks."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import quote

from werkzeug.http import http_date

from faultinject.store.azure.call import container_headers, kind_of
from faultinject.store.buckets import Bucket, Headers, Stored, StoreError, UploadedPart
from faultinject.store.xml import Field, inner, parse
from faultinject.vendors.envelopes import escape_xml

DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
ID_BYTES = 64
"""The longest id of a block in bytes, before base64."""
LISTS = ("Committed", "Uncommitted", "Latest")

SHOWN = ("Content-Type", "Content-Encoding", "Content-Language", "Content-MD5", "Content-Disposition")


def block_number(text: str) -> int:
    """Read a block's id as a number: its bytes, with a 1 in front.

    The 1 keeps zero bytes at the beginning of the id.

    Raises:
        StoreError: `part_number`.
    """
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if not 0 < len(raw) <= ID_BYTES:
        raise StoreError("part_number")
    return int.from_bytes(b"\1" + raw)


def block_id(number: int) -> str:
    """Write a number of `block_number` as the block's id."""
    return b64encode(number.to_bytes((number.bit_length() + 7) // 8)[1:]).decode()


def containers(
    endpoint: str,
    parameters: Sequence[Field],
    rows: list[Bucket],
    marker: str,
    metadata: bool,
    lease_of: Callable[[Bucket], Headers],
) -> bytes:
    """Write a page of containers; `lease_of` gives the headers about a container's lease."""
    fields: list[Field] = [
        (
            "Container",
            [
                ("Name", container.name),
                ("Properties", _container(container, _header_fields(lease_of(container)))),
                ("Metadata", _metadata(container.headers) if metadata else None),
            ],
        )
        for container in rows
    ]
    return _enumeration(
        f'ServiceEndpoint="{escape_xml(endpoint)}"', [*parameters, ("Containers", fields)], marker
    )


def blobs(
    place: tuple[str, str],
    parameters: Sequence[Field],
    page: tuple[list[Stored], list[str]],
    marker: str,
    metadata: bool,
    lease_of: Callable[[str], Headers],
) -> bytes:
    """Write a page of blobs and common prefixes in a container.

    Args:
        place: the account's endpoint and the container.
        parameters: the client's parameters, which the page repeats.
        page: blobs and prefixes; a blob of uncommitted blocks has no entity tag.
        marker: the beginning of the next page, or empty.
        metadata: whether to show the blobs' metadata.
        lease_of: the headers about the lease of a blob.
    """
    shown = [
        f"<Blob>{_name(blob.key)}{inner(_blob(blob, _header_fields(lease_of(blob.key))))}"
        + inner([("Metadata", _metadata(blob.headers) if metadata else None)])
        + "</Blob>"
        for blob in page[0]
    ]
    shown += [f"<BlobPrefix>{_name(prefix)}</BlobPrefix>" for prefix in page[1]]
    attributes = f'ServiceEndpoint="{escape_xml(place[0])}" ContainerName="{escape_xml(place[1])}"'
    return _enumeration(attributes, parameters, marker, f"<Blobs>{''.join(shown)}</Blobs>")


def block_list(kinds: Iterable[tuple[str, Iterable[tuple[int, int]]]]) -> bytes:
    """Write a blob's blocks: by kind, the number and the size of each block."""
    fields: list[Field] = [
        (kind, [("Block", [("Name", block_id(number)), ("Size", size)]) for number, size in blocks])
        for kind, blocks in kinds
    ]
    return f"{DECLARATION}<BlockList>{inner(fields)}</BlockList>".encode()


def sizes(parts: Iterable[UploadedPart]) -> list[tuple[int, int]]:
    """List the number and the size of each part."""
    return [(part.number, part.size) for part in parts]


def read_block_list(document: bytes) -> list[tuple[str, int]]:
    """Read the blocks of a Put Block List: for each the list that has it, and its number.

    Raises:
        StoreError: `malformed`, `part_number`.
    """
    blocks = []
    for block in parse(document):
        if block.tag not in LISTS:
            raise StoreError("malformed")
        blocks.append((block.tag, block_number((block.text or "").strip())))
    return blocks


def _container(bucket: Bucket, lease: list[Field]) -> list[Field]:
    (_, etag), (_, changed) = container_headers(bucket)
    return [
        ("Last-Modified", changed),
        ("Etag", etag),
        *lease,
        ("HasImmutabilityPolicy", False),
        ("HasLegalHold", False),
    ]


def _header_fields(headers: Iterable[tuple[str, str]]) -> list[Field]:
    """Fields for headers: `LeaseState` for `x-ms-lease-state`."""
    return [("".join(word.title() for word in name.split("-")[2:]), value) for name, value in headers]


def _blob(stored: Stored, lease: list[Field]) -> list[Field]:
    if not stored.etag:
        # https://learn.microsoft.com/rest/api/storageservices/list-blobs
        return [("Properties", [("Content-Length", 0), ("BlobType", "BlockBlob"), *lease])]
    headers = dict(stored.headers)
    copied = _header_fields(header for header in stored.headers if header[0].startswith("x-ms-copy-"))
    properties: list[Field] = [
        ("Creation-Time", headers["x-ms-creation-time"]),
        ("Last-Modified", http_date(stored.modified)),
        ("Etag", f'"{stored.etag}"'),
        ("Content-Length", stored.size),
        *((name, headers.get(name, "")) for name in SHOWN),
        ("Cache-Control", headers.get("Cache-Control", "")),
        ("BlobType", kind_of(stored)),
        *lease,
        *copied,
        ("ServerEncrypted", True),
    ]
    return [("Properties", properties)]


def _metadata(headers: Headers) -> list[Field] | None:
    """The element with the user metadata; None if there is none.

    Azure's SDK would read an empty element as None; Azurite leaves it out too.
    """
    metadata: list[Field] = [
        (name.removeprefix("x-ms-meta-"), value) for name, value in headers if name.startswith("x-ms-meta-")
    ]
    return metadata or None


def _name(name: str) -> str:
    """Write the element of a name, percent-encoded if XML cannot contain it."""
    if name.isprintable():
        return f"<Name>{escape_xml(name)}</Name>"
    return f'<Name Encoded="true">{quote(name)}</Name>'


def _enumeration(attributes: str, fields: Sequence[Field], marker: str, more: str = "") -> bytes:
    inside = f"{inner(fields)}{more}{inner([('NextMarker', marker)])}"
    return f"{DECLARATION}<EnumerationResults {attributes}>{inside}</EnumerationResults>".encode()

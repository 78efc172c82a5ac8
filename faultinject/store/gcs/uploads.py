"""Objects made in one request: content alone, or content with its description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from faultinject.store.bodies import receive, split_multipart
from faultinject.store.buckets import Headers, Stored
from faultinject.store.budget import Hold
from faultinject.store.exchange import Answer
from faultinject.store.gcs import resources
from faultinject.store.gcs.call import GcsCall, read_json
from faultinject.store.refusal import StoreError

Sums = Mapping[str, str]
"""Checksums in base64 by name: `crc32c`, `md5`."""


def insert_media(call: GcsCall) -> Answer:
    """objects.insert with `uploadType=media`."""
    described = (("Content-Type", call.request.headers.get("content-type") or "application/octet-stream"),)
    name = name_of(call, {})
    with call.service.buckets.budget.hold() as hold:
        blocks = receive(call.request, hold).blocks
        return write(call, (call.bucket, name), blocks, described, hold, claims=claimed_sums(call, {}))


def insert_multipart(call: GcsCall) -> Answer:
    """objects.insert with `uploadType=multipart`: what the object is called, and its content.

    Raises:
        StoreError: `multipart`; `required`, without a name; those of `write`.
    """
    with call.service.buckets.budget.hold() as hold:
        body = b"".join(receive(call.request, hold).blocks)
        parts = split_multipart(body, call.request.headers.get("content-type"))
        if len(parts) != 2:
            raise StoreError("multipart")
        (_, described_in), (head, content) = parts
        document = read_json(described_in)
        document.setdefault("contentType", _content_type(head))
        target = call.bucket, name_of(call, document)
        described = resources.described(document)
        blocks = (content,) if content else ()
        return write(call, target, blocks, described, hold, claims=claimed_sums(call, document))


def write(
    call: GcsCall,
    target: tuple[str, str],
    blocks: tuple[bytes, ...],
    described: Headers,
    hold: Hold | None = None,
    *,
    claims: Sums | None = None,
    answered: str = "",
) -> Answer:
    """Make an object, and show it.

    Args:
        call: the request, whose conditions hold for what is there.
        target: bucket and name.
        blocks: its content.
        described: its description as headers.
        hold: bytes that were taken for it already.
        claims: the checksums that it is said to have.
        answered: which answer shows it; by default the object itself.

    Raises:
        StoreError: `bad_digest`, `no_bucket`, `precondition`, `key_length`, `full`.
    """
    bucket, name = target
    call.service.buckets.find(bucket)
    headers = resources.whole(described, sums(blocks, claims or {}), call.now)
    size = sum(map(len, blocks))
    stored = Stored(name, blocks, size, resources.etag(headers), call.now, headers)
    call.service.buckets.put(bucket, stored, call.judge_write, hold)
    resource = call.resource_of(bucket, stored)
    if answered == "rewrite":
        resource = {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": str(size),
            "objectSize": str(size),
            "done": True,
            "resource": resource,
        }
    return call.json(200, resource)


def sums(blocks: Sequence[bytes], claims: Sums) -> Sums:
    """The checksums of a content.

    Raises:
        StoreError: `bad_digest`, where one is claimed to be another.
    """
    found = resources.sums_of(blocks)
    if any(found[name] != value for name, value in claims.items()):
        raise StoreError("bad_digest")
    return found


def claimed_sums(call: GcsCall, document: Mapping[str, Any]) -> Sums:
    """The checksums that a request says its content has, in its description or in a header."""
    pairs = [each.strip().partition("=") for each in call.request.headers.get("x-goog-hash", "").split(",")]
    found = {name: value for name, _, value in pairs if name in ("crc32c", "md5")}
    for name, field in (("crc32c", "crc32c"), ("md5", "md5Hash")):
        if field in document:
            found[name] = str(document[field])
    return found


def name_of(call: GcsCall, document: Mapping[str, Any]) -> str:
    """What a new object is called, in the query or in its description.

    Raises:
        StoreError: `required`.
    """
    name = call.argument("name") or document.get("name")
    if not (isinstance(name, str) and name):
        raise StoreError("required")
    return name


def _content_type(head: bytes) -> str:
    """The Content-Type in a part's own headers."""
    for line in head.decode("latin-1").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.strip()
    return "application/octet-stream"

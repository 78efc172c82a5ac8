"""Objects made in one request, and resumable uploads.

A client begins a resumable upload, sends it piece by piece, and may ask for its progress:
https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from werkzeug.urls import iri_to_uri

from faultinject.store.bodies import DOCUMENT_BYTES, cut, drain, receive, split_multipart
from faultinject.store.buckets import Headers, Stored, StoreError, Upload, UploadedPart
from faultinject.store.gcs import resources
from faultinject.store.gcs.call import GcsCall
from faultinject.store.json import read_object
from faultinject.store.messages import StoreAnswer

Sums = Mapping[str, str]
"""Checksums in base64 by name: `crc32c`, `md5`."""


def insert_media(call: GcsCall) -> StoreAnswer:
    """objects.insert with `uploadType=media`."""
    described = (("Content-Type", call.request.headers.get("content-type") or "application/octet-stream"),)
    name = name_of(call, {})
    blocks = receive(call.request, call.service.buckets).blocks
    return write(call, (call.bucket, name), blocks, described, claims=claimed_sums(call, {}))


def insert_multipart(call: GcsCall) -> StoreAnswer:
    """objects.insert with `uploadType=multipart`: the object's description, and its content.

    Raises:
        StoreError: `multipart`; `required`, without a name; those of `write`.
    """
    body = b"".join(receive(call.request, call.service.buckets).blocks)
    parts = split_multipart(body, call.request.headers.get("content-type"))
    if len(parts) != 2:
        raise StoreError("multipart")
    (_, described_in), (head, content) = parts
    if len(described_in) > DOCUMENT_BYTES:
        raise StoreError("document")
    document = read_object(described_in)
    document.setdefault("contentType", _content_type(head))
    target = call.bucket, name_of(call, document)
    described = resources.describe_fields(document)
    blocks = (content,) if content else ()
    return write(call, target, blocks, described, claims=claimed_sums(call, document))


def write(
    call: GcsCall,
    target: tuple[str, str],
    blocks: tuple[bytes, ...],
    described: Headers,
    *,
    claims: Sums | None = None,
) -> StoreAnswer:
    """Make an object, and answer with its resource, or with a rewrite's document around it.

    Args:
        call: the request, whose conditions apply to the present object.
        target: bucket and name.
        blocks: its content.
        described: its description as headers.
        claims: the checksums that the client gives.

    Raises:
        StoreError: `bad_digest`, `no_bucket`, `precondition`, `key_length`, `full`.
    """
    bucket, name = target
    call.service.buckets.find(bucket)
    stored = _make_object(call, name, blocks, described, claims or {})
    call.service.buckets.put(bucket, stored, call.judge_write)
    resource = call.resource_of(bucket, stored)
    if call.kind == "rewriteTo":
        resource = {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": str(stored.size),
            "objectSize": str(stored.size),
            "done": True,
            "resource": resource,
        }
    return call.json(resource)


def _make_object(
    call: GcsCall, name: str, blocks: tuple[bytes, ...], described: Headers, claims: Sums
) -> Stored:
    """Make a new object.

    Raises:
        StoreError: `bad_digest`, if a checksum that the client gives is wrong.
    """
    sums = resources.sums_of(blocks)
    if any(sums[name] != value for name, value in claims.items()):
        raise StoreError("bad_digest")
    headers = resources.new_headers(described, sums, call.now)
    return Stored(name, blocks, sum(map(len, blocks)), resources.etag(headers), call.now, headers)


def claimed_sums(call: GcsCall, document: Mapping[str, Any]) -> Sums:
    """Read the checksums that a request gives, in the object's description or in a header."""
    pairs = [pair.strip().partition("=") for pair in call.request.headers.get("x-goog-hash", "").split(",")]
    claims = {name: value for name, _, value in pairs if name in ("crc32c", "md5")}
    fields = {"crc32c": "crc32c", "md5": "md5Hash"}
    return claims | {name: str(document[field]) for name, field in fields.items() if field in document}


def name_of(call: GcsCall, document: Mapping[str, Any]) -> str:
    """Read the name of a new object, from the query or from its description.

    Raises:
        StoreError: `required`.
    """
    name = call.argument("name") or document.get("name")
    if not (isinstance(name, str) and name):
        raise StoreError("required")
    return name


def _content_type(head: bytes) -> str:
    """Read the Content-Type in a part's own headers."""
    for line in head.decode("latin-1").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.strip()
    return "application/octet-stream"


ENDED = 100
"""The number of ended uploads whose objects are remembered."""


def start_upload(call: GcsCall) -> StoreAnswer:
    """objects.insert with `uploadType=resumable`: answer with the address for the pieces."""
    document = dict(call.document)
    name = name_of(call, document)
    sent = call.request.headers.get("x-upload-content-type") or "application/octet-stream"
    document.setdefault("contentType", sent)
    headers = resources.describe_fields(document)
    call.judge_write(call.service.buckets.find(call.bucket).objects.get(name))
    upload = call.service.uploads.start(call.bucket, name, headers, call.now)
    query = urlencode({**call.request.args, "name": name, "upload_id": upload.id})
    session = f"{iri_to_uri(call.request.base_url)}?{query}"
    return call.answer(200, headers=[("Location", session), ("X-GUploader-UploadID", upload.id)])


def continue_upload(call: GcsCall) -> StoreAnswer:
    """Take a piece of an upload, or report its progress.

    Another request may end the upload meanwhile: then both get the object's resource, even if the object is deleted
    by now.

    Raises:
        StoreError: `no_upload`, `content_range`, `incomplete`, `bad_digest`, `precondition`, `full`.
    """
    identity = call.argument("upload_id")
    try:
        upload = _find(call, identity)
        total = _advance(call, upload)
        with call.service.buckets.lock:
            return _progress(call, upload, total) or _finish(call, upload)
    except StoreError as error:
        ended = call.finished.get(identity)
        if error.mistake != "no_upload" or ended is None:
            raise
        drain(call.request)
        return call.answer(200, ended, document=True)


def cancel_upload(call: GcsCall) -> StoreAnswer:
    """Cancel an upload."""
    upload = _find(call, call.argument("upload_id"))
    call.service.uploads.abort(call.bucket, upload.key, upload.id)
    answer = call.answer(204)
    answer.status = "499 Client Closed Request"
    return answer


def _find(call: GcsCall, identity: str) -> Upload:
    upload = call.service.buckets.find(call.bucket).uploads.get(identity)
    if upload is None:
        raise StoreError("no_upload")
    return upload


def _advance(call: GcsCall, upload: Upload) -> int | None:
    """Store the request's piece, if any, and return the whole size if the client gives it."""
    start, stop, total = _range(call.request.headers.get("content-range"))
    if start is None:
        drain(call.request)
        return total
    size = _add(call, upload, start)
    if stop is None:
        return start + size if total is None else total
    if size != stop - start:
        raise StoreError("incomplete")
    return total


def _progress(call: GcsCall, upload: Upload, total: int | None) -> StoreAnswer | None:
    """Report the progress of an upload; None if it is complete."""
    received = _received_bytes(_find(call, upload.id))
    if total == received:
        return None
    shown = [("Range", f"bytes=0-{received - 1}")] if received else []
    return call.answer(308, headers=[*shown, ("X-GUploader-UploadID", upload.id)])


def _add(call: GcsCall, upload: Upload, start: int) -> int:
    """Store a piece that begins at `start`; bytes that were sent before are skipped.

    Returns:
        The piece's size.
    """
    content = receive(call.request, call.service.buckets)
    with call.service.buckets.lock:
        known = _received_bytes(upload) - start
        if known < 0:
            raise StoreError("content_range")
        if known < content.size:
            blocks = cut(content.blocks, known, content.size)
            number = len(upload.parts) + 1
            part = UploadedPart(number, blocks, content.size - known, "", call.now)
            call.service.uploads.put_part(call.bucket, upload.key, upload.id, part)
    return content.size


def _finish(call: GcsCall, upload: Upload) -> StoreAnswer:
    """Make the object; the caller holds the lock."""
    parts = [upload.parts[number] for number in sorted(upload.parts)]
    blocks = tuple(block for part in parts for block in part.blocks)
    stored = _make_object(call, upload.key, blocks, upload.headers, claimed_sums(call, {}))
    call.service.uploads.become(call.bucket, upload.id, stored, call.judge_write)
    answer = call.json(call.resource_of(call.bucket, stored))
    call.finished[upload.id] = answer.get_data()
    if len(call.finished) > ENDED:
        call.finished.popitem(last=False)
    return answer


def _received_bytes(upload: Upload) -> int:
    return sum(part.size for part in upload.parts.values())


_SPAN = re.compile(r"bytes (?:\*|([0-9]{1,19})-([0-9]{1,19}|\*))/([0-9]{1,19}|\*)")


def _range(text: str | None) -> tuple[int | None, int | None, int | None]:
    """Read the start, stop and total of a Content-Range.

    If the header has no start, the request asks for the progress. If it has no stop, the piece is the rest of the
    content. If it has no total, more pieces may follow.
    Google's SDK for Node sends `bytes 5-*/*` for content of a length that it does not know.

    Raises:
        StoreError: `content_range`.
    """
    if text is None:
        return 0, None, None
    match = _SPAN.fullmatch(text)
    if match is None:
        raise StoreError("content_range")
    start, last, total = (None if place in (None, "*") else int(place) for place in match.groups())
    if start is None or last is None:
        return start, None, total
    if last < start:
        raise StoreError("content_range")
    return start, last + 1, total

"""The operations on blobs; blocks have their own module."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import md5
from uuid import uuid4

from werkzeug.http import http_date

from faultinject.store.azure.blocks import discard
from faultinject.store.azure.call import COUNT, KIND, AzureCall, etag_headers, kind_of, new_etag
from faultinject.store.bodies import cut, drain, receive
from faultinject.store.buckets import Headers, Stored
from faultinject.store.exchange import Answer
from faultinject.store.preconditions import judge_read, read_range
from faultinject.store.refusal import StoreError

KINDS = ("BlockBlob", "PageBlob", "AppendBlob")
STANDING = (
    ("Accept-Ranges", "bytes"),
    ("x-ms-lease-status", "unlocked"),
    ("x-ms-lease-state", "available"),
    ("x-ms-server-encrypted", "true"),
)
ENCRYPTED = ("x-ms-request-server-encrypted", "true")


def put_blob(call: AzureCall) -> Answer:
    """Put Blob; with a source Put Blob From URL, Copy Blob or Copy Blob From URL."""
    source = call.copy_source()
    kind = call.header("x-ms-blob-type")
    if source is not None:
        return _copy(call, source, copied=kind is None)
    if kind is None:
        raise StoreError("header")
    if kind not in KINDS:
        raise StoreError("header_value")
    if kind == "PageBlob":
        raise StoreError("unsupported_header", "the embedded store supports block and append blobs only")
    settings = dict(call.settings())
    settings.setdefault("Content-Type", call.header("content-type") or "application/octet-stream")
    call.service.buckets.find(call.bucket)
    with call.service.buckets.budget.hold() as hold:
        content = receive(call.request, hold)
        digest = b64encode(bytes.fromhex(content.md5)).decode()
        if settings.setdefault("Content-MD5", digest) != digest:
            raise StoreError("bad_digest")
        if kind == "AppendBlob" and content.size:
            raise StoreError("header_value")
        own = ((KIND, kind), (COUNT, "0")) if kind == "AppendBlob" else ()
        headers = (*settings.items(), *call.metadata(), *own, *_created(call.now))
        stored = Stored(call.key, content.blocks, content.size, new_etag(call.now), call.now, headers)
        call.service.buckets.put(call.bucket, stored, call.judge_write, hold)
    discard(call)
    return call.answer(201, headers=[*etag_headers(stored), ("Content-MD5", digest), ENCRYPTED])


def get_blob(call: AzureCall) -> Answer:
    """Get Blob, Get Blob Properties and Get Blob Metadata."""
    stored = call.service.buckets.get(call.bucket, call.key)
    if not judge_read(call.header, stored):
        return call.answer(304, headers=[*etag_headers(stored), ("x-ms-error-code", "ConditionNotMet")])
    headers = [*etag_headers(stored), *stored.headers, (KIND, kind_of(stored)), *STANDING]
    wanted = None
    if call.request.method != "HEAD":
        wanted = read_range(call.header("x-ms-range") or call.header("range"), stored.size)
    if wanted is not None:
        headers = [
            ("x-ms-blob-content-md5" if name == "Content-MD5" else name, value) for name, value in headers
        ]
        if (call.header("x-ms-range-get-content-md5") or "").lower() == "true":
            digest = md5(b"".join(cut(stored.blocks, *wanted)), usedforsecurity=False).digest()
            headers.append(("Content-MD5", b64encode(digest).decode()))
    return call.content(stored, wanted, headers)


def delete_blob(call: AzureCall) -> Answer:
    """Delete Blob."""
    call.service.buckets.remove(call.bucket, call.key, call.judge_change)
    discard(call)
    return call.answer(202, headers=[("x-ms-delete-type-permanent", "true")])


def set_metadata(call: AzureCall) -> Answer:
    """Set Blob Metadata: all of it."""
    return _change(call, call.metadata(), lambda name: name.startswith("x-ms-meta-"))


def set_properties(call: AzureCall) -> Answer:
    """Set Blob Properties: those that the request leaves out are cleared."""
    settings = dict(call.settings())
    settings.setdefault("Content-Type", "application/octet-stream")
    return _change(call, tuple(settings.items()), lambda name: not name.startswith("x-ms-"))


def _change(call: AzureCall, headers: Headers, replaced: Callable[[str], bool]) -> Answer:
    """Give a blob other headers in place of those that are to be replaced."""
    drain(call.request)
    buckets = call.service.buckets
    with buckets.lock:
        before = buckets.get(call.bucket, call.key)
        kept = tuple(each for each in before.headers if not replaced(each[0]))
        headers = (*headers, *kept)
        after = replace(before, etag=new_etag(call.now), modified=call.now, headers=headers)
        buckets.put(call.bucket, after, call.judge_change)
    return call.answer(200, headers=[*etag_headers(after), ENCRYPTED])


def _copy(call: AzureCall, source: Stored, *, copied: bool) -> Answer:
    """A copy, finished at once; `copied`: it tells where it is from, as blobs that Copy Blob made do."""
    drain(call.request)
    told: Headers = (
        ("x-ms-copy-id", str(uuid4())),
        ("x-ms-copy-source", call.header("x-ms-copy-source") or ""),
        ("x-ms-copy-status", "success"),
        ("x-ms-copy-progress", f"{source.size}/{source.size}"),
        ("x-ms-copy-completion-time", http_date(call.now)),
    )
    settings = {name: value for name, value in source.headers if not name.startswith("x-ms-")}
    settings.update(call.settings())
    metadata = call.metadata() or tuple(each for each in source.headers if each[0].startswith("x-ms-meta-"))
    own = tuple(each for each in source.headers if each[0] in (KIND, COUNT))
    headers = (*settings.items(), *metadata, *own, *_created(call.now), *(told if copied else ()))
    stored = Stored(
        call.key, source.blocks, source.size, new_etag(call.now), call.now, headers, source.layout
    )
    call.service.buckets.put(call.bucket, stored, call.judge_write)
    discard(call)
    shown = [each for each in told if each[0] in ("x-ms-copy-id", "x-ms-copy-status")]
    return call.answer(202 if copied else 201, headers=[*etag_headers(stored), *(shown if copied else ())])


def describe(content: bytes, now: float) -> tuple[str, Headers]:
    """The entity tag and the headers of a blob made of a content."""
    digest = b64encode(md5(content, usedforsecurity=False).digest()).decode()
    settings = ("Content-Type", "application/octet-stream"), ("Content-MD5", digest)
    return new_etag(now), (*settings, *_created(now))


def _created(now: float) -> Headers:
    return (("x-ms-creation-time", http_date(now)),)

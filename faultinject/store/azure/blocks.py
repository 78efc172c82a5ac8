"""The operations on blocks: staged one by one, then made a blob by a list."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

from werkzeug.http import http_date

from faultinject.store.azure import documents
from faultinject.store.azure.call import AzureCall, etag_headers, kind_of, new_etag
from faultinject.store.bodies import cut, read_document, receive
from faultinject.store.buckets import Headers, Part, Stored, Upload, check_key
from faultinject.store.exchange import Answer
from faultinject.store.preconditions import read_range
from faultinject.store.refusal import StoreError


def put_block(call: AzureCall) -> Answer:
    """Put Block and, with a source, Put Block From URL."""
    number = documents.block_number(call.request.args.get("blockid", ""))
    call.service.buckets.find(call.bucket)
    source = call.copy_source()
    with call.service.buckets.budget.hold() as hold:
        if source is None:
            content = receive(call.request, hold)
            blocks, size, digest = content.blocks, content.size, content.md5
        else:
            text = call.header("x-ms-source-range")
            start, stop = read_range(text, source.size) or (0, source.size)
            blocks, size, digest = cut(source.blocks, start, stop), stop - start, ""
        part = Part(number, blocks, size, digest, call.now)
        with call.service.buckets.lock:
            _refuse_append_blob(call)
            staged = _staged(call)
            if any(each.bit_length() != number.bit_length() for each in list(staged.parts)[:1]):
                raise StoreError("part_length")
            call.service.uploads.put_part(call.bucket, call.key, call.key, part, hold)
    md5 = [("Content-MD5", b64encode(bytes.fromhex(digest)).decode())] if digest else []
    return call.answer(201, headers=[*md5, ("x-ms-request-server-encrypted", "true")])


def put_block_list(call: AzureCall) -> Answer:
    """Put Block List."""
    wanted = documents.read_block_list(read_document(call.request))
    settings = dict(call.settings())
    settings.setdefault("Content-Type", "application/octet-stream")
    created = ("x-ms-creation-time", http_date(call.now))
    headers = (*settings.items(), *call.metadata(), created)
    with call.service.buckets.lock:
        stored = _commit(call, wanted, headers)
    return call.answer(201, headers=[*etag_headers(stored), ("x-ms-request-server-encrypted", "true")])


def get_block_list(call: AzureCall) -> Answer:
    """Get Block List."""
    kind = call.request.args.get("blocklisttype", "committed").lower()
    bucket = call.service.buckets.find(call.bucket)
    with call.service.buckets.lock:
        blob, staged = bucket.objects.get(call.key), bucket.uploads.get(call.key)
        parts = list(staged.parts.values()) if staged else []
    if blob is None and staged is None:
        raise StoreError("no_key")
    kinds = []
    if kind in ("committed", "all"):
        kinds.append(("CommittedBlocks", blob.layout if blob else ()))
    if kind in ("uncommitted", "all"):
        kinds.append(("UncommittedBlocks", tuple(documents.sizes(parts))))
    if not kinds:
        raise StoreError("argument")
    headers = [("x-ms-blob-content-length", str(blob.size if blob else 0))]
    headers += etag_headers(blob) if blob else []
    return call.answer(200, documents.block_list(kinds), document=True, headers=headers)


def discard(call: AzureCall) -> None:
    """Drop the blocks of a blob that were not used."""
    with call.service.buckets.lock:
        if call.key in call.service.buckets.find(call.bucket).uploads:
            call.service.uploads.abort(call.bucket, call.key, call.key)


def _refuse_append_blob(call: AzureCall) -> None:
    """Refuse blocks for an append blob.

    Raises:
        StoreError: `blob_type`.
    """
    there = call.service.buckets.find(call.bucket).objects.get(call.key)
    if there is not None and kind_of(there) == "AppendBlob":
        raise StoreError("blob_type")


def _staged(call: AzureCall) -> Upload:
    """The blob's unused blocks: an upload whose id is the blob's name."""
    found = call.service.buckets.find(call.bucket).uploads.get(call.key)
    return found or call.service.uploads.start(call.bucket, call.key, (), call.now, identity=call.key)


def _commit(call: AzureCall, wanted: list[tuple[str, int]], headers: Headers) -> Stored:
    """Make the blob out of the wanted blocks; the unused ones are dropped. Under the lock."""
    buckets = call.service.buckets
    bucket = buckets.find(call.bucket)
    staged, before = bucket.uploads.get(call.key), bucket.objects.get(call.key)
    _refuse_append_blob(call)
    call.judge_write(before)
    there = {"Uncommitted": staged.parts if staged else {}, "Committed": dict(_committed(before))}
    there["Latest"] = there["Committed"] | there["Uncommitted"]
    try:
        chosen = [there[kind][number] for kind, number in wanted]
    except KeyError:
        raise StoreError("part") from None
    check_key(call.key)
    stored = Stored(
        key=call.key,
        blocks=tuple(block for each in chosen for block in each.blocks),
        size=sum(each.size for each in chosen),
        etag=new_etag(call.now),
        modified=call.now,
        headers=headers,
        layout=tuple(documents.sizes(chosen)),
    )
    buckets.budget.take(stored.cost - (staged.cost if staged else 0) - (before.cost if before else 0))
    bucket.uploads.pop(call.key, None)
    bucket.objects[call.key] = stored
    buckets.remember(call.bucket, call.key, before)
    return stored


def _committed(stored: Stored | None) -> Iterator[tuple[int, Part]]:
    """The blocks that a blob was made of, by number."""
    if stored is None:
        return
    left = iter(stored.blocks)
    for number, size in stored.layout:
        blocks: list[bytes] = []
        missing = size
        while missing:
            blocks.append(next(left))
            missing -= len(blocks[-1])
        yield number, Part(number, tuple(blocks), size, "", stored.modified)

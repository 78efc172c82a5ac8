"""The operations on multipart uploads."""

from __future__ import annotations

from hashlib import md5
from operator import itemgetter

from faultinject.store.amz_checksums import PREFIX, of_blocks, read_algorithm
from faultinject.store.bodies import cut, drain, read_document, receive
from faultinject.store.buckets import Headers, Part, Stored
from faultinject.store.call import Call
from faultinject.store.documents import PartsPage, UploadsPage
from faultinject.store.exchange import Answer
from faultinject.store.listing import LAST, select
from faultinject.store.operations import MOST_KEYS, copy_source
from faultinject.store.preconditions import read_range
from faultinject.store.refusal import StoreError

ALGORITHM = ("checksum-algorithm", "checksum-type")
"""Headers, without their prefix, that say which checksum a multipart upload has."""


def start_upload(call: Call) -> Answer:
    """CreateMultipartUpload."""
    drain(call.request)
    headers = call.stored_headers()
    checksum = read_algorithm(*map(call.header, ALGORITHM)) if call.dialect.amz_checksums else ()
    call.judge_start(call.service.buckets.find(call.bucket).objects.get(call.key))
    upload = call.service.uploads.start(call.bucket, call.key, headers, call.now, checksum)
    told = [(name, value) for name in ALGORITHM if checksum and (value := call.header(name)) is not None]
    document = call.dialect.documents.started(call.bucket, upload)
    return call.answer(
        200, document, document=True, headers=[(f"x-amz-{name}", value) for name, value in told]
    )


def upload_part(call: Call) -> Answer:
    """UploadPart and, with the vendor's `copy-source` header, UploadPartCopy."""
    identity = call.parameter("uploadId")
    number = call.number("partNumber", -1)
    if number not in call.dialect.parts:
        raise StoreError("part_number")
    upload = call.service.uploads.find(call.bucket, call.key, identity)
    source = copy_source(call)
    checksums: Headers = ()
    with call.service.buckets.budget.hold() as hold:
        if source is not None:
            start, stop = _source_range(call, source)
            blocks, size = cut(source.blocks, start, stop), stop - start
            digest = md5(usedforsecurity=False)
            for block in blocks:
                digest.update(block)
            etag = digest.hexdigest()
            checksums = of_blocks(upload.checksum[0], blocks) if upload.checksum else ()
        else:
            content = receive(call.request, hold)
            blocks, size, etag = content.blocks, content.size, content.md5
            checksums = call.checksums(content)[:1]
        part = Part(number, blocks, size, etag, call.now, call.checksum(blocks), checksums)
        call.service.uploads.put_part(call.bucket, call.key, identity, part, hold)
    document = b"" if source is None else call.dialect.documents.copied(etag, call.now, part=True)
    headers = [*call.tags(part), *checksums]
    return call.answer(call.dialect.created, document, document=True, headers=headers)


def finish_upload(call: Call) -> Answer:
    """CompleteMultipartUpload."""
    identity = call.parameter("uploadId")
    wanted = _all_parts(call, identity) if _wants_all(call) else _listed_parts(call, identity)
    if not wanted:
        raise StoreError("malformed")
    if call.dialect.any_order:
        wanted.sort(key=itemgetter(0))
    uploads = call.service.uploads
    headers = ((name.lower(), value) for name, value in call.request.headers)
    given = tuple(each for each in headers if each[0].startswith(PREFIX))
    try:
        stored = uploads.finish(
            call.bucket,
            call.key,
            identity,
            wanted=wanted,
            now=call.now,
            judge=call.judge_write,
            crossing=call.refuse_crossed,
            given=given,
        )
    except StoreError as error:
        if error.mistake != "no_upload" or not call.service.vendor.completes_again:
            raise
        stored = uploads.finished(call.bucket, call.key, identity, wanted)
    document = call.dialect.documents.finished(call.bucket, stored, call.request.base_url)
    return call.answer(call.dialect.created, document, document=True, headers=call.tags(stored))


def abort_upload(call: Call) -> Answer:
    """AbortMultipartUpload."""
    call.service.uploads.abort(call.bucket, call.key, call.parameter("uploadId"))
    return call.answer(204)


def list_parts(call: Call) -> Answer:
    """ListParts."""
    upload, parts = call.service.uploads.parts(call.bucket, call.key, call.parameter("uploadId"))
    limit = min(call.number("max-parts", call.dialect.page), MOST_KEYS)
    marker = call.number("part-number-marker", -1)
    first = marker < call.dialect.parts.start
    left = [each for each in parts if first or each.number > marker]
    shown = left[:limit]
    document = call.dialect.documents.parts(
        PartsPage(
            bucket=call.bucket,
            upload=upload,
            marker=None if first else marker,
            limit=limit,
            parts=shown,
            next=shown[-1].number if shown and len(shown) < len(left) else None,
            encoded=call.parameter("encoding-type") == "url",
        )
    )
    return call.answer(200, document, document=True)


def list_uploads(call: Call) -> Answer:
    """ListMultipartUploads."""
    uploads = call.service.uploads.all(call.bucket)
    marker = (call.parameter("key-marker"), call.parameter("upload-id-marker"))
    limit = min(call.number("max-uploads", call.dialect.page), MOST_KEYS)
    prefix, delimiter = call.parameter("prefix"), call.parameter("delimiter")
    after = marker if marker[1] or not marker[0] else (marker[0], LAST)
    page = select(uploads, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
    following = page.next
    if following is not None and following[1] == LAST:
        following = (following[0], "")
    document = call.dialect.documents.uploads(
        UploadsPage(
            bucket=call.bucket,
            prefix=prefix,
            delimiter=delimiter,
            marker=marker,
            limit=limit,
            uploads=[uploads[name] for name in page.names],
            prefixes=page.prefixes,
            next=following,
            encoded=call.parameter("encoding-type") == "url",
        )
    )
    return call.answer(200, document, document=True)


def _wants_all(call: Call) -> bool:
    """Whether a header takes every part, as OSS and TOS have it.

    https://www.alibabacloud.com/help/en/oss/developer-reference/completemultipartupload
    """
    return (call.header("complete-all") or "").lower() == "yes"


def _all_parts(call: Call, identity: str) -> list[tuple[int, str | None]]:
    drain(call.request)
    _, parts = call.service.uploads.parts(call.bucket, call.key, identity)
    return [(each.number, None) for each in parts]


def _listed_parts(call: Call, identity: str) -> list[tuple[int, str | None]]:
    if not call.service.vendor.completes_again:  # else it may have been completed, by the same parts
        call.service.uploads.find(call.bucket, call.key, identity)
    listed = call.dialect.documents.read_parts(read_document(call.request, checksums=False))
    return [(number, etag and etag.strip().strip('"')) for number, etag in listed]


def _source_range(call: Call, source: Stored) -> tuple[int, int]:
    text = call.header("copy-source-range") or call.header("copy-range")
    if not text:
        return 0, source.size
    wanted = read_range(text, source.size)
    if wanted is None:
        raise StoreError("argument")
    return wanted

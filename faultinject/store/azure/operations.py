"""Azure Blob Storage: the operations on the account, containers, blobs and blocks.

A table finds a request's operation. Clients upload blocks one by one, then make a blob of the blocks in a list.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import md5
from uuid import uuid4

from werkzeug.http import http_date

from faultinject.http.wire import number_of
from faultinject.store.app import nested_request
from faultinject.store.azure import documents
from faultinject.store.azure.call import (
    COUNT,
    KIND,
    AzureCall,
    container_headers,
    etag_headers,
    kind_of,
    lease_headers,
    new_etag,
    refuse_absent,
)
from faultinject.store.azure.leases import change_lease
from faultinject.store.bodies import cut, drain, read_document, receive, split_multipart
from faultinject.store.buckets import Headers, Stored, StoreError, Upload, UploadedPart, check_key
from faultinject.store.documents import read_token, select, token_of
from faultinject.store.messages import StoreAnswer
from faultinject.store.preconditions import judge_read, read_range
from faultinject.store.xml import Field

MOST = 5000
"""The largest page of a listing, and the default one."""


def list_containers(call: AzureCall) -> StoreAnswer:
    """List Containers."""
    rows = {bucket.name: bucket for bucket in call.service.buckets.all()}
    names, _, marker, parameters = _page(call, rows, "")
    document = documents.containers(
        call.endpoint,
        parameters,
        [rows[name] for name in names],
        marker,
        _includes(call, "metadata"),
        lambda row: lease_headers(row.leases.get(""), call.now),
    )
    return call.answer(200, document, document=True)


def create_container(call: AzureCall) -> StoreAnswer:
    """Create Container."""
    drain(call.request)
    call.service.buckets.create(call.bucket, call.now, call.metadata())
    return call.answer(201, headers=container_headers(call.service.buckets.find(call.bucket)))


def get_container(call: AzureCall) -> StoreAnswer:
    """Get Container Properties, and Get Container Metadata."""
    bucket = call.service.buckets.find(call.bucket)
    call.judge_lease(required=False)
    more = [
        *lease_headers(call.lease, call.now),
        ("x-ms-has-immutability-policy", "false"),
        ("x-ms-has-legal-hold", "false"),
    ]
    return call.answer(200, headers=[*container_headers(bucket), *bucket.headers, *more])


def set_container_metadata(call: AzureCall) -> StoreAnswer:
    """Set Container Metadata."""
    drain(call.request)
    buckets = call.service.buckets
    with buckets.lock:
        bucket = buckets.find(call.bucket)
        call.judge_time(bucket.changed)
        call.judge_lease(required=False)
        buckets.describe(call.bucket, call.now, call.metadata())
        return call.answer(200, headers=container_headers(bucket))


def delete_container(call: AzureCall) -> StoreAnswer:
    """Delete Container, with its contents."""
    buckets = call.service.buckets
    with buckets.lock:
        call.judge_time(buckets.find(call.bucket).changed)
        call.judge_lease(required=True)
        buckets.drop(call.bucket)
    return call.answer(202)


def list_blobs(call: AzureCall) -> StoreAnswer:
    """List Blobs, flat or by a delimiter."""
    with call.service.buckets.lock:
        rows = call.service.buckets.objects(call.bucket)
        if _includes(call, "uncommittedblobs"):
            rows = _uncommitted(call) | rows
    first = call.request.args.get("startFrom", "")
    wanted = (name for name in rows if name >= first)
    names, prefixes, marker, parameters = _page(call, wanted, call.request.args.get("delimiter", ""))
    leases = call.service.buckets.find(call.bucket).leases
    document = documents.blobs(
        (call.endpoint, call.bucket),
        parameters,
        ([rows[name] for name in names], prefixes),
        marker,
        _includes(call, "metadata"),
        lambda key: lease_headers(leases.get(key), call.now),
    )
    return call.answer(200, document, document=True)


def _uncommitted(call: AzureCall) -> dict[str, Stored]:
    """List the blobs with uncommitted blocks only, as blobs without an entity tag."""
    staged = call.service.uploads.all(call.bucket).values()
    return {upload.key: Stored(upload.key, (), 0, "", upload.started, ()) for upload in staged}


def _page(
    call: AzureCall, names: Iterable[str], delimiter: str
) -> tuple[list[str], list[str], str, list[Field]]:
    """Select a page: its names, common prefixes, next marker, and the client's parameters."""
    args = call.request.args
    limit = call.number("maxresults", MOST)
    if limit == 0:
        raise StoreError("out_of_range")
    prefix, given = args.get("prefix", ""), args.get("marker", "")
    page = select(
        ((name, "") for name in names),
        prefix=prefix,
        delimiter=delimiter,
        after=(read_token(given), ""),
        limit=min(limit, MOST),
    )
    parameters: list[Field] = [
        ("Prefix", prefix or None),
        ("Marker", given or None),
        ("MaxResults", limit if "maxresults" in args else None),
        ("Delimiter", delimiter or None),
    ]
    marker = "" if page.next is None else token_of(page.next[0])
    return [name for name, _ in page.names], page.prefixes, marker, parameters


def _includes(call: AzureCall, part: str) -> bool:
    return part in call.request.args.get("include", "").split(",")


KINDS = ("BlockBlob", "PageBlob", "AppendBlob")
ALWAYS_SENT = (
    ("Accept-Ranges", "bytes"),
    ("x-ms-server-encrypted", "true"),
)
ENCRYPTED = ("x-ms-request-server-encrypted", "true")


def put_block(call: AzureCall) -> StoreAnswer:
    """Put Block and, with a source, Put Block From URL."""
    number = documents.block_number(call.request.args.get("blockid", ""))
    call.service.buckets.find(call.bucket)
    source = call.copy_source()
    if source is None:
        content = receive(call.request, call.service.buckets, "length")
        blocks, size, digest = content.blocks, content.size, content.md5
    else:
        text = call.header("x-ms-source-range")
        start, stop = read_range(text, source.size) or (0, source.size)
        blocks, size, digest = cut(source.blocks, start, stop), stop - start, ""
    part = UploadedPart(number, blocks, size, digest, call.now)
    with call.service.buckets.lock:
        _refuse_append_blob(call)
        call.judge_lease(required=True)
        staged = _find_staged(call)
        if any(other.bit_length() != number.bit_length() for other in list(staged.parts)[:1]):
            raise StoreError("part_length")
        call.service.uploads.put_part(call.bucket, call.key, call.key, part)
    checksum_headers = [("Content-MD5", b64encode(bytes.fromhex(digest)).decode())] if digest else []
    return call.answer(201, headers=[*checksum_headers, ENCRYPTED])


def put_block_list(call: AzureCall) -> StoreAnswer:
    """Put Block List."""
    wanted = documents.read_block_list(read_document(call.request))
    settings = dict(call.settings())
    settings.setdefault("Content-Type", "application/octet-stream")
    headers = (*settings.items(), *call.metadata(), *_created(call.now))
    with call.service.buckets.lock:
        stored = _commit(call, wanted, headers)
    return call.answer(201, headers=[*etag_headers(stored), ENCRYPTED])


def get_block_list(call: AzureCall) -> StoreAnswer:
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
    call.judge_lease(required=False)
    headers = [("x-ms-blob-content-length", str(blob.size if blob else 0))]
    headers += etag_headers(blob) if blob else []
    return call.answer(200, documents.block_list(kinds), document=True, headers=headers)


def discard(call: AzureCall) -> None:
    """Drop a blob's uncommitted blocks."""
    with call.service.buckets.lock:
        call.service.buckets.find(call.bucket).uploads.pop(call.key, None)


def _refuse_append_blob(call: AzureCall) -> None:
    """Refuse blocks for an append blob.

    Raises:
        StoreError: `blob_type`.
    """
    present = call.service.buckets.find(call.bucket).objects.get(call.key)
    if present is not None and kind_of(present) == "AppendBlob":
        raise StoreError("blob_type")


def _find_staged(call: AzureCall) -> Upload:
    """Find the blob's uncommitted blocks: an upload whose id is the blob's name."""
    staged = call.service.buckets.find(call.bucket).uploads.get(call.key)
    return staged or call.service.uploads.start(call.bucket, call.key, (), call.now, identity=call.key)


def _commit(call: AzureCall, wanted: list[tuple[str, int]], headers: Headers) -> Stored:
    """Make a blob of the wanted blocks, and drop the unused ones; the caller holds the lock."""
    buckets = call.service.buckets
    bucket = buckets.find(call.bucket)
    staged, before = bucket.uploads.get(call.key), bucket.objects.get(call.key)
    _refuse_append_blob(call)
    call.judge_write(before)
    blocks = {"Uncommitted": staged.parts if staged else {}, "Committed": dict(_committed_blocks(before))}
    blocks["Latest"] = blocks["Committed"] | blocks["Uncommitted"]
    try:
        chosen = [blocks[kind][number] for kind, number in wanted]
    except KeyError:
        raise StoreError("part") from None
    check_key(call.key)
    stored = Stored(
        key=call.key,
        blocks=tuple(block for part in chosen for block in part.blocks),
        size=sum(part.size for part in chosen),
        etag=new_etag(call.now),
        modified=call.now,
        headers=headers,
        layout=tuple(documents.sizes(chosen)),
    )
    # The new blob frees the space of its blocks and of the old blob, but a list may name one block many times.
    replaced = sum(entry.cost for entry in (staged, before) if entry is not None)
    buckets.take(max(0, stored.cost - replaced))
    bucket.uploads.pop(call.key, None)
    bucket.objects[call.key] = stored
    buckets.remember(call.bucket, call.key, before)
    return stored


def _committed_blocks(stored: Stored | None) -> Iterator[tuple[int, UploadedPart]]:
    """Rebuild the blocks of a blob, by number."""
    if stored is None:
        return
    pieces = iter(stored.blocks)  # `cut` would begin at the start for each block
    for number, size in stored.layout:
        blocks: list[bytes] = []
        missing = size
        while missing:
            blocks.append(next(pieces))
            missing -= len(blocks[-1])
        yield number, UploadedPart(number, tuple(blocks), size, "", stored.modified)


def append_block(call: AzureCall) -> StoreAnswer:
    """Append Block."""
    if call.header("x-ms-copy-source") is not None:
        raise StoreError("unsupported_header", "the embedded store does not support Append Block From URL")
    buckets = call.service.buckets
    buckets.find(call.bucket)
    content = receive(call.request, call.service.buckets, "length")
    if not content.size:
        raise StoreError("header_value")
    with buckets.lock:
        before = buckets.get(call.bucket, call.key)
        call.judge_write(before)
        if kind_of(before) != "AppendBlob":
            raise StoreError("blob_type")
        _judge_append(call, before.size, content.size)
        headers = dict(before.headers)
        count = int(headers[COUNT]) + 1
        after = replace(
            before,
            blocks=before.blocks + content.blocks,
            size=before.size + content.size,
            etag=new_etag(call.now),
            modified=call.now,
            headers=tuple({**headers, COUNT: str(count)}.items()),
        )
        buckets.put(call.bucket, after, lambda _: None)
    shown = [
        ("Content-MD5", b64encode(bytes.fromhex(content.md5)).decode()),
        ("x-ms-blob-append-offset", str(before.size)),
        (COUNT, str(count)),
        ENCRYPTED,
    ]
    return call.answer(201, headers=[*etag_headers(after), *shown])


def _judge_append(call: AzureCall, size: int, more: int) -> None:
    """Refuse an append if the request's conditions forbid its position or the new size.

    Raises:
        StoreError: `header_value`, `append_position`, `max_size`.
    """
    bounds = {"append_position": ("appendpos", size), "max_size": ("maxsize", size + more)}
    for mistake, (name, actual) in bounds.items():
        text = call.header(f"x-ms-blob-condition-{name}")
        if text is None:
            continue
        wanted = number_of(text)
        if wanted is None:
            raise StoreError("header_value")
        if actual > wanted or (name == "appendpos" and actual != wanted):
            raise StoreError(mistake)


def put_blob(call: AzureCall) -> StoreAnswer:
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
    content = receive(call.request, call.service.buckets, "length")
    digest = b64encode(bytes.fromhex(content.md5)).decode()
    if settings.setdefault("Content-MD5", digest) != digest:
        raise StoreError("bad_digest")
    if kind == "AppendBlob" and content.size:
        raise StoreError("header_value")
    kind_headers = ((KIND, kind), (COUNT, "0")) if kind == "AppendBlob" else ()
    headers = (*settings.items(), *call.metadata(), *kind_headers, *_created(call.now))
    stored = Stored(call.key, content.blocks, content.size, new_etag(call.now), call.now, headers)
    call.service.buckets.put(call.bucket, stored, call.judge_write)
    discard(call)
    return call.answer(201, headers=[*etag_headers(stored), ("Content-MD5", digest), ENCRYPTED])


def get_blob(call: AzureCall) -> StoreAnswer:
    """Get Blob, Get Blob Properties and Get Blob Metadata."""
    stored = call.service.buckets.get(call.bucket, call.key)
    call.judge_lease(required=False)
    if not judge_read(call.header, stored):
        return call.answer(304, headers=[*etag_headers(stored), ("x-ms-error-code", "ConditionNotMet")])
    headers = [*etag_headers(stored), *stored.headers, (KIND, kind_of(stored)), *ALWAYS_SENT]
    headers += lease_headers(call.lease, call.now)
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


def delete_blob(call: AzureCall) -> StoreAnswer:
    """Delete Blob."""
    call.service.buckets.remove(call.bucket, call.key, call.judge_change)
    discard(call)
    return call.answer(202, headers=[("x-ms-delete-type-permanent", "true")])


def set_metadata(call: AzureCall) -> StoreAnswer:
    """Set Blob Metadata: the new metadata replaces all of it."""
    return _change(call, call.metadata(), lambda name: name.startswith("x-ms-meta-"))


def set_properties(call: AzureCall) -> StoreAnswer:
    """Set Blob Properties: properties that the request leaves out are cleared."""
    settings = dict(call.settings())
    settings.setdefault("Content-Type", "application/octet-stream")
    return _change(call, tuple(settings.items()), lambda name: not name.startswith("x-ms-"))


def _change(call: AzureCall, headers: Headers, replaced: Callable[[str], bool]) -> StoreAnswer:
    """Replace some of a blob's headers."""
    drain(call.request)
    buckets = call.service.buckets
    with buckets.lock:
        before = buckets.get(call.bucket, call.key)
        other_headers = tuple(header for header in before.headers if not replaced(header[0]))
        headers = (*headers, *other_headers)
        after = replace(before, etag=new_etag(call.now), modified=call.now, headers=headers)
        buckets.put(call.bucket, after, call.judge_change)
    return call.answer(200, headers=[*etag_headers(after), ENCRYPTED])


def _copy(call: AzureCall, source: Stored, *, copied: bool) -> StoreAnswer:
    """Copy a blob at once; with `copied`, the copy names its source, as after Copy Blob."""
    drain(call.request)
    about_copy: Headers = (
        ("x-ms-copy-id", str(uuid4())),
        ("x-ms-copy-source", call.header("x-ms-copy-source") or ""),
        ("x-ms-copy-status", "success"),
        ("x-ms-copy-progress", f"{source.size}/{source.size}"),
        ("x-ms-copy-completion-time", http_date(call.now)),
    )
    settings = {name: value for name, value in source.headers if not name.startswith("x-ms-")}
    settings.update(call.settings())
    metadata = call.metadata() or tuple(
        header for header in source.headers if header[0].startswith("x-ms-meta-")
    )
    kind_headers = tuple(header for header in source.headers if header[0] in (KIND, COUNT))
    headers = (
        *settings.items(),
        *metadata,
        *kind_headers,
        *_created(call.now),
        *(about_copy if copied else ()),
    )
    stored = Stored(
        call.key, source.blocks, source.size, new_etag(call.now), call.now, headers, source.layout
    )
    call.service.buckets.put(call.bucket, stored, call.judge_write)
    discard(call)
    shown = [header for header in about_copy if header[0] in ("x-ms-copy-id", "x-ms-copy-status")]
    return call.answer(202 if copied else 201, headers=[*etag_headers(stored), *(shown if copied else ())])


def submit_batch(call: AzureCall) -> StoreAnswer:
    """Blob Batch: several requests in one, with an answer for each.

    https://learn.microsoft.com/rest/api/storageservices/blob-batch

    Raises:
        StoreError: `multipart`; then nothing is deleted.
    """
    parts = split_multipart(read_document(call.request), call.header("content-type"))
    nested_calls = [_read_request(call, request) for _, request in parts]
    boundary = f"batchresponse_{uuid4()}"
    body = b""
    for number, nested_call in enumerate(nested_calls):
        answer = _answer_of_batch(nested_call)
        headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        head = (
            f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n"
            f"HTTP/1.1 {answer.status}\r\n{headers}\r\n"
        )
        body += head.encode() + answer.get_data() + b"\r\n"
    content_type = [("Content-Type", f"multipart/mixed; boundary={boundary}")]
    return call.answer(202, body + f"--{boundary}--\r\n".encode(), headers=content_type)


def _read_request(call: AzureCall, request: bytes) -> AzureCall:
    """Read one of the requests in a batch."""
    line, *lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = [(name, value) for name, _, value in (header.partition(": ") for header in lines)]
    try:
        method, target, _ = line.split(" ")
        return AzureCall(call.service, nested_request(call.request, method, target, headers))
    except ValueError:
        raise StoreError("multipart") from None


def _answer_of_batch(call: AzureCall) -> StoreAnswer:
    """Answer one of the requests in a batch."""
    try:
        if call.request.method != "DELETE":
            raise StoreError("not_implemented", "the embedded store supports batches of deletions only")
        return perform(call)
    except StoreError as error:
        return call.refusal(error)


def describe(content: bytes, now: float) -> tuple[str, Headers]:
    """Make the entity tag and the headers of a blob."""
    digest = b64encode(md5(content, usedforsecurity=False).digest()).decode()
    settings = ("Content-Type", "application/octet-stream"), ("Content-MD5", digest)
    return new_etag(now), (*settings, *_created(now))


def _created(now: float) -> Headers:
    return (("x-ms-creation-time", http_date(now)),)


ROUTES: Mapping[tuple[str, str, str], Callable[[AzureCall], StoreAnswer]] = {
    ("account", "GET", "list"): list_containers,
    ("account", "POST", "batch"): submit_batch,
    ("container", "PUT", ""): create_container,
    ("container", "GET", ""): get_container,
    ("container", "HEAD", ""): get_container,
    ("container", "GET", "metadata"): get_container,
    ("container", "HEAD", "metadata"): get_container,
    ("container", "PUT", "metadata"): set_container_metadata,
    ("container", "PUT", "lease"): change_lease,
    ("container", "DELETE", ""): delete_container,
    ("container", "GET", "list"): list_blobs,
    ("container", "POST", "batch"): submit_batch,
    ("blob", "PUT", ""): put_blob,
    ("blob", "GET", ""): get_blob,
    ("blob", "HEAD", ""): get_blob,
    ("blob", "DELETE", ""): delete_blob,
    ("blob", "PUT", "lease"): change_lease,
    ("blob", "PUT", "metadata"): set_metadata,
    ("blob", "GET", "metadata"): get_blob,
    ("blob", "HEAD", "metadata"): get_blob,
    ("blob", "PUT", "properties"): set_properties,
    ("blob", "PUT", "appendblock"): append_block,
    ("blob", "PUT", "block"): put_block,
    ("blob", "PUT", "blocklist"): put_block_list,
    ("blob", "GET", "blocklist"): get_block_list,
}
"""The operations by the level of the request's target, method and `comp`."""


def perform(call: AzureCall) -> StoreAnswer:
    """Perform the operation of a request.

    Raises:
        StoreError: the request is invalid, or the store does not support it.
    """
    if not call.valid:
        raise StoreError("uri")
    if call.level == "container" and call.request.args.get("restype") != "container":
        raise StoreError("not_implemented", "the embedded store does not support the container $root")
    if call.bucket:
        call.service.buckets.check_name(call.bucket)
    comp = call.request.args.get("comp", "")
    refuse_absent(call)
    operation = ROUTES.get((call.level, call.request.method, comp))
    if operation is None and comp:
        raise StoreError("not_implemented", f"the embedded store does not support ?comp={comp}")
    if operation is None:
        raise StoreError("method")
    return operation(call)

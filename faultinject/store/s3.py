"""S3 and its dialects: the operations, and the table that finds a request's operation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import md5
from operator import itemgetter
from urllib.parse import parse_qsl, unquote, unquote_plus

from werkzeug.http import http_date

from faultinject.store.bodies import cut, drain, read_document, receive
from faultinject.store.buckets import Headers, Stored, StoreError, UploadedPart, check_key
from faultinject.store.call import KEPT_HEADERS, ONLY_VERSION, VERSIONS, S3Call, is_set
from faultinject.store.checksums import KIND, PREFIX, WHOLE, digest_of, of_blocks, read_algorithm
from faultinject.store.documents import LAST, Failure, KeysPage, Name, NamedObject, read_token, select
from faultinject.store.messages import StoreAnswer
from faultinject.store.preconditions import judge_delete, judge_own, judge_read, range_applies, read_range
from faultinject.store.xml import XmlDocuments

MOST_KEYS = 1000
"""The largest page of a listing, and the largest number of keys that one request deletes."""
OVERRIDES = {f"response-{name.lower()}": name for name in (*KEPT_HEADERS, "Content-Type")}
"""The headers of the answer, by the parameters of GetObject that set them."""
NO_PART = "InvalidPartNumber"
"""The error for reading a part that an object does not have."""
FIRST_LAST = re.compile(r"bytes=([0-9]{1,19})-([0-9]{1,19})")
"""A range of a copy's source.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
"""
CHANGES = ("server-side-encryption", "storage-class", "website-redirect-location")
"""Headers, without their prefix, that change an object which is copied onto itself."""


def list_buckets(call: S3Call) -> StoreAnswer:
    """ListBuckets: all on one page, however many the client asks for."""
    prefix = call.parameter("prefix")
    buckets = [bucket for bucket in call.service.buckets.all() if bucket.name.startswith(prefix)]
    return call.answer(200, call.dialect.documents.buckets(buckets, prefix), document=True)


def create_bucket(call: S3Call) -> StoreAnswer:
    """CreateBucket; a configuration in the body only says that the region is not us-east-1."""
    drain(call.request)
    call.service.buckets.create(
        call.bucket, call.now, again=call.dialect.amazon and not call.request.content_length
    )
    return call.answer(call.dialect.created)


def head_bucket(call: S3Call) -> StoreAnswer:
    """HeadBucket."""
    call.service.buckets.find(call.bucket)
    return call.answer(200)


def delete_bucket(call: S3Call) -> StoreAnswer:
    """DeleteBucket."""
    call.service.buckets.delete(call.bucket, uploads=call.dialect.amazon)
    return call.answer(204)


def get_location(call: S3Call) -> StoreAnswer:
    """GetBucketLocation."""
    call.service.buckets.find(call.bucket)
    return call.answer(200, call.dialect.documents.location(), document=True)


def get_versioning(call: S3Call) -> StoreAnswer:
    """GetBucketVersioning: no bucket has versions."""
    call.service.buckets.find(call.bucket)
    return call.answer(200, call.dialect.documents.never_versioned(), document=True)


def list_objects(call: S3Call) -> StoreAnswer:
    """ListObjects and, with `list-type=2`, ListObjectsV2."""
    objects = call.service.buckets.objects(call.bucket)
    version = 2 if call.parameter("list-type") == "2" else 1
    token = call.parameter("continuation-token") if version == 2 else ""
    marker = call.parameter("start-after" if version == 2 else "marker")
    after = read_token(token) if token else marker
    limit = call.number("max-keys", call.dialect.pages[0])
    keys = _keys_page(call, ((key, "") for key in objects), (marker, ""), (after, ""), limit)
    document = call.dialect.documents.objects(
        keys,
        [objects[key] for key, _ in keys.page.names],
        token=token if version == 2 else None,
        owners=version == 1 or is_set(call.parameter("fetch-owner")),
        marks=bool(keys.delimiter) or not call.dialect.amazon,
    )
    return call.answer(200, document, document=True)


def _keys_page(call: S3Call, names: Iterable[Name], marker: Name, after: Name, limit: int) -> KeysPage:
    """Select the page of names after `after`; the document repeats the client's `marker`."""
    prefix, delimiter, limit = call.parameter("prefix"), call.parameter("delimiter"), min(limit, MOST_KEYS)
    return KeysPage(
        bucket=call.bucket,
        prefix=prefix,
        delimiter=delimiter,
        marker=marker,
        limit=limit,
        encoded=call.parameter("encoding-type") == "url",
        page=select(names, prefix=prefix, delimiter=delimiter, after=after, limit=limit),
    )


def delete_objects(call: S3Call) -> StoreAnswer:
    """DeleteObjects."""
    call.service.buckets.find(call.bucket)
    keys_to_delete = call.dialect.documents.read_keys(read_document(call.request))
    if call.parameter("encoding-type") == "url":
        keys_to_delete = replace(keys_to_delete, encoded=True)
    if not keys_to_delete.objects:
        raise StoreError("malformed")
    if len(keys_to_delete.objects) > MOST_KEYS:
        raise StoreError("too_many_keys")
    failures: list[Failure] = []
    deleted = []
    for named in keys_to_delete.objects:
        try:
            _delete_named(call, named)
            deleted.append(named.key)
        except StoreError as error:
            failures.append((named, call.documented(error)))
    return call.answer(200, call.dialect.documents.deleted(deleted, failures, keys_to_delete), document=True)


def _delete_named(call: S3Call, named: NamedObject) -> None:
    if named.version not in (None, ONLY_VERSION):
        raise StoreError("version")
    check_key(named.key)
    conditions = {"if-match": named.etag}
    call.service.buckets.remove(call.bucket, named.key, lambda present: judge_delete(conditions.get, present))


def put_object(call: S3Call) -> StoreAnswer:
    """PutObject and, with the vendor's `copy-source` header, CopyObject."""
    for name in call.dialect.absent:
        if is_set(call.header(name)):
            raise StoreError("not_implemented", f"the embedded store does not support {name}")
    source = copy_source(call)
    if source is not None:
        return _copy_object(call, source)
    headers = call.stored_headers()
    check_key(call.key)
    call.service.buckets.find(call.bucket)
    content = receive(call.request, call.service.buckets, call.dialect.chunked)
    stored = Stored(
        call.key,
        content.blocks,
        content.size,
        content.md5,
        call.now,
        headers,
        crc=call.checksum(content.blocks),
        checksums=call.checksums(content),
    )
    call.service.buckets.put(call.bucket, stored, call.judge_write)
    return call.answer(call.dialect.created, headers=[*call.tags(stored), *stored.checksums])


def get_object(call: S3Call) -> StoreAnswer:
    """GetObject and HeadObject."""
    stored = call.service.buckets.get(call.bucket, call.key)
    headers = [*call.tags(stored), ("Last-Modified", http_date(stored.modified))]
    sent = call.request.headers
    judge_own(call.header, stored)
    if not judge_read(call.condition, stored):
        return call.answer(304, headers=headers)
    headers += [*stored.headers, ("Accept-Ranges", "bytes"), *_overrides(call)]
    inside = call.dialect.range_inside and call.header("range-behavior") != "standard"
    text = sent.get("range") if range_applies(sent.get("if-range"), stored) else None
    wanted = read_range(text, stored.size, inside=inside)
    if number := call.number("partNumber", 0):
        wanted = _part(call, stored, number)
        if stored.layout:
            headers.append(("x-amz-mp-parts-count", str(len(stored.layout))))
    if wanted is None and (call.header("checksum-mode") or "").upper() == "ENABLED":
        headers += stored.checksums
    return call.content(stored, wanted, headers)


def get_acl(call: S3Call) -> StoreAnswer:
    """GetBucketAcl and GetObjectAcl of Amazon: every bucket and object is private."""
    if call.key:
        call.service.buckets.get(call.bucket, call.key)
    else:
        call.service.buckets.find(call.bucket)
    documents = call.dialect.documents
    if not call.dialect.amazon or not isinstance(documents, XmlDocuments):
        name = "GetObjectAcl" if call.key else "GetBucketAcl"
        raise StoreError("not_implemented", f"the embedded store does not support {name}")
    return call.answer(200, documents.private(), document=True)


def _part(call: S3Call, stored: Stored, number: int) -> tuple[int, int] | None:
    """Find the start and stop of a part; None for the whole of an empty object.

    An object that was not uploaded in parts counts as one part with the number 1.

    Raises:
        StoreError: `range`, if the object has no such part.
    """
    start = 0
    for place, size in stored.layout or ((1, stored.size),):
        if place == number:
            return (start, start + size) if stored.size else None
        start += size
    raise StoreError("range", label=NO_PART)


def delete_object(call: S3Call) -> StoreAnswer:
    """DeleteObject."""
    call.service.buckets.remove(call.bucket, call.key, call.judge_delete)
    return call.answer(204)


def copy_source(call: S3Call) -> Stored | None:
    """Find the source of a copy; None if the request is not a copy.

    Clients write it as `bucket/key`, `/bucket/key` or, for COS, `bucket.endpoint/key`, percent-encoded.

    Raises:
        StoreError: `no_bucket`, `no_key`, `argument`, `version`, `precondition`.
    """
    source = call.header("copy-source")
    if source is None:
        return None
    path, _, query = source.partition("?")
    decode = unquote_plus if call.dialect.amazon else unquote
    place, _, key = decode(path).removeprefix("/").partition("/")
    bucket = call.service.reading.bucket_of(place.partition(":")[0].lower()) or place
    if not key:
        raise StoreError("argument")
    stored = call.service.buckets.get(bucket, key)
    versions = [value for name, value in parse_qsl(query, keep_blank_values=True) if name in VERSIONS]
    if {*versions, call.header("copy-source-generation")} - {None, ONLY_VERSION}:
        raise StoreError("version")
    judge_own(lambda name: call.header(f"copy-source-{name}"), stored)
    if not judge_read(lambda name: call.header(f"copy-source-{name}"), stored):
        raise StoreError("precondition")
    return stored


def _checksums_of_copy(call: S3Call, source: Stored) -> Headers:
    """The checksum of a copy, over the whole object.

    Its algorithm is the source's, unless the request names one.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html

    Raises:
        StoreError: `argument`, an unknown algorithm.
    """
    if not call.dialect.amz_checksums:
        return source.checksums
    algorithms = [name.removeprefix(PREFIX) for name, _ in source.checksums if name != KIND]
    wanted = read_algorithm(call.header(ALGORITHM[0]), WHOLE)
    name = wanted[0] if wanted else "".join(algorithms)
    if not name or (name in algorithms and not source.layout):
        return source.checksums
    return *of_blocks(name, source.blocks), (KIND, WHOLE)


def _copy_object(call: S3Call, source: Stored) -> StoreAnswer:
    directive = (call.header("metadata-directive") or "").lower()
    replaced = directive in ("replace", "replaced", "full")
    changed = replaced or any(map(call.header, CHANGES))
    present = call.service.buckets.find(call.bucket).objects.get(call.key)
    if call.dialect.self_copy and not changed and present is source:
        raise StoreError("argument", label=call.dialect.self_copy)
    headers = call.stored_headers() if replaced else source.headers
    # The ETag of an object that is made in one request is its MD5:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    if call.dialect.amazon and source.layout:
        source = replace(source, etag=digest_of(md5(usedforsecurity=False), source.blocks).hex())
    checksums = _checksums_of_copy(call, source)
    stored = replace(
        source, key=call.key, modified=call.now, headers=headers, layout=(), upload=(), checksums=checksums
    )
    call.service.buckets.put(call.bucket, stored, call.judge_write)
    document = call.dialect.documents.copied(source.etag, call.now, part=False, checksums=checksums)
    tags = call.tags(stored)
    return call.answer(call.dialect.created, document, document=True, headers=tags)


def _overrides(call: S3Call) -> list[tuple[str, str]]:
    """Headers that the query sets, such as `response-content-type=text/plain`."""
    args = call.request.args
    headers = [(header, args[name]) for name, header in OVERRIDES.items() if args and args.get(name)]
    if not all(value.isascii() and value.isprintable() for _, value in headers):
        raise StoreError("argument")
    return headers


ALGORITHM = ("checksum-algorithm", "checksum-type")
"""Headers, without their prefix, that announce the checksum of a multipart upload."""


def start_upload(call: S3Call) -> StoreAnswer:
    """CreateMultipartUpload."""
    drain(call.request)
    headers = call.stored_headers()
    checksum = read_algorithm(*map(call.header, ALGORITHM)) if call.dialect.amz_checksums else ()
    call.judge_start(call.service.buckets.find(call.bucket).objects.get(call.key))
    upload = call.service.uploads.start(call.bucket, call.key, headers, call.now, checksum)
    repeated = [(name, value) for name in ALGORITHM if checksum and (value := call.header(name)) is not None]
    document = call.dialect.documents.started(call.bucket, upload)
    return call.answer(
        200, document, document=True, headers=[(f"x-amz-{name}", value) for name, value in repeated]
    )


def upload_part(call: S3Call) -> StoreAnswer:
    """UploadPart and, with the vendor's `copy-source` header, UploadPartCopy."""
    identity = call.parameter("uploadId")
    number = call.number("partNumber", -1)
    if number not in call.dialect.parts:
        raise StoreError("part_number")
    upload = call.service.uploads.find(call.bucket, call.key, identity)
    source = copy_source(call)
    checksums: Headers = ()
    if source is not None:
        start, stop = _source_range(call, source)
        blocks, size = cut(source.blocks, start, stop), stop - start
        etag = digest_of(md5(usedforsecurity=False), blocks).hex()
        checksums = of_blocks(upload.checksum[0], blocks) if upload.checksum else ()
    else:
        content = receive(call.request, call.service.buckets, call.dialect.chunked)
        blocks, size, etag = content.blocks, content.size, content.md5
        checksums = call.checksums(content)[:1]
    part = UploadedPart(number, blocks, size, etag, call.now, call.checksum(blocks), checksums)
    call.service.uploads.put_part(call.bucket, call.key, identity, part)
    if source is None:
        return call.answer(call.dialect.created, headers=[*call.tags(part), *checksums])
    document = call.dialect.documents.copied(etag, call.now, part=True, checksums=checksums)
    return call.answer(call.dialect.created, document, document=True, headers=call.tags(part))


def finish_upload(call: S3Call) -> StoreAnswer:
    """CompleteMultipartUpload."""
    identity = call.parameter("uploadId")
    wanted = _all_parts(call, identity) if _wants_all(call) else _read_listed_parts(call, identity)
    if not wanted:
        raise StoreError("malformed")
    if call.dialect.any_order:
        wanted.sort(key=itemgetter(0))
    uploads = call.service.uploads

    def judge(present: Stored | None) -> None:
        call.judge_write(present)
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
        overtaken = call.dialect.amazon and uploads.find(call.bucket, call.key, identity).overtaken
        if overtaken and any(map(call.condition, ("if-match", "if-none-match"))):
            raise StoreError("precondition", label="ConditionalRequestConflict")

    headers = ((name.lower(), value) for name, value in call.request.headers.items())
    checksum_headers = tuple(header for header in headers if header[0].startswith(PREFIX))
    try:
        stored = uploads.finish(
            call.bucket,
            call.key,
            identity,
            wanted=wanted,
            now=call.now,
            judge=judge,
            checksum_headers=checksum_headers,
        )
    except StoreError as error:
        if error.mistake != "no_upload" or not call.service.vendor.completes_again:
            raise
        stored = uploads.finished(call.bucket, call.key, identity, wanted)
    document = call.dialect.documents.finished(call.bucket, stored, call.request.base_url)
    return call.answer(call.dialect.created, document, document=True, headers=call.tags(stored))


def abort_upload(call: S3Call) -> StoreAnswer:
    """AbortMultipartUpload."""
    call.service.uploads.abort(call.bucket, call.key, call.parameter("uploadId"))
    return call.answer(204)


def list_parts(call: S3Call) -> StoreAnswer:
    """ListParts."""
    upload, parts = call.service.uploads.parts(call.bucket, call.key, call.parameter("uploadId"))
    limit = min(call.number("max-parts", call.dialect.pages[1]), MOST_KEYS)
    marker = call.number("part-number-marker", -1)
    remaining = [part for part in parts if part.number > marker]
    page = remaining[:limit]
    document = call.dialect.documents.parts(
        upload,
        page,
        bucket=call.bucket,
        marker=max(marker, 0),
        limit=limit,
        following=page[-1].number if page and len(page) < len(remaining) else None,
        encoded=call.parameter("encoding-type") == "url",
    )
    return call.answer(200, document, document=True)


def list_uploads(call: S3Call) -> StoreAnswer:
    """ListMultipartUploads."""
    uploads = call.service.uploads.all(call.bucket)
    marker = (call.parameter("key-marker"), call.parameter("upload-id-marker"))
    after = marker if marker[1] or not marker[0] else (marker[0], LAST)
    keys = _keys_page(call, uploads, marker, after, call.number("max-uploads", call.dialect.pages[1]))
    document = call.dialect.documents.uploads(keys, [uploads[name] for name in keys.page.names])
    return call.answer(200, document, document=True)


def _wants_all(call: S3Call) -> bool:
    """Whether a header asks for every part, which OSS and TOS allow.

    https://www.alibabacloud.com/help/en/oss/developer-reference/completemultipartupload
    """
    return (call.header("complete-all") or "").lower() == "yes"


def _all_parts(call: S3Call, identity: str) -> list[tuple[int, str | None]]:
    drain(call.request)
    _, parts = call.service.uploads.parts(call.bucket, call.key, identity)
    return [(part.number, None) for part in parts]


def _read_listed_parts(call: S3Call, identity: str) -> list[tuple[int, str | None]]:
    if not call.service.vendor.completes_again:  # otherwise it may be completed already, with the same parts
        call.service.uploads.find(call.bucket, call.key, identity)
    listed = call.dialect.documents.read_parts(read_document(call.request, checksums=False))
    if call.dialect.amazon and any(etag is None for _, etag in listed):
        raise StoreError("malformed")
    return [(number, etag and etag.strip().strip('"')) for number, etag in listed]


def _source_range(call: S3Call, source: Stored) -> tuple[int, int]:
    text = call.header("copy-source-range") or call.header("copy-range")
    if not text:
        return 0, source.size
    if call.dialect.amazon:
        return _first_and_last(text, source.size)
    wanted = read_range(text, source.size)
    if wanted is None:
        raise StoreError("argument")
    return wanted


def _first_and_last(text: str, size: int) -> tuple[int, int]:
    """Read the start and stop of a range with both ends, both within the source.

    Raises:
        StoreError: `argument`; `range`, if it begins after the end of the source.
    """
    match = FIRST_LAST.fullmatch(text)
    if match is None:
        raise StoreError("argument")
    first, last = map(int, match.groups())
    if first > last:
        raise StoreError("argument")
    if first >= size:
        raise StoreError("range", headers=[("Content-Range", f"bytes */{size}")], size=size)
    if last >= size:
        raise StoreError("argument", f"Range specified is not valid for source object of size: {size}")
    return first, last + 1


Operation = Callable[[S3Call], StoreAnswer]

OPERATIONS: Mapping[str, tuple[Operation, str]] = {
    "AbortMultipartUpload": (abort_upload, "uploadId"),
    "CompleteMultipartUpload": (finish_upload, "uploadId"),
    "CopyObject": (put_object, ""),
    "CreateBucket": (create_bucket, ""),
    "CreateMultipartUpload": (start_upload, "uploads"),
    "DeleteBucket": (delete_bucket, ""),
    "DeleteObject": (delete_object, ""),
    "DeleteObjects": (delete_objects, "delete"),
    "GetApiVersion": (head_bucket, ""),
    "GetBucketAcl": (get_acl, "acl"),
    "GetBucketLocation": (get_location, "location"),
    "GetBucketVersioning": (get_versioning, "versioning"),
    "GetObject": (get_object, ""),
    "GetObjectAcl": (get_acl, "acl"),
    "GetObjectMeta": (get_object, ""),
    "HeadBucket": (head_bucket, ""),
    "HeadObject": (get_object, ""),
    "ListBuckets": (list_buckets, ""),
    "ListMultipartUploads": (list_uploads, "uploads"),
    "ListObjects": (list_objects, ""),
    "ListObjectsV2": (list_objects, ""),
    "ListParts": (list_parts, "uploadId"),
    "PutObject": (put_object, ""),
    "UploadPart": (upload_part, "uploadId"),
    "UploadPartCopy": (upload_part, "uploadId"),
}
"""The store's operations by the vendors' names, each with the subresource in its query.

OBS's GetApiVersion and OSS's GetObjectMeta are HEAD requests.
"""
SUBRESOURCES = frozenset(subresource for _, subresource in OPERATIONS.values() if subresource)
NEVER_SET: Mapping[str, str] = {
    "GetBucketCors": "NoSuchCORSConfiguration",
    "GetBucketLifecycle": "NoSuchLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "NoSuchLifecycleConfiguration",
    "GetBucketPolicy": "NoSuchBucketPolicy",
    "GetBucketReplication": "ReplicationConfigurationNotFoundError",
    "GetBucketTagging": "NoSuchTagSet",
    "GetBucketWebsite": "NoSuchWebsiteConfiguration",
    "GetObjectLockConfiguration": "ObjectLockConfigurationNotFoundError",
}
"""The errors of operations that read a setting which no bucket of the store has."""
PARAMETERS = SUBRESOURCES.union(
    """
    apiversion continuation-token delimiter encoding-type fetch-owner generation key-marker list-type
    marker max-buckets max-keys max-parts max-uploads objectMeta part-number-marker partNumber prefix start-after
    upload-id-marker versionId
    """.split()
)
"""Parameters of the store's operations, by S3's names; their values may be empty."""
CHANGING = frozenset(
    """
    ci-process recursive reverse skipTrash x-bce-process x-image-process x-oss-async-process x-oss-process
    x-tos-process
    """.split()
)
"""Parameters of any vendor that ask for another operation by their value."""
PREFIXES = ("response-", "q-", "x-")
"""Prefixes of parameters that may be empty: they set headers, or belong to signatures."""


def perform(call: S3Call) -> StoreAnswer:
    """Perform the operation of a request.

    Raises:
        StoreError: the request is invalid, or the store does not support it.
    """
    if not call.valid:
        raise StoreError("uri")
    name = call.service.reading.operation(call.request.view)
    if name is None:
        raise StoreError("method")
    if name not in OPERATIONS:
        if call.bucket:
            # SDKs read the access list to learn whether a bucket exists.
            call.service.buckets.find(call.bucket)
        _refuse_unset(call, name)
        raise StoreError("not_implemented", f"the embedded store does not support {name}")
    operation, wanted = OPERATIONS[name]
    if {wanted} - {""} != {subresource for subresource in SUBRESOURCES if call.has(subresource)}:
        raise StoreError("method")
    for unsupported in _unsupported_parameters(call):
        raise StoreError("not_implemented", f"the embedded store does not support ?{unsupported}")
    if call.key:
        call.check_version()
    return operation(call)


def _refuse_unset(call: S3Call, name: str) -> None:
    """Refuse to read a setting that was never made, if the vendor documents an error for that."""
    label = NEVER_SET.get(name)
    if label is not None and any(error.label == label for error in call.service.vendor.errors):
        raise StoreError("not_implemented", label=label)


def _unsupported_parameters(call: S3Call) -> Iterator[str]:
    """Find the parameters that ask for an operation which the store does not support."""
    reads = call.dialect.reads_parts and call.request.method in ("GET", "HEAD")
    if call.key and call.has("partNumber") and not (call.has("uploadId") or reads):
        yield "partNumber"
    args = call.request.args
    known = {call.dialect.parameters.get(name, name) for name in PARAMETERS} if args else set()
    for name, value in args.items(multi=True):
        unknown_flag = not value and name not in known and not name.lower().startswith(PREFIXES)
        if unknown_flag or (name in CHANGING and is_set(value)):
            yield name

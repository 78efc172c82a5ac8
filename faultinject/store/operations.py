"""The operations on the service, on buckets and on objects; multipart uploads have their own module."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, unquote

from werkzeug.http import http_date

from faultinject.store.bodies import drain, read_document, receive
from faultinject.store.buckets import Stored, check_key
from faultinject.store.call import KEPT_HEADERS, ONLY_VERSION, VERSIONS, Call, is_set
from faultinject.store.documents import Failure, NamedObject, ObjectsPage
from faultinject.store.exchange import Answer
from faultinject.store.listing import read_token, select, token_of
from faultinject.store.preconditions import judge_delete, judge_own, judge_read, range_applies, read_range
from faultinject.store.refusal import StoreError
from faultinject.vendors.vendor import host_bucket

MOST_KEYS = 1000
"""The longest page of a listing, and the most keys that one request deletes."""
OVERRIDES = {f"response-{name.lower()}": name for name in (*KEPT_HEADERS, "Content-Type")}
"""From a parameter of GetObject to the header of the answer that it sets."""
CHANGES = ("server-side-encryption", "storage-class", "website-redirect-location")
"""Headers, without their prefix, that change an object which is copied onto itself."""


def list_buckets(call: Call) -> Answer:
    """ListBuckets: all on one page, however many the client asks for."""
    prefix = call.parameter("prefix")
    buckets = [each for each in call.service.buckets.all() if each.name.startswith(prefix)]
    return call.answer(200, call.dialect.documents.buckets(buckets, prefix), document=True)


def create_bucket(call: Call) -> Answer:
    """CreateBucket; a configuration in the body has no effect, but says that it is not for S3's first region."""
    again = call.dialect.first_region and not call.request.content_length
    drain(call.request)
    call.service.buckets.create(call.bucket, call.now, again=again)
    return call.answer(call.dialect.created)


def head_bucket(call: Call) -> Answer:
    """HeadBucket."""
    call.service.buckets.find(call.bucket)
    return call.answer(200)


def delete_bucket(call: Call) -> Answer:
    """DeleteBucket."""
    call.service.buckets.delete(call.bucket)
    return call.answer(204)


def get_location(call: Call) -> Answer:
    """GetBucketLocation."""
    call.service.buckets.find(call.bucket)
    return call.answer(200, call.dialect.documents.location(), document=True)


def get_versioning(call: Call) -> Answer:
    """GetBucketVersioning: no bucket has been given any."""
    call.service.buckets.find(call.bucket)
    return call.answer(200, call.dialect.documents.never_versioned(), document=True)


def list_objects(call: Call) -> Answer:
    """ListObjects and, with `list-type=2`, ListObjectsV2."""
    objects = call.service.buckets.objects(call.bucket)
    version = 2 if call.parameter("list-type") == "2" else 1
    token = call.parameter("continuation-token") if version == 2 else ""
    marker = call.parameter("start-after" if version == 2 else "marker")
    limit = min(call.number("max-keys", call.dialect.page), MOST_KEYS)
    prefix, delimiter = call.parameter("prefix"), call.parameter("delimiter")
    page = select(
        ((key, "") for key in objects),
        prefix=prefix,
        delimiter=delimiter,
        after=(read_token(token) if token else marker, ""),
        limit=limit,
    )
    following = None if page.next is None else page.next[0]
    document = call.dialect.documents.objects(
        ObjectsPage(
            bucket=call.bucket,
            prefix=prefix,
            delimiter=delimiter,
            marker=marker,
            limit=limit,
            objects=[objects[key] for key, _ in page.names],
            prefixes=page.prefixes,
            next=following,
            encoded=call.parameter("encoding-type") == "url",
            version=version,
            token=token,
            next_token=token_of(following or ""),
            owners=version == 1 or is_set(call.parameter("fetch-owner")),
        )
    )
    return call.answer(200, document, document=True)


def delete_objects(call: Call) -> Answer:
    """DeleteObjects."""
    call.service.buckets.find(call.bucket)
    asked = call.dialect.documents.read_keys(read_document(call.request))
    if call.parameter("encoding-type") == "url":
        asked = replace(asked, encoded=True)
    if not asked.objects:
        raise StoreError("malformed")
    if len(asked.objects) > MOST_KEYS:
        raise StoreError("too_many_keys")
    failures: list[Failure] = []
    deleted = []
    for each in asked.objects:
        try:
            _delete_named(call, each)
            deleted.append(each.key)
        except StoreError as error:
            row = call.documented(error)
            failures.append(Failure(each.key, each.version, row.code, row.message))
    return call.answer(200, call.dialect.documents.deleted(deleted, failures, asked), document=True)


def _delete_named(call: Call, named: NamedObject) -> None:
    if named.version not in (None, ONLY_VERSION):
        raise StoreError("version")
    check_key(named.key)
    conditions = {"if-match": named.etag}
    call.service.buckets.remove(call.bucket, named.key, lambda there: judge_delete(conditions.get, there))


def put_object(call: Call) -> Answer:
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
    with call.service.buckets.budget.hold() as hold:
        content = receive(call.request, hold)
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
        call.service.buckets.put(call.bucket, stored, call.judge_write, hold)
    return call.answer(call.dialect.created, headers=[*call.tags(stored), *stored.checksums])


def get_object(call: Call) -> Answer:
    """GetObject and HeadObject."""
    stored = call.service.buckets.get(call.bucket, call.key)
    headers = [*call.tags(stored), ("Last-Modified", http_date(stored.modified))]
    get = call.request.headers.get
    judge_own(call.header, stored)
    if not judge_read(call.condition, stored):
        return call.answer(304, headers=headers)
    headers += [*stored.headers, ("Accept-Ranges", "bytes"), *_overrides(call)]
    wanted = read_range(get("range"), stored.size) if range_applies(get("if-range"), stored) else None
    if wanted is None and (call.header("checksum-mode") or "").upper() == "ENABLED":
        headers += stored.checksums
    return call.content(stored, wanted, headers)


def delete_object(call: Call) -> Answer:
    """DeleteObject."""
    call.service.buckets.remove(call.bucket, call.key, call.judge_delete)
    return call.answer(204)


def copy_source(call: Call) -> Stored | None:
    """The object that a copy names as its source; None when the request is no copy.

    The source is written `bucket/key`, `/bucket/key` or, by COS, `bucket.endpoint/key`; percent-encoded.

    Raises:
        StoreError: `no_bucket`, `no_key`, `argument`, `version`, `precondition`.
    """
    source = call.header("copy-source")
    if source is None:
        return None
    path, _, query = source.partition("?")
    try:
        place, _, key = unquote(path, errors="strict").removeprefix("/").partition("/")
    except UnicodeDecodeError as error:
        raise StoreError("argument") from error
    bucket = host_bucket(place.partition(":")[0].lower(), call.service.endpoints) or place
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


def _copy_object(call: Call, source: Stored) -> Answer:
    directive = (call.header("metadata-directive") or "").lower()
    replaced = directive in ("replace", "replaced", "full")
    changed = replaced or any(map(call.header, CHANGES))
    there = call.service.buckets.find(call.bucket).objects.get(call.key)
    if call.dialect.self_copy and not changed and there is source:
        raise StoreError("argument", label=call.dialect.self_copy)
    headers = call.stored_headers() if replaced else source.headers
    stored = replace(source, key=call.key, modified=call.now, headers=headers, upload=())
    call.service.buckets.put(call.bucket, stored, call.judge_write)
    document = call.dialect.documents.copied(source.etag, call.now, part=False)
    tags = call.tags(stored)
    return call.answer(call.dialect.created, document, document=True, headers=tags)


def _overrides(call: Call) -> list[tuple[str, str]]:
    """Headers that the query asks for, such as `response-content-type=text/plain`."""
    found = []
    for name, header in OVERRIDES.items():
        if value := call.request.args.get(name):
            if not (value.isascii() and value.isprintable()):
                raise StoreError("argument")
            found.append((header, value))
    return found

"""Google's JSON API: the operations on buckets and on existing objects.

A table finds a request's operation. Uploads have their own module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from faultinject.store.buckets import Stored, StoreError
from faultinject.store.documents import Page, read_token, select, token_of
from faultinject.store.gcs import resources, uploads
from faultinject.store.gcs.call import ABSENT, GcsCall
from faultinject.store.messages import StoreAnswer
from faultinject.store.preconditions import judge_read, read_range

MOST = 1000
"""The largest page of a listing, and the default one."""
UNREAD = ("matchGlob", "softDeleted", "filter", "includeTrailingDelimiter", "includeFoldersAsPrefixes")
"""Parameters of a listing that the store does not support.

`versions` is ignored: a bucket without versioning has only live objects.
"""


def list_buckets(call: GcsCall) -> StoreAnswer:
    """buckets.list."""
    rows = {bucket.name: bucket for bucket in call.service.buckets.all()}
    page, token = _page(call, rows, "")
    items = [resources.bucket_resource(rows[name], call.request.root_url) for name, _ in page.names]
    return call.json({"kind": "storage#buckets", "items": items, **token})


def insert_bucket(call: GcsCall) -> StoreAnswer:
    """buckets.insert.

    Raises:
        StoreError: `required`, without a name; `not_implemented`, with versioning; `bucket_exists`, `bucket_name`.
    """
    name = call.document.get("name")
    if not isinstance(name, str):
        raise StoreError("required")
    if call.document.get("versioning") not in (None, {}, {"enabled": False}):
        raise StoreError("not_implemented", "the embedded store does not support versioning")
    call.service.buckets.create(name, call.now)
    return call.json(resources.bucket_resource(call.service.buckets.find(name), call.request.root_url))


def get_bucket(call: GcsCall) -> StoreAnswer:
    """buckets.get."""
    bucket = call.service.buckets.find(call.bucket)
    call.judge_bucket()
    return call.json(resources.bucket_resource(bucket, call.request.root_url))


def change_bucket(_: GcsCall) -> StoreAnswer:
    """buckets.patch and buckets.update.

    Raises:
        StoreError: `not_implemented`.
    """
    raise StoreError("not_implemented", "the embedded store does not support settings of buckets")


def delete_bucket(call: GcsCall) -> StoreAnswer:
    """buckets.delete; a bucket with uploads under way can be deleted."""
    buckets = call.service.buckets
    with buckets.lock:
        buckets.find(call.bucket)
        call.judge_bucket()
        buckets.delete(call.bucket, uploads=True)
    return call.answer(204)


def list_objects(call: GcsCall) -> StoreAnswer:
    """objects.list."""
    for name in UNREAD:
        if call.argument(name).lower() not in ("", "false"):
            raise StoreError("not_implemented", f"the embedded store does not support {name}")
    rows = call.service.buckets.objects(call.bucket)
    start, end = call.argument("startOffset"), call.argument("endOffset")
    wanted = (key for key in rows if key >= start and (not end or key < end))
    page, token = _page(call, wanted, call.argument("delimiter"))
    items = [call.resource_of(call.bucket, rows[key]) for key, _ in page.names]
    prefixes = {"prefixes": page.prefixes} if page.prefixes else {}
    return call.json({"kind": "storage#objects", "items": items, **prefixes, **token})


def _page(call: GcsCall, names: Iterable[str], delimiter: str) -> tuple[Page, dict[str, str]]:
    """Select a page, and make the answer's field with the next page's token."""
    limit = min(call.number("maxResults", MOST) or MOST, MOST)
    page = select(
        ((name, "") for name in names),
        prefix=call.argument("prefix"),
        delimiter=delimiter,
        after=(read_token(call.argument("pageToken")), ""),
        limit=limit,
    )
    if page.next is None:
        return page, {}
    return page, {"nextPageToken": token_of(page.next[0])}


SOURCES = 32
"""The largest number of objects that one request composes."""


def get_object(call: GcsCall) -> StoreAnswer:
    """objects.get: the resource, or with `alt=media` the content."""
    stored = call.get(call.bucket, call.key, call.argument("generation"))
    # Dates have no effect here: https://cloud.google.com/storage/docs/request-preconditions
    tags = {name: call.request.headers.get(name) for name in ("if-match", "if-none-match")}
    if not (call.judge(stored) and judge_read(tags.get, stored)):
        return call.answer(304, headers=[("ETag", stored.etag)])
    if call.argument("alt") != "media" and not call.kind.startswith("download"):
        return call.json(call.resource_of(call.bucket, stored), ETag=stored.etag)
    headers = [("ETag", stored.etag), *resources.content_headers(stored), ("Accept-Ranges", "bytes")]
    wanted = read_range(call.request.headers.get("range"), stored.size)
    return call.content(stored, wanted, headers)


def delete_object(call: GcsCall) -> StoreAnswer:
    """objects.delete."""
    call.service.buckets.remove(call.bucket, call.key, call.judge_change)
    return call.answer(204)


def update_object(call: GcsCall) -> StoreAnswer:
    """objects.patch and, by PUT, objects.update.

    Raises:
        StoreError: `not_implemented`, for access control; `no_bucket`, `no_key`, `argument`,
            `metadata`, `precondition`.
    """
    document = call.document
    if "acl" in document or call.argument("predefinedAcl"):
        raise StoreError("not_implemented", "the embedded store does not support access control")
    buckets = call.service.buckets
    with buckets.lock:
        before = call.get(call.bucket, call.key, call.argument("generation"))
        headers = resources.updated_headers(before, document, whole=call.request.method == "PUT")
        after = replace(before, etag=resources.etag(headers), modified=call.now, headers=headers)
        buckets.put(call.bucket, after, call.judge_change)
    return call.json(call.resource_of(call.bucket, after))


def compose_object(call: GcsCall) -> StoreAnswer:
    """objects.compose.

    Raises:
        StoreError: `required`, without sources; `argument`, for too many sources or several storage classes; `no_key`,
            `precondition`; `not_implemented`, if the sources are to be deleted.
    """
    if call.document.get("deleteSourceObjects"):
        raise StoreError("not_implemented", "the embedded store does not support deleteSourceObjects")
    destination = call.document.get("destination") or {}
    if not isinstance(destination, dict):
        raise StoreError("argument")
    with call.service.buckets.lock:
        sources = [_source(call, named) for named in _source_names(call)]
    classes = {resources.storage_class(source) for source in sources}
    if len(classes) > 1:
        raise StoreError("argument")
    described = resources.describe_fields({**destination, "storageClass": classes.pop()})
    count = sum(int(resources.components(source) or 1) for source in sources)
    blocks = tuple(block for source in sources for block in source.blocks)
    described = (*described, (resources.COMPONENTS, str(count)))
    return uploads.write(call, (call.bucket, call.key), blocks, described)


def _source_names(call: GcsCall) -> list[dict[str, Any]]:
    """Read the names of a composite's sources."""
    sources = call.document.get("sourceObjects")
    if not (isinstance(sources, list) and sources and all(isinstance(source, dict) for source in sources)):
        raise StoreError("required")
    if len(sources) > SOURCES:
        raise StoreError("argument")
    return sources


def _source(call: GcsCall, fields: Mapping[str, Any]) -> Stored:
    """Find a source of a composite, of the named generation if there is one."""
    name, generation = fields.get("name"), fields.get("generation")
    if not isinstance(name, str):
        raise StoreError("required")
    source = call.get(call.bucket, name, "" if generation is None else str(generation))
    conditions = fields.get("objectPreconditions") or {}
    if not isinstance(conditions, dict):
        raise StoreError("argument")
    wanted = conditions.get("ifGenerationMatch")
    if wanted is not None and str(wanted) != resources.generations(source)[0]:
        raise StoreError("precondition")
    return source


def copy_object(call: GcsCall) -> StoreAnswer:
    """objects.copy, and objects.rewrite, which is done at once.

    The copy has the request's description, if there is one, or the source's. A copy of a composite is a composite too,
    of only one component if its storage class changes: https://cloud.google.com/storage/docs/composite-objects
    """
    described = resources.describe_fields(call.document)
    source = call.get(call.bucket, call.key, call.argument("sourceGeneration"))
    if not call.judge(source, "ifSource"):
        raise StoreError("precondition")
    described = described or tuple(
        header for header in source.headers if header[0] not in resources.NOT_COPIED
    )
    if count := resources.components(source):
        new_class = dict(described).get(resources.STORAGE_CLASS, resources.CLASSES[0])
        same_class = new_class == resources.storage_class(source)
        described = (*described, (resources.COMPONENTS, count if same_class else "1"))
    return uploads.write(call, call.target, source.blocks, described)


def move_object(call: GcsCall) -> StoreAnswer:
    """objects.move: the same content and description under another name in the same bucket.

    https://cloud.google.com/storage/docs/json_api/v1/objects/move

    Raises:
        StoreError: `argument`, to its own name; `no_bucket`, `no_key`, `precondition`.
    """
    if call.target[1] == call.key:
        raise StoreError("argument")
    buckets = call.service.buckets
    with buckets.lock:
        source = call.get(call.bucket, call.key, "")
        if not call.judge(source, "ifSource"):
            raise StoreError("precondition")
        new = (resources.GENERATION, resources.METAGENERATION, resources.HASH)
        described = tuple(header for header in source.headers if header[0] not in new)
        answer = uploads.write(call, call.target, source.blocks, described)
        buckets.remove(call.bucket, call.key)
    return answer


Operation = Callable[[GcsCall], StoreAnswer]

ROUTES: Mapping[tuple[str, str], Operation] = {
    ("buckets", "GET"): list_buckets,
    ("buckets", "POST"): insert_bucket,
    ("bucket", "GET"): get_bucket,
    ("bucket", "DELETE"): delete_bucket,
    ("bucket", "PATCH"): change_bucket,
    ("bucket", "PUT"): change_bucket,
    ("objects", "GET"): list_objects,
    ("object", "GET"): get_object,
    ("object", "PATCH"): update_object,
    ("object", "PUT"): update_object,
    ("object", "DELETE"): delete_object,
    ("rewriteTo", "POST"): copy_object,
    ("copyTo", "POST"): copy_object,
    ("moveTo", "POST"): move_object,
    ("compose", "POST"): compose_object,
    ("download object", "GET"): get_object,
}
"""Operations by path and method: https://cloud.google.com/storage/docs/json_api/v1."""

UPLOADS: Mapping[tuple[str, str], Operation] = {
    ("media", "POST"): uploads.insert_media,
    ("multipart", "POST"): uploads.insert_multipart,
    ("resumable", "POST"): uploads.start_upload,
    ("session", "PUT"): uploads.continue_upload,
    ("session", "POST"): uploads.continue_upload,
    ("session", "DELETE"): uploads.cancel_upload,
}
"""Operations of uploads by `uploadType`, or `session` for an upload under way, and method.

Clients send pieces by PUT; gcsfs, whose tests run against Google, sends them by POST.
"""


def perform(call: GcsCall) -> StoreAnswer:
    """Perform the operation of a request.

    Raises:
        StoreError: the request is invalid, or the store does not support it.
    """
    if not call.valid:
        raise StoreError("uri")
    if call.kind in ABSENT:
        raise StoreError("not_implemented", f"the embedded store does not support {ABSENT[call.kind]}")
    method = call.request.method
    if call.kind == "upload objects":
        kind = "session" if call.argument("upload_id") else call.argument("uploadType") or "multipart"
        if kind not in ("session", "media", "multipart", "resumable"):
            raise StoreError("argument")
        operation = UPLOADS.get((kind, method))
    else:
        operation = ROUTES.get((call.kind, method))
        if not any(call.kind == kind for kind, _ in ROUTES):
            raise StoreError("no_route")
    if operation is None:
        raise StoreError("method")
    return operation(call)

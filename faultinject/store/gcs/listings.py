"""The operations on buckets, and the listing of objects."""

from __future__ import annotations

from collections.abc import Iterable

from faultinject.store.buckets import StoreError
from faultinject.store.documents import Page, read_token, select, token_of
from faultinject.store.exchange import Answer
from faultinject.store.gcs.call import GcsCall
from faultinject.store.gcs.resources import bucket_resource, object_resource

MOST = 1000
"""The longest page of a listing, and the usual one."""
ABSENT = ("matchGlob", "softDeleted", "filter", "includeTrailingDelimiter", "includeFoldersAsPrefixes")
"""Parameters of a listing that the service has and this store has not. `versions` is none of them: a bucket without
versioning has the live objects only."""


def list_buckets(call: GcsCall) -> Answer:
    """buckets.list."""
    rows = {each.name: each for each in call.service.buckets.all()}
    page, token = _page(call, rows, "")
    items = [bucket_resource(rows[name], call.request.root_url) for name, _ in page.names]
    return call.json(200, {"kind": "storage#buckets", "items": items, **token})


def insert_bucket(call: GcsCall) -> Answer:
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
    return call.json(200, bucket_resource(call.service.buckets.find(name), call.request.root_url))


def get_bucket(call: GcsCall) -> Answer:
    """buckets.get."""
    bucket = call.service.buckets.find(call.bucket)
    call.judge_bucket()
    return call.json(200, bucket_resource(bucket, call.request.root_url))


def change_bucket(_: GcsCall) -> Answer:
    """buckets.patch and buckets.update.

    Raises:
        StoreError: `not_implemented`.
    """
    raise StoreError("not_implemented", "the embedded store does not support settings of buckets")


def delete_bucket(call: GcsCall) -> Answer:
    """buckets.delete: uploads under way do not keep a bucket."""
    buckets = call.service.buckets
    with buckets.lock:
        bucket = buckets.find(call.bucket)
        call.judge_bucket()
        if bucket.objects:
            raise StoreError("bucket_not_empty")
        buckets.drop(call.bucket)
    return call.answer(204)


def list_objects(call: GcsCall) -> Answer:
    """objects.list."""
    for name in ABSENT:
        if call.argument(name).lower() not in ("", "false"):
            raise StoreError("not_implemented", f"the embedded store does not support {name}")
    rows = call.service.buckets.objects(call.bucket)
    start, end = call.argument("startOffset"), call.argument("endOffset")
    wanted = (key for key in rows if key >= start and (not end or key < end))
    page, token = _page(call, wanted, call.argument("delimiter"))
    items = [object_resource(call.bucket, rows[key], call.request.root_url) for key, _ in page.names]
    prefixes = {"prefixes": page.prefixes} if page.prefixes else {}
    return call.json(200, {"kind": "storage#objects", "items": items, **prefixes, **token})


def _page(call: GcsCall, names: Iterable[str], delimiter: str) -> tuple[Page, dict[str, str]]:
    """A page, and the token of the next one as a field of the answer."""
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

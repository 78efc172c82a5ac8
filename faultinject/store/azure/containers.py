"""The operations on the account and on containers."""

from __future__ import annotations

from collections.abc import Iterable

from faultinject.store.azure import documents
from faultinject.store.azure.call import AzureCall, state
from faultinject.store.bodies import drain
from faultinject.store.buckets import Stored, StoreError
from faultinject.store.documents import read_token, select, token_of
from faultinject.store.exchange import Answer
from faultinject.store.xml import Field

MOST = 5000
"""The longest page of a listing, and the usual one."""


def list_containers(call: AzureCall) -> Answer:
    """List Containers."""
    rows = {each.name: each for each in call.service.buckets.all()}
    names, _, marker, asked = _page(call, rows, "")
    document = documents.containers(
        call.endpoint, asked, [rows[name] for name in names], marker, _includes(call, "metadata")
    )
    return call.answer(200, document, document=True)


def create_container(call: AzureCall) -> Answer:
    """Create Container."""
    drain(call.request)
    call.service.buckets.create(call.bucket, call.now, call.metadata())
    return call.answer(201, headers=state(call.service.buckets.find(call.bucket)))


def get_container(call: AzureCall) -> Answer:
    """Get Container Properties, and Get Container Metadata."""
    bucket = call.service.buckets.find(call.bucket)
    more = [
        ("x-ms-lease-status", "unlocked"),
        ("x-ms-lease-state", "available"),
        ("x-ms-has-immutability-policy", "false"),
        ("x-ms-has-legal-hold", "false"),
    ]
    return call.answer(200, headers=[*state(bucket), *bucket.headers, *more])


def set_container_metadata(call: AzureCall) -> Answer:
    """Set Container Metadata."""
    drain(call.request)
    buckets = call.service.buckets
    with buckets.lock:
        bucket = buckets.find(call.bucket)
        call.judge_container(bucket)
        buckets.describe(call.bucket, call.now, call.metadata())
        return call.answer(200, headers=state(bucket))


def delete_container(call: AzureCall) -> Answer:
    """Delete Container, with everything that is in it."""
    buckets = call.service.buckets
    with buckets.lock:
        call.judge_container(buckets.find(call.bucket))
        buckets.drop(call.bucket)
    return call.answer(202)


def list_blobs(call: AzureCall) -> Answer:
    """List Blobs, flat or by a delimiter."""
    with call.service.buckets.lock:
        rows = call.service.buckets.objects(call.bucket)
        if _includes(call, "uncommittedblobs"):
            rows = _uncommitted(call) | rows
    first = call.request.args.get("startFrom", "")
    wanted = (name for name in rows if name >= first)
    names, prefixes, marker, asked = _page(call, wanted, call.request.args.get("delimiter", ""))
    document = documents.blobs(
        (call.endpoint, call.bucket),
        asked,
        ([rows[name] for name in names], prefixes),
        marker,
        _includes(call, "metadata"),
    )
    return call.answer(200, document, document=True)


def _uncommitted(call: AzureCall) -> dict[str, Stored]:
    """The blobs of which there are blocks only: as blobs without an entity tag."""
    staged = call.service.uploads.all(call.bucket).values()
    return {each.key: Stored(each.key, (), 0, "", each.started, ()) for each in staged}


def _page(
    call: AzureCall, names: Iterable[str], delimiter: str
) -> tuple[list[str], list[str], str, list[Field]]:
    """Names and common prefixes of a page, the marker of the next one, and what the client asked for."""
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
    asked: list[Field] = [
        ("Prefix", prefix or None),
        ("Marker", given or None),
        ("MaxResults", limit if "maxresults" in args else None),
        ("Delimiter", delimiter or None),
    ]
    marker = "" if page.next is None else token_of(page.next[0])
    return [name for name, _ in page.names], page.prefixes, marker, asked


def _includes(call: AzureCall, what: str) -> bool:
    return what in call.request.args.get("include", "").split(",")

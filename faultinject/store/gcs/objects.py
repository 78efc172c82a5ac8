"""The operations on objects that are there; uploads have their own module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from faultinject.store.buckets import Stored, StoreError
from faultinject.store.exchange import Answer
from faultinject.store.gcs import resources
from faultinject.store.gcs.call import GcsCall
from faultinject.store.gcs.uploads import write
from faultinject.store.preconditions import read_range

SOURCES = 32
"""The most objects that one request composes."""


def get_object(call: GcsCall) -> Answer:
    """objects.get: the resource, or with `alt=media` the content."""
    stored = call.get(call.bucket, call.key, call.argument("generation"))
    if not call.judge(stored):
        return call.answer(304, headers=[("ETag", stored.etag)])
    if call.argument("alt") != "media" and not call.kind.startswith("download"):
        return call.json(200, call.resource_of(call.bucket, stored), ETag=stored.etag)
    headers = [("ETag", stored.etag), *resources.sent(stored), ("Accept-Ranges", "bytes")]
    wanted = read_range(call.request.headers.get("range"), stored.size)
    return call.content(stored, wanted, headers)


def delete_object(call: GcsCall) -> Answer:
    """objects.delete."""
    call.service.buckets.remove(call.bucket, call.key, call.judge_change)
    return call.answer(204)


def update_object(call: GcsCall) -> Answer:
    """objects.patch and, by PUT, objects.update.

    Raises:
        StoreError: `not_implemented`, when access control is to change; `no_bucket`, `no_key`, `argument`, `metadata`,
            `precondition`.
    """
    document = call.document
    if "acl" in document or call.argument("predefinedAcl"):
        raise StoreError("not_implemented", "the embedded store does not support access control")
    buckets = call.service.buckets
    with buckets.lock:
        before = call.get(call.bucket, call.key, call.argument("generation"))
        headers = resources.updated(before, document, whole=call.request.method == "PUT")
        after = replace(before, etag=resources.etag(headers), modified=call.now, headers=headers)
        buckets.put(call.bucket, after, call.judge_change)
    return call.json(200, call.resource_of(call.bucket, after))


def copy_object(call: GcsCall) -> Answer:
    """objects.copy."""
    return _copy(call, "")


def rewrite_object(call: GcsCall) -> Answer:
    """objects.rewrite: done at once."""
    return _copy(call, "rewrite")


def compose_object(call: GcsCall) -> Answer:
    """objects.compose.

    Raises:
        StoreError: `required`, without sources; `argument`, with too many or of several storage classes; `no_key`,
            `precondition`; `not_implemented`, when they are to be deleted.
    """
    if call.document.get("deleteSourceObjects"):
        raise StoreError("not_implemented", "the embedded store does not support deleteSourceObjects")
    destination = call.document.get("destination") or {}
    if not isinstance(destination, dict):
        raise StoreError("argument")
    with call.service.buckets.lock:
        sources = [_source(call, each) for each in _named(call)]
    classes = {resources.storage_class(each) for each in sources}
    if len(classes) > 1:
        raise StoreError("argument")
    described = resources.described({**destination, "storageClass": classes.pop()})
    count = sum(int(resources.components(each) or 1) for each in sources)
    blocks = tuple(block for each in sources for block in each.blocks)
    described = (*described, (resources.COMPONENTS, str(count)))
    return write(call, (call.bucket, call.key), blocks, described)


def _named(call: GcsCall) -> list[dict[str, Any]]:
    """What a request names as the sources of a composite."""
    named = call.document.get("sourceObjects")
    if not (isinstance(named, list) and named and all(isinstance(each, dict) for each in named)):
        raise StoreError("required")
    if len(named) > SOURCES:
        raise StoreError("argument")
    return named


def _source(call: GcsCall, named: Mapping[str, Any]) -> Stored:
    """A source of a composite: of the generation that is meant, where one is."""
    name, generation = named.get("name"), named.get("generation")
    if not isinstance(name, str):
        raise StoreError("required")
    found = call.get(call.bucket, name, "" if generation is None else str(generation))
    conditions = named.get("objectPreconditions") or {}
    if not isinstance(conditions, dict):
        raise StoreError("argument")
    wanted = conditions.get("ifGenerationMatch")
    if wanted is not None and str(wanted) != resources.generations(found)[0]:
        raise StoreError("precondition")
    return found


def _copy(call: GcsCall, answered: str) -> Answer:
    """A copy: with the description that the request gives, else with the source's.

    A copy of a composite is one; of one object, if its storage class is another:
    https://cloud.google.com/storage/docs/composite-objects
    """
    described = resources.described(call.document)
    source = call.get(call.bucket, call.key, call.argument("sourceGeneration"))
    if not call.judge(source, "ifSource"):
        raise StoreError("precondition")
    described = described or tuple(each for each in source.headers if each[0] not in resources.OWN)
    if count := resources.components(source):
        same = dict(described).get(resources.STORAGE_CLASS, resources.CLASSES[0]) == resources.storage_class(
            source
        )
        described = (*described, (resources.COMPONENTS, count if same else "1"))
    return write(call, call.target, source.blocks, described, answered=answered)

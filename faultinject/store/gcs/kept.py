"""Documents that are kept and given back, and have no effect: settings of buckets, access control, notifications, HMAC keys.

A bucket or an object keeps all of its own as one header, which no answer carries: its bytes are taken from the budget.

https://cloud.google.com/storage/docs/json_api/v1
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import md5
from os import urandom
from threading import RLock
from typing import Any, NoReturn

from faultinject.store.buckets import Bucket, Headers, Stored, entry_cost
from faultinject.store.budget import ENTRY
from faultinject.store.documents import iso
from faultinject.store.error_codes import StoreError
from faultinject.store.exchange import Answer
from faultinject.store.gcs import resources
from faultinject.store.gcs.call import GcsCall

Documents = dict[str, Any]

MOST_ENTRIES = 100
"""Entries of an access control list, and notifications of a bucket: https://cloud.google.com/storage/quotas."""
MOST_KEYS = 10_000
"""HMAC keys of the store."""
KEPT_BYTES = 65_536
"""Of all that one bucket or object keeps, as JSON."""
DEEPEST = 100
"""How many objects and lists may be within one another in what is kept."""
OWNERS = {"entity": "project-owners-0", "role": "OWNER"}
PREDEFINED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "authenticatedRead": (("allAuthenticatedUsers", "READER"),),
    "bucketOwnerFullControl": (),
    "bucketOwnerRead": (),
    "private": (),
    "projectPrivate": (("project-editors-0", "OWNER"), ("project-viewers-0", "READER")),
    "publicRead": (("allUsers", "READER"),),
    "publicReadWrite": (("allUsers", "WRITER"),),
}
"""https://cloud.google.com/storage/docs/access-control/lists#predefined-acl"""
LISTS = {"acl": "predefinedAcl", "defaultObjectAcl": "predefinedDefaultObjectAcl"}
"""From a list of a bucket to the parameter that replaces it."""


def change_bucket(call: GcsCall) -> Answer:
    """buckets.patch and, by PUT, buckets.update: settings that are not named stay, or go."""
    given = call.document
    with call.service.buckets.lock:
        bucket = call.service.buckets.find(call.bucket)
        call.judge_bucket(bucket)
        kept = resources.kept(bucket.headers)
        before = kept.get("settings", {}) if call.request.method == "PATCH" else {}
        kept["settings"] = merged(before, resources.settings(given))
        _relist(call, kept, given)
        _keep(call, bucket, kept)
        return call.json(200, resources.bucket_resource(bucket, call.request.root_url, full=True))


def given_at_birth(call: GcsCall) -> Headers:
    """What a bucket keeps of the document that it is made by."""
    kept: Documents = {"settings": merged({}, resources.settings(call.document))}
    _relist(call, kept, call.document)
    return resources.keeping((), _bounded(kept))


def lock_retention(call: GcsCall) -> Answer:
    """buckets.lockRetentionPolicy."""
    with call.service.buckets.lock:
        bucket = call.service.buckets.find(call.bucket)
        call.judge_bucket(bucket)
        kept = resources.kept(bucket.headers)
        locked = {"retentionPolicy": {"isLocked": True}}
        kept["settings"] = merged(kept.get("settings", {}), locked)
        _keep(call, bucket, kept)
        return call.json(200, resources.bucket_resource(bucket, call.request.root_url))


def iam(call: GcsCall) -> Answer:
    """buckets.getIamPolicy and, by PUT, buckets.setIamPolicy."""
    with call.service.buckets.lock:
        bucket = call.service.buckets.find(call.bucket)
        kept = resources.kept(bucket.headers)
        policy = kept.get("iam") or {"version": 1, "bindings": [], "etag": "CAE="}
        if call.request.method == "PUT":
            if call.document.get("etag") not in (None, policy["etag"]):
                raise StoreError("precondition")
            policy = {**call.document, "etag": _etag(urandom(8))}
            kept["iam"] = policy
            _keep(call, bucket, kept, changed=False)
    name = f"projects/_/buckets/{call.bucket}"
    return call.json(200, {**policy, "kind": "storage#policy", "resourceId": name})


def test_permissions(call: GcsCall) -> Answer:
    """buckets.testIamPermissions: everybody may do everything."""
    call.service.buckets.find(call.bucket)
    wanted = call.request.args.getlist("permissions")
    return call.json(200, {"kind": "storage#testIamPermissionsResponse", "permissions": wanted})


def entries(call: GcsCall) -> Answer:
    """All methods of bucketAccessControls, defaultObjectAccessControls and objectAccessControls."""
    name = "acl" if call.key else call.kind
    kind = "storage#bucketAccessControl" if (name, call.key) == ("acl", "") else "storage#objectAccessControl"
    with call.service.buckets.lock:
        place = _Place(call)
        rows = place.kept.setdefault(name, [OWNERS])
        rows, answered = _change(call, rows, "entity", place.name, kind)
        if call.request.method != "GET":
            place.kept[name] = rows
            place.keep()
    return answered


def notifications(call: GcsCall) -> Answer:
    """All methods of notifications."""
    with call.service.buckets.lock:
        place = _Place(call)
        rows = place.kept.get("notificationConfigs", [])
        number = str(1 + max((int(each["id"]) for each in rows), default=0))
        added = {"id": number, "etag": number}
        rows, answered = _change(call, rows, "id", place.name, "storage#notification", added=added)
        if call.request.method != "GET":
            place.kept["notificationConfigs"] = rows
            place.keep(changed=False)
    return answered


def service_account(call: GcsCall) -> Answer:
    """projects.serviceAccount.get."""
    address = "service-0@gs-project-accounts.iam.gserviceaccount.com"
    return call.json(200, {"kind": "storage#serviceAccount", "email_address": address})


class HmacKeys:
    """The HMAC keys of all projects, which are one."""

    def __init__(self) -> None:
        self._keys: dict[str, Documents] = {}
        self._lock = RLock()

    def answer(self, call: GcsCall) -> Answer:
        """All methods of projects.hmacKeys."""
        with self._lock:
            operation: Callable[[GcsCall], Answer] = {
                ("POST", False): self._create,
                ("GET", False): self._list,
                ("GET", True): self._get,
                ("PUT", True): self._update,
                ("DELETE", True): self._delete,
            }.get((call.request.method, bool(call.member)), _no_such_method)
            return operation(call)

    def _create(self, call: GcsCall) -> Answer:
        email = call.argument("serviceAccountEmail")
        if not email:
            raise StoreError("required")
        if len(email) > KEPT_BYTES or len(self._keys) >= MOST_KEYS:
            raise StoreError("argument")
        call.service.buckets.budget.take(ENTRY + len(email))
        access = f"GOOG1E{urandom(28).hex().upper()[:55]}"
        key = {
            "kind": "storage#hmacKeyMetadata",
            "id": f"{call.project}/{access}",
            "accessId": access,
            "projectId": call.project,
            "serviceAccountEmail": email,
            "state": "ACTIVE",
            "timeCreated": iso(call.now),
            "updated": iso(call.now),
            "etag": _etag(urandom(8)),
        }
        self._keys[access] = key
        secret = b64encode(urandom(30)).decode()
        return call.json(200, {"kind": "storage#hmacKey", "metadata": key, "secret": secret})

    def _list(self, call: GcsCall) -> Answer:
        email = call.argument("serviceAccountEmail")
        rows = [each for each in self._keys.values() if email in ("", each["serviceAccountEmail"])]
        return call.json(200, {"kind": "storage#hmacKeysMetadata", "items": rows})

    def _get(self, call: GcsCall) -> Answer:
        return call.json(200, self._find(call))

    def _update(self, call: GcsCall) -> Answer:
        key = self._find(call)
        if call.document.get("etag") not in (None, key["etag"]):
            raise StoreError("precondition")
        if call.document.get("state") not in ("ACTIVE", "INACTIVE"):
            raise StoreError("argument")
        key |= {"state": call.document["state"], "updated": iso(call.now), "etag": _etag(urandom(8))}
        return call.json(200, key)

    def _delete(self, call: GcsCall) -> Answer:
        key = self._find(call)
        if key["state"] == "ACTIVE":
            raise StoreError("argument")
        del self._keys[key["accessId"]]
        call.service.buckets.budget.give_back(ENTRY + len(key["serviceAccountEmail"]))
        return call.answer(204)

    def _find(self, call: GcsCall) -> Documents:
        found = self._keys.get(call.member)
        if found is None:
            raise StoreError("no_member")
        return found


class _Place:
    """A bucket, or an object in one, with what it keeps."""

    def __init__(self, call: GcsCall) -> None:
        self._call = call
        self._bucket = call.service.buckets.find(call.bucket)
        self._stored: Stored | None = None
        if call.key:
            self._stored = call.get(call.bucket, call.key, call.argument("generation"))
        self.kept = resources.kept(self._bucket.headers if self._stored is None else self._stored.headers)
        self.name = {"bucket": call.bucket} | ({"object": call.key} if call.key else {})

    def keep(self, *, changed: bool = True) -> None:
        """Keep what it has now."""
        if self._stored is None:
            _keep(self._call, self._bucket, self.kept, changed=changed)
            return
        before, call = self._stored, self._call
        headers = resources.keeping(resources.updated(before, {}, whole=False), _bounded(self.kept))
        with call.service.buckets.budget.hold() as hold:
            hold.add(before.cost - entry_cost(call.key, before.headers) + entry_cost(call.key, headers))
            after = replace(
                before, etag=resources.etag(headers), modified=call.now, headers=headers, cost=hold.size
            )
            call.service.buckets.put(call.bucket, after, hold, lambda _: None)


def _change(
    call: GcsCall,
    rows: list[Documents],
    by: str,
    name: Mapping[str, str],
    kind: str,
    *,
    added: Documents | None = None,
) -> tuple[list[Documents], Answer]:
    """What a list becomes by a request, and its answer.

    Args:
        call: the request; its `member` names one of the list.
        rows: the list.
        by: the field by which they are named.
        name: what says to whom each belongs.
        kind: of each.
        added: the fields that a new one gets; None: `by` comes from the client.
    """
    method, member = call.request.method, call.member

    def shown(row: Documents) -> Documents:
        return {"kind": kind, **name, **row}

    if method == "GET" and not member:
        return rows, call.json(200, {"kind": f"{kind}s", "items": [shown(each) for each in rows]})
    if method == "POST" and not member:
        row = {**call.document, **(added or {})}
        if not isinstance(row.get(by), str):
            raise StoreError("required")
        rows = [*(each for each in rows if each[by] != row[by]), row]
        return rows, call.json(200, shown(row))
    if not member or method not in ("GET", "PUT", "PATCH", "DELETE"):
        return _no_such_method(call)
    found = next((each for each in rows if each[by] == member), None)
    if found is None:
        raise StoreError("no_member")
    if method == "GET":
        return rows, call.json(200, shown(found))
    if method == "DELETE":
        return [each for each in rows if each is not found], call.answer(204)
    row = {**merged(found if method == "PATCH" else {}, call.document), by: member}
    return [row if each is found else each for each in rows], call.json(200, shown(row))


def _relist(call: GcsCall, kept: Documents, given: Documents) -> None:
    """Replace the access control lists that a request gives, or names."""
    for name, parameter in LISTS.items():
        if name in given:
            kept[name] = _entries_in(given[name])
        if wanted := call.argument(parameter):
            kept[name] = predefined(wanted)


def relisted(call: GcsCall, headers: Headers) -> Headers:
    """An object's headers with the access control list that a request gives it, or names."""
    wanted = call.argument("predefinedAcl")
    if not wanted and "acl" not in call.document:
        return headers
    rows = predefined(wanted) if wanted else _entries_in(call.document["acl"])
    return resources.keeping(headers, _bounded({**resources.kept(headers), "acl": rows}))


def predefined(name: str) -> list[Documents]:
    """The entries of a predefined list.

    Raises:
        StoreError: `argument`, there is no such list.
    """
    if name not in PREDEFINED:
        raise StoreError("argument")
    return [OWNERS, *({"entity": entity, "role": role} for entity, role in PREDEFINED[name])]


def _entries_in(given: object) -> list[Documents]:
    rows = [] if given is None else given
    if not isinstance(rows, list) or not all(
        isinstance(each, dict) and isinstance(each.get("entity"), str) for each in rows
    ):
        raise StoreError("argument")
    return rows


def merged(before: Documents, change: Documents, depth: int = 0) -> Documents:
    """A document after a patch: null removes a field, an object changes one (RFC 7396).

    Raises:
        StoreError: `argument`, it is too deep.
    """
    if depth > DEEPEST:
        raise StoreError("argument")
    after = dict(before)
    for name, value in change.items():
        if value is None:
            after.pop(name, None)
        elif isinstance(value, dict):
            inner = after.get(name)
            after[name] = merged(inner if isinstance(inner, dict) else {}, value, depth + 1)
        else:
            after[name] = value
    return after


def _keep(call: GcsCall, bucket: Bucket, kept: Documents, *, changed: bool = True) -> None:
    if changed:
        kept["metageneration"] = int(resources.bucket_metageneration(bucket)) + 1
    call.service.buckets.describe(bucket.name, call.now, resources.keeping((), _bounded(kept)))


def _bounded(kept: Documents) -> Documents:
    """What is to be kept, which is not too much."""
    lists = [each for each in kept.values() if isinstance(each, list)]
    if (
        any(len(each) > MOST_ENTRIES for each in lists)
        or _is_deep(kept)
        or len(json.dumps(kept)) > KEPT_BYTES
    ):
        raise StoreError("argument")
    return kept


def _is_deep(document: object) -> bool:
    layer: list[Any] = [document]
    for _ in range(DEEPEST):
        inner = (each.values() if isinstance(each, dict) else each for each in layer)
        layer = [each for those in inner for each in those if isinstance(each, dict | list)]
        if not layer:
            return False
    return True


def _no_such_method(_: GcsCall) -> NoReturn:
    raise StoreError("method")


def _etag(data: bytes) -> str:
    return b64encode(md5(data, usedforsecurity=False).digest()[:8]).decode()

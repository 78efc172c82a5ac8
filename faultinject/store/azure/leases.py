"""The actions on leases of blobs and containers.

Two pages have tables of the outcome of each action in each state of a lease:
https://learn.microsoft.com/rest/api/storageservices/lease-blob and
https://learn.microsoft.com/rest/api/storageservices/lease-container
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil, inf
from uuid import uuid4

from faultinject.http.wire import number_of
from faultinject.store.azure.call import AzureCall, container_headers, etag_headers
from faultinject.store.bodies import drain
from faultinject.store.buckets import Headers, StoreError
from faultinject.store.lease import Lease, lease_state
from faultinject.store.messages import StoreAnswer

SHORTEST, LONGEST = 15, 60
"""The shortest and the longest lease that ends, in seconds.

The longest is also the longest break period.
"""


def change_lease(call: AzureCall) -> StoreAnswer:
    """Lease Blob and Lease Container: acquire, renew, change, release or break a lease.

    Raises:
        StoreError: `header`, `header_value`, `no_bucket`, `no_key`, `precondition`, `lease`.
    """
    drain(call.request)
    action = _require(call.header("x-ms-lease-action")).lower()
    if action not in ACTIONS:
        raise StoreError("header_value")
    buckets = call.service.buckets
    with buckets.lock:
        bucket = buckets.find(call.bucket)
        if call.key:
            stored = buckets.get(call.bucket, call.key)
            call.judge_conditions(stored)
            headers = etag_headers(stored)
        else:
            call.judge_time(bucket.changed)
            headers = container_headers(bucket)
        status, lease, shown = ACTIONS[action](call, call.lease)
        if lease is None:
            del bucket.leases[call.key]
        else:
            bucket.leases[call.key] = lease
    return call.answer(status, headers=[*headers, *shown])


LeaseChange = tuple[int, Lease | None, Headers]
"""The status of a change, the lease since then, and headers about it."""


def _acquire(call: AzureCall, lease: Lease | None) -> LeaseChange:
    text = _require(call.header("x-ms-lease-duration"))
    seconds = inf if text == "-1" else _number(text, SHORTEST)
    proposed = call.guid("x-ms-proposed-lease-id")
    current = lease_state(lease, call.now)
    has_same_id = lease is not None and proposed == lease.id
    if current == "breaking" and has_same_id:
        raise call.lease_error("LeaseIsBreakingAndCannotBeAcquired")
    if current == "breaking" or (current == "leased" and not has_same_id):
        raise call.lease_error("LeaseAlreadyPresent")
    made = Lease(proposed or str(uuid4()), seconds, call.now + seconds)
    return 201, made, _id_header(made)


def _renew(call: AzureCall, lease: Lease | None) -> LeaseChange:
    present = _present_lease(call, lease)
    if present.breaks is not None:
        raise call.lease_error("LeaseIsBrokenAndCannotBeRenewed")
    return 200, replace(present, ends=call.now + present.duration), _id_header(present)


def _change(call: AzureCall, lease: Lease | None) -> LeaseChange:
    id_given = _require(call.guid("x-ms-lease-id"))
    proposed = _require(call.guid("x-ms-proposed-lease-id"))
    current = lease_state(lease, call.now)
    if lease is None or current in ("broken", "expired"):
        raise call.lease_error("LeaseNotPresentWithLeaseOperation")
    if lease.id not in (id_given, proposed):
        raise call.lease_error("LeaseIdMismatchWithLeaseOperation")
    if current == "breaking":
        raise call.lease_error("LeaseIsBreakingAndCannotBeChanged")
    made = replace(lease, id=proposed)
    return 200, made, _id_header(made)


def _release(call: AzureCall, lease: Lease | None) -> LeaseChange:
    _present_lease(call, lease)
    return 200, None, ()


def _break(call: AzureCall, lease: Lease | None) -> LeaseChange:
    text = call.header("x-ms-lease-break-period")
    period = None if text is None else _number(text, 0)
    if lease is None:
        raise call.lease_error("LeaseNotPresentWithLeaseOperation")
    end = lease.ends if lease.breaks is None else lease.breaks
    remaining = max(0.0, end - call.now)
    if period is not None:
        remaining = min(period, remaining)
    elif remaining == inf:
        remaining = 0.0
    made = replace(lease, breaks=call.now + remaining)
    return 202, made, (("x-ms-lease-time", str(ceil(remaining))),)


ACTIONS: Mapping[str, Callable[[AzureCall, Lease | None], LeaseChange]] = {
    "acquire": _acquire,
    "renew": _renew,
    "change": _change,
    "release": _release,
    "break": _break,
}


def _present_lease(call: AzureCall, lease: Lease | None) -> Lease:
    """The present lease, if the request has its id."""
    id_given = _require(call.guid("x-ms-lease-id"))
    if lease is None or id_given != lease.id:
        raise call.lease_error("LeaseIdMismatchWithLeaseOperation")
    return lease


def _id_header(lease: Lease) -> Headers:
    return (("x-ms-lease-id", lease.id),)


def _require(value: str | None) -> str:
    if value is None:
        raise StoreError("header")
    return value


def _number(text: str, least: int) -> int:
    number = number_of(text)
    if number is None or not least <= number <= LONGEST:
        raise StoreError("header_value")
    return number

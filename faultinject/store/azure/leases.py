"""Leases of blobs: their states, and the requests that they forbid.

https://learn.microsoft.com/rest/api/storageservices/lease-blob has both as tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil, inf
from uuid import UUID, uuid4

from faultinject.http.wire import whole
from faultinject.store.azure.call import AzureCall, etag_headers
from faultinject.store.bodies import drain
from faultinject.store.buckets import Headers, StoreError
from faultinject.store.messages import StoreAnswer

SHORTEST, LONGEST = 15, 60
"""Seconds of a lease that ends, and the longest period in which one is broken."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease of a blob.

    Attributes:
        id: its id, a GUID.
        duration: its seconds; infinite if it never ends.
        ends: unix seconds at which it does.
        breaks: unix seconds at which its break is over; None: nobody has broken it.
    """

    id: str
    duration: float
    ends: float
    breaks: float | None = None

    def state(self, now: float) -> str:
        """`leased`, `expired`, `breaking` or `broken`."""
        if self.breaks is not None:
            return "breaking" if now < self.breaks else "broken"
        return "leased" if now < self.ends else "expired"


def lease_headers(lease: Lease | None, now: float) -> Headers:
    """The headers that show a blob's lease."""
    state = "available" if lease is None else lease.state(now)
    status = "locked" if state in ("leased", "breaking") else "unlocked"
    shown = (("x-ms-lease-status", status), ("x-ms-lease-state", state))
    if lease is None or state != "leased":
        return shown
    return (*shown, ("x-ms-lease-duration", "infinite" if lease.duration == inf else "fixed"))


def judge_use(call: AzureCall, *, writes: bool) -> None:
    """Refuse a request for a blob that its lease forbids; a write ends a lease that is over.

    Raises:
        StoreError: `lease`.
    """
    leases = call.service.buckets.find(call.bucket).leases
    lease, given = leases.get(call.key), _guid(call, "x-ms-lease-id")
    state = "available" if lease is None else lease.state(call.now)
    locked = state in ("leased", "breaking")
    if given is None:
        if writes and locked:
            raise _refused("LeaseIdMissing")
        if writes:
            leases.pop(call.key, None)
    elif lease is None or (not locked and given != lease.id):
        raise _refused("LeaseNotPresentWithBlobOperation")
    elif not locked:
        raise _refused("LeaseLost")
    elif given != lease.id:
        raise _refused("LeaseIdMismatchWithBlobOperation")


def lease_blob(call: AzureCall) -> StoreAnswer:
    """Lease Blob: acquire, renew, change, release or break a lease.

    Raises:
        StoreError: `header`, `header_value`, `no_bucket`, `no_key`, `precondition`, `lease`.
    """
    drain(call.request)
    action = _needed(call.header("x-ms-lease-action")).lower()
    if action not in ACTIONS:
        raise StoreError("header_value")
    buckets = call.service.buckets
    with buckets.lock:
        stored = buckets.get(call.bucket, call.key)
        call.judge_conditions(stored)
        leases = buckets.find(call.bucket).leases
        status, lease, shown = ACTIONS[action](call, leases.get(call.key))
        if lease is None:
            del leases[call.key]
        else:
            leases[call.key] = lease
    return call.answer(status, headers=[*etag_headers(stored), *shown])


Change = tuple[int, Lease | None, Headers]
"""The status of a change, the lease since then, and headers about it."""


def _acquire(call: AzureCall, lease: Lease | None) -> Change:
    text = _needed(call.header("x-ms-lease-duration"))
    seconds = inf if text == "-1" else _number(text, SHORTEST)
    proposed = _guid(call, "x-ms-proposed-lease-id")
    state = "available" if lease is None else lease.state(call.now)
    same = lease is not None and proposed == lease.id
    if state == "breaking" and same:
        raise _refused("LeaseIsBreakingAndCannotBeAcquired")
    if state == "breaking" or (state == "leased" and not same):
        raise _refused("LeaseAlreadyPresent")
    made = Lease(proposed or str(uuid4()), seconds, call.now + seconds)
    return 201, made, _shown(made)


def _renew(call: AzureCall, lease: Lease | None) -> Change:
    own = _own(call, lease)
    if own.breaks is not None:
        raise _refused("LeaseIsBrokenAndCannotBeRenewed")
    return 200, replace(own, ends=call.now + own.duration), _shown(own)


def _change(call: AzureCall, lease: Lease | None) -> Change:
    given = _needed(_guid(call, "x-ms-lease-id"))
    proposed = _needed(_guid(call, "x-ms-proposed-lease-id"))
    state = "available" if lease is None else lease.state(call.now)
    if lease is None or state in ("broken", "expired"):
        raise _refused("LeaseNotPresentWithLeaseOperation")
    if lease.id not in (given, proposed):
        raise _refused("LeaseIdMismatchWithLeaseOperation")
    if state == "breaking":
        raise _refused("LeaseIsBreakingAndCannotBeChanged")
    made = replace(lease, id=proposed)
    return 200, made, _shown(made)


def _release(call: AzureCall, lease: Lease | None) -> Change:
    _own(call, lease)
    return 200, None, ()


def _break(call: AzureCall, lease: Lease | None) -> Change:
    text = call.header("x-ms-lease-break-period")
    period = None if text is None else _number(text, 0)
    if lease is None:
        raise _refused("LeaseNotPresentWithLeaseOperation")
    end = lease.ends if lease.breaks is None else lease.breaks
    remaining = max(0.0, end - call.now)
    if period is not None:
        remaining = min(period, remaining)
    elif remaining == inf:
        remaining = 0.0
    made = replace(lease, breaks=call.now + remaining)
    return 202, made, (("x-ms-lease-time", str(ceil(remaining))),)


ACTIONS: Mapping[str, Callable[[AzureCall, Lease | None], Change]] = {
    "acquire": _acquire,
    "renew": _renew,
    "change": _change,
    "release": _release,
    "break": _break,
}


def _own(call: AzureCall, lease: Lease | None) -> Lease:
    """The blob's lease, if the request has its id."""
    given = _needed(_guid(call, "x-ms-lease-id"))
    if lease is None or given != lease.id:
        raise _refused("LeaseIdMismatchWithLeaseOperation")
    return lease


def _refused(code: str) -> StoreError:
    return StoreError("lease", label=code)


def _shown(lease: Lease) -> Headers:
    return (("x-ms-lease-id", lease.id),)


def _needed(value: str | None) -> str:
    if value is None:
        raise StoreError("header")
    return value


def _guid(call: AzureCall, name: str) -> str | None:
    """A GUID of any form in a header, in the usual form."""
    text = call.header(name)
    if text is None:
        return None
    try:
        return str(UUID(text))
    except ValueError:
        raise StoreError("header_value") from None


def _number(text: str, least: int) -> int:
    number = whole(text)
    if number is None or not least <= number <= LONGEST:
        raise StoreError("header_value")
    return number

"""The lease of an object or a bucket, for a service that has leases."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease.

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


def lease_state(lease: Lease | None, now: float) -> str:
    """Name the state of a lease, `available` if there is none."""
    if lease is None:
        return "available"
    if lease.breaks is not None:
        return "breaking" if now < lease.breaks else "broken"
    return "leased" if now < lease.ends else "expired"

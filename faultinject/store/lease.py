"""The lease of an object or a bucket, for a service that has leases."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease.

    Attributes:
        id: its id, a GUID.
        duration: its length in seconds; infinite if it never ends.
        ends: unix seconds at which it ends.
        breaks: unix seconds at which its break period ends; None if it is not being broken.
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

"""What the checks look at: the calls of one client, and how exactly their waits can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.audit.call import Call
    from faultinject.audit.profiles.profile import Profile
    from faultinject.audit.waits import Wait

UNKNOWN = 0.05
"""Seconds that a busy machine may spread waits by, for all that is known."""
VERY_BUSY = 0.5
"""Seconds that a request may be late on a machine that has far too much to do."""
OUTAGE = 100
"""Calls of one name, all of which failed, that make an outage."""


@dataclass(frozen=True)
class Turnaround:
    """How fast this client sends its next request when it does not wait, in seconds.

    Attributes:
        median: the middle one; None where too few were seen.
        p95: 19 of 20 were no longer than this; None likewise.
        n: how many were seen.
        busy: in a driven run, how long after a call began its first request came while everything went on at once, in
            nine of ten cases: what a request may be late by; None where nobody drives.
    """

    median: float | None = None
    p95: float | None = None
    n: int = 0
    busy: float | None = None

    @property
    def zero(self) -> float:
        """A shorter wait is none, seconds."""
        return max(0.02, 2 * (self.p95 or 0))

    @property
    def noise(self) -> float:
        """The spread that waits of a client without jitter may show, seconds."""
        return max(0.01, 2 * (self.p95 or 0))

    @property
    def doubt(self) -> float:
        """The same where to underrate it would blame or praise somebody wrongly: seconds; more where nothing is known."""
        return UNKNOWN if self.p95 is None else self.noise


@dataclass(frozen=True)
class Evidence:
    """The calls of one client.

    Attributes:
        calls: those that are closed and not shared, and that got a fault or were tried again, by their beginning.
        open: calls that may still go on, for what even an unfinished call proves.
        clean: how many closed calls had one attempt, to which nothing was done.
        turnaround: how fast the client is.
        driven: whether a driver kept to the plan, so that each call had its own key and its end is known.
        profile: what is promised for the client.
        detected: whether the profile was found by the user agent; who chose it knows what the client is set to.
        left_out: how many calls count for nothing, by reason: `shared`, `open`, ….
    """

    calls: Sequence[Call]
    open: Sequence[Call] = ()
    clean: int = 0
    turnaround: Turnaround = Turnaround()
    driven: bool = False
    profile: Profile | None = None
    detected: bool = False
    left_out: dict[str, int] = field(default_factory=dict)

    @cached_property
    def outages(self) -> dict[str, list[Call]]:
        """The calls during which nothing worked at all, by name, by their beginning; those that may go on as well."""
        named: dict[str, list[Call]] = {}
        for call in (*self.calls, *self.open):
            if call.name is not None:
                named.setdefault(call.name, []).append(call)
        return {
            name: sorted(calls, key=lambda call: call.first.arrived)
            for name, calls in named.items()
            if len(calls) >= OUTAGE and not any(call.succeeded for call in calls)
        }

    @cached_property
    def waits(self) -> list[Wait]:
        """The waits that can be told: of closed calls, outside of outages, which are too busy for measuring."""
        from faultinject.audit.waits import waits_of

        outages = self.outages
        return [wait for call in self.calls if call.name not in outages for wait in waits_of(call)]

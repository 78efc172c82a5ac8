"""What the checks look at: the calls of one client, and how exactly their waits can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from faultinject.audit.lateness import LateTimes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from faultinject.audit.crowd import Crowd
    from faultinject.audit.profiles.profile import Profile
    from faultinject.audit.waits import Wait
    from faultinject.journal.calls import Call

UNKNOWN = 0.05
"""Seconds that a client may spend between two requests where nobody has seen it do so at once."""
BUSY, TIMES = 0.15, 20
"""Seconds that a client which does not wait takes at most on a machine that has too much to do (0.11 were seen), and
how many times its usual turn-around that may be."""
OUTAGE = 100
"""Calls of one name, all of which failed, that make an outage."""
FEWEST, RARE = 3, 0.1
"""Things that a client got which it takes to say that it does not ask for them again, and the share of exceptions."""


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
    def fast(self) -> float:
        """A shorter wait may be none, seconds, also where nobody has seen how fast the client is."""
        return UNKNOWN if self.p95 is None else self.zero

    @property
    def worst(self) -> float | None:
        """What a client that does not wait takes at most in the middle of many cases, seconds; None: nobody knows."""
        return None if self.p95 is None else max(self.zero, min(BUSY, TIMES * self.p95))

    @property
    def noise(self) -> float:
        """The spread that waits of a client without jitter may show, seconds."""
        return max(0.01, 2 * (self.p95 or 0))


@dataclass(frozen=True)
class Contrast:
    """Whether a client asks again for what it got, so that looks alone would take the next request for a retry.

    Attributes:
        things: by method, how many of the things that it got it asked for again as soon as for those that failed, and
            of how many.
    """

    things: Mapping[str, tuple[int, int]]

    def shows_retries(self, method: str) -> bool:
        """Whether what succeeds is not asked for again, so that what is asked for again after a failure is a retry."""
        again, got = self.things.get(method, (0, 0))
        return got >= FEWEST and again <= RARE * got

    def said(self, methods: Iterable[str]) -> str:
        """The same in words."""
        found = [self.things.get(method, (0, 0)) for method in sorted(set(methods))]
        again, got = (sum(numbers) for numbers in zip(*found, strict=True))
        return f"of {got} successful requests the client repeated {again or 'none'}"


@dataclass(frozen=True)
class Evidence:
    """The calls of one client.

    Attributes:
        calls: those that are over and not shared, and that got a fault or were tried again, by their beginning.
        open: calls that may still go on, for what has already happened in them.
        clean: how many closed calls had one attempt, to which nothing was done.
        turnaround: how fast the client is.
        driven: whether a driver kept to the plan, so that each call had its own key and its end is known.
        profile: what is promised for the client.
        detected: whether the profile was found by the user agent; who chose it knows what the client is set to.
        left_out: how many calls count for nothing, by reason: `shared`, `open`, ….
        contrast: whether what succeeded was asked for again just as what failed.
        hedges: whether it sends copies of what is not answered yet, so that on a busy machine one may come behind an answer
            that its client has not read.
        late_times: in a driven run, when the machine was seen to be late.
    """

    calls: Sequence[Call]
    open: Sequence[Call] = ()
    clean: int = 0
    turnaround: Turnaround = Turnaround()
    driven: bool = False
    profile: Profile | None = None
    detected: bool = False
    left_out: dict[str, int] = field(default_factory=dict)
    contrast: Contrast = field(default_factory=lambda: Contrast({}))
    hedges: bool = False
    late_times: LateTimes = field(default_factory=LateTimes)

    @property
    def everyone(self) -> tuple[Call, ...]:
        """All calls: what has already happened needs no ending."""
        return (*self.calls, *self.open)

    @cached_property
    def outages(self) -> dict[str, list[Call]]:
        """The calls during which nothing worked at all, by name, by their beginning; those that may go on as well."""
        named: dict[str, list[Call]] = {}
        for call in self.everyone:
            if call.name is not None:
                named.setdefault(call.name, []).append(call)
        return {
            name: sorted(calls, key=lambda call: call.first.arrived)
            for name, calls in named.items()
            if len(calls) >= OUTAGE and not any(call.succeeded for call in calls)
        }

    @cached_property
    def waits(self) -> list[Wait]:
        """The waits that can be told, also of calls that go on, outside of outages, which are too busy for measuring."""
        from faultinject.audit.waits import waits_of

        outages = self.outages
        return [wait for call in self.everyone if call.name not in outages for wait in waits_of(call)]

    @cached_property
    def waits_by_number(self) -> dict[tuple[str, int], list[Wait]]:
        """The same by kind of failure and number of the retry, in that order."""
        from faultinject.audit.waits import by_number

        return by_number(self.waits)

    @cached_property
    def _crowd(self) -> Crowd:
        from faultinject.audit.crowd import Crowd

        return Crowd(self.everyone, self.turnaround.p95)

    def crowding(self, wait: Wait) -> float:
        """Seconds of a wait that the client may have spent on its other calls; where `busy` is known, that includes it."""
        return 0.0 if self.turnaround.busy is not None else self._crowd.added(wait)

    def undisturbed(self, waits: Sequence[Wait], fewest: int) -> Sequence[Wait]:
        """The waits that ended while nothing was seen to be late; all of them, if that would leave fewer than so many."""
        found = [wait for wait in waits if not self.late_times.disturb(wait)]
        return found if len(found) >= fewest else waits

    @cached_property
    def late(self) -> float | None:
        """How much of nineteen of twenty waits the machine may have made at most, seconds; None where it does not tell."""
        from faultinject.audit.statistics import p95

        known = [wait.late for wait in self.waits if wait.late is not None]
        return p95(known) if known and len(known) >= 0.9 * len(self.waits) else None

    @property
    def doubt(self) -> float:
        """What the machine may have added to waits, and spread them by, where to underrate it would mislead, seconds.

        A driver measures it; else the machine tells, or the client's own requests do. Where nothing is known it is half
        a second.
        """
        from faultinject.audit.waits import LATEST

        turnaround, late = self.turnaround, self.late
        if turnaround.busy is not None or (turnaround.p95 is not None and late is None):
            return UNKNOWN if turnaround.p95 is None else turnaround.noise
        if late is None:
            return LATEST
        return max(UNKNOWN if turnaround.p95 is None else turnaround.noise, late)

"""How fast a client sends its next request when it does not wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from faultinject.audit.statistics import MANY, median, p95
from faultinject.journal.attempts import Attempt

LONGEST = 0.05
"""Seconds; a longer gap holds something else than a turn-around."""
SHORTEST, UNMEASURED = 0.02, 0.5
"""Seconds below which no machine tells a wait from none, and by which a wait may be late where nobody has measured it."""
WORK = 0.005
"""Seconds that a client takes at most to make one request (Python's urllib: 1.4 ms; boto3: 4 ms)."""


@dataclass(frozen=True)
class Turnaround:
    """How fast this client sends its next request when it does not wait, in seconds.

    Attributes:
        median: the middle one; None where too few were seen.
        p95: 19 of 20 were no longer than this; None likewise.
        n: how many were seen.
        speed: how many times as fast as the machine's clock that of the times is: what the machine does, and how late it is,
            takes so many times as long by it.
        late: how much later than at best a driver's calls began, in the middle of them. The rest is measured first and alone; this
            is measured while the client waits.
    """

    median: float | None = None
    p95: float | None = None
    n: int = 0
    speed: float = 1.0
    late: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether long waits are the client's own: by a faster clock its work is long, and calls come back at the same time."""
        return self.speed == 1

    @property
    def zero(self) -> float:
        """A shorter wait is none, seconds."""
        return max(SHORTEST * self.speed, 2 * (self.p95 or 0))

    @property
    def noise(self) -> float:
        """By how much the machine may make a wait longer, seconds: twice the p95; where it was not measured 0.5, or as late as calls began."""
        return max(UNMEASURED * self.speed, self.late) if self.p95 is None else self.zero

    @property
    def work(self) -> float:
        """Seconds that the client takes at most to make one request."""
        work = WORK * self.speed
        return min(work, self.p95 or work)


def turnarounds(
    attempts: Iterable[Attempt],
    of: Callable[[Attempt], str],
    *,
    driven: bool = False,
    speed: float = 1.0,
) -> dict[str, Turnaround]:
    """Of each client: from a success to the next request on its connection, with nobody else under way.

    Args:
        attempts: in order of arrival.
        of: the client that an attempt is of.
        driven: whether a driver asks for one thing after the other, so that the next request answers the last success
            on whatever connection it comes: some clients keep none.
        speed: how many times as fast as the machine's clock that of the times is.
    """
    found: dict[str, list[float]] = {}
    busy = float("-inf")
    for last, attempt in pairwise(attempts):
        if last.answered is None:
            continue
        # What was under way when the last one was answered may have slowed it, or the client.
        alone, busy = busy <= last.answered, max(busy, last.answered)
        gap = attempt.arrived - last.answered
        succeeded = last.status is not None and not (last.injected or last.failed)
        here = driven or (last.client, last.connection) == (attempt.client, attempt.connection)
        if alone and succeeded and here and 0 <= gap < LONGEST * speed and last.clock == attempt.clock:
            found.setdefault(of(attempt), []).append(gap)
    return {
        client: Turnaround(median(gaps), p95(gaps), len(gaps), speed)
        if len(gaps) >= MANY
        else Turnaround(n=len(gaps), speed=speed)
        for client, gaps in found.items()
    }

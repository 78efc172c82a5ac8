"""How fast a client sends its next request when it does not wait."""

from __future__ import annotations

from itertools import pairwise

from faultinject.audit.evidence import Turnaround
from faultinject.audit.statistics import median, p95

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from faultinject.journal.attempts import Attempt

LONGEST = 0.05
"""Seconds; a longer gap holds something else than a turn-around."""
FEWEST = 20
"""How many it takes to say anything."""


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
        if len(gaps) >= FEWEST
        else Turnaround(n=len(gaps), speed=speed)
        for client, gaps in found.items()
    }

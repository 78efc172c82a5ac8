"""What a client asks for again although all was well: heartbeats, polls, and loops over the same things.

A like request after a failure proves a retry only where none comes after a success just so.
"""

from __future__ import annotations

from bisect import bisect_left
from math import inf

from faultinject.audit.matching import client_of, fingerprint
from faultinject.audit.statistics import grouped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from faultinject.audit.grouping import Request
    from faultinject.journal.attempts import Attempt

WINDOW = 60.0
"""Seconds after which a like request has nothing to do with the one before."""
ROUGHLY = 3.0
"""Intervals that differ by no more than this factor are as good as equal: what comes by chance is uneven."""


class Habits:
    """What comes again without a failure.

    Args:
        requests: in order of arrival. What comes again in another call window is no habit.
    """

    def __init__(self, requests: Iterable[Request]) -> None:
        self._intervals: dict[Hashable, list[float]] = {}
        self._soonest: dict[tuple[str, str], list[float]] = {}
        for thing, same in grouped(requests, lambda each: _thing(each.attempt, each.looks)).items():
            intervals = self._intervals[thing] = []
            soonest = inf
            for one, other in zip(same, [*same[1:], None], strict=True):
                last = one.attempt
                well = last.status is not None and not last.failed
                if other is not None and _goes_on(one, other):
                    if well and last.answered is not None and last.answered <= other.attempt.arrived:
                        intervals.append(other.attempt.arrived - last.answered)
                        soonest = min(soonest, intervals[-1])
                    continue
                if well or soonest < inf:
                    self._soonest.setdefault((client_of(last.user_agent), last.method), []).append(soonest)
                soonest = inf
            intervals.sort()

    def explains(self, attempt: Attempt, interval: float) -> bool:
        """Whether it comes so long after a success as well, roughly."""
        intervals = self._intervals[_thing(attempt, fingerprint(attempt))]
        number = bisect_left(intervals, interval / ROUGHLY)
        return number < len(intervals) and intervals[number] <= interval * ROUGHLY

    def contrast(self, client: str, method: str, within: float) -> tuple[int, int]:
        """Of the things that a client asked for by a method, and got: how many it asked for again, and of how many.

        Only what came again within so many seconds counts.
        """
        found = self._soonest.get((client, method), [])
        return sum(each <= within for each in found), len(found)


def _thing(attempt: Attempt, looks: Hashable) -> Hashable:
    """What is asked for: by its fingerprint, by whom, and with a body of what length."""
    return looks, attempt.principal, attempt.request_bytes


def _goes_on(one: Request, other: Request) -> bool:
    """Whether a like request may have to do with the one before."""
    return other.attempt.arrived - one.attempt.arrived <= WINDOW and one.windows == other.windows

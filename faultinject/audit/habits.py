"""Repeats without a failure: heartbeats, polls, and loops over the same things.

A repeat after a failure proves a retry only if the client makes no such repeats after a success.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from math import log2

from faultinject.audit.grouping import WINDOW, Request
from faultinject.audit.matching import client_of, fingerprint
from faultinject.audit.statistics import grouped
from faultinject.journal.attempts import Attempt

SHORTEST = 1e-4
"""Seconds; shorter intervals count as equal."""
NEVER = 10**6
"""The step of an interval without a repeat."""


class Habits:
    """The repeats without a failure.

    Args:
        requests: in order of arrival. What comes again in another call window is no habit.
    """

    def __init__(self, requests: Iterable[Request]) -> None:
        things = grouped(requests, lambda request: _thing(request.attempt, request.fingerprint))
        self._intervals: dict[Hashable, set[int]] = {}
        self._shortest: dict[tuple[str, str], list[int]] = {}
        for thing, same in things.items():
            shortest = NEVER
            for one, other in zip(same, [*same[1:], None], strict=True):
                last = one.attempt
                well = last.status is not None and not last.failed
                if (
                    other is not None
                    and other.attempt.arrived - last.arrived <= WINDOW
                    and one.windows == other.windows
                ):
                    if well and last.answered is not None and last.answered <= other.attempt.arrived:
                        step = _step(other.attempt.arrived - last.answered)
                        shortest = min(shortest, step)
                        self._intervals.setdefault(thing, set()).add(step)
                    continue
                if well or shortest < NEVER:
                    self._shortest.setdefault((client_of(last.user_agent), last.method), []).append(shortest)
                shortest = NEVER

    def explains(self, attempt: Attempt, interval: float) -> bool:
        """Whether the client repeats successes too, after half to twice this interval."""
        steps = self._intervals.get(_thing(attempt, fingerprint(attempt)), set())
        return not steps.isdisjoint(range(_step(interval) - 1, _step(interval) + 2))

    def contrast(self, client: str, method: str, within: float) -> tuple[int, int]:
        """Of a client's successes by a method, the number that it repeated, and their number.

        Only what came again within so many seconds counts.
        """
        found = self._shortest.get((client, method), [])
        return sum(step <= _step(within) for step in found), len(found)


def _thing(attempt: Attempt, asked: Hashable) -> Hashable:
    """The identity of a request: fingerprint, principal and length of its body."""
    return asked, attempt.principal, attempt.request_bytes


def _step(seconds: float) -> int:
    """Find the power of two nearest to an interval."""
    return round(log2(max(seconds, SHORTEST) / SHORTEST))

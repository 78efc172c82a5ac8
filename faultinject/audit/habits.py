"""What a client asks for again although all was well: heartbeats, polls, and loops over the same things.

A like request after a failure proves a retry only where none comes after a success just so.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from math import log2

from faultinject.audit.matching import client_of, fingerprint
from faultinject.journal.call_window import CallWindows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from faultinject.journal.attempts import Attempt
    from faultinject.journal.call_window import CallWindow

WINDOW = 60.0
"""Seconds after which a like request has nothing to do with the one before."""
MOST = 50_000
"""Things asked for in one window that are told apart."""
SHORTEST = 1e-4
"""Seconds; shorter intervals are as good as equal."""
NEVER = 10**6
"""The step of an interval that did not come to pass."""


class Habits:
    """Takes requests in order of arrival, and tells what comes again without a failure.

    Args:
        told: what a test or a driver says of its calls; what comes again in another one is no habit.
    """

    def __init__(self, told: Collection[CallWindow] = ()) -> None:
        self._windows = CallWindows(told) if told else None
        self._things: OrderedDict[Hashable, _Thing] = OrderedDict()
        self._intervals: dict[Hashable, set[int]] = {}
        self._shortest: dict[tuple[str, str], Counter[int]] = {}
        self._forgot = False

    def see(self, attempt: Attempt, looks: Hashable = None) -> None:
        """Take the next request.

        Args:
            attempt: the request.
            looks: its fingerprint, where somebody knows it.
        """
        key = (looks or fingerprint(attempt)), attempt.principal, attempt.request_bytes
        windows = () if self._windows is None else self._windows.of(attempt)
        thing = self._things.get(key)
        if thing is None:
            self._things[key] = _Thing(attempt, windows)
        else:
            self._things.move_to_end(key)
            if attempt.arrived - thing.last.arrived > WINDOW or thing.windows != windows:
                self._count(thing)
                self._things[key] = _Thing(attempt, windows)
            else:
                if _ended_well(thing.last, attempt.arrived):
                    assert thing.last.answered is not None
                    self._came_again(key, thing, attempt.arrived - thing.last.answered)
                thing.last = attempt
        while True:
            old = attempt.arrived - next(iter(self._things.values())).last.arrived > WINDOW
            if not old and len(self._things) <= MOST:
                break
            self._forgot = self._forgot or not old
            self._count(self._things.popitem(last=False)[1])

    def end(self) -> None:
        """There are no more requests."""
        for each in self._things.values():
            self._count(each)
        self._things.clear()

    def explains(self, attempt: Attempt, interval: float) -> bool:
        """Whether it comes so long after a success as well: half as long to twice as long."""
        steps = self._intervals.get(_key(attempt))
        return steps is not None and not steps.isdisjoint(range(_step(interval) - 1, _step(interval) + 2))

    def contrast(self, client: str, method: str, within: float) -> tuple[int, int]:
        """Of the things that a client asked for by a method, and got: how many it asked for again, and of how many.

        Only what came again within so many seconds counts. Of a client of which not everything could be remembered
        nothing is said.
        """
        found = self._shortest.get((client, method))
        if self._forgot or found is None:
            return 0, 0
        last = _step(within)
        return sum(number for step, number in found.items() if step <= last), found.total()

    def _came_again(self, key: Hashable, thing: _Thing, interval: float) -> None:
        step = _step(interval)
        thing.shortest = min(thing.shortest, step)
        self._intervals.setdefault(key, set()).add(step)

    def _count(self, thing: _Thing) -> None:
        last = thing.last
        if thing.shortest < NEVER or (last.status is not None and not last.failed):
            key = client_of(last.user_agent), last.method
            if key not in self._shortest:
                self._shortest[key] = Counter()
            self._shortest[key][thing.shortest] += 1


class _Thing:
    """What was asked for: the last request, and the shortest time after which it came again after a success."""

    __slots__ = ("last", "shortest", "windows")

    def __init__(self, last: Attempt, windows: tuple[CallWindow, ...]) -> None:
        self.last = last
        self.windows = windows
        self.shortest = NEVER


def _key(attempt: Attempt) -> Hashable:
    """What is asked for: by its fingerprint, by whom, and with a body of what length."""
    return fingerprint(attempt), attempt.principal, attempt.request_bytes


def _ended_well(attempt: Attempt, now: float) -> bool:
    known = attempt.status is not None and attempt.answered is not None and attempt.answered <= now
    return known and not attempt.failed


def _step(seconds: float) -> int:
    """The power of two that an interval is nearest to."""
    return round(log2(max(seconds, SHORTEST) / SHORTEST))

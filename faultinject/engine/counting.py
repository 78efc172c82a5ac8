"""Counting: a counter for many threads, and the interface of counts for a plan's decisions."""

from __future__ import annotations

import sys
from _thread import allocate_lock
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Protocol

# A key for each rule that matched: (rule, scope, identity, above). Each match gets one `Number`.
MatchKey = tuple[int, str, str, tuple[int, float] | None]
# The number of the match in the rule's scope; its number among those of the same identity, below 0 if no decision
# depends on it, so that nothing was counted and no lock is held; whether the rate is exceeded.
Number = tuple[int, int, bool]


PASSED = REFUSED, UNDECIDED, ERRED = range(3)
"""Reasons for which a request passed though a rule may have had a fault for it.

Too many faults were under way, the store of counts failed, or faultinject itself failed.
"""


@dataclass(slots=True, eq=False, repr=False)
class Take:
    """A rule's request to inject once more, at most `times` times in its scope.

    Attributes:
        rule: the rule's number.
        scope: the scope's name, empty for the rule as a whole.
        times: the most takes in the scope; a take that was returned does not count.
        beside: whether the count is returned in the background, as an event loop must not wait.
    """

    rule: int
    scope: str
    times: int
    beside: bool = False


class SharedCounts(Protocol):
    """Counts of a scenario that several processes share."""

    def note_injected(self, rule: int, by: int = 1) -> None:
        """Note that a request got the rule's fault; -1: that it got none after all."""

    def note_passed(self, why: int) -> None:
        """Note that a request passed though a rule may have had a fault for it."""

    def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
        """For each rule the requests that matched, that got its fault, and that were undecided."""

    def injected(self) -> int:
        """The requests that got a fault."""

    def passed(self) -> tuple[int, ...]:
        """The requests that passed, for each reason."""

    def replaced(self) -> None:
        """Note that other counts are in force from now on."""


class Counts(Protocol):
    """The counts of a scenario.

    If `match` and `take` wait for a server, an attribute `waits` is True: then ASGI adapters call them on a thread.
    """

    @property
    def holds(self) -> bool:
        """Whether `match` may lock these counts until `release`."""
        ...

    @property
    def shared(self) -> SharedCounts | None:
        """These counts, if other processes may count there, too; else None."""
        ...

    def match(
        self,
        keys: Sequence[MatchKey],
        now: float,
        hold: bool = False,
        lock_free_after: Sequence[int] | None = None,
    ) -> list[Number]:
        """Count a request against these rules."""

    def take(self, ask: Take, held: bool = False) -> bool:
        """Take one injection of the rule, and return whether one was left."""

    def release(self) -> None:
        """End the hold of `match`."""

    def give_back(self, ask: Take) -> None:
        """Undo a take."""

    def matched(self, rule: int) -> int:
        """The number of requests that the rule matched."""

    def requests(self) -> int:
        """The requests that matched a rule; one that matched several counts once."""


class Counter:
    """Hands out 0, 1, 2, … to many threads, each number once."""

    __slots__ = ("_count", "next")

    next: Callable[[], int]

    def __init__(self) -> None:
        self._count = count()
        # One C call is atomic under the interpreter's lock; a build without that lock needs ours.
        self.next = self._count.__next__ if ONE_CALL_IS_ATOMIC else locked(self._count.__next__)

    @property
    def value(self) -> int:
        """The number of calls of `next` so far."""
        # Only the text of an `itertools.count` shows its next number.
        return int(repr(self._count).removeprefix("count(").removesuffix(")"))


def locked(call: Callable[[], int]) -> Callable[[], int]:
    """A function that calls `call`, one thread at a time."""
    lock = allocate_lock()

    def one_at_a_time() -> int:
        with lock:
            return call()

    return one_at_a_time


ONE_CALL_IS_ATOMIC: bool = getattr(sys, "_is_gil_enabled", lambda: True)()

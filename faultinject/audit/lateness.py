"""When the machine, not the client, was late: what was to be done at a time that is known, and was done later.

A server can tell for how long its machine kept work waiting, but not that one process got no processor for a fifth of a
second. Who drives a client knows more: when its own clock woke it, when it asked for each call, and when the first request
of that call came. A wait that ends while any of that was late may be late for the same reason.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from faultinject.audit.waits import Wait

LATE = 0.03
"""Seconds after its time from which on something is late."""
USUAL = 3
"""How many times the usual delay of a first request is late."""
NEAR = 0.25
"""Seconds around such a time in which others may be late as well: as long as processes took turns where that was measured."""
FEW = 2
"""Waits that are long together by chance."""
EXPLAINED = 0.5
"""Seconds by which a machine is late at most that still answers; what is later is the client's doing."""


class LateTime(NamedTuple):
    """Something that was late; seconds of the journal's monotonic clock.

    Attributes:
        due: when it was to happen.
        done: when it did.
    """

    due: float
    done: float


class LateTimes:
    """All that was late in a run.

    Args:
        found: in any order; what was not late enough is left out.
    """

    def __init__(self, found: Iterable[LateTime] = ()) -> None:
        late = sorted(each for each in found if each.done - each.due >= LATE)
        # Times that touch are one, so that begins and ends rise together.
        self._spans: list[LateTime] = []
        for each in late:
            if self._spans and each.due - NEAR <= self._spans[-1].done + NEAR:
                last = self._spans.pop()
                self._spans.append(LateTime(last.due, max(last.done, each.done)))
            else:
                self._spans.append(each)
        self._ends = [each.done + NEAR for each in self._spans]

    def __len__(self) -> int:
        return len(self._spans)

    def meets(self, begin: float, end: float) -> bool:
        """Whether something was late between these times, or close to them."""
        place = bisect_left(self._ends, begin)
        return place < len(self._spans) and self._spans[place].due - NEAR <= end

    def disturb(self, wait: Wait) -> bool:
        """Whether a wait ended while something was late."""
        end = wait.call.attempts[wait.retry].arrived
        return self.meets(end, end)


def of_starts(starts: Sequence[LateTime]) -> list[LateTime]:
    """Of calls and their first requests those that came late: three times as long after their call as usual."""
    delays = sorted(each.done - each.due for each in starts)
    if not delays:
        return []
    usual = delays[len(delays) // 2]
    return [each for each in starts if each.done - each.due > max(LATE, USUAL * usual)]


def together(ends: Sequence[float]) -> list[bool]:
    """Of each of these times, seconds, whether it is in a crowd: more than a few within a quarter of a second.

    >>> together([1.0, 1.1, 1.2, 5.0])
    [True, True, True, False]
    """
    ordered = sorted(ends)

    def crowded(end: float) -> bool:
        # A window of that width that holds `end` begins at one of the others.
        first, last = bisect_left(ordered, end - NEAR), bisect_right(ordered, end)
        return any(
            bisect_right(ordered, begin + NEAR) - place > FEW
            for place, begin in enumerate(ordered[first:last], first)
        )

    return [crowded(end) for end in ends]

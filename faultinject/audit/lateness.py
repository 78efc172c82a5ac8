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
"""Seconds by which a machine may be late that mostly keeps time."""


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
        found: what a driver did later than it was to, in any order; what was not late enough is left out.
        starts: every call and the first request of it.

    Attributes:
        room: seconds by which a wait may be too long that the machine explains: three times what delays first requests.
    """

    def __init__(self, found: Iterable[LateTime] = (), starts: Sequence[LateTime] = ()) -> None:
        delays = sorted(each.done - each.due for each in starts)
        usual = delays[len(delays) // 2] if delays else 0.0
        slow = delays[(len(delays) * 9 - 1) // 10] - delays[0] if delays else 0.0
        self.room = max(EXPLAINED, USUAL * slow)
        slow_starts = [each for each in starts if each.done - each.due > USUAL * usual]
        late = sorted(each for each in (*found, *slow_starts) if each.done - each.due >= LATE)
        # Times that touch are one, so that begins and ends rise together.
        self._spans: list[LateTime] = []
        for each in late:
            if self._spans and each.due - NEAR <= self._spans[-1].done + NEAR:
                last = self._spans.pop()
                self._spans.append(LateTime(last.due, max(last.done, each.done)))
            else:
                self._spans.append(each)
        self._ends = [each.done + NEAR for each in self._spans]

    def disturb(self, wait: Wait) -> bool:
        """Whether a wait ended while something was late, or close to that."""
        end = wait.call.attempts[wait.retry].arrived
        place = bisect_left(self._ends, end)
        return place < len(self._spans) and self._spans[place].due - NEAR <= end


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

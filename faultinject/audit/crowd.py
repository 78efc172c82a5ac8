"""What a client's other calls may add to a wait, where nobody drives the client.

A client that retries at once, but has a hundred calls under way, comes back to each of them late: it has to work for all
of them, and a server that answers one request after the other answers theirs first. Neither is backoff.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate, pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.audit.waits import Wait
    from faultinject.journal.attempts import Attempt
    from faultinject.journal.calls import Call

WORK = 0.005
"""Seconds that client and server take at most for one request of another call (Python's urllib: 1.4 ms; boto3: 4 ms)."""


class Crowd:
    """The calls of one client, and what of its waits may be work for the others.

    Args:
        calls: all of them, also those that go on.
        turnaround: seconds in which the client sends its next request when it does not wait; None where nobody knows.
    """

    def __init__(self, calls: Sequence[Call], turnaround: float | None = None) -> None:
        self._work = WORK if turnaround is None else min(WORK, turnaround)
        self._begins = sorted(call.first.arrived for call in calls)
        self._ends = sorted(call.last.answered or call.last.arrived for call in calls)
        attempts = sorted(
            (each for call in calls for each in call.attempts), key=lambda attempt: attempt.arrived
        )
        queues = _queues(attempts)
        self._arrivals = [each.arrived for each in attempts] if queues else []
        self._served = [0.0, *accumulate(_took(each) / queues for each in attempts)] if queues else [0.0]

    def added(self, wait: Wait) -> float:
        """Seconds of a wait that may be the other calls' doing."""
        end = wait.call.attempts[wait.retry].arrived
        others = bisect_right(self._begins, end) - bisect_left(self._ends, end) - 1
        first, last = bisect_right(self._arrivals, end - wait.seconds), bisect_left(self._arrivals, end)
        served = self._served[max(first, last)] - self._served[first]
        return min(wait.seconds, max(others, 0) * self._work + served)


def _queues(attempts: Sequence[Attempt]) -> int:
    """How many processes answered, if each of them answered one request after the other; else 0: nobody waits for another."""
    processes: dict[int, list[Attempt]] = {}
    for each in attempts:
        processes.setdefault(each.pid, []).append(each)
    in_turn = all(
        before.answered is None or before.answered <= after.arrived
        for own in processes.values()
        for before, after in pairwise(own)
    )
    return len(processes) if in_turn else 0


def _took(attempt: Attempt) -> float:
    return 0.0 if attempt.answered is None else attempt.answered - attempt.arrived

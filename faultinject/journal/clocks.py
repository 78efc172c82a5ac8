"""Requests that different machines saw, on one scale."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.journal.attempts import Attempt

APART = 1.0
"""Seconds by which the clocks of two machines differ at least."""


class Clocks:
    """Puts requests that machines with different monotonic clocks saw on one scale."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, int], int] = {}
        self._bases: list[float] = []
        self._first: list[float] = []

    def set(self, attempt: Attempt, source: int) -> None:
        """Note the clock of an attempt, and tell its times by the first one.

        Args:
            attempt: with the times of its line.
            source: the number of the file that it is from.
        """
        base = attempt.time - attempt.arrived
        clock = self._of.get((source, attempt.pid))
        if clock is None:
            # One that was set while a process ran shows in that process too.
            near = (each for each, known in enumerate(self._bases) if abs(known - base) < APART)
            clock = next(near, len(self._bases))
            if clock == len(self._bases):
                self._bases.append(base)
                self._first.append(base)
            self._of[source, attempt.pid] = clock
        self._bases[clock] = base
        if clock:
            offset = self._first[clock] - self._first[0]
            attempt.clock = clock
            attempt.arrived += offset
            if attempt.answered is not None:
                attempt.answered += offset

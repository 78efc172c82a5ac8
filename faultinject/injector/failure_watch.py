"""The app's own failures over a sliding window: when they pass a bound, all faults end."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from faultinject.rules.abort import read_abort
from faultinject.rules.descriptions import seconds
from faultinject.rules.values import number_text

BUCKETS = 20
"""The window moves by one of so many parts: it is up to a twentieth shorter than it says, and takes no more memory."""


class FailureWatch:
    """Counts the answers of an app in one process, and tells once when too many of them are failures of its own.

    Args:
        text: the bound, as `abort` of a scenario says it.
        monotonic: the clock, in seconds.
        tell: told why, once until `reset`.

    Attributes:
        text: the bound.
    """

    def __init__(self, text: str, monotonic: Callable[[], float], tell: Callable[[str], None]) -> None:
        self.text = text
        self._bound = read_abort(text)
        self._width = self._bound.window / BUCKETS
        self._monotonic = monotonic
        self._tell = tell
        self._lock = Lock()  # nobody waits under it: `faultinject.locks`
        self.reset()

    def reset(self) -> None:
        """Forget what was counted, and tell again."""
        self._now = 0
        self._answers = [0] * BUCKETS
        self._failures = [0] * BUCKETS
        self._told = False

    def note(self, *, failed: bool, again: bool) -> None:
        """Note an answer.

        Args:
            failed: whether it is a failure of the app's own.
            again: whether it was noted before, and turns out to be one.
        """
        bucket = int(self._monotonic() / self._width)
        with self._lock:
            if bucket > self._now:
                for old in range(max(self._now + 1, bucket - BUCKETS + 1), bucket + 1):
                    self._answers[old % BUCKETS] = self._failures[old % BUCKETS] = 0
                self._now = bucket
            self._answers[self._now % BUCKETS] += not again
            if not failed:
                return
            self._failures[self._now % BUCKETS] += 1
            all_, wrong = sum(self._answers), sum(self._failures)
            if self._told or all_ < self._bound.least or wrong <= self._bound.share * all_:
                return
            self._told = True
        percent = number_text(round(100 * wrong / all_, 1)).removesuffix(".0")
        self._tell(
            f"{self.text}: {wrong} of {all_} requests ({percent} %) failed by themselves within {seconds(self._bound.window)}"
        )

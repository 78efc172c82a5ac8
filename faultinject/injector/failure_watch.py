"""The app's own failures over a sliding window: when they exceed a bound, all faults end."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock

from faultinject.engine.entry import NOT_INJECTED, Entry
from faultinject.exceptions import StoreUnavailableError
from faultinject.rules.abort import PARTS, read_abort
from faultinject.rules.descriptions import seconds
from faultinject.rules.values import number_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.counts.store import SharedAnswers


WITHOUT_ANSWER = ("reset", "closed", "raised")
"""Values of `did` for a fault that is instead of an answer."""


class FailureWatch:
    """Counts the answers of an app, and calls `tell` when too many are the app's own failures.

    It counts those of this process, and of all processes of a store.

    Args:
        text: the bound, as in `abort` of a scenario.
        monotonic: the clock, in seconds.
        tell: called once until `reset`, with the reason, and with whether no request waits meanwhile.
        shared: gives, for the bound and the seconds of a part of its window, the answers of all processes, and how
            often faults were switched on again; None if this process counts for itself.

    Attributes:
        text: the bound.
        of_injected: whether injected failures count, too.
    """

    def __init__(
        self,
        text: str,
        monotonic: Callable[[], float],
        tell: Callable[[str, bool], None],
        shared: Callable[[str, float], tuple[SharedAnswers, int] | None],
    ) -> None:
        self.text = text
        self._bound = read_abort(text)
        self.of_injected = self._bound.injected
        self._width = self._bound.window / PARTS
        self._monotonic = monotonic
        self._tell = tell
        self._shared = shared
        self._lock = Lock()  # nobody waits under it: `faultinject.locks`
        self.reset()

    def reset(self) -> None:
        """Forget all counts, so that `tell` may be called again."""
        self._now = 0
        self._answers = [0] * PARTS
        self._failures = [0] * PARTS
        self._told = False

    def note(self, *, failed: bool, again: bool) -> None:
        """Note an answer.

        Args:
            failed: whether it is a failure of the app's own.
            again: whether it was noted before as a success, and turns out to be a failure.
        """
        part = int(self._monotonic() / self._width)
        with self._lock:
            if part > self._now:
                for old in range(max(self._now + 1, part - PARTS + 1), part + 1):
                    self._answers[old % PARTS] = self._failures[old % PARTS] = 0
                self._now = part
            self._answers[self._now % PARTS] += not again
            self._failures[self._now % PARTS] += failed
            answers, failures = sum(self._answers), sum(self._failures)
        if failed:
            self._judge(answers, failures, False)
        # A worker that is replaced after a few requests never has enough answers of its own.
        with suppress(StoreUnavailableError, OSError):
            if (shared := self._shared(self.text, self._width)) is not None:
                place, armed = shared
                place.add(armed, part, int(not again), int(failed), self._judge)

    def note_fault(self, line: Entry) -> None:
        """Note a journal's line, if its fault is a 5xx or no answer and the bound is also of those."""
        if not self.of_injected or not line.last or line.fault is None or line.did in NOT_INJECTED:
            return
        if line.did in WITHOUT_ANSWER or (line.status or 0) >= 500:
            self.note(failed=True, again=line.applied)

    def _judge(self, answers: int, failures: int, beside: bool) -> None:
        """Call `tell` if there are too many failures."""
        with self._lock:
            if self._told or answers < self._bound.least or failures <= self._bound.share * answers:
                return
            self._told = True
        percent = number_text(round(100 * failures / answers, 1)).removesuffix(".0")
        self._tell(
            f"{self.text}: {failures} of {answers} requests ({percent} %)"
            f" failed{'' if self.of_injected else ' by themselves'} within {seconds(self._bound.window)}",
            beside,
        )

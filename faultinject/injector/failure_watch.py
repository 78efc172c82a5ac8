"""Counts the app's own failures in a sliding window; too many of them end all faults."""

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
"""Values of `did` for a fault that leaves the client without an answer."""


class FailureWatch:
    """Counts an app's answers, and calls `on_excess` at too many failures of its own.

    It counts the answers of this process, and those of all processes of a store.

    Args:
        text: the bound, as in `abort` of a scenario.
        monotonic: the clock, in seconds.
        on_excess: called at most once until `reset`, with the reason, and whether it runs outside of a request.
        shared_answers: gives the answers of all processes and the number of times that faults were switched on again,
            for the bound and the seconds of one part of its window; None if this process counts for itself.

    Attributes:
        text: the bound.
        of_injected: whether injected failures count, too.
    """

    def __init__(
        self,
        text: str,
        monotonic: Callable[[], float],
        on_excess: Callable[[str, bool], None],
        shared_answers: Callable[[str, float], tuple[SharedAnswers, int] | None],
    ) -> None:
        self.text = text
        self._bound = read_abort(text)
        self.of_injected = self._bound.injected
        self._width = self._bound.window / PARTS
        self._monotonic = monotonic
        self._on_excess = on_excess
        self._shared_answers = shared_answers
        self._lock = Lock()  # its holder never waits: see `faultinject.locks`
        self.reset()

    def reset(self) -> None:
        """Set all counts to zero, so that `on_excess` may be called again."""
        self._now = 0
        self._answers = [0] * PARTS
        self._failures = [0] * PARTS
        self._called = False

    def note(self, *, failed: bool, again: bool) -> None:
        """Note an answer.

        Args:
            failed: whether it is a failure of the app.
            again: whether it was noted as a success before, and turned out to be a failure.
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
        # Judge the answers of all processes, too: a worker that is replaced after a few requests never has enough.
        with suppress(StoreUnavailableError, OSError):
            shared = self._shared_answers(self.text, self._width)
            if shared is not None:
                shared_answers, armed = shared
                shared_answers.add(armed, part, int(not again), int(failed), self._judge)

    def note_fault(self, line: Entry) -> None:
        """Note a journal's line if its fault is a failure, and injected failures count."""
        if not self.of_injected or not line.last or line.fault is None or line.did in NOT_INJECTED:
            return
        if line.did in WITHOUT_ANSWER or (line.status or 0) >= 500:
            # If the app ran, its own answer was noted before as a success.
            self.note(failed=True, again=line.applied)

    def _judge(self, answers: int, failures: int, in_background: bool) -> None:
        """Call `on_excess` if there are too many failures."""
        with self._lock:
            if self._called or answers < self._bound.least or failures <= self._bound.share * answers:
                return
            self._called = True
        percent = number_text(round(100 * failures / answers, 1)).removesuffix(".0")
        self._on_excess(
            f"{self.text}: {failures} of {answers} requests ({percent} %)"
            f" failed{'' if self.of_injected else ' by themselves'} within {seconds(self._bound.window)}",
            in_background,
        )

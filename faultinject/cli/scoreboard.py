"""What becomes of the demo's calls: the attempts that the server saw, and what the client made of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from threading import Lock
from typing import TYPE_CHECKING

from faultinject.audit.reports.sentences import counted

if TYPE_CHECKING:
    from faultinject.journal.call_window import CallWindow
    from faultinject.journal.outcome import Outcome

COLUMNS = ("attempt", "operation", "key", "injected", "what the SDK did")


class Attempt:
    """One HTTP request of a call.

    Attributes:
        number: its place among the attempts of its call, from 1.
        operation: the storage operation.
        key: the object's key.
        injected: status and code of the documented error that it got, or None.
        arrived: seconds, of a monotonic clock.
        verdict: what the client did then; empty while that is not known.
    """

    __slots__ = ("arrived", "injected", "key", "number", "operation", "status", "verdict")

    def __init__(self, number: int, operation: str, outcome: Outcome) -> None:
        self.number = number
        self.operation = operation
        self.key = outcome.key or ""
        self.status = outcome.status
        code = (outcome.fault or "").partition(":")[2]
        self.injected = f"{outcome.status} {code}" if outcome.injected else None
        self.arrived = outcome.arrived
        self.verdict = ""

    def cells(self) -> tuple[str, ...]:
        """The attempt as a table shows it."""
        return str(self.number), self.operation, self.key, self.injected or "-", self.verdict or "…"


class Call:
    """What the client's caller asked for once: one attempt or more."""

    __slots__ = ("attempts", "began", "ended", "operation", "recovered", "succeeded")

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.began = time.monotonic()
        self.ended: float | None = None
        self.attempts: list[Attempt] = []
        self.succeeded: bool | None = None
        self.recovered = False

    @property
    def hit(self) -> bool:
        """Whether an attempt got a fault."""
        return any(each.injected is not None for each in self.attempts)


class Scoreboard:
    """The calls of a demo, each with a key of its own; written to from many threads.

    Args:
        tell: told of each attempt of a call that was hit, as soon as it is known what the client did.
    """

    def __init__(self, tell: Callable[[Attempt], None]) -> None:
        self._tell = tell
        self._lock = Lock()
        self._calls: dict[str, Call] = {}
        self._shown: list[Attempt] = []

    def begin(self, operation: str, key: str) -> None:
        """A call begins."""
        with self._lock:
            self._calls[key] = Call(operation)

    def saw(self, outcome: Outcome) -> None:
        """The server decided a request; follows its journal."""
        if outcome.final:
            return
        with self._lock:
            call = self._calls.get(outcome.key or "")
            if call is None:
                return
            attempt = Attempt(len(call.attempts) + 1, call.operation, outcome)
            if call.attempts:
                last = call.attempts[-1]
                self._judge(last, f"retried after {attempt.arrived - last.arrived:.1f} s")
            call.attempts.append(attempt)
            if call.hit:
                self._shown.append(attempt)

    def end(self, key: str, *, succeeded: bool) -> None:
        """The client gave its caller an answer, or an error."""
        with self._lock:
            call = self._calls[key]
            call.succeeded = succeeded
            call.ended = time.monotonic()
            call.recovered = succeeded and call.hit
            if not call.attempts:
                return
            last = call.attempts[-1]
            if succeeded:
                verdict = "recovered" if call.hit else "went through"
            elif len(call.attempts) == 1:
                verdict = f"gave up: {last.status}, no retry"
            else:
                verdict = f"gave up, {len(call.attempts)} attempts"
            self._judge(last, verdict, hit=call.hit)

    def windows(self) -> list[CallWindow]:
        """The calls as the audit wants to be told of them."""
        from faultinject.journal.call_window import CallWindow

        with self._lock:
            return [
                CallWindow(call.operation, call.began, call.ended, returned=call.succeeded, key=key)
                for key, call in self._calls.items()
            ]

    def _judge(self, attempt: Attempt, verdict: str, *, hit: bool = True) -> None:
        attempt.verdict = verdict
        if hit:
            self._tell(attempt)

    def close(self) -> None:
        """Tell of no attempt any more."""
        with self._lock:
            self._tell = silent

    def latest(self, count: int) -> list[Attempt]:
        """The newest attempts of calls that were hit."""
        with self._lock:
            return self._shown[-count:]

    @property
    def rows(self) -> int:
        """How many attempts of calls that were hit there are."""
        with self._lock:
            return len(self._shown)

    def headline(self, *, jitter: bool) -> str:
        """What the SDK hid, what it did not, and how it waits, in a sentence without its end.

        Args:
            jitter: whether its waits differ from call to call, or nobody knows.
        """
        with self._lock:
            calls = list(self._calls.values())
        faults = [
            (call.recovered, each) for call in calls for each in call.attempts if each.injected is not None
        ]
        hidden, lost = (
            sum(recovered for recovered, _ in faults),
            sum(call.succeeded is False for call in calls),
        )
        said = f"The COS SDK hid {hidden} of {counted(len(faults), 'injected fault')}; {counted(lost, 'call')} failed"
        waits: dict[int, list[float]] = {}
        for call in calls:
            for number, (one, other) in enumerate(pairwise(call.attempts)):
                waits.setdefault(number, []).append(other.arrived - one.arrived)
        medians = ", ".join(f"{median(waits[number]):.1f}".removesuffix(".0") for number in sorted(waits))
        if not medians:
            return f"{said}; it never retried"
        return (
            f"{said}; it waits {medians} s"
            if jitter
            else f"{said}; it waits exactly {medians} s, without jitter"
        )

    def progress(self) -> str:
        """How far it is, in one line."""
        with self._lock:
            ended = sum(call.succeeded is not None for call in self._calls.values())
            attempts = [each for call in self._calls.values() for each in call.attempts]
        injected = sum(each.injected is not None for each in attempts)
        return f"{ended} calls done, {injected} faults in {len(attempts)} attempts"

    def summary(self) -> list[tuple[str, str, str]]:
        """Names, numbers and remarks."""
        with self._lock:
            calls = list(self._calls.values())
        attempts = [each for call in calls for each in call.attempts]
        injected = sum(each.injected is not None for each in attempts)
        lost = [call for call in calls if call.succeeded is False]
        at_once = sum(len(call.attempts) <= 1 for call in lost)
        cut = sum(call.succeeded is None for call in calls)
        rows = [
            ("calls", len(calls), ""),
            ("attempts", len(attempts), f"{len(attempts) / max(1, len(calls)):.2f} a call"),
            ("injected faults", injected, f"{100 * injected / max(1, len(attempts)):.0f} % of the attempts"),
            ("recovered", sum(call.recovered for call in calls), "hit by a fault, hidden from the caller"),
            (
                "given up",
                len(lost),
                f"{at_once} at once, {len(lost) - at_once} after retries" if lost else "",
            ),
        ]
        if cut:
            rows.append(("cut short", cut, "still running at the time limit"))
        return [(name, str(number), remark) for name, number, remark in rows]


def silent(_attempt: Attempt) -> None:
    """What is told to nobody."""

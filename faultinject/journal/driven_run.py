"""The line about a driver's calls and their results, at the end of the journal of its run.

A driver is the program that makes the calls of `faultinject conformance`. The line has `"driven"`, and the fields `v`,
`time`, `arrived` and `pid` of a request. The others are null, so a search for requests does not find it. Errors are
numbered by kind; their texts are left out, as they may hold secrets.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec import MsgspecError, Struct, to_builtins
from msgspec.json import decode
from msgspec.structs import replace

from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow, error_class
from faultinject.journal.outcome import line_without_request
from faultinject.rules.files import TO_APPEND

NAME = "driven"
"""The field that only such a line has."""
_MARK = b'"driven":{'


class DrivenCall(Struct):
    """A call of a driver.

    Attributes:
        key: A segment of the path of each of its requests.
        name: The phase of the plan.
        began: The time at which the driver made the call, on the monotonic clock.
        ended: The time at which it ended, on the same clock; null if it did not end.
        returned: Whether its caller got a result (true) or an error (false).
        error: The kind of that error: `kind 1`, `kind 2` and so on, in order of appearance.
    """

    key: str | None
    name: str | None
    began: float
    ended: float | None
    returned: bool | None
    error: str | None = None


class RunFacts(Struct):
    """The facts of a run that only its driver knows.

    Attributes:
        until: The time at which the run ended, on the monotonic clock.
        profile: The profile that judged the run; null: the one of the user agent or of a file.
        failure: The client's breach of the contract; empty if there was none.
        calls: The calls that the driver made.
        speed: The speed of the client's clock, as a multiple of the journal's clock.
    """

    until: float
    profile: str | None
    failure: str
    calls: list[DrivenCall]
    speed: float = 1.0


class RunLine(Struct):
    """The line that a driver writes; a request's other fields are null in it.

    Attributes:
        v: The version of the format.
        time: The time at which it was written, unix seconds.
        arrived: The time at which the run ended, on one monotonic clock, seconds.
        pid: The process that wrote the journal.
        driven: The facts that `faultinject conformance` knows of the journal's run.
    """

    v: int
    time: float
    arrived: float
    pid: int
    driven: RunFacts


@dataclass(frozen=True)
class DrivenRun:
    """A run's calls, as its driver knows them.

    Times are seconds of the journal's monotonic clock.

    Attributes:
        pid: the process that wrote the journal.
        calls: the calls, each with its key and the result that its caller saw.
        until: the end of the run.
        profile: the name of the client's profile; None: the user agent decides.
        failure: the client's breach of the driver's contract, in one line; empty if there is none.
        speed: the factor by which the client's own clock ran faster than the journal's.
    """

    pid: int
    calls: Sequence[CallWindow]
    until: float
    profile: str | None = None
    failure: str = ""
    speed: float = 1.0

    def by_client(self, moment: float) -> float:
        """Convert a time to the client's clock; both clocks agree when the first call begins."""
        since = self.calls[0].began if self.calls else moment
        return moment + (self.speed - 1) * (moment - since)

    def calls_by_client(self) -> list[CallWindow]:
        """The calls with times of the client's clock."""
        return [
            replace(
                call,
                began=self.by_client(call.began),
                ended=None if call.ended is None else self.by_client(call.ended),
            )
            for call in self.calls
        ]

    def attempt_by_client(self, attempt: Attempt) -> Attempt:
        """An attempt with times of the client's clock."""
        arrived, answered = attempt.arrived, attempt.answered
        return replace(
            attempt,
            arrived=self.by_client(arrived),
            answered=None if answered is None else self.by_client(answered),
        )

    def write(self, path: str) -> None:
        """Append the line to the run's journal."""
        kinds: dict[str | None, str | None] = {None: None}
        calls = []
        for call in self.calls:
            kind = kinds.setdefault(error_class(call.error), f"kind {len(kinds)}")
            calls.append(DrivenCall(call.key, call.name, call.began, call.ended, call.returned, kind))
        driven = to_builtins(RunFacts(self.until, self.profile, self.failure, calls, self.speed))
        line = line_without_request(time=time.time(), arrived=self.until, pid=self.pid, driven=driven)
        with os.fdopen(os.open(path, TO_APPEND), "ab", buffering=0) as file:
            file.write(line)


def run_of(lines: Iterable[bytes]) -> DrivenRun | None:
    """The last run that these lines report, or None."""
    last = None
    for line in lines:
        if _MARK in line:
            last = _read(line) or last
    return last


def _read(line: bytes) -> DrivenRun | None:
    """The run of a line; None if the line is of another kind, or damaged."""
    try:
        run_line = decode(line, type=RunLine)
    except (ValueError, MsgspecError):
        return None
    run = run_line.driven
    calls = [
        CallWindow(
            call.name,
            call.began,
            call.ended,
            call.returned,
            call.error and f"an error of {call.error} (the journal does not keep its message)",
            key=call.key,
        )
        for call in run.calls
    ]
    return DrivenRun(run_line.pid, calls, run.until, run.profile, run.failure, run.speed)

"""A driver says in the journal of its run which calls it made and what their callers saw: then a report knows what it knew.

One line at the end of the run: every field of a journal's line and null in it but for `v`, `time`, `arrived` and `pid`,
and `"driven"`. Who looks for requests finds none in it. Of errors it has only which were of one kind: their words may hold secrets.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader

from msgspec import Struct, to_builtins
from msgspec.json import decode
from msgspec.structs import replace

from faultinject.exceptions import ReportError
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow, error_class
from faultinject.journal.outcome import line_without_request
from faultinject.journal.sources import Source, may_be_journal
from faultinject.rules.files import TO_APPEND

NAME = "driven"
"""The field that such a line has."""
_MARK = b'"driven":{'


class DrivenCall(Struct):
    """A call of a driver.

    Attributes:
        key: A segment of the path of each of its requests.
        name: The phase of the plan.
        began: When it was asked for, on the monotonic clock.
        ended: When it ended, on the same clock; null: it did not.
        returned: Whether its caller got a result (true) or an error (false).
        error: Of which kind that error was: `kind 1`, `kind 2` and so on, in the order in which they came.
    """

    key: str | None
    name: str | None
    began: float
    ended: float | None
    returned: bool | None
    error: str | None = None


class RunFacts(Struct):
    """What a driver knows of its run.

    Attributes:
        until: When the run ended, on the monotonic clock.
        profile: The profile that the run was judged by; null: by the user agent, or a file's.
        failure: How the client broke the contract; empty where it did not.
        calls: The calls that the driver made.
        speed: How many times as fast as the journal's clock the client's clock ran.
    """

    until: float
    profile: str | None
    failure: str
    calls: list[DrivenCall]
    speed: float = 1.0


class RunLine(Struct):
    """The line that a driver writes; all other fields of it are null.

    Attributes:
        v: The version of the format.
        time: When it was written, unix seconds.
        arrived: When the run ended, on one monotonic clock, seconds.
        pid: The process that wrote the journal.
        driven: What `faultinject conformance` knows of the run that this journal is of.
    """

    v: int
    time: float
    arrived: float
    pid: int
    driven: RunFacts


@dataclass(frozen=True)
class DrivenRun:
    """What a driver knows of the calls that it made.

    Times are seconds of the journal's monotonic clock.

    Attributes:
        pid: the process that wrote the journal.
        calls: each with its key, and what its caller saw.
        until: when the run ended.
        profile: the name of what is promised for the client; None: found by its user agent.
        failure: what it did against the driver's contract, in one line; empty where that is nothing.
        speed: how many times as fast as that clock the client's own ran.
    """

    pid: int
    calls: Sequence[CallWindow]
    until: float
    profile: str | None = None
    failure: str = ""
    speed: float = 1.0

    def by_client(self, moment: float) -> float:
        """A time of the journal by the client's clock, which has shown the same when the first call began."""
        since = self.calls[0].began if self.calls else moment
        return moment + (self.speed - 1) * (moment - since)

    def calls_by_client(self) -> list[CallWindow]:
        """The calls with the times of the client's clock."""
        return [
            replace(
                each,
                began=self.by_client(each.began),
                ended=None if each.ended is None else self.by_client(each.ended),
            )
            for each in self.calls
        ]

    def attempt_by_client(self, attempt: Attempt) -> Attempt:
        """A request with the times of the client's clock."""
        arrived, answered = attempt.arrived, attempt.answered
        return replace(
            attempt,
            arrived=self.by_client(arrived),
            answered=None if answered is None else self.by_client(answered),
        )

    def write(self, path: str) -> None:
        """Append it to the run's journal, if that is still there and can be written."""
        kinds: dict[str | None, str | None] = {None: None}
        calls = []
        for each in self.calls:
            kind = kinds.setdefault(error_class(each.error), f"kind {len(kinds)}")
            calls.append(DrivenCall(each.key, each.name, each.began, each.ended, each.returned, kind))
        driven = to_builtins(RunFacts(self.until, self.profile, self.failure, calls, self.speed))
        line = line_without_request(time=time.time(), arrived=self.until, pid=self.pid, driven=driven)
        with os.fdopen(os.open(path, TO_APPEND), "ab", buffering=0) as file:
            file.write(line)


def last_run(path: str, standard: BufferedReader | None = None) -> DrivenRun | None:
    """The last run that a driver has noted in a journal; None: no driver has, or it cannot be read.

    Args:
        path: the journal; `-` is the standard input.
        standard: read from its beginning, in the place of the standard input.
    """
    source = Source(path, {}, standard)
    last = None
    with suppress(ReportError):  # whoever reads its requests is told why
        for line in source:
            source.good = source.good or may_be_journal(line)
            if _MARK in line:
                last = _read(line) or last
    return last


def _read(line: bytes) -> DrivenRun | None:
    """The run that a line tells of; None where it is another one, or damaged."""
    try:
        found = decode(line, type=RunLine)
    except ValueError:
        return None
    run = found.driven
    calls = [
        CallWindow(each.name, each.began, each.ended, each.returned, each.error, key=each.key)
        for each in run.calls
    ]
    return DrivenRun(found.pid, calls, run.until, run.profile, run.failure, run.speed)

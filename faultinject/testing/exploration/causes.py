"""One run that was made, and why it failed, worked out while its traceback is there."""

from __future__ import annotations

import sysconfig
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType

from faultinject.audit.findings import FAIL, Finding
from faultinject.journal.call_window import CallWindow
from faultinject.journal.outcome import Outcome
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.testing.exploration.bounds import Bounds
from faultinject.testing.exploration.choices import Choice
from faultinject.testing.exploration.judge import LOST_ANSWER
from faultinject.testing.exploration.points import Point
from faultinject.testing.exploration.programs import ProgramFailed
from faultinject.testing.exploration.store_comparison import StoreContents

SECOND = "the second run: "
"""What the failure of a second run begins with."""
LONGEST = 200
"""Characters of an error's message that are shown."""
_OURS = ("faultinject", "_pytest", "pluggy")
_INSTALLED = tuple(filter(None, map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))))


class RunAway(BaseException):
    """The code under test makes requests without end; no `except Exception` of a client may hide it."""


@dataclass
class RunResult:
    """What came of one run, before anybody judges it.

    Attributes:
        names: what its rules are called in the outcomes.
        outcomes: its requests, in order.
        error: what the code under test raised, or None.
        seconds: how long it took.
        windows: the calls that it named.
        first: how many of the requests are of the first run of a program; None: nothing was run again, nor to be.
        killed: whether the first was killed.
        alive: whether something of it went on all the same.
        before: what a store held when the program was started; None: nobody can tell.
        between: when the first run was over.
        after: when the second was; as `between` where there was none.
        again: how the second run failed, or None.
    """

    names: Sequence[str] = ()
    outcomes: Sequence[Outcome] = ()
    error: BaseException | None = None
    seconds: float = 0.0
    windows: Sequence[CallWindow] = ()
    first: int | None = None
    killed: bool = False
    alive: bool = False
    before: StoreContents | None = None
    between: StoreContents = field(default_factory=dict)
    after: StoreContents = field(default_factory=dict)
    again: ProgramFailed | None = None

    def told_an_error(self, passing: Collection[int]) -> bool:
        """Whether the caller of a named call was told that it did not go well, or a client of the app under test, by such a status."""
        return any(each.returned is False for each in self.windows) or any(
            not each.injected and each.status in passing for each in self.outcomes
        )


@dataclass(eq=False)
class PlannedRun:
    """A run to be made.

    Attributes:
        scenario: the faults of the run.
        points: where its faults are to come.
        chosen: what was chosen for each of them.
    """

    scenario: Scenario
    points: tuple[Point, ...]
    chosen: tuple[Choice, ...]

    @property
    def lasts(self) -> bool:
        """Whether one of its faults stays."""
        return any(each.lasts for each in self.chosen)

    def may_end(self, error: BaseException, bounds: Bounds) -> bool:
        """Whether the code may give up with that error; what somebody says of that is not about an object that was replaced."""
        if isinstance(error, RunAway) or (isinstance(error, ProgramFailed) and error.code is None):
            return False  # it was ended, and has not given up
        if bounds.allow and not any(each.moves for each in self.chosen):
            return bounds.allows(error)
        return any(each.ends(error) for each in self.chosen)

    @property
    def text(self) -> str:
        """The rules as text."""
        return "; ".join(map(str, self.scenario.rules))


class FinishedRun(PlannedRun):
    """One run that was made, and what is wrong with it.

    Args:
        planned: what was to be made.
        result: what came of it.
        gave_up: whether its error is one that the code may give up with.
        findings: what its requests, and what a store held, show by themselves.
        first: how many of the requests came before the program was run again; None: it was not.

    Attributes:
        names: what its rules are called in the outcomes.
        outcomes: the requests, in order; empty when they can tell nothing any more.
        error: what the code under test raised, or None; of failures that are alike the smallest alone has it.
        failed: whether the code under test did not cope.
        gave_up: whether it gave up as it may, and nothing else is wrong.
        seconds: how long it took.
        backoff: seconds in which nothing happened between a fault and the request that followed it.
        missed: the rules that injected nothing.
        cause: failures of the same cause are alike.
        said: the error in one line, or the finding that makes it a failure.
        findings: the worst first.
    """

    def __init__(
        self,
        planned: PlannedRun,
        result: RunResult,
        *,
        gave_up: bool = False,
        findings: Sequence[Finding] = (),
        first: int | None = None,
    ) -> None:
        super().__init__(planned.scenario, planned.points, planned.chosen)
        self.outcomes = result.outcomes
        self.error = result.error
        self.seconds = result.seconds
        self.first = first
        # The rules of a second run that was never made were not in force.
        self.names = [*result.names, *[""] * (len(self.scenario.rules) - len(result.names))]
        self.findings = sorted(findings, key=lambda each: each.verdict != FAIL)
        wrong = next((each for each in self.findings if each.verdict == FAIL), None)
        self.gave_up = gave_up and wrong is None
        self.backoff = _backoff(self.outcomes[:first]) + (
            0.0 if first is None else _backoff(self.outcomes[first:])
        )
        hit = {each.rule for each in self.outcomes if each.injected}
        self.missed = tuple(
            rule for rule, name in zip(self.scenario.rules, self.names, strict=True) if name not in hit
        )
        error = result.error
        self.failed = wrong is not None or (error is not None and not gave_up)
        self.cause: tuple[object, ...] = ()
        self.said = ""
        operation = self.points[-1].operation if self.points else ""
        if wrong is not None and (error is None or gave_up):
            self.cause = wrong.name, operation
            self.said = f"{wrong.check}: {wrong.message}"
        elif error is not None:
            reported = isinstance(error, ProgramFailed)
            alike = str(error) if reported else last_line(error.__traceback__)
            # Who takes its own write for another's, or undoes it, may end like one who gives up.
            did = [
                each.subject for each in self.findings if (each.check, each.verdict) == (LOST_ANSWER, FAIL)
            ]
            self.cause = type(error), alike, operation, *did
            self.said = str(error) if reported else _said(error)

    @property
    def reached(self) -> bool:
        """Whether each of its rules injected something."""
        return not self.missed

    @property
    def rules(self) -> tuple[Rule, ...]:
        """One rule for each point: a rule with `times=2` stands for two."""
        rules = self.scenario.rules
        return rules * len(self.points) if len(rules) == 1 else rules

    @property
    def size(self) -> tuple[int, int]:
        """Sorts: the smaller, the easier to understand."""
        return len(self.scenario.rules), len(self.text)


def last_line(trace: TracebackType | None) -> tuple[str, int] | None:
    """The last line of a traceback that is the user's: neither the standard library's nor an installed package's."""
    found = last = None
    while trace is not None:
        last = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if not last[0].startswith((*_INSTALLED, "<")) and package not in _OURS:
            found = last
        trace = trace.tb_next
    return found or last


def _backoff(outcomes: Sequence[Outcome]) -> float:
    waited = 0.0
    for this, following in pairwise(outcomes):
        if this.injected and this.answered is not None:
            waited += max(0.0, following.arrived - this.answered)
    return waited


def _said(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    kind = type(error).__name__
    return f"{kind}: {text}" if text else kind

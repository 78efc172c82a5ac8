"""The runs of an exploration: a planned one, its result, and a finished one with its cause."""

from __future__ import annotations

import sysconfig
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType

from faultinject.audit.documents import EvidenceKind
from faultinject.audit.findings import FAIL, Finding
from faultinject.exceptions import ProgramFailedError
from faultinject.journal.call_window import CallWindow
from faultinject.journal.outcome import Outcome
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.testing.exploration.bounds import Bounds
from faultinject.testing.exploration.choices import Choice
from faultinject.testing.exploration.judge import LOST_ANSWER
from faultinject.testing.exploration.points import Point
from faultinject.testing.exploration.store_comparison import LOST, StoreContents

SECOND = "the second run: "
"""The prefix of the failure of a second run."""
LONGEST = 200
"""The most characters of an error's message that are shown."""
_OURS = ("faultinject", "_pytest", "pluggy")
_INSTALLED = tuple(filter(None, map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))))


class RunAway(BaseException):
    """Ends code under test that makes requests without end.

    It is not an `Exception`, so that no client's `except Exception` hides it.
    """


@dataclass
class RunResult:
    """The result of one run, before it is judged.

    Attributes:
        names: the names of its rules in the outcomes.
        outcomes: its requests, in order.
        error: the exception of the code under test, or None.
        seconds: the time that it took.
        windows: the calls that the test has named.
        first: the number of requests in the first run of a program that ran twice; None: it ran once.
        killed: whether the program was killed.
        alive: whether a process of the killed program still runs.
        before: the contents of a store before the run; None: unknown.
        between: the contents after the first run of the program.
        after: the contents at the end; those of `between` if there was no second run.
        second_failure: the failure of the second run, or None.
        output: the standard output of the program; None: there is no program, or the output is too long.
        app_failed: whether the app under test failed beside moto, where `outcomes` has no requests to it.
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
    second_failure: ProgramFailedError | None = None
    output: bytes | None = None
    app_failed: bool = False

    def reported_an_error(self, passing: Collection[int]) -> bool:
        """Whether a named call raised an error, or the app answered with an error."""
        hit = [outcome for outcome in self.outcomes if outcome.injected and outcome.rule in self.names]
        own = [outcome for outcome in self.outcomes if not outcome.injected]
        return (
            self.app_failed
            or any(window.returned is False for window in self.windows)
            or any(outcome.status in passing for outcome in own)
            or any(_app_refused_because_of(fault, outcome) for outcome in own for fault in hit)
        )


def _app_refused_because_of(fault: Outcome, request: Outcome) -> bool:
    """Whether the app refused a request, or raised, because its own request got a fault."""
    return (
        (request.host, request.bucket) != (fault.host, fault.bucket)
        and request.arrived <= fault.arrived
        and (request.answered is None or request.answered >= fault.arrived)
        and (request.status is None or request.status >= 400)
    )


@dataclass(eq=False)
class PlannedRun:
    """A run of the plan.

    Attributes:
        scenario: the faults of the run.
        points: the requests at which its faults come.
        chosen: the fault for each of these points.
    """

    scenario: Scenario
    points: tuple[Point, ...]
    chosen: tuple[Choice, ...]

    @property
    def lasts(self) -> bool:
        """Whether one of its faults stays."""
        return any(choice.lasts for choice in self.chosen)

    def may_end(self, error: BaseException, bounds: Bounds) -> bool:
        """Whether the code may give up with an error.

        The user's `allow` does not count for an object that another writer has replaced.
        """
        if _was_ended(error):
            return False  # the code has not given up
        if bounds.allow and not any(choice.replaces_object for choice in self.chosen):
            return bounds.allows(error)
        return any(choice.ends(error) for choice in self.chosen)

    @property
    def text(self) -> str:
        """The rules as text."""
        return "; ".join(map(str, self.scenario.rules))


class FinishedRun(PlannedRun):
    """A finished run, its findings, and the cause of its failure.

    Args:
        planned: the run of the plan.
        result: its result.
        gave_up: whether the code may give up with the error of the result.
        findings: the findings about its requests and the contents of a store.
        first: the number of requests in the first run of a program that ran twice; None: it ran once.

    Attributes:
        names: the names of its rules in the outcomes.
        outcomes: its requests, in order; empty when the report no longer needs them.
        error: the exception of the code under test, or None; of failures with one cause only the smallest keeps it.
        failed: whether the code did not cope with the faults.
        gave_up: whether the code gave up with an allowed error, and no finding is a failure.
        seconds: the time that it took.
        backoff: seconds between each fault and the next request.
        missed: the rules that injected nothing.
        cause: equal for all failures that are reported as one.
        failure: the error in one line, or the finding that makes the run a failure.
        evidence: the kinds of evidence of the failure.
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
        # Without a second run its rules were never in force, and have no names.
        self.names = [*result.names, *[""] * (len(self.scenario.rules) - len(result.names))]
        self.findings = sorted(findings, key=lambda finding: finding.verdict != FAIL)
        failing = next((finding for finding in self.findings if finding.verdict == FAIL), None)
        self.gave_up = gave_up and failing is None and all(finding.check != LOST for finding in self.findings)
        self.backoff = _backoff(self.outcomes[:first]) + (
            0.0 if first is None else _backoff(self.outcomes[first:])
        )
        hit = {outcome.rule for outcome in self.outcomes if outcome.injected}
        self.missed = tuple(
            rule for rule, name in zip(self.scenario.rules, self.names, strict=True) if name not in hit
        )
        # The cause is computed now, as the traceback is dropped later.
        error = result.error
        self.failed = failing is not None or (error is not None and not gave_up)
        self.cause: tuple[object, ...] = ()
        self.failure = ""
        self.evidence: Collection[EvidenceKind] = ()
        operation = self.points[-1].operation if self.points else ""
        if failing is not None and (error is None or gave_up):
            self.cause = failing.name, operation
            self.failure, self.evidence = f"{failing.check}: {failing.message}", failing.evidence
        elif error is not None:
            reported = isinstance(error, ProgramFailedError)
            alike = str(error) if reported else last_line(error.__traceback__)
            # Code that gives up, and code that undoes its own write after a lost answer, may raise the same error.
            reactions = [
                finding.subject
                for finding in self.findings
                if (finding.check, finding.verdict) == (LOST_ANSWER, FAIL)
            ]
            self.cause = type(error), alike, operation, *reactions
            self.failure = str(error) if reported else _error_line(error)
            self.evidence = (EvidenceKind.WIRE if _was_ended(error) else EvidenceKind.TOLD,)

    @property
    def reached(self) -> bool:
        """Whether each of its rules injected something."""
        return not self.missed

    @property
    def rules(self) -> tuple[Rule, ...]:
        """One rule for each point: a rule with `times=2` stands for two points."""
        rules = self.scenario.rules
        return rules * len(self.points) if len(rules) == 1 else rules

    def request_at(self, number: int) -> Outcome:
        """The request of this run that got the fault of a point; the recorded one if none did.

        The recorded run may have given the same request another id.

        Args:
            number: the place of the point among `points`.
        """
        one_rule = len(self.names) == 1
        name = self.names[0 if one_rule else number]
        hit = [outcome for outcome in self.outcomes if outcome.injected and outcome.rule == name]
        return next(iter(hit[number if one_rule else 0 :]), self.points[number].outcome)

    @property
    def size(self) -> tuple[int, int]:
        """A sort key: a smaller run is easier to understand."""
        return len(self.scenario.rules), len(self.text)


def _was_ended(error: BaseException) -> bool:
    """Whether the exploration ended the code, because of its number of requests or its time."""
    return isinstance(error, RunAway) or (isinstance(error, ProgramFailedError) and error.code is None)


def last_line(trace: TracebackType | None) -> tuple[str, int] | None:
    """The last line of a traceback that belongs to the user's code.

    Such a line is not in a file of the standard library or an installed package.
    """
    own = last = None
    while trace is not None:
        last = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if not last[0].startswith((*_INSTALLED, "<")) and package not in _OURS:
            own = last
        trace = trace.tb_next
    return own or last


def _backoff(outcomes: Sequence[Outcome]) -> float:
    waited = 0.0
    for fault_outcome, following in pairwise(outcomes):
        if fault_outcome.injected and fault_outcome.answered is not None:
            waited += max(0.0, following.arrived - fault_outcome.answered)
    return waited


def _error_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    kind = type(error).__name__
    return f"{kind}: {text}" if text else kind

"""The two kinds of runs, and their findings.

The code under test runs once, or a program is killed and started again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from faultinject.audit.checks.lost_answers import ERROR, is_lost
from faultinject.audit.checks.questions import TEMPORARY
from faultinject.audit.checks.versions import MOVED
from faultinject.audit.findings import Finding
from faultinject.engine.shown import shown_path
from faultinject.exceptions import ConfigurationError, ExplorationFailedError
from faultinject.journal.outcome import Outcome
from faultinject.journal.reading import of_outcomes
from faultinject.rules.descriptions import count
from faultinject.rules.triggers import FOR_GOOD
from faultinject.testing.exploration.bounds import Bounds, LeftOut
from faultinject.testing.exploration.causes import SECOND, FinishedRun, PlannedRun, RunResult
from faultinject.testing.exploration.choices import AFTER, BEFORE, MIDDLE, Choice
from faultinject.testing.exploration.judge import Judge
from faultinject.testing.exploration.points import as_python, marker
from faultinject.testing.exploration.store_comparison import BY_NAME, StoreComparison, StoreContents

REPLAYED = ("crash", "depth", "again", "ignore", "exhaustive", "max_runs", "within")
"""The bounds that a run needs when it is repeated."""
OVERWRITTEN = "overwritten"
"""The value of `did` if another writer has replaced an object."""
LATE_ANSWERS = ("delayed", "stalled", "dripped")
"""The values of `did` if the whole answer came late."""


class Once:
    """The code under test runs once, with all faults of its scenario.

    Args:
        choices: the faults to inject.
        bounds: the bounds of the exploration.
        judge: judges the requests.

    Attributes:
        kills: whether the program under test is killed.
        leeway: seconds that are added to the time limit of a program, as a client may wait a minute for an answer,
            and retry.
        deeper: the name of the runs that `max_runs` may cut off.
        choices: the faults at the requests of the run without faults.
        second: the faults that may follow a first fault.
        asked_for: the faults of the user: one of each source must be injected.
        left_out: the omissions.
    """

    kills = False
    leeway = 300.0
    deeper = "of depth 2"
    _without = "faults"

    def __init__(self, choices: Sequence[Choice], bounds: Bounds, judge: Judge) -> None:
        self.choices = self.asked_for = choices
        self.second = [choice for choice in choices if not choice.alone] if bounds.depth > 1 else []
        self.left_out: list[LeftOut] = []
        self._sources = dict.fromkeys(choice.source for choice in choices)
        self._bounds = bounds
        self._judge = judge
        self._store = StoreComparison(
            self._without, [pattern for pattern in bounds.ignore if pattern[:1] == "/"]
        )

    def leave_out(self, omission: LeftOut) -> None:
        """Report once that something is not tried, or not judged."""
        if omission not in self.left_out:
            self.left_out.append(omission)

    def subject(self, requests: str) -> str:
        """The subject of the exploration, for the first line of the report."""
        return f"{requests} without faults, {count(len(self.choices), 'fault')}"

    def replay_line(self, run: FinishedRun) -> str:
        """The pytest marker that repeats a run."""
        rules = run.scenario.rules
        if run.error is not None and not self.kills:
            return marker(rules)
        # Only an exploration kills a program, compares the store and judges the requests.
        given = [as_python(source) for source in self._sources]
        given += [
            f"{key}={value!r}"
            for key in REPLAYED
            if (value := getattr(self._bounds, key)) != getattr(Bounds, key)
        ]
        replay = as_python("; ".join(map(str, rules)))
        return f"@pytest.mark.faultinject_explore({', '.join(given)}, replay={replay})"

    def learn(self, result: RunResult, *, delayed: bool = False) -> None:
        """Learn the right contents of the store from a run without faults."""
        if result.before is not None:
            self._store.learn(result.before, [result.between, result.after], delayed=delayed)

    def finish_run(self, planned: PlannedRun, result: RunResult) -> FinishedRun:
        """Judge a run."""
        names, outcomes, error, first = result.names, result.outcomes, result.error, result.first
        again = first is not None
        # Code whose second run passes gave up cleanly in its first run.
        gave_up = error is None if again else error is not None and planned.may_end(error, self._bounds)
        findings: list[Finding] = []
        stored: StoreContents = {}
        hit = {outcome.rule for outcome in outcomes if outcome.injected}
        reported = result.reported_an_error(TEMPORARY)
        if error is None and hit.issuperset(names) and not reported:
            lost = any(attempt.rule in names and is_lost(attempt) for attempt in of_outcomes(outcomes))
            late = any(
                outcome.rule in names and outcome.did in LATE_ANSWERS and not outcome.left
                for outcome in outcomes
            )
            findings = self._in_store(result, result.after, lost=lost and not again, late=late)
            if any(outcome.did == OVERWRITTEN for outcome in outcomes):
                findings = [finding for finding in findings if finding.check in BY_NAME]
            stored = {} if findings else result.after
        if again:
            known = self._in_store(result, result.between)
            findings = self._judge.run_again(outcomes[:first], names, findings, known)
        requests = self._judge.findings(
            outcomes[:first],
            names,
            passed=error is None and not (again or reported),
            failed=error is not None and not gave_up,
            lasts=planned.lasts,
            contents=result.after,
            asserted=isinstance(error, AssertionError) and not reported,
            windows=result.windows,
            beside=outcomes[first:] if again else (),
            stored=stored,
            contents_are_wrong=bool(findings),
        )
        # The second run has shown whether it is wrong to report an error.
        findings += [finding for finding in requests if not (gave_up and again and finding.subject == ERROR)]
        if error is None and not (again or reported or any(outcome.did in MOVED for outcome in outcomes)):
            findings += self._judge.judge_output(result.output)
        removed: list[Finding] = []
        if result.before is not None and (error is not None or reported):
            removed = self._store.removed_objects(result.before, result.after)
        elif result.before is not None and again:
            removed = self._store.removed_objects(result.before, result.between, " until the second run")
        findings += self._judge.select_counted(removed)
        finished = FinishedRun(planned, result, gave_up=gave_up, findings=findings, first=first)
        # A test may fail because the code reports the fault, or because it breaks its promise.
        if isinstance(error, AssertionError) and not (finished.failed or self._bounds.allow):
            finished.gave_up = False
            why = f"{finished.failure}; with `allow=` it is judged: then only the errors named there may end a run"
            self.leave_out(LeftOut("failed assertions", why, head="not judged"))
        return finished

    def is_in_doubt(self, result: RunResult) -> bool:
        """Whether more runs without faults may show that something in the store is wrong."""
        return (
            result.before is not None
            and not result.reported_an_error(TEMPORARY)
            and self._store.lacks_words(result.after)
        )

    def _in_store(
        self, result: RunResult, contents: StoreContents, *, lost: bool = False, late: bool = False
    ) -> list[Finding]:
        """Judge a store at the end, or after the first of two runs of the program."""
        if result.before is None:
            return []
        names = result.names[1:] if self.kills else result.names  # a crash is no refusal
        refused = {
            shown_path(f"/{outcome.bucket}/{outcome.key or ''}")
            for outcome in result.outcomes
            if outcome.injected and outcome.rule in names and not outcome.applied and _removes(outcome)
        }
        return self._judge.select_counted(
            self._store.findings(result.before, contents, refused=refused, lost=lost, late=late)
        )


def _removes(request: Outcome) -> bool:
    return request.method == "DELETE" or "delete" in (request.operation or "").lower()


class KilledAndRestarted(Once):
    """A program is killed at a request and started again; faults come in its second run.

    Raises:
        ConfigurationError: the bounds, or a fault, are not for programs that are killed.
    """

    kills = True
    leeway = 30.0
    deeper = "with a fault in the second run"
    _without = "a crash"

    def __init__(self, faults: Sequence[Choice], bounds: Bounds, judge: Judge) -> None:
        super().__init__(faults, bounds, judge)
        if bounds.again:
            raise ConfigurationError(
                "again is for faults alone: a program that was killed is run again anyway"
            )
        if bounds.depth > 1:
            raise ConfigurationError(
                "depth is for faults alone; where programs are killed, they come in the second run"
            )
        if named := [fault.source for fault in faults if fault.lasts and not fault.standard]:
            raise ConfigurationError(
                f"{named[0]}: a program that was killed cannot succeed when it is run again while a fault"
                f" stays; leave {FOR_GOOD} out"
            )
        self.choices = (BEFORE, AFTER, MIDDLE)
        self.second = self.asked_for = [
            fault for fault in faults if not (fault.lasts or fault.replaces_object)
        ]
        self._usual_failure = ""

    def subject(self, requests: str) -> str:
        """The subject of the exploration, for the first line of the report."""
        faults = f", {count(len(self.second), 'fault')} in the second run" if self.second else ""
        return f"{requests} without a crash{faults}"

    def learn(self, result: RunResult, *, delayed: bool = False) -> None:
        """Learn the right contents, and the failure of a second run, from a run without a crash."""
        if result.first is None:
            raise ExplorationFailedError(
                "crash=True kills a program, and the test runs none: run it with faults.run()"
            )
        super().learn(result, delayed=delayed)
        if result.second_failure is not None and not self._usual_failure:
            self._usual_failure = str(result.second_failure)
            why = f"without a crash it fails, too: {self._usual_failure.removeprefix(SECOND)}"
            self.leave_out(LeftOut("exit code of the restart", why, head="not judged"))

    def finish_run(self, planned: PlannedRun, result: RunResult) -> FinishedRun:
        """Judge a run.

        Raises:
            ExplorationFailedError: the crash came at a request of the test itself, or could not kill the program.
        """
        error, first = result.error, result.first
        if first is None:
            raise ExplorationFailedError(
                "a crash came before faults.run(): put the test's own requests into `with faults.pause():`"
            ) from error
        if result.alive:
            raise ExplorationFailedError(
                "a process of the program cannot be killed: its requests would mix with those of the next run"
            )
        if result.second_failure is not None and str(result.second_failure) == self._usual_failure:
            error = None  # it fails in the same way without a crash
            result = replace(result, error=None)
        gave_up = error is not None and planned.may_end(error, self._bounds)
        if not result.killed:
            return FinishedRun(planned, result, gave_up=gave_up)
        if result.before is None:
            why = "only the embedded store shows it; here the exit code and the requests are judged"
            self.leave_out(LeftOut("what the store holds", why))
        findings = self._in_store(result, result.after)
        findings += self._judge.findings(
            result.outcomes[first:],
            result.names[1:],
            passed=error is None,
            failed=error is not None,
            windows=result.windows,
            beside=result.outcomes[:first],
            contents_are_wrong=bool(findings),
        )
        return FinishedRun(planned, result, gave_up=gave_up, findings=findings, first=first)

"""What one run is: the code under test once, or a program that is killed and started again; and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from faultinject.audit.checks.lost_answers import ERROR
from faultinject.audit.checks.questions import PASSING
from faultinject.audit.findings import Finding
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError, ExplorationFailed
from faultinject.rules.descriptions import count
from faultinject.rules.rule import Rule
from faultinject.rules.triggers import FOR_GOOD
from faultinject.testing.exploration.bounds import MAX_RUNS, Bounds, LeftOut
from faultinject.testing.exploration.causes import SECOND, FinishedRun, PlannedRun, RunResult
from faultinject.testing.exploration.choices import AFTER, BEFORE, MIDDLE, Choice
from faultinject.testing.exploration.judge import Judge
from faultinject.testing.exploration.report import marker
from faultinject.testing.exploration.store_comparison import BY_NAME, StoreComparison, StoreContents

OVERWRITTEN = "overwritten"
"""What `did` says where another writer has replaced an object: what is made of it is another thing, too."""


class Once:
    """The code under test runs once, with all faults of its scenario.

    Args:
        choices: what is injected.
        bounds: how far the exploration goes.
        judge: looks at the requests.

    Attributes:
        kills: whether the program under test is killed.
        leeway: seconds that a run of a program may take beside many times one without faults: clients wait a minute for an
            answer, and try again.
        deeper: what the runs are called that `max_runs` may cut off.
        choices: what comes at the requests of the run without faults.
        second: what comes behind that.
        asked_for: of all in it that stands for one thing something has to be injected.
        left_out: what turns out not to be judged.
    """

    kills = False
    leeway = 300.0
    deeper = "of depth 2"
    _without = "faults"

    def __init__(self, choices: Sequence[Choice], bounds: Bounds, judge: Judge) -> None:
        self.choices = self.asked_for = choices
        self.second = [each for each in choices if not each.alone] if bounds.depth > 1 else []
        self.left_out: list[LeftOut] = []
        self._bounds = bounds
        self._judge = judge
        self._store = StoreComparison(self._without, [each for each in bounds.ignore if each[:1] == "/"])

    def leave_out(self, found: LeftOut) -> None:
        """Say once that it is not tried, or not judged."""
        if found not in self.left_out:
            self.left_out.append(found)

    def subject(self, requests: str) -> str:
        """What is tried, for the first line of the report."""
        return f"{requests} without faults, {count(len(self.choices), 'fault')}"

    def marker(self, rules: Sequence[Rule]) -> str:
        """What shows a scenario again under pytest, to paste."""
        return marker(rules)

    def learn(self, result: RunResult) -> None:
        """Take what a store holds after a run without faults for right."""
        if result.before is not None:
            self._store.learn(result.before, [result.between, result.after])

    def finished(self, planned: PlannedRun, result: RunResult) -> FinishedRun:
        """What came of a run, and what is wrong with it."""
        names, outcomes, error, first = result.names, result.outcomes, result.error, result.first
        again = first is not None
        # Who makes all right when he runs again had given up cleanly.
        gave_up = error is None if again else error is not None and planned.may_end(error, self._bounds)
        wrong: list[Finding] = []
        stored: StoreContents = {}
        hit = {each.rule for each in outcomes if each.injected}
        if error is None and hit.issuperset(names) and not result.told_an_error(PASSING):
            wrong = self._in_store(result, result.after)
            if any(each.did == OVERWRITTEN for each in outcomes):
                wrong = [each for each in wrong if each.check in BY_NAME]
            stored = {} if wrong else result.after
        if again:
            known = self._in_store(result, result.between)
            wrong = self._judge.run_again(outcomes[:first], names, wrong, known)
        requests = self._judge.findings(
            outcomes[:first],
            names,
            passed=error is None and not again,
            failed=error is not None and not gave_up,
            lasts=planned.lasts,
            held=result.after,
            asserted=isinstance(error, AssertionError),
            windows=result.windows,
            beside=outcomes[first:] if again else (),
            stored=stored,
            amiss=bool(wrong),
        )
        # Whether it is wrong to tell an error, the second run has shown.
        wrong += [each for each in requests if not (gave_up and again and each.subject == ERROR)]
        return FinishedRun(planned, result, gave_up=gave_up, findings=wrong, first=first)

    def _in_store(self, result: RunResult, held: StoreContents) -> list[Finding]:
        """What is wrong with what a store holds in the end, or when the first of two runs of the program is over."""
        if result.before is None:
            return []
        return self._judge.counted(self._store.findings(result.before, held))


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
        if named := [each.source for each in faults if each.lasts and not each.standard]:
            raise ConfigurationError(
                f"{named[0]}: a program that was killed cannot succeed when it is run again while a fault stays; leave"
                f" {FOR_GOOD} out"
            )
        self.choices = (BEFORE, AFTER, MIDDLE)
        self.second = self.asked_for = [each for each in faults if not (each.lasts or each.moves)]
        sources = dict.fromkeys(each.source for each in faults)
        self._given = "".join(f"{quoted(json.dumps(each, ensure_ascii=False))}, " for each in sources)
        self._usual_failure = ""

    def subject(self, requests: str) -> str:
        """What is tried, for the first line of the report."""
        faults = f", {count(len(self.second), 'fault')} in the second run" if self.second else ""
        return f"{requests} without a crash{faults}"

    def marker(self, rules: Sequence[Rule]) -> str:
        """What shows a scenario again under pytest, to paste."""
        text = quoted(json.dumps("; ".join(map(str, rules)), ensure_ascii=False))
        bounds = self._bounds
        more = f", ignore={bounds.ignore!r}" if bounds.ignore else ""
        more += ", exhaustive=True" if bounds.exhaustive else ""
        more += f", max_runs={bounds.max_runs}" if bounds.max_runs != MAX_RUNS else ""
        more += "" if bounds.within is None else f", within={bounds.within!r}"
        return f"@pytest.mark.faultinject_explore({self._given}crash=True{more}, replay={text})"

    def learn(self, result: RunResult) -> None:
        """Take a run without a crash for what is right, also how the second run fails."""
        if result.first is None:
            raise ExplorationFailed(
                "crash=True kills a program, and the test runs none: run it with faults.run()"
            )
        super().learn(result)
        if result.again is not None and not self._usual_failure:
            self._usual_failure = str(result.again)
            why = f"without a crash it fails, too: {self._usual_failure.removeprefix(SECOND)}"
            self.leave_out(LeftOut("exit code of the restart", why, head="not judged"))

    def finished(self, planned: PlannedRun, result: RunResult) -> FinishedRun:
        """What came of a run, and what is wrong with it.

        Raises:
            ExplorationFailed: the crash was none of the program's, or cannot kill it.
        """
        error, first = result.error, result.first
        if first is None:
            raise ExplorationFailed(
                "a crash came before faults.run(): what the test itself asks belongs into `with faults.pause():`"
            ) from error
        if result.alive:
            raise ExplorationFailed("something of the program cannot be killed: its runs would mix")
        if result.again is not None and str(result.again) == self._usual_failure:
            error = None  # it fails like that where nothing was killed
            result = replace(result, error=None)
        gave_up = error is not None and planned.may_end(error, self._bounds)
        if not result.killed:
            return FinishedRun(planned, result, gave_up=gave_up)
        if result.before is None:
            why = "only the embedded store shows it: the program alone judges"
            self.leave_out(LeftOut("what the store holds", why))
        wrong = self._in_store(result, result.after)
        wrong += self._judge.findings(
            result.outcomes[first:],
            result.names[1:],
            passed=error is None,
            failed=error is not None,
            windows=result.windows,
            beside=result.outcomes[:first],
            amiss=bool(wrong),
        )
        return FinishedRun(planned, result, gave_up=gave_up, findings=wrong, first=first)

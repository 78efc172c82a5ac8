"""The order of the runs in which the program under test is killed, and what came of each."""

from __future__ import annotations

import json
import re
import time

from faultinject.audit.findings import FAIL
from faultinject.engine.journal_entry import quoted
from faultinject.exceptions import ConfigurationError, ExplorationFailed
from faultinject.rules.descriptions import count
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.triggers import FOR_GOOD
from faultinject.testing.exploration.bounds import MAX_RUNS, LeftOut
from faultinject.testing.exploration.causes import FinishedRun, PlannedRun
from faultinject.testing.exploration.choices import LEAST, READS, Choice
from faultinject.testing.exploration.points import Trace
from faultinject.testing.exploration.restart import CRASH, SECOND
from faultinject.testing.exploration.sweep import Sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from faultinject.audit.findings import Finding
    from faultinject.journal.call_window import CallWindow
    from faultinject.journal.outcome import Outcome
    from faultinject.testing.exploration.bounds import Crashing
    from faultinject.testing.exploration.points import Point
    from faultinject.testing.exploration.restart import Aftermath


class Crash(Choice):
    """The program is killed at a request.

    Args:
        said: what has become of the request by then.
        keys: of the rule.
    """

    def __init__(self, said: str, **keys: Any) -> None:
        super().__init__(Rule("reset", name=CRASH, **keys), CRASH, standard=True)
        self.said = said

    def told(self, rule: Rule) -> str:
        """What the report says happens to the request."""
        sent = rule.options.get("after_bytes")
        done = self.said if sent is None else f"{sent} bytes of its body have come"
        return f"the program is killed: {done}"


BEFORE = Crash("the request has come, and the store has not carried it out")
AFTER = Crash("the store has carried it out, and nothing of the answer has left", when="after")
MIDDLE = Crash("half of its body has come", after_bytes=LEAST)


class CrashSweep(Sweep):
    """All runs of one exploration in which a program is killed and run again.

    Args:
        faults: what is injected into the second run; none: nothing.
        crashing: how it is done.
        more: as for `Sweep`.

    Attributes:
        faults: what is injected into the second run.
    """

    kills = True
    without = "a crash"
    leeway = 30.0
    deeper = "with a fault in the second run"

    def __init__(self, faults: Sequence[Choice], crashing: Crashing, **more: Any) -> None:
        vendors = (each.rule.vendor for each in faults)
        vendor = next((each for each in vendors if each is not None), crashing.vendor)
        super().__init__(
            (BEFORE, AFTER, MIDDLE), vendor=vendor, only=crashing.only, within=crashing.within, **more
        )
        if self.bounds.again:
            raise ConfigurationError(
                "again is for faults alone: a program that was killed is run again anyway"
            )
        if self.bounds.depth > 1:
            raise ConfigurationError(
                "depth is for faults alone; where programs are killed, they come in the second run"
            )
        if named := [each.source for each in faults if each.lasts and not each.standard]:
            raise ConfigurationError(
                f"{named[0]}: a program that was killed cannot succeed when it is run again while a fault stays; leave"
                f" {FOR_GOOD} out"
            )
        self.faults = [each for each in faults if not (each.lasts or each.moves)]
        sources = dict.fromkeys(each.source for each in faults)
        self._given = "".join(f"{quoted(json.dumps(each, ensure_ascii=False))}, " for each in sources)
        self._ways: set[tuple[str, ...]] = set()
        self._again = ""
        self._unkept = self._ended_before = False

    @property
    def subject(self) -> str:
        """What is tried, for the first line of the report."""
        requests = f"{count(len(self.requests), 'request')} without a crash"
        return (
            f"{requests}, {count(len(self.faults), 'fault')} in the second run" if self.faults else requests
        )

    def marker(self, rules: Sequence[Rule]) -> str:
        """What shows a scenario again under pytest, to paste."""
        text = quoted(json.dumps("; ".join(map(str, rules)), ensure_ascii=False))
        bounds = self.bounds
        more = f", ignore={bounds.ignore!r}" if bounds.ignore else ""
        more += ", exhaustive=True" if bounds.exhaustive else ""
        more += f", max_runs={bounds.max_runs}" if bounds.max_runs != MAX_RUNS else ""
        more += "" if self._within is None else f", within={self._within!r}"
        return f"@pytest.mark.faultinject_explore({self._given}crash=True{more}, replay={text})"

    def at_first(self, scenario: Scenario) -> Scenario:
        """What of a scenario is in force until the crash."""
        return Scenario.of_rules(scenario.rules[:1], scenario.seed or "0")

    def afterwards(self, scenario: Scenario) -> tuple[Rule, ...]:
        """What is in force in the second run."""
        return scenario.rules[1:]

    def record(
        self,
        names: Sequence[str],
        outcomes: Sequence[Outcome],
        error: BaseException | None,
        seconds: float,
        windows: Sequence[CallWindow] = (),
        aftermath: Aftermath | None = None,
    ) -> FinishedRun:
        """What came of the run that `next` asked for.

        Args:
            names: what the rules of its scenario are called in the outcomes.
            outcomes: its requests, in order, those of the second run behind those of the first.
            error: what made it a failure, or None.
            seconds: how long it took.
            windows: the calls that it named.
            aftermath: what came of the program; None: the test ran none.

        Raises:
            ExplorationFailed: the second run without a crash failed, or there was no program.
        """
        if aftermath is None:
            raise ExplorationFailed(
                "crash=True kills a program, and the test runs none: run it with faults.run()"
                if self._current is None
                else "a crash came before faults.run(): what the test itself asks belongs into `with faults.pause():`"
            ) from error
        # Where it failed before it was killed, the rules of the second run were never in force.
        names = [*names, *[""] * (len(self._rules) - len(names))]
        first, second = outcomes[: aftermath.first], outcomes[aftermath.first :]
        planned = self._current
        if planned is None:
            return super().record(names, first, error, seconds, windows, aftermath)
        forgiven = self._forgives(aftermath)
        wrong: list[Finding] = []
        if aftermath.killed:
            passed = error is None or forgiven
            wrong = self._in_store(aftermath)
            wrong += self._judge.findings(
                second,
                names[1:],
                passed=passed,
                failed=not passed,
                windows=windows,
                beside=first,
                amiss=bool(wrong),
            )
            if aftermath.before is None and not self._unkept:
                self._unkept = True
                self.left_out.append(
                    LeftOut(
                        "what the store holds", "only the embedded store shows it: the program alone judges"
                    )
                )
            wrong.sort(key=lambda each: each.verdict != FAIL)
        if aftermath.alive:
            raise ExplorationFailed("something of the program cannot be killed: its runs would mix")
        finished = FinishedRun(
            planned,
            names,
            outcomes,
            None if forgiven else error,
            seconds,
            gave_up=error is not None and not forgiven and self._may_end(planned, error),
            findings=wrong,
            first=aftermath.first if aftermath.killed else None,
        )
        if self._is_to_be_tried_again(finished):
            self._ended_before = self._current is None
            return finished
        if len(finished.points) == 1 and finished.reached:
            self._follow(finished, second)
        self._keep(finished)
        self._current = None
        return finished

    def applies(self, choice: Choice, point: Point) -> bool:
        """Whether a crash, or a fault of the second run, can come at a point and shows something of its own."""
        if not super().applies(choice, point):
            return False
        if choice is AFTER and point.outcome.method in READS and not self.bounds.exhaustive:
            self._leave_out(
                f"a crash after {point.operation}",
                "it changes nothing, so that this is the crash before it",
                "tries it",
            )
            self.pruned += 1
            return False
        return True

    def covers(self, choice: Choice) -> bool:
        """Whether a choice was injected; nobody has asked for the crashes one by one."""
        return choice.source == CRASH or super().covers(choice)

    @property
    def asked_for(self) -> Sequence[Choice]:
        """What the user asked for: of these each has to be injected somewhere."""
        return self.faults

    def rule_at(self, point: Point, choice: Choice) -> Rule:
        """The rule that injects a fault at that point and nowhere else; that of a crash has its name."""
        found = super().rule_at(point, choice)
        if not isinstance(choice, Crash):
            return found
        _, conditions, unless, options = found.parts
        return Rule.of_parts(found.fault, (CRASH, conditions, unless, options))

    @property
    def _rules(self) -> Sequence[Rule]:
        return () if self._current is None else self._current.scenario.rules

    def _is_it(self, planned: PlannedRun) -> bool:
        """Whether it is the one scenario that is wanted."""
        return _anywhere(planned.text) == _anywhere(self._only)

    def _is_wanted(self, planned: PlannedRun) -> bool:
        """Whether it is that, or the crash that comes before its fault."""
        return self._is_it(planned) or _anywhere(self._only).startswith(f"{_anywhere(planned.text)}; ")

    def _missing(self) -> str:
        """Why there was no such run."""
        if self._ended_before:
            return f"{self._only}: the body of its request ended before the crash came; run it again"
        return super()._missing()

    def _learn(self, aftermath: Aftermath | None) -> None:
        """Take a run without a crash for what is right."""
        self._learned = time.time()
        super()._learn(aftermath)
        if aftermath is not None and aftermath.again is not None and not self._again:
            self._again = str(aftermath.again)
            self.left_out.append(
                LeftOut(
                    "exit code of the restart",
                    f"the program also {_present(self._again)} when it is simply run twice",
                    head="not judged",
                )
            )

    def _forgives(self, aftermath: Aftermath) -> bool:
        """Whether the second run failed as it does where nothing was killed."""
        return aftermath.again is not None and str(aftermath.again) == self._again

    def _follow(self, finished: FinishedRun, second: Sequence[Outcome]) -> None:
        """A fault at each request of the second run."""
        assert self.points is not None
        if not self.faults or finished.failed:
            return
        way = tuple(map(self.points.identity, second))
        if way in self._ways and not self.bounds.exhaustive:
            self.pruned += len(second) * len(self.faults)
            self._leave_out(
                "faults in a second run", "another one makes the same requests, and has them", "tries them"
            )
            return
        self._ways.add(way)
        [first], [rule] = finished.points, finished.scenario.rules
        trace = Trace(second, self.reading)
        for number in range(len(second)):
            point = self.points.point_in(trace, number)
            for choice in self.faults:
                if self.applies(choice, point):
                    rules = rule, self.rule_at(point, choice)
                    if self._new(choice, *rules):
                        chosen = (*finished.chosen, choice)
                        self._second.append(PlannedRun(Scenario.of_rules(rules, "0"), (first, point), chosen))


def _present(failure: str) -> str:
    """How a second run failed: `exits with 5`; in another way than by its exit code: `fails (did not end within 8 s)`."""
    how = failure.removeprefix(SECOND)
    code = how.removeprefix("exit code ")
    return f"fails ({how})" if code == how else f"exits with {code}"


_MIDDLE = re.compile(r"(?<=,after_bytes=)\d+(?=,name=crash)")


def _anywhere(text: str) -> str:
    """A scenario without the bytes behind which its crash comes: where bodies differ, the middle is another."""
    return _MIDDLE.sub("", text)

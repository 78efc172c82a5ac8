"""Orders the runs of an exploration, and takes their results; a driver runs the code."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from functools import cache

from faultinject.audit.app_under_test import places_of_app, without_operations
from faultinject.audit.grouping import READING
from faultinject.engine.shown import quoted
from faultinject.exceptions import (
    ConfigurationError,
    ExplorationFailedError,
    ProductionRefusedError,
    ProgramFailedError,
)
from faultinject.journal.outcome import Outcome
from faultinject.journal.writing import RING_SIZE
from faultinject.rules import descriptions
from faultinject.rules.environment import read_environment
from faultinject.rules.production import production_reason
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.triggers import FOR_GOOD
from faultinject.rules.values import listed
from faultinject.rules.vocabulary import reading_as
from faultinject.testing import unwrapped
from faultinject.testing.exploration.bounds import Bounds, LeftOut, in_one_line
from faultinject.testing.exploration.causes import FinishedRun, PlannedRun, RunResult
from faultinject.testing.exploration.choices import Choice, choices_of
from faultinject.testing.exploration.judge import COMPARED, Judge
from faultinject.testing.exploration.points import (
    Point,
    Points,
    Trace,
    comparable_parts,
    merge_rules,
    rule_at,
    starts_with,
)
from faultinject.testing.exploration.programs import crashed
from faultinject.testing.exploration.store_comparison import COMPARED_RUNS
from faultinject.testing.exploration.strategies import KilledAndRestarted, Once
from faultinject.testing.nearest import Comparison
from faultinject.vendors.addressing import Addressing
from faultinject.vendors.vendor import Vendor

MAX_ATTEMPTS = 3
"""The most attempts of a run whose fault reaches no request."""
LONGER, MUCH_LONGER, LESS = 1.1, 2.2, 0.75
"""The delays of runs without faults, as multiples of the time that a fault has added.

`LONGER` is for a client that itself waited before a retry. `MUCH_LONGER` is for a client that got all answers, one of
them late: a value that changes with the delay is a duration. `LESS` is for a client that may have timed out: with this
shorter delay it gets the answer.
"""
PATIENCE = 10.0
"""A program's time limit: this factor times its time without faults, plus `Once.leeway`."""
PER_REQUEST, MORE = 10, 50
"""The limit of requests in a run: 10 for each request of the run without faults, and 50."""
_WITHOUT_FAULTS = PlannedRun(Scenario.of_rules((), "0"), (), ())


class Sweep:
    """One exploration: its plan, its current run, and its results.

    Args:
        choices: the faults.
        bounds: its bounds.
        endpoints: the user's own host suffixes (`FAULTINJECT_ENDPOINT`).
        first: the texts of scenarios to run first, such as those that failed last time.
        share: (k, n): only every n-th scenario is run, beginning with number k, from 0.
        vendor: the vendor that reads requests if no choice has a vendor; None: plain HTTP.

    Raises:
        ConfigurationError: the scenario to replay is wrong, or the bounds or faults are not for programs that are
            killed.

    Attributes:
        run: the kind of the runs, which judges them.
        reading: reads the code's requests as the first vendor of the choices does.
        points: the points at which faults come; known after two runs without faults.
        finished: the finished runs with faults.
        left_out: the omissions.
        pruned: the number of runs that were not made, as they would show nothing new.
        not_run: the number of scenarios that `max_runs` cut off at depth 2.
        stopped: the reason why it was stopped before its end; empty if it was not.
        covered: the choices that need no run of their own: they were injected, or an equal choice was; another share
            has them; or only one scenario is replayed.
        doubts: whether a failed run is repeated, as its fault may not be the cause.
        replay_line: returns the line that runs a finished run again; by default for pytest.
        exhaustive_argument: the name of the argument by which omissions are tried.
    """

    def __init__(
        self,
        choices: Sequence[Choice],
        *,
        bounds: Bounds | None = None,
        endpoints: tuple[str, ...] = (),
        first: Iterable[str] = (),
        share: tuple[int, int] = (0, 1),
        vendor: Vendor | None = None,
    ) -> None:
        self.bounds = bounds or Bounds()
        self._judge = Judge(self.bounds.ignore)
        self.run = (KilledAndRestarted if self.bounds.crash else Once)(choices, self.bounds, self._judge)
        self.left_out = self.run.left_out
        self.points: Points | None = None
        self.finished: list[FinishedRun] = []
        self.pruned = 0
        self.not_run = 0
        self.stopped = ""
        self.doubts: Callable[[], bool] = bool
        self.replay_line: Callable[[FinishedRun], str] = self.run.replay_line
        self.exhaustive_argument = "exhaustive=True"
        vendors = filter(None, (choice.rule.vendor for choice in choices))
        self.reading = Addressing(next(vendors, vendor), endpoints)
        self._reading_of = cache(lambda vendor: Addressing(vendor, endpoints))
        self._first = list(first)
        self._share = share
        self._replay = self.bounds.replay
        self.covered = set(self.run.asked_for if self._replay else ())
        self._wanted = Scenario.parse(self._replay).rules if self._replay else ()
        self._bare_runs: list[FinishedRun] = []
        self._bare_run_failed = False
        self._next_bare_run = _WITHOUT_FAULTS
        self._waited: dict[tuple[float, ...], float] = {}
        self._delays: list[float] = []
        self._doubted: tuple[PlannedRun, RunResult] | None = None
        self._queue: list[PlannedRun] = []
        self._known: dict[tuple[object, ...], Choice] = {}
        self._current: PlannedRun | None = None
        self._tries = 0
        self._crash = ""
        self._second: list[PlannedRun] = []
        self._second_runs: set[tuple[str, ...]] = set()
        self._places_of_app: set[Hashable] = set()

    @property
    def requests(self) -> Sequence[Outcome]:
        """The requests of the first run without faults."""
        return self._bare_runs[0].outcomes if self._bare_runs else ()

    @property
    def limit(self) -> int | None:
        """The limit of requests in the next run; None until it is known."""
        return PER_REQUEST * len(self.requests) + MORE if self._bare_runs else None

    @property
    def planned(self) -> int:
        """The number of runs with faults that are known so far, finished or not."""
        return len(self.finished) + len(self._queue) + (self._current is not None)

    @property
    def unreached(self) -> list[FinishedRun]:
        """The runs whose faults reached no request, also in the last attempt."""
        return [run for run in self.finished if not run.reached]

    def next(self) -> Scenario | None:
        """The scenario of the next run; None after the last run.

        Raises:
            ExplorationFailedError: there is no request, or there are too many; or no run has the scenario to replay.
        """
        # Two runs without faults come first: only requests that both make can be points.
        if len(self._bare_runs) < 2 or self._doubted is not None:
            return self._next_bare_run.scenario
        if self.points is None:
            self._plan(*(finished.outcomes for finished in self._bare_runs))
        if self._current is None:
            if not self._queue:
                self._queue_second_faults()
            if self._queue:
                self._current = self._queue.pop(0)
                self._tries = 0
                self._crash = ""
            elif self._replay and self._share[1] == 1 and not any(map(self._is_replayed, self.finished)):
                raise ExplorationFailedError(self._missing())
        return None if self._current is None else self._current.scenario

    def ahead(self, count: int) -> list[Scenario]:
        """The scenarios after the present one, unless a result changes the plan."""
        return [planned.scenario for planned in self._queue[:count]]

    def _is_replayed(self, planned: PlannedRun) -> bool:
        """Whether a run has the scenario to replay; without such a scenario, every run counts."""
        return not self._replay or comparable_parts(planned.scenario.rules) == comparable_parts(self._wanted)

    def _may_lead_to_replayed(self, planned: PlannedRun) -> bool:
        """Whether a second fault may turn this run into the scenario to replay."""
        return bool(self._wanted[1:] or self.run.second) and starts_with(
            self._wanted[0], planned.scenario.rules[0]
        )

    def _missing(self) -> str:
        """The error if no run had the scenario to replay."""
        left_out = f" (left out: {in_one_line(self.left_out, 'an exhaustive one')})" if self.left_out else ""
        return f"no run of this exploration is {self._replay}; copy a scenario from its report{left_out}"

    def record(self, result: RunResult) -> FinishedRun:
        """Record the result of the run that `next` has returned.

        Raises:
            ExplorationFailedError: a later run without faults failed twice: the runs are not independent.
        """
        planned = self._current
        if planned is None:
            self._places_of_app |= places_of_app(result.outcomes)
        result = replace(result, outcomes=without_operations(result.outcomes, self._places_of_app))
        if planned is None or self._doubted is not None:
            return self._record_without(result)
        finished = self.run.finish_run(planned, result)
        doubted = finished.failed and (self.doubts() or self._is_first_crash(finished))
        if doubted or self._must_be_repeated(finished):
            return finished
        if self._crash and not finished.failed:
            why = f"{self._crash}, and passed when it was repeated"
            self.run.leave_out(LeftOut(f"a run with {finished.text}", why, head="not judged"))
        return self._keep_or_put_aside(finished, planned, result)

    def _is_first_crash(self, finished: FinishedRun) -> bool:
        """Whether a run crashed for the first time: programs may crash without a fault, at random."""
        error = finished.error
        if self._crash or not (isinstance(error, ProgramFailedError) and crashed(error)):
            return False
        self._crash = str(error)
        return True

    def _keep_or_put_aside(
        self, finished: FinishedRun, planned: PlannedRun, result: RunResult
    ) -> FinishedRun:
        """Keep a finished run, or put it aside until more runs without faults can be compared."""
        compared = finished.error is None and (
            any(finding.check in COMPARED for finding in finished.findings) or self.run.is_in_doubt(result)
        )
        longer = result.seconds - min(run.seconds for run in self._bare_runs)
        late = any(choice.late for choice in planned.chosen)
        factors_if_late = (MUCH_LONGER, LESS) if self._asks_as_usual(finished) else (LESS,)
        factors = factors_if_late if late else (LONGER,)
        waited = longer > self._waited.get(factors, 0.001) and not self.run.kills
        if compared and (waited or len(self._bare_runs) < COMPARED_RUNS):
            self._doubted = planned, result
            if waited:
                self._waited[factors] = LONGER * longer
                self._delays = [factor * longer for factor in factors]
                self._next_bare_run = self._delayed(planned, self._delays.pop(0))
            return finished
        if finished.reached and len(finished.points) == 1 and not finished.failed:
            self._plan_second_faults(finished)
        if finished.reached:
            self.covered.update(finished.chosen)
        self._keep(finished)
        self._current = self._doubted = None
        return finished

    def _delayed(self, planned: PlannedRun, seconds: float) -> PlannedRun:
        """A run without faults, made as slow as the run with a fault.

        So a duration that the code stores also differs between runs without faults.
        """
        choice = Choice(Rule("latency", delay=f"{seconds:.3f}s"), "latency")
        point = planned.points[0]
        rules = (rule_at(point, choice, self.reading.vendor),)
        return PlannedRun(Scenario.of_rules(rules, "0"), (point,), (choice,))

    def _asks_as_usual(self, finished: FinishedRun) -> bool:
        """Whether a run made the requests of a run without faults, and waited for all answers."""
        assert self.points is not None
        outcomes = finished.outcomes
        same = len(outcomes) == len(self.requests) and self.points.usual_end(0, outcomes)
        return same and not any(outcome.left for outcome in outcomes)

    def _record_without(self, result: RunResult) -> FinishedRun:
        """Record the result of a run without faults."""
        result = replace(result, outcomes=result.outcomes[: result.first])
        finished, self._next_bare_run = FinishedRun(self._next_bare_run, result), _WITHOUT_FAULTS
        if (
            finished.points
            and self._doubted is not None
            and (finished.failed or not self._asks_as_usual(finished))
        ):
            planned, doubted = self._doubted
            if self._delays:
                self._next_bare_run = self._delayed(planned, self._delays.pop(0))
                return finished
            return self._keep_or_put_aside(self.run.finish_run(planned, doubted), planned, doubted)
        if finished.failed:
            if self._bare_run_failed:
                raise ExplorationFailedError(self._not_independent(finished)) from result.error
            self._bare_run_failed = bool(self._bare_runs)
            return finished
        if self._bare_run_failed:
            self._bare_run_failed = False
            self.run.leave_out(
                LeftOut(
                    "a run without faults", "it failed, and passed when it was repeated", head="not judged"
                )
            )
        delayed = bool(finished.points)
        if not self._bare_runs and result.before is not None:
            self._note_refusals(result.outcomes)
        self.run.learn(result, delayed=delayed)
        self._bare_runs.append(finished)
        self._judge.learn(result.outcomes, result.output)
        if len(self._bare_runs) == 1 and (result.before is not None or result.first is not None):
            _wait_for_next_second()
        if self._doubted is not None:
            planned, doubted = self._doubted
            return self._keep_or_put_aside(self.run.finish_run(planned, doubted), planned, doubted)
        return finished

    def _note_refusals(self, outcomes: Sequence[Outcome]) -> None:
        """Report a store that refuses all writes, or all reads if there are no writes."""
        writes = [outcome for outcome in outcomes if outcome.method not in READING]
        requests, kind = (writes, "writes") if writes else (list(outcomes), "reads")
        if requests and all((outcome.status or 0) >= 400 for outcome in requests):
            asked = quoted(f"{requests[0].method} {requests[0].path}")
            why = f"without faults the store refuses all {kind}, such as {asked}: {requests[0].status}"
            self.run.leave_out(LeftOut(f"what the code {kind}", why, head="not judged"))

    def _not_independent(self, finished: FinishedRun) -> str:
        """The error if a later run without faults fails, with its output."""
        which = "the second run" if len(self._bare_runs) == 1 else "another run"
        message = (
            f"{which} without faults fails ({finished.failure}), also when it is repeated, but the first passed:"
            " the runs are not independent; reset what they share"
        )
        output = finished.error.output if isinstance(finished.error, ProgramFailedError) else ""
        return f"{message}\nits output:\n{output}" if output else message

    def _must_be_repeated(self, finished: FinishedRun) -> bool:
        """Whether to repeat a run whose fault reached no request; a hopeless fault is left out."""
        self._tries += 1
        if finished.reached or finished.failed:
            return False
        chosen = finished.chosen[-1]
        undone = {outcome.did for outcome in finished.outcomes if outcome.rule in finished.names}
        if "nothing_to_cut" in undone or ("refused" in undone and chosen.rule.resolved.of_store):
            # The user did not ask for this fault, and the server refuses it everywhere.
            if chosen.replaces_object:
                self._queue = [planned for planned in self._queue if not planned.chosen[-1].replaces_object]
            else:
                self.run.leave_out(
                    LeftOut(
                        f"{chosen.rule.fault} at {finished.points[-1].name}",
                        chosen.reason_not_injected(undone),
                    )
                )
            self._current = None
            return True
        return self._tries < MAX_ATTEMPTS

    @property
    def patience(self) -> float | None:
        """Seconds that a run of a program may take; None until that is known."""
        if self.bounds.within is not None or not self._bare_runs:
            return self.bounds.within
        return PATIENCE * max(run.seconds for run in self._bare_runs) + self.run.leeway

    def compare(self, rule: Rule, outcome: Outcome) -> Comparison:
        """Compare a rule's conditions with a request, read as the rule reads it."""
        return Comparison(rule, outcome, self._reading_of(rule.vendor))

    def applies(self, choice: Choice, point: Point) -> bool:
        """Whether a fault is possible at a point, and a client can see its effect."""
        outcome = point.outcome
        comparisons = [
            self.compare(rule, outcome) for rule in (choice.rule, choice.within) if rule is not None
        ]
        if any(comparison.failed for comparison in comparisons) or not self._is_documented_for(
            choice, outcome
        ):
            return False
        if unknown := [key for comparison in comparisons for key in comparison.unknown]:
            why = (
                f"the journal does not record what {listed(unknown, 'and')} asks about; use another condition"
            )
            self.run.leave_out(LeftOut(f"{choice.rule.fault} at {point.name}", why))
            return False
        if (choice.needs_checksum and not outcome.checksum) or (choice.replaces_object and not point.goes_on):
            return False
        if choice.standard and choice.finds_no_body(outcome):
            return False  # a fault of the user's own is tried, and left out when its run shows that there is no body
        if choice.lasts:
            return self._match(point, choice) >= int(choice.rule.options[FOR_GOOD])
        useless = None if self.bounds.exhaustive else choice.omission_at(outcome)
        if useless is not None:
            self.run.leave_out(useless)
            self.pruned += 1
        return useless is None

    def rule_at(self, point: Point, choice: Choice) -> Rule:
        """The rule that injects a fault only at one point, or from there on if the fault stays."""
        if not choice.lasts:
            return rule_at(point, choice, self.reading.vendor)
        within = choice.rule if choice.within is None else choice.within
        _, conditions, unless, _ = within.parts
        options = {**choice.rule.options, FOR_GOOD: str(self._match(point, choice))}
        return Rule.of_parts(choice.rule.fault, (None, conditions, unless, options))

    def _match(self, point: Point, choice: Choice) -> int:
        """The number of the point's request, from 1, among those that meet the fault's conditions."""
        rules = [rule for rule in (choice.rule, choice.within) if rule is not None]
        requests = self.requests[: point.number]
        return sum(not any(self.compare(rule, request).failed for rule in rules) for request in requests)

    def _is_documented_for(self, choice: Choice, outcome: Outcome) -> bool:
        """Whether the vendor's document has the error for such a request.

        The document may name headers, such as If-Match: the journal knows only whether the request had one.
        """
        comparisons = [self.compare(rule, outcome) for rule in choice.where]
        return not comparisons or any(
            not comparison.failed and (not comparison.unknown or outcome.guarded)
            for comparison in comparisons
        )

    def _keep(self, finished: FinishedRun) -> None:
        """Keep the parts of a run that the report needs; of one cause, only the smallest failure."""
        same_cause = [run for run in self.finished if run.failed and run.cause == finished.cause]
        smallest = finished.failed and all(finished.size < run.size for run in same_cause)
        for run in same_cause if smallest else [finished]:
            run.error = None  # its traceback keeps all variables of the code under test alive
            if run.reached:
                run.outcomes = ()
        self.finished.append(finished)

    def _plan(self, first: Sequence[Outcome], second: Sequence[Outcome]) -> None:
        if not first:
            raise ExplorationFailedError(
                f"no middleware saw a request, so there is nothing to explore. {unwrapped.advice()}"
            )
        if len(first) >= RING_SIZE:  # the journal may have dropped the first requests, which no run would try
            raise ExplorationFailedError(
                f"a run makes {RING_SIZE} requests or more: let the code make fewer of them"
            )
        self.points = points = Points(first, second, self.reading, exhaustive=self.bounds.exhaustive)
        self.left_out += points.left_out
        planned = list(self._depth_1(points.points))
        if len(planned) > self.bounds.max_runs:
            raise ExplorationFailedError(_too_many(len(planned), points.points, self))
        own_share, shares = self._share
        if shares > 1:
            self.covered.update(*(run.chosen for run in planned))
        self._queue = [
            run
            for run in planned[own_share::shares]
            if self._is_replayed(run) or self._may_lead_to_replayed(run)
        ]
        places = {text: number for number, text in enumerate(self._first)}
        self._queue.sort(key=lambda run: places.get(run.text, len(places)))

    def _depth_1(self, points: Sequence[Point]) -> Iterable[PlannedRun]:
        """Plan all faults for each operation's first request, then its last, then the others.

        The faults that find most come first.
        """
        by_operation: dict[str, list[Point]] = {}
        for point in points:
            by_operation.setdefault(point.operation, []).append(point)
        groups = (
            [same_operation[0] for same_operation in by_operation.values()],
            [same_operation[-1] for same_operation in by_operation.values() if len(same_operation) > 1],
            [point for same_operation in by_operation.values() for point in same_operation[1:-1]],
        )
        for group in groups:
            for choice in sorted(self.run.choices, key=lambda choice: choice.order):
                for point in group:
                    if self.applies(choice, point):
                        rule = self.rule_at(point, choice)
                        if self._new(choice, point, rule):
                            yield PlannedRun(Scenario.of_rules((rule,), "0"), (point,), (choice,))

    def _new(self, choice: Choice, point: Point, *rules: Rule) -> bool:
        """Whether no planned run has the same rules, or the same slow fault at the same operation.

        A second choice with the same rules is covered by the first one's run.
        """
        key: tuple[object, ...] = (choice.rule, point.operation) if choice.slow else rules
        planned = self._known.get(rules) or self._known.get(key)
        self._known.setdefault(key, planned or choice)
        if planned is None:
            self._known[rules] = choice
        elif planned is not choice:
            self.covered.add(choice)
        return planned is None

    def _queue_second_faults(self) -> None:
        """Plan the second faults after all first ones are tried."""
        second, self._second = self._second, []
        second.sort(key=lambda run: sum(choice.order for choice in run.chosen))
        left = max(0, self.bounds.max_runs - len(self.finished))
        self.not_run += max(0, len(second) - left)
        self._queue = second[:left]

    def _plan_second_faults(self, finished: FinishedRun) -> None:
        """Plan a second fault at each request of the code's reaction to the first.

        The reaction ends where the requests are again those of a run without faults. At depth 1 only a download that
        was cut has a second fault: the object is replaced before the code reads more. A program that was killed has
        the second fault at each request of its second run.
        """
        assert self.points is not None
        [first], [rule], [chosen] = finished.points, finished.scenario.rules, finished.chosen
        choices = self.run.second
        if not (choices or self.run.kills) and chosen.needs_body:
            choices = [choice for choice in self.run.choices if choice.replaces_object]
        if not choices or chosen.alone:
            return
        if self.run.kills:
            trace, begin = Trace(finished.outcomes[finished.first :], self.reading), 0
            if self._is_known_second_run(trace, len(choices)):
                return
        else:
            trace = Trace(finished.outcomes[: finished.first], self.reading)
            begin = 1 + next(
                number
                for number, outcome in enumerate(trace.outcomes)
                if outcome.injected and outcome.rule == finished.names[0]
            )
        for number in range(begin, len(trace.outcomes)):
            if not self.run.kills and self.points.usual_end(first.number, trace.outcomes[number:]):
                break
            point = self.points.point_in(trace, number)
            for choice in choices:
                if self.applies(choice, point):
                    rules = merge_rules(rule, self.rule_at(point, choice))
                    if self._new(choice, point, *rules):
                        planned = PlannedRun(Scenario.of_rules(rules, "0"), (first, point), (chosen, choice))
                        self._second += [planned] if self._is_replayed(planned) else []

    def _is_known_second_run(self, trace: Trace, faults: int) -> bool:
        """Whether an earlier second run made the same requests, so that its faults are planned."""
        assert self.points is not None
        requests = tuple(map(self.points.identity, trace.outcomes))
        if requests not in self._second_runs or self.bounds.exhaustive:
            self._second_runs.add(requests)
            return False
        self.pruned += len(requests) * faults
        why = "an earlier one makes the same requests, and has these faults"
        self.run.leave_out(LeftOut("faults in a second run", why, "tries them"))
        return True


def _wait_for_next_second() -> None:
    """Wait until the clock shows another second.

    So a value that a program takes from the clock differs in the next run.
    """
    now = time.time()
    time.sleep(int(now) + 1.001 - now)


def _too_many(needed: int, points: Sequence[Point], sweep: Sweep) -> str:
    """The error if more runs are needed than `max_runs`, with advice."""
    requests = descriptions.count(len(points), "request")
    begin = f"{needed} runs are needed, and max_runs is {sweep.bounds.max_runs}: {requests},"
    if sweep.run.kills:
        return (
            f"{begin} at each of which the program is killed in up to three ways."
            " Let it make fewer requests, or raise max_runs"
        )
    [(heaviest, count)] = Counter(point.operation for point in points).most_common(1)
    where = "operation" if any(point.outcome.operation == heaviest for point in points) else "method"
    return (
        f"{begin} {count} of them {heaviest}, and {descriptions.count(len(sweep.run.choices), 'fault')}."
        " Let the code make fewer requests, say where"
        f" ('{sweep.run.choices[0].rule.fault},{where}={heaviest}'), give fewer faults, or raise max_runs"
    )


def sweep_of(
    faults: Sequence[str | Rule],
    bounds: Bounds,
    *,
    first: Iterable[str] = (),
    share: tuple[int, int] = (0, 1),
    vendor: Vendor | None = None,
) -> Sweep:
    """Make the exploration of these faults, with the settings of the environment.

    Args:
        faults: the user's rules.
        bounds: its bounds.
        first: as for `Sweep`.
        share: as for `Sweep`.
        vendor: the vendor of faults that name none; and as for `Sweep`.

    Raises:
        ConfigurationError: a rule is wrong, or has a trigger; or injection is switched off.
        ProductionRefusedError: the environment looks like production.
    """
    settings = read_environment(os.environ, now=time.time(), rules_given=True, forced=True)
    if settings.enabled is False:
        raise ConfigurationError("FAULTINJECT_ENABLED=0 switches all faults off; unset it to explore")
    reason = None if settings.production_allowed else production_reason(os.environ)
    if reason is not None:
        raise ProductionRefusedError(
            f"{reason} looks like production, where nothing is injected; unset it to explore"
        )
    if settings.elsewhere:
        raise ProductionRefusedError(settings.elsewhere)
    choices: Sequence[Choice] = ()
    if faults or not bounds.crash:
        with reading_as(vendor.id if vendor else None):
            choices = choices_of(faults, exhaustive=bounds.exhaustive, without=bounds.without)
    return Sweep(
        choices,
        bounds=bounds,
        endpoints=settings.endpoints,
        first=first,
        share=share,
        vendor=vendor,
    )

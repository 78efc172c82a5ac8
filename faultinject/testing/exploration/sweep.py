"""The order of an exploration's runs, and what came of each. Whoever drives it runs the code under test."""

from __future__ import annotations

import os
import time
from collections import Counter
from heapq import heapify, heappop, heappush

from faultinject.audit.checks.lost_answers import ERROR
from faultinject.audit.checks.questions import PASSING
from faultinject.audit.findings import FAIL
from faultinject.audit.nearest import Comparison
from faultinject.exceptions import ConfigurationError, ExplorationFailed, ProductionRefused
from faultinject.http.wire import has_no_body
from faultinject.journal.writing import KEPT
from faultinject.rules import descriptions
from faultinject.rules.environment import read_environment
from faultinject.rules.production import production_reason
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.triggers import FOR_GOOD
from faultinject.rules.values import listed
from faultinject.rules.vocabulary import reading_as
from faultinject.testing import unwrapped
from faultinject.testing.exploration.bounds import Bounds, LeftOut, seconds_above_0
from faultinject.testing.exploration.causes import FinishedRun, PlannedRun
from faultinject.testing.exploration.choices import Choice, choices_of
from faultinject.testing.exploration.holdings import BY_NAME, Keeper
from faultinject.testing.exploration.judge import Judge
from faultinject.testing.exploration.points import Point, Points, Trace, folded, rule_at, starts_with
from faultinject.testing.exploration.wording import marker
from faultinject.vendors.addressing import Addressing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from faultinject.audit.findings import Finding
    from faultinject.journal.call_window import CallWindow
    from faultinject.journal.outcome import Outcome
    from faultinject.testing.exploration.bounds import Crashing
    from faultinject.testing.exploration.holdings import Holdings
    from faultinject.testing.exploration.restart import Aftermath
    from faultinject.vendors.vendor import Vendor

TRIES = 3
"""How often a run is tried whose fault reached no request."""
PATIENCE = 10.0
"""A run of a program may take so many times what one without faults takes, and `Sweep.leeway` more."""
REPLACED = "overwritten"
"""What `did` says where another writer has replaced an object: what is made of it is another thing, too."""
PER_REQUEST, MORE = 10, 50
"""A run may make this many requests for each of the run without faults, and as many more."""
_WITHOUT = PlannedRun(Scenario.of_rules((), "0"), (), ())


class Sweep:
    """All of one exploration.

    Args:
        choices: what is injected.
        bounds: how far it goes.
        endpoints: the user's own host suffixes (`FAULTINJECT_ENDPOINT`).
        first: the texts of scenarios that come first, such as those that failed last time.
        share: (which, of how many): only every n-th scenario is run, beginning with that one.
        unseen: what to do where no request was seen.
        vendor: whose way of reading requests is taken where no choice has a vendor; None: plain HTTP.
        only: the text of the only scenario to run; empty: all of them.
        within: seconds that a run of a program may take; None: many times what one without faults takes.

    Raises:
        ConfigurationError: `only` is no scenario, or no run can take so long.

    Attributes:
        reading: how the code's requests are read: as the first vendor that is among the choices does.
        points: where faults come; known after two runs without.
        finished: the runs with faults that are over.
        left_out: what is not tried: requests that can be no point, and faults that come to nothing at one.
        pruned: how many runs were not made because of faults that are left out.
        not_run: how many scenarios `max_runs` cut off at depth 2.
        stopped: why it was stopped before its end; empty while it was not.
    """

    kills = False
    """Whether the program under test is killed."""
    without = "faults"
    """What does not happen in the runs that show what is right."""
    leeway = 300.0
    """Seconds that a run of a program may take beside that: clients wait a minute for an answer, and try again."""
    deeper = "of depth 2"
    """What the runs are called that `max_runs` may cut off."""

    def __init__(
        self,
        choices: Sequence[Choice],
        *,
        bounds: Bounds | None = None,
        endpoints: tuple[str, ...] = (),
        first: Iterable[str] = (),
        share: tuple[int, int] = (0, 1),
        unseen: Callable[[], str] = unwrapped.advice,
        vendor: Vendor | None = None,
        only: str = "",
        within: float | None = None,
    ) -> None:
        self.choices = choices
        self.bounds = bounds or Bounds()
        self.points: Points | None = None
        self.finished: list[FinishedRun] = []
        self.left_out: list[LeftOut] = []
        self.pruned = 0
        self.not_run = 0
        self.stopped = ""
        self._endpoints = endpoints
        vendors = (each.rule.vendor for each in choices)
        self.reading = Addressing(next((each for each in vendors if each is not None), vendor), endpoints)
        self._judge = Judge(self.bounds.ignore)
        self._keeper = Keeper(self.without, [each for each in self.bounds.ignore if each[:1] == "/"])
        self._learned = 0.0
        self._first = list(first)
        self._share = share
        self._unseen = unseen
        self._only = only
        self._within = seconds_above_0(within)
        self._longest = 0.0
        self._wanted = Scenario.parse(only).rules if only else ()
        self._somewhere: set[Choice] = set()
        self._stood_for: set[Choice] = set()
        self._plain: list[FinishedRun] = []
        self._queue: list[tuple[int, PlannedRun]] = []
        self._known: set[tuple[Rule, ...]] = set()
        self._current: PlannedRun | None = None
        self._tries = 0
        self._second: list[PlannedRun] = []
        self._readings: dict[Vendor | None, Addressing] = {}
        self._hung: set[str] = set()

    @property
    def requests(self) -> Sequence[Outcome]:
        """The requests of the first run without faults."""
        return self._plain[0].outcomes if self._plain else ()

    @property
    def limit(self) -> int | None:
        """How many requests the next run may make; None while that is not known."""
        return PER_REQUEST * len(self.requests) + MORE if self._plain else None

    @property
    def planned(self) -> int:
        """How many runs with faults are known of, made or not."""
        return len(self.finished) + len(self._queue) + (self._current is not None)

    @property
    def unreached(self) -> list[FinishedRun]:
        """The runs whose faults reached no request, also when tried again."""
        return [each for each in self.finished if not each.reached]

    def next(self) -> Scenario | None:
        """The scenario of the next run; None when all is done.

        Raises:
            ExplorationFailed: there is nothing to explore, or too much; or no run has the one scenario that is wanted.
        """
        if len(self._plain) == 1:
            _another_second(self._learned)
        found = self._next()
        while self._only and self._current is not None and not self._is_wanted(self._current):
            self._current = None
            found = self._next()
        if self._only and found is None and self._share[1] == 1 and not any(map(self._is_it, self.finished)):
            raise ExplorationFailed(self._missing())
        return found

    def _is_it(self, planned: PlannedRun) -> bool:
        """Whether it is the one scenario that is wanted."""
        return planned.text == self._only

    def _is_wanted(self, planned: PlannedRun) -> bool:
        """Whether it is that, or the one that it comes from."""
        if self._is_it(planned):
            return True
        if len(planned.points) > 1 or not (self._wanted[1:] or self.bounds.depth > 1):
            return False
        return starts_with(self._wanted[0], planned.scenario.rules[0])

    def _missing(self) -> str:
        """Why there was no such run."""
        return f"no run of this exploration is {self._only}; copy a scenario from its report"

    def _next(self) -> Scenario | None:
        if len(self._plain) < 2:  # two runs without faults: what they agree on can be addressed
            return _WITHOUT.scenario
        if self.points is None:
            self._plan(*(each.outcomes for each in self._plain))
        if self._current is None:
            if not self._queue:
                self._deepen()
            if not self._queue:
                return None
            self._current = heappop(self._queue)[1]
            self._tries = 0
        return self._current.scenario

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
            outcomes: its requests, in order.
            error: what the code under test raised, or None.
            seconds: how long it took.
            windows: the calls that it named.
            aftermath: what a store held, and what came of a program that was killed and run again; None: nobody can tell.

        Raises:
            ExplorationFailed: the second run without faults failed, so that runs are not independent.
        """
        planned = self._current
        if planned is None:
            finished = FinishedRun(_WITHOUT, (), outcomes, error, seconds)
            if self._plain and finished.failed:
                raise ExplorationFailed(
                    f"the second run without faults fails ({finished.said}), the first did not: the runs are not"
                    " independent; reset what they share"
                ) from error
            if not finished.failed:
                self._plain.append(finished)
                self._longest = max(self._longest, seconds)
                self._judge.learn(outcomes)
                self._learn(aftermath)
            return finished
        again = aftermath if aftermath is not None and aftermath.failed else None
        first = None if again is None else again.first
        # Who makes all right when he runs again had given up cleanly.
        gave_up = error is None if again is not None else error is not None and self._may_end(planned, error)
        # What it has begun it cannot end either while the fault stays.
        failed = planned.lasts or (error is not None and not gave_up)
        hit = {each.rule for each in outcomes if each.injected}
        wrong: list[Finding] = []
        stored: Holdings = {}
        if error is None and hit.issuperset(names) and not _told_an_error(outcomes, windows):
            wrong = self._in_store(aftermath)
            if any(each.did == REPLACED for each in outcomes):
                wrong = [each for each in wrong if each.check in BY_NAME]
            stored = {} if wrong or aftermath is None else aftermath.after or {}
        if again is not None:
            known = self._in_store(again, between=True)
            wrong = self._judge.run_again(outcomes[:first], names, wrong, known)
        requests = self._judge.findings(
            outcomes[:first],
            names,
            passed=error is None and again is None,
            failed=failed,
            asserted=isinstance(error, AssertionError),
            windows=windows,
            beside=() if first is None else outcomes[first:],
            stored=stored,
            amiss=bool(wrong),
        )
        # Whether it is wrong to tell an error, the second run has shown.
        wrong += [each for each in requests if not (gave_up and again is not None and each.subject == ERROR)]
        wrong.sort(key=lambda each: each.verdict != FAIL)
        finished = FinishedRun(
            planned, names, outcomes, error, seconds, gave_up=gave_up, findings=wrong, first=first
        )
        if self._is_to_be_tried_again(finished):
            return finished
        if finished.reached and len(finished.points) == 1 and not (finished.failed or finished.alone):
            self._grow(finished, names[0])
        self._keep(finished)
        self._current = None
        return finished

    def _may_end(self, planned: PlannedRun, error: BaseException) -> bool:
        """Whether the code may give up with that error; what somebody says of that is not about an object that was replaced."""
        if self.bounds.allow and not any(each.moves for each in planned.chosen):
            return self.bounds.allows(error)
        return any(each.ends(error) for each in planned.chosen)

    def _learn(self, aftermath: Aftermath | None) -> None:
        """Take what a store holds after a run without faults for right."""
        if aftermath is None or aftermath.before is None:
            return
        assert aftermath.between is not None
        assert aftermath.after is not None
        self._keeper.learn(aftermath.before, [aftermath.between, aftermath.after])
        if aftermath.after:
            self._learned = time.time()

    def _in_store(self, aftermath: Aftermath | None, *, between: bool = False) -> list[Finding]:
        """What is wrong with what a store holds in the end, or when the first of two runs of the program is over."""
        held = None if aftermath is None else aftermath.between if between else aftermath.after
        if aftermath is None or aftermath.before is None or held is None:
            return []
        return self._judge.counted(self._keeper.findings(aftermath.before, held))

    def _is_to_be_tried_again(self, finished: FinishedRun) -> bool:
        """Whether nothing came of a run: a fault reached no request. Where it cannot, the run is left out."""
        self._tries += 1
        if finished.reached or finished.failed:
            return False
        chosen = finished.chosen[-1]
        undone = {each.did for each in finished.outcomes if each.rule in finished.names}
        if "nothing_to_cut" in undone or ("refused" in undone and chosen.rule.resolved.of_store):
            if chosen.moves:  # nobody asked for it, and where one is refused, all are
                self._queue = [each for each in self._queue if not each[1].chosen[-1].moves]
                heapify(self._queue)
            else:
                self._leave_out(f"{chosen.rule.fault} at {finished.points[-1].name}", chosen.unable(undone))
            self._current = None
            return True
        return self._tries < TRIES

    @property
    def subject(self) -> str:
        """What is tried, for the first line of the report."""
        requests = descriptions.count(len(self.requests), "request")
        return f"{requests} without faults, {descriptions.count(len(self.choices), 'fault')}"

    @property
    def asked_for(self) -> Sequence[Choice]:
        """What the user asked for: of all that stands for one thing something has to be injected."""
        return self.choices

    @property
    def patience(self) -> float | None:
        """Seconds that a run of a program may take; None while that is not known."""
        if self._within is not None or not self._plain:
            return self._within
        return PATIENCE * self._longest + self.leeway

    def marker(self, rules: Sequence[Rule]) -> str:
        """What shows a scenario again under pytest, to paste."""
        return marker(rules)

    def at_first(self, scenario: Scenario) -> Scenario:
        """What of a scenario is in force when its run begins."""
        return scenario

    def afterwards(self, _scenario: Scenario) -> tuple[Rule, ...]:
        """What is in force when the program under test was killed and runs again."""
        return ()

    def covers(self, choice: Choice) -> bool:
        """Whether a choice was injected, or the same by another; in a share: whether any share has it to inject.

        Where one scenario alone is wanted, nobody asks for more.
        """
        if (
            self._only
            or choice in self._stood_for
            or any(choice in each.chosen for each in self.finished if each.reached)
        ):
            return True
        return self._share[1] > 1 and choice in self._somewhere

    def compare(self, rule: Rule, outcome: Outcome) -> Comparison:
        """A rule's conditions, held against a request as the rule reads it."""
        vendor = rule.vendor
        if vendor not in self._readings:
            self._readings[vendor] = Addressing(vendor, self._endpoints)
        return Comparison(rule, outcome, self._readings[vendor])

    def applies(self, choice: Choice, point: Point) -> bool:
        """Whether a fault can come at a point, and says something there that a client can tell."""
        outcome = point.outcome
        found = [self.compare(each, outcome) for each in (choice.rule, choice.within) if each is not None]
        if any(each.failed for each in found) or not self._allowed(choice, outcome):
            return False
        if unknown := [key for each in found for key in each.unknown]:
            kept_back = (
                f"the journal does not record what {listed(unknown, 'and')} asks about; use another condition"
            )
            self._leave_out(f"{choice.rule.fault} at {point.name}", kept_back)
            return False
        if (choice.needs_checksum and not outcome.checksum) or (choice.moves and not point.goes_on):
            return False
        if choice.needs_body and (
            outcome.response_bytes == 0 or has_no_body(outcome.method, outcome.status or 200, ())
        ):
            if not choice.standard:  # the set has it for answers with a body alone
                self._leave_out(f"{choice.rule.fault} at {point.name}", "its answer has no body")
            return False
        if choice.uploaded is not None and (outcome.request_bytes or 0) < choice.uploaded:
            if not choice.standard:  # the set has it for uploads alone
                self._leave_out(f"{choice.rule.fault} at {point.name}", "its body ends before")
            return False
        if choice.hangs:
            first = point.operation not in self._hung
            self._hung.add(point.operation)
            return first
        if choice.lasts:
            return self._match(point, choice) >= int(choice.rule.options[FOR_GOOD])
        if choice.invisible_on(outcome.method) and not self.bounds.exhaustive:
            self._leave_out(
                f"{choice.rule.fault} on {outcome.method}",
                "its answer has no body that says which error it is",
                "brings it back",
            )
            self.pruned += 1
            return False
        return True

    def rule_at(self, point: Point, choice: Choice) -> Rule:
        """The rule that injects a fault at that point and nowhere else."""
        if not choice.lasts:
            return rule_at(point, choice, self.reading.vendor)
        within = choice.rule if choice.within is None else choice.within
        _, conditions, unless, _ = within.parts
        options = {**choice.rule.options, FOR_GOOD: str(self._match(point, choice))}
        return Rule.of_parts(choice.rule.fault, (None, conditions, unless, options))

    def _match(self, point: Point, choice: Choice) -> int:
        """Which of the first run's requests that a fault is for it is, from 1, wherever else they go."""
        rules = [each for each in (choice.rule, choice.within) if each is not None]
        requests = self.requests[: point.number]
        return sum(not any(self.compare(each, one).failed for each in rules) for one in requests)

    def _allowed(self, choice: Choice, outcome: Outcome) -> bool:
        """Whether the vendor's document has the error for such a request.

        Of the headers that it asks about the journal knows that there was one.
        """
        found = [self.compare(each, outcome) for each in choice.where]
        return not found or any(not each.failed and (not each.unknown or outcome.guarded) for each in found)

    def _keep(self, finished: FinishedRun) -> None:
        """Keep of a run what the report needs: of failures that are alike the smallest is shown."""
        alike = [each for each in self.finished if each.failed and each.cause == finished.cause]
        smallest = finished.failed and all(finished.size < each.size for each in alike)
        for each in alike if smallest else [finished]:
            each.forget()
            if each.reached:
                each.outcomes = ()
        self.finished.append(finished)

    def _plan(self, first: Sequence[Outcome], second: Sequence[Outcome]) -> None:
        if not first:
            raise ExplorationFailed(
                f"no middleware saw a request, so there is nothing to explore. {self._unseen()}"
            )
        if len(first) >= KEPT:
            raise ExplorationFailed(f"a run makes {KEPT} requests or more: let the code make fewer of them")
        self.points = found = Points(first, second, self.reading, exhaustive=self.bounds.exhaustive)
        self.left_out += found.left_out
        planned = list(self._depth_1(found.points))
        if len(planned) > self.bounds.max_runs:
            raise ExplorationFailed(_too_many(len(planned), found.points, self))
        for number, each in enumerate(planned):
            self._somewhere.update(each.chosen)
            if number % self._share[1] == self._share[0]:
                order = (
                    self._first.index(each.text) if each.text in self._first else len(self._first) + number
                )
                heappush(self._queue, (order, each))

    def _depth_1(self, points: Sequence[Point]) -> Iterable[PlannedRun]:
        """Each operation's first request with every fault, then its last, then those between."""
        by_operation: dict[str, list[Point]] = {}
        for point in points:
            by_operation.setdefault(point.operation, []).append(point)
        groups = (
            [each[0] for each in by_operation.values()],
            [each[-1] for each in by_operation.values() if len(each) > 1],
            [point for each in by_operation.values() for point in each[1:-1]],
        )
        for group in groups:
            for choice in self.choices:
                for point in group:
                    if self.applies(choice, point):
                        rule = self.rule_at(point, choice)
                        if self._new(choice, rule):
                            yield PlannedRun(Scenario.of_rules((rule,), "0"), (point,), (choice,))

    def _leave_out(self, what: str, why: str, back: str = "") -> None:
        if all((each.what, each.why) != (what, why) for each in self.left_out):
            self.left_out.append(LeftOut(what, why, back))

    def _new(self, choice: Choice, *rules: Rule) -> bool:
        """Whether no run has these very rules: one shows all there is to see, also of the choice that led to them again."""
        if rules in self._known:
            self._stood_for.add(choice)
            return False
        self._known.add(rules)
        return True

    def _deepen(self) -> None:
        """The second faults, once every first one was tried."""
        second, self._second = self._second, []
        left = max(0, self.bounds.max_runs - len(self.finished))
        self.not_run += max(0, len(second) - left)
        for number, each in enumerate(second[:left]):
            heappush(self._queue, (number, each))

    def _grow(self, finished: FinishedRun, name: str) -> None:
        """A second fault in what the code did because of the first, until it is back on the way without faults.

        At depth 1 a download alone is grown that was cut: the object is replaced before the code reads on.
        """
        assert self.points is not None
        [first], [rule], [chosen_first] = finished.points, finished.scenario.rules, finished.chosen
        choices = [each for each in self.choices if each.moves and chosen_first.needs_body]
        if self.bounds.depth > 1:
            choices = [each for each in self.choices if not (each.lasts or each.hangs)]
        if not choices:
            return
        trace = Trace(finished.outcomes, self.reading)
        at = next(
            number for number, each in enumerate(finished.outcomes) if each.injected and each.rule == name
        )
        outcomes = finished.outcomes[: finished.first]
        for number in range(at + 1, len(outcomes)):
            if self.points.usual_end(first.number, outcomes[number:]):
                break
            point = self.points.point_in(trace, number)
            for choice in choices:
                if self.applies(choice, point):
                    rules = folded(rule, self.rule_at(point, choice))
                    if self._new(choice, *rules):
                        chosen = (*finished.chosen, choice)
                        self._second.append(PlannedRun(Scenario.of_rules(rules, "0"), (first, point), chosen))


def _another_second(since: float) -> None:
    """Wait until the clock says another second: what a program takes from it is then another thing in the next run."""
    if int(now := time.time()) == int(since):
        time.sleep(int(now) + 1.001 - now)


def _told_an_error(outcomes: Sequence[Outcome], windows: Sequence[CallWindow]) -> bool:
    """Whether somebody was told that it did not go well: the caller of a named call, or a client of the app under test."""
    return any(each.returned is False for each in windows) or any(
        not each.injected and each.status in PASSING for each in outcomes
    )


def _too_many(needed: int, points: Sequence[Point], sweep: Sweep) -> str:
    """That more runs are needed than may be made, and what helps."""
    if sweep.kills:
        return (
            f"{needed} runs are needed, and max_runs is {sweep.bounds.max_runs}: {descriptions.count(len(points), 'request')},"
            " at each of which the program is killed in up to three ways. Let it make fewer requests, or raise max_runs"
        )
    [(heaviest, count)] = Counter(each.operation for each in points).most_common(1)
    where = "operation" if any(each.outcome.operation == heaviest for each in points) else "method"
    return (
        f"{needed} runs are needed, and max_runs is {sweep.bounds.max_runs}: {descriptions.count(len(points), 'request')}, {count} of"
        f" them {heaviest}, and {descriptions.count(len(sweep.choices), 'fault')}. Let the code make fewer"
        f" requests, say where ('{sweep.choices[0].rule.fault},{where}={heaviest}'), give fewer faults, or raise max_runs"
    )


def sweep_of(
    faults: Sequence[str | Rule],
    bounds: Bounds,
    *,
    first: Iterable[str] = (),
    share: tuple[int, int] = (0, 1),
    unseen: Callable[[], str] = unwrapped.advice,
    crashing: Crashing | None = None,
    vendor: Vendor | None = None,
    only: str = "",
    within: float | None = None,
) -> Sweep:
    """The sweep of these faults in this environment.

    Args:
        faults: the user's rules.
        bounds: how far it goes.
        first: as for `Sweep`.
        share: as for `Sweep`.
        unseen: as for `Sweep`.
        crashing: how a program is killed and run again, with the faults coming in its second run; None: none is.
        vendor: as whom faults read requests that say nothing of it; and as for `Sweep`.
        only: as for `Sweep`.
        within: likewise.

    Raises:
        ConfigurationError: a rule is wrong, or says itself where it comes; or injection is switched off.
        ProductionRefused: the environment says that this is production.
    """
    settings = read_environment(os.environ, now=time.time(), rules_given=True, forced=True)
    if settings.enabled is False:
        raise ConfigurationError("FAULTINJECT_ENABLED=0 switches all faults off; unset it to explore")
    reason = None if settings.production_allowed else production_reason(os.environ)
    if reason is not None:
        raise ProductionRefused(
            f"{reason} looks like production, where nothing is injected; unset it to explore"
        )
    with reading_as(vendor.id if vendor else None):
        found = (
            choices_of(faults, exhaustive=bounds.exhaustive, without=bounds.without)
            if faults or crashing is None
            else ()
        )
    if crashing is None:
        return Sweep(
            found,
            bounds=bounds,
            endpoints=settings.endpoints,
            first=first,
            share=share,
            unseen=unseen,
            vendor=vendor,
            only=only,
            within=within,
        )
    from faultinject.testing.exploration.crash_sweep import CrashSweep

    return CrashSweep(
        found,
        crashing,
        bounds=bounds,
        endpoints=settings.endpoints,
        first=first,
        share=share,
        unseen=unseen,
    )

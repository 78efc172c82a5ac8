"""The order of an exploration's runs, and what came of each. No I/O: whoever drives it runs the code under test."""

from __future__ import annotations

from heapq import heappop, heappush

from faultinject.audit.journal import KEPT
from faultinject.audit.nearest import Comparison
from faultinject.core.reading import Reading
from faultinject.exceptions import ExplorationFailed
from faultinject.exploration.bounds import Bounds
from faultinject.exploration.choices import READS, Choice
from faultinject.exploration.judge import Judge
from faultinject.exploration.made import Made, Planned
from faultinject.exploration.points import Point, Points, Trace
from faultinject.exploration.report import too_many
from faultinject.exploration.rules import before, folded, rule_at
from faultinject.settings.scenario import Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from faultinject.audit.told import Told
    from faultinject.core.outcome import Outcome
    from faultinject.core.rule import Rule

TRIES = 3
"""How often a run is tried whose fault reached no request."""
PER_REQUEST, MORE = 10, 50
"""A run may make this many requests for each of the run without faults, and as many more."""
_WITHOUT = Planned(Scenario.of_rules((), "0"), (), ())


class Sweep:
    """All of one exploration.

    Args:
        choices: what is injected.
        bounds: how far it goes.
        endpoints: the user's own host suffixes (`FAULTINJECT_ENDPOINT`).
        first: the texts of scenarios that come first, such as those that failed last time.
        share: (which, of how many): only every n-th scenario is run, beginning with that one.

    Attributes:
        reading: how the code's requests are read: as the first vendor that is among the choices does.
        points: where faults come; known after two runs without.
        made: the runs with faults.
        left_out: what could be no point, and combinations that no client could tell apart, said in words.
        pruned: how many scenarios were left out because they could show nothing new.
        not_run: how many scenarios `max_runs` cut off at depth 2.
        stopped: why it was stopped before its end; empty while it was not.
    """

    def __init__(
        self,
        choices: Sequence[Choice],
        *,
        bounds: Bounds | None = None,
        endpoints: tuple[str, ...] = (),
        first: Iterable[str] = (),
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.choices = choices
        self.bounds = bounds or Bounds()
        self.points: Points | None = None
        self.made: list[Made] = []
        self.left_out: list[str] = []
        self.pruned = 0
        self.not_run = 0
        self.stopped = ""
        self._endpoints = endpoints
        vendors = (each.rule.vendor for each in choices)
        self.reading = Reading(next((each for each in vendors if each is not None), None), endpoints)
        self._judge = Judge(self.bounds.ignore)
        self._first = list(first)
        self._share = share
        self._somewhere: set[Choice] = set()
        self._stood_for: set[Choice] = set()
        self._plain: list[Made] = []
        self._queue: list[tuple[int, Planned]] = []
        self._known: set[tuple[Rule, ...]] = set()
        self._current: Planned | None = None
        self._tries = 0
        self._second: list[Planned] = []

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
        return len(self.made) + len(self._queue) + (self._current is not None)

    @property
    def unreached(self) -> list[Made]:
        """The runs whose faults reached no request, also when tried again."""
        return [each for each in self.made if not each.reached]

    def next(self) -> Scenario | None:
        """The scenario of the next run; None when all is done.

        Raises:
            ExplorationFailed: there is nothing to explore, or too much.
        """
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
        told: Sequence[Told] = (),
    ) -> Made:
        """What came of the run that `next` asked for.

        Args:
            names: what the rules of its scenario are called in the outcomes.
            outcomes: its requests, in order.
            error: what the code under test raised, or None.
            seconds: how long it took.
            told: the calls that it named.

        Raises:
            ExplorationFailed: the second run without faults failed, so that runs are not independent.
        """
        planned = self._current
        if planned is None:
            made = Made(_WITHOUT, (), outcomes, error, seconds)
            if self._plain and made.failed:
                raise ExplorationFailed(
                    f"the second run without faults fails ({made.said}), the first did not: the runs are not"
                    " independent; reset what they share"
                ) from error
            if not made.failed:
                self._plain.append(made)
                self._judge.learn(outcomes)
            return made
        gave_up = error is not None and self.bounds.allows(error)
        failed = error is not None and not gave_up
        wrong = self._judge.findings(outcomes, names, passed=error is None, failed=failed, told=told)
        made = Made(planned, names, outcomes, error, seconds, gave_up=gave_up, findings=wrong)
        self._tries += 1
        if not made.reached and not made.failed and self._tries < TRIES:
            return made
        if self.bounds.depth > 1 and made.reached and len(made.points) == 1 and not made.failed:
            self._grow(made, names[0])
        self._keep(made)
        self._current = None
        return made

    def covers(self, choice: Choice) -> bool:
        """Whether a choice was injected, or another that shows the same; in a share: whether any share has it to inject."""
        if choice in self._stood_for or any(choice in each.chosen for each in self.made if each.reached):
            return True
        return self._share[1] > 1 and choice in self._somewhere

    def compare(self, rule: Rule, outcome: Outcome) -> Comparison:
        """A rule's conditions, held against a request as the rule reads it."""
        return Comparison(rule, outcome, Reading(rule.vendor, self._endpoints))

    def applies(self, choice: Choice, point: Point) -> bool:
        """Whether a fault can come at a point, and says something there that a client can tell."""
        found = self.compare(choice.rule, point.outcome)
        if found.failed or found.unknown:
            return False
        method = point.outcome.method
        if choice.invisible_on(method):
            self._leave_out(
                f"{choice.rule.fault} on {method} (its answer has no body that says which error it is)"
            )
            self.pruned += 1
            return False
        if choice.after and method in READS:
            twin = next((each for each in self.choices if each.rule == before(choice.rule)), None)
            if twin is not None:  # whether the app has run is all the same to a read
                self._stood_for.add(choice)
                self.pruned += 1
                return False
        return True

    def rule_at(self, point: Point, choice: Choice) -> Rule:
        """The rule that injects a fault at that point and nowhere else."""
        return rule_at(point, choice, self.reading.vendor)

    def _keep(self, made: Made) -> None:
        """Keep of a run what the report needs: of failures that are alike the smallest is shown."""
        alike = [each for each in self.made if each.failed and each.cause == made.cause]
        smallest = made.failed and all(made.size < each.size for each in alike)
        for each in alike if smallest else [made]:
            each.forget()
            if each.reached:
                each.outcomes = ()
        self.made.append(made)

    def _plan(self, first: Sequence[Outcome], second: Sequence[Outcome]) -> None:
        if not first:
            raise ExplorationFailed(
                "no middleware saw a request: nothing can be explored. Flask, Starlette and FastAPI apps of this"
                " process are seen by themselves; put WSGIFaultMiddleware or ASGIFaultMiddleware around any other app"
            )
        if len(first) >= KEPT:
            raise ExplorationFailed(f"a run makes {KEPT} requests or more: let the code make fewer of them")
        self.points = found = Points(first, second, self.reading)
        self.left_out += [f"{each} (differs between two runs without faults)" for each in found.left_out]
        self.left_out += [f"{each} (polled: the first two and the last)" for each in found.polled]
        planned = list(self._depth_1(found.points))
        if len(planned) > self.bounds.max_runs:
            raise ExplorationFailed(too_many(len(planned), found.points, self))
        for number, each in enumerate(planned):
            self._somewhere.update(each.chosen)
            if number % self._share[1] == self._share[0]:
                order = (
                    self._first.index(each.text) if each.text in self._first else len(self._first) + number
                )
                heappush(self._queue, (order, each))

    def _depth_1(self, points: Sequence[Point]) -> Iterable[Planned]:
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
                        if self._new(rule):
                            yield Planned(Scenario.of_rules((rule,), "0"), (point,), (choice,))
                        else:
                            self._stood_for.add(choice)

    def _leave_out(self, said: str) -> None:
        if said not in self.left_out:
            self.left_out.append(said)

    def _new(self, *rules: Rule) -> bool:
        if rules in self._known:
            self.pruned += 1
            return False
        self._known.add(rules)
        return True

    def _deepen(self) -> None:
        """The second faults, once every first one was tried."""
        second, self._second = self._second, []
        left = max(0, self.bounds.max_runs - len(self.made))
        self.not_run += max(0, len(second) - left)
        for number, each in enumerate(second[:left]):
            heappush(self._queue, (number, each))

    def _grow(self, made: Made, name: str) -> None:
        """A second fault in what the code did because of the first, until it is back on the way without faults."""
        assert self.points is not None
        [first], [rule] = made.points, made.scenario.rules
        trace = Trace(made.outcomes, self.reading)
        at = next(number for number, each in enumerate(made.outcomes) if each.injected and each.rule == name)
        for number in range(at + 1, len(made.outcomes)):
            if self.points.usual_end(first.number, made.outcomes[number:]):
                break
            point = self.points.point_in(trace, number)
            for choice in self.choices:
                if self.applies(choice, point):
                    rules = folded(rule, self.rule_at(point, choice))
                    if self._new(*rules):
                        chosen = (*made.chosen, choice)
                        self._second.append(Planned(Scenario.of_rules(rules, "0"), (first, point), chosen))

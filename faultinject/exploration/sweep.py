"""The order of an exploration's runs, and what came of each. No I/O: whoever drives it runs the code under test."""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush

from faultinject.audit.nearest import Comparison
from faultinject.core.rule import Rule
from faultinject.exceptions import ExplorationFailed
from faultinject.exploration.choices import READS, Choice
from faultinject.exploration.points import READING, Point, Points, identity, point_in
from faultinject.settings.scenario import Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from faultinject.core.outcome import Outcome

TRIES = 3
"""How often a run is tried whose fault reached no request."""
PER_REQUEST, MORE = 10, 50
"""A run may make this many requests for each of the run without faults, and as many more."""


class Made:
    """One run that was made.

    Attributes:
        scenario: what was injected.
        outcomes: the requests, in order.
        error: what the code under test raised, or None.
        gave_up: the error is one that the code may give up with.
        seconds: how long it took.
        points: where its faults were to come.
        reached: whether each of its rules injected something.
    """

    def __init__(
        self,
        scenario: Scenario,
        outcomes: Sequence[Outcome],
        error: BaseException | None,
        seconds: float,
        *,
        gave_up: bool = False,
    ) -> None:
        self.scenario = scenario
        self.outcomes = outcomes
        self.error = error
        self.gave_up = gave_up
        self.seconds = seconds
        self.points: tuple[Point, ...] = ()
        hit = {each.rule for each in outcomes if each.injected}
        self.reached = hit.issuperset(scenario.display_names)

    @property
    def failed(self) -> bool:
        """Whether the code under test did not cope."""
        return self.error is not None and not self.gave_up

    @property
    def backoff(self) -> float:
        """Seconds in which nothing happened between a fault and the request that followed it."""
        waited = 0.0
        for this, following in zip(self.outcomes, self.outcomes[1:], strict=False):
            if this.injected and this.answered is not None:
                waited += max(0.0, following.arrived - this.answered)
        return waited


class Planned:
    """A run to be made."""

    def __init__(self, scenario: Scenario, points: tuple[Point, ...], chosen: tuple[Choice, ...]) -> None:
        self.scenario = scenario
        self.points = points
        self.chosen = chosen


class Sweep:
    """All of one exploration.

    Args:
        choices: what is injected.
        depth: 2: also a second fault in what the code does because of the first.
        max_runs: runs with faults at most.
        allow: exceptions with which the code may give up.
        seed: of every scenario.
        first: the texts of scenarios that come first, such as those that failed last time.
        share: (which, of how many): only every n-th scenario is run, beginning with that one.

    Attributes:
        points: where faults come; known after two runs without.
        made: the runs with faults.
        left_out: what could be no point, and combinations that no client could tell apart, said in words.
        pruned: how many scenarios were left out because they could show nothing new.
        not_run: how many scenarios `max_runs` cut off at depth 2.
        unreached: the runs whose faults reached no request, also when tried again.
        shared: other processes run the rest.
    """

    def __init__(
        self,
        choices: Sequence[Choice],
        *,
        depth: int = 1,
        max_runs: int = 500,
        allow: tuple[type[BaseException], ...] = (),
        seed: str | None = None,
        first: Iterable[str] = (),
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.choices = choices
        self.depth = depth
        self.max_runs = max_runs
        self.allow = allow
        self.points: Points | None = None
        self.made: list[Made] = []
        self.left_out: list[str] = []
        self.pruned = 0
        self.not_run = 0
        self.unreached: list[Made] = []
        self._seed = seed
        self._first = list(first)
        self._share = share
        self.shared = share[1] > 1
        self._plain: list[Made] = []
        self._queue: list[tuple[tuple[int, ...], Planned]] = []
        self._known: set[str] = set()
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

    def next(self) -> Scenario | None:
        """The scenario of the next run; None when all is done.

        Raises:
            ExplorationFailed: there is nothing to explore, or too much.
        """
        if len(self._plain) < 2:  # two runs without faults: what they agree on can be addressed
            return Scenario.of_rules((), self._seed)
        if self.points is None:
            self._plan()
        if self._current is None:
            if not self._queue:
                self._deepen()
            if not self._queue:
                return None
            self._current = heappop(self._queue)[1]
            self._tries = 0
        return self._current.scenario

    def record(self, outcomes: Sequence[Outcome], error: BaseException | None, seconds: float) -> Made:
        """What came of the run that `next` asked for.

        Raises:
            ExplorationFailed: the second run without faults failed, so that runs are not independent.
        """
        gave_up = isinstance(error, self.allow) if self.allow else False
        if self._current is None:
            made = Made(Scenario.of_rules((), self._seed), outcomes, error, seconds)
            if self._plain and made.failed:
                raise ExplorationFailed(
                    "the second run without faults fails, the first did not: the runs are not independent;"
                    " reset what they share"
                ) from error
            if not made.failed:
                self._plain.append(made)
            return made
        made = Made(self._current.scenario, outcomes, error, seconds, gave_up=gave_up)
        made.points = self._current.points
        self._tries += 1
        if not made.reached and not made.failed and self._tries < TRIES:
            return made
        if not made.reached:
            self.unreached.append(made)
        elif self.depth > 1 and len(self._current.chosen) == 1 and not made.failed:
            self._second += self._grow(self._current, made)
        self.made.append(made)
        self._current = None
        return made

    def _plan(self) -> None:
        first, second = (each.outcomes for each in self._plain)
        if not first:
            raise ExplorationFailed(
                "no middleware saw a request: nothing can be explored. Flask, Starlette and FastAPI apps of this"
                " process are seen by themselves; put WSGIFaultMiddleware or ASGIFaultMiddleware around any other app"
            )
        self.points = found = Points(first, second)
        self.left_out += [f"{each} (differs between two runs without faults)" for each in found.left_out]
        self.left_out += [f"{each} (polled: the first two and the last)" for each in found.polled]
        planned = list(self._depth_1(found.points))
        if len(planned) > self.max_runs:
            raise ExplorationFailed(self._too_many(len(planned), found.points))
        for number, each in enumerate(planned):
            if number % self._share[1] == self._share[0]:
                text = "; ".join(map(str, each.scenario.rules))
                order = self._first.index(text) if text in self._first else len(self._first) + number
                heappush(self._queue, ((order,), each))

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
                        rule = rule_at(point, choice)
                        if self._new(rule):
                            yield Planned(Scenario.of_rules((rule,), self._seed), (point,), (choice,))

    def applies(self, choice: Choice, point: Point) -> bool:
        """Whether a fault can come at a point, and says something there that a client can tell."""
        found = Comparison(choice.rule, point.outcome, READING)
        if found.failed or found.unknown:
            return False
        method = point.outcome.method
        if choice.invisible_on(method):
            said = f"{choice.rule.fault} on {method} (its answer has no body that says which error it is)"
            if said not in self.left_out:
                self.left_out.append(said)
            self.pruned += 1
            return False
        if choice.after and method in READS and self._has_before(choice):
            self.pruned += 1
            return False
        return True

    def _has_before(self, choice: Choice) -> bool:
        """Whether the same fault comes without the app having run, which is all the same to a read."""
        name, conditions, unless, options = choice.rule.parts
        del options["when"]
        twin = Rule.of_parts(choice.rule.fault, (name, conditions, unless, options))
        return any(each.rule == twin for each in self.choices)

    def _new(self, *rules: Rule) -> bool:
        text = "; ".join(map(str, rules))
        if text in self._known:
            self.pruned += 1
            return False
        self._known.add(text)
        return True

    def _deepen(self) -> None:
        """The second faults, once every first one was tried."""
        second, self._second = self._second, []
        left = self.max_runs - len(self.made)
        self.not_run += max(0, len(second) - left)
        for number, each in enumerate(second[: max(0, left)]):
            heappush(self._queue, ((number,), each))

    def _grow(self, planned: Planned, made: Made) -> Iterable[Planned]:
        """A second fault in what the code did because of the first, until it is back on the way without faults."""
        trace = made.outcomes
        at = next(number for number, each in enumerate(trace) if each.injected)
        usual = [identity(each) for each in self.requests]
        ahead = usual[planned.points[0].number :]
        first, [rule] = planned.chosen[0], planned.scenario.rules
        for number in range(at + 1, len(trace)):
            rest = [identity(each) for each in trace[number:]]
            if rest == ahead[len(ahead) - len(rest) :] and len(rest) <= len(ahead):
                break
            point = point_in(trace, number)
            for choice in self.choices:
                if self.applies(choice, point):
                    rules = folded(rule, rule_at(point, choice))
                    if self._new(*rules):
                        points = (planned.points[0], point)
                        yield Planned(Scenario.of_rules(rules, self._seed), points, (first, choice))

    def _too_many(self, needed: int, points: Sequence[Point]) -> str:
        [(heaviest, count)] = Counter(each.operation for each in points).most_common(1)
        return (
            f"{needed} runs are needed, and max_runs is {self.max_runs}: {len(points)} requests, {len(self.choices)}"
            f" faults; {count} of the requests are {heaviest}. Let the code make fewer of them (three show the same),"
            f" say where ('cos:SlowDown,operation={heaviest}'), give fewer faults, or raise max_runs"
        )


def rule_at(point: Point, choice: Choice) -> Rule:
    """The rule that injects a fault at that point and nowhere else."""
    keys: dict[str, Any] = {"query": {}}
    for full, text in point.conditions.items():
        key, dot, name = full.partition(".")
        if dot:
            keys["query"][name] = text
        else:
            keys[key] = text
    if not keys["query"]:
        del keys["query"]
    if point.skip:
        keys["skip"] = point.skip
    given = choice.rule.options
    keys["times"] = given.get("times", "1")
    sets = {key[4:]: text for key, text in given.items() if key[:4] == "set."}
    keys.update({key: text for key, text in given.items() if key[:4] != "set." and key != "times"})
    if sets:
        keys["set"] = sets
    return Rule(choice.rule.fault, **keys)


def folded(first: Rule, second: Rule) -> tuple[Rule, ...]:
    """Both; one rule with more `times` where the second follows on the first."""
    if (first.fault, first.conditions) == (second.fault, second.conditions):
        rest = [
            {key: text for key, text in each.options.items() if key not in ("skip", "times")}
            for each in (first, second)
        ]
        follows = first.value("skip") + first.value("times") == second.value("skip")
        if rest[0] == rest[1] and follows:
            name, conditions, unless, options = first.parts
            options["times"] = str(first.value("times") + second.value("times"))
            return (Rule.of_parts(first.fault, (name, conditions, unless, options)),)
    return first, second

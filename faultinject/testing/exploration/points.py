"""The points of an exploration: the requests of a run without faults, each with conditions.

The conditions, together with a fault, make an ordinary rule.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from faultinject.engine.filters import PARTIAL
from faultinject.engine.shown import quoted
from faultinject.http.patterns import STARS, check_pattern
from faultinject.journal.outcome import Outcome
from faultinject.rules.conditions import CONDITIONS
from faultinject.rules.key import Reading
from faultinject.rules.rule import Rule
from faultinject.testing.exploration.bounds import LeftOut
from faultinject.testing.exploration.choices import CRASH, Choice
from faultinject.testing.nearest import JournalRequest
from faultinject.vendors.addressing import Addressing, volatile_parameters, with_placeholders
from faultinject.vendors.operations import operations_of
from faultinject.vendors.vendor import Vendor

Conditions = dict[str, str]

# The parts that differ between two runs of the same code: UUIDs, long hexadecimal ids, long numbers.
_CHANGING = re.compile(
    r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16,}|[0-9]{6,}"
)
# The parameters that name the beginning of a listing's next page; their values differ on each page.
_MARKERS = frozenset(
    "marker key-marker upload-id-marker version-id-marker part-number-marker start-after continuation-token"
    " pagetoken page-token next token cursor".split()
)
_COUNTS = ("skip", "times")
_OFTEN = ("differs between two runs without faults", "tries those that both make")
_ONCE = ("differs between two runs without faults: only one makes it; make them alike",)


@dataclass(eq=False)
class Point:
    """One request of a recorded run that a fault can hit.

    Attributes:
        number: its number in the run, from 1.
        outcome: the request in the journal.
        conditions: conditions that the request meets.
        skip: the number of earlier requests of the run that meet them, too.
        goes_on: whether the request reads more of an object that the run has begun to read, and that another writer
            may replace.
    """

    number: int
    outcome: Outcome
    conditions: Conditions
    skip: int
    goes_on: bool

    @property
    def name(self) -> str:
        """Operation and path."""
        return name_of(self.outcome)

    @property
    def operation(self) -> str:
        """The storage operation, or else the method."""
        return self.outcome.operation or self.outcome.method


class Points:
    """The points of two runs without faults.

    Args:
        first: the requests of the first run.
        second: the requests of the second run.
        reading: reads operation, bucket and key of requests.
        exhaustive: whether to try a request that one run makes more often than the other, in as many places as both
            runs have it.

    Attributes:
        points: the requests that both runs make, in the order of the run.
        left_out: the requests that only one run makes.
    """

    def __init__(
        self,
        first: Sequence[Outcome],
        second: Sequence[Outcome],
        reading: Addressing,
        *,
        exhaustive: bool = False,
    ) -> None:
        self.points: list[Point] = []
        self._loose: set[str | None] = set()
        first_trace, second_trace = Trace(first, reading), Trace(second, reading)
        left_out: Counter[tuple[str, ...]] = Counter()
        for at, outcome in enumerate(first):
            point = first_trace.shared_point(at, second_trace, in_part=exhaustive)
            if point is not None:
                self.points.append(point)
                if "operation" in point.conditions:
                    self._loose.add(outcome.operation)
            else:
                left_out[
                    f"{outcome.method} {outcome.path}",
                    *_reason_left_out(first_trace, at, second_trace, exhaustive=exhaustive),
                ] += 1
        for at, outcome in enumerate(second):
            if second_trace.shared_point(at, first_trace, in_part=exhaustive) is None:
                why = _reason_left_out(second_trace, at, first_trace, exhaustive=exhaustive)
                if why == _ONCE:  # the others are left out already, as requests of the first run
                    left_out[f"{outcome.method} {outcome.path}", *why] += 1
        self.left_out = [
            LeftOut(name if count == 1 else f"{name} x {count}", *why)
            for (name, *why), count in left_out.items()
        ]
        self._usual = [self.identity(outcome) for outcome in first]
        self._ordered = self._usual == [self.identity(outcome) for outcome in second]

    def identity(self, outcome: Outcome) -> str:
        """A text that is the same for the same request in two runs of the code."""
        if outcome.operation in self._loose:
            return str(outcome.operation)
        return repr(sorted((masked_conditions(outcome) or exact_conditions(outcome)).items()))

    def usual_end(self, after: int, rest: Sequence[Outcome]) -> bool:
        """Whether the rest of a run equals the rest of a run without faults after that request."""
        actual = [self.identity(outcome) for outcome in rest]
        usual = self._usual[max(after, len(self._usual) - len(actual)) :]
        return actual == usual if self._ordered else sorted(actual) == sorted(usual)

    def point_in(self, trace: Trace, at: int) -> Point:
        """The point for one request of a run with a fault.

        Its conditions also match the same request in the next such run.
        """
        outcome = trace.outcomes[at]
        conditions = masked_conditions(outcome) or exact_conditions(outcome)
        if outcome.operation in self._loose:
            conditions = operation_condition(outcome) or conditions
        elif any(point.conditions == exact_conditions(outcome) for point in self.points):
            conditions = exact_conditions(outcome)
        return trace.point(at, conditions)


class Trace:
    """The requests of one run, and an index of those that meet given conditions."""

    def __init__(self, outcomes: Sequence[Outcome], reading: Addressing) -> None:
        self.outcomes = outcomes
        self._reading = reading
        self._requests = [JournalRequest(outcome, reading) for outcome in outcomes]
        self._places: dict[str, list[int]] = {}
        self._met: dict[tuple[tuple[str, str], ...], list[int]] = {}
        for number, outcome in enumerate(outcomes):
            self._places.setdefault(outcome.path, []).append(number)

    def places_of(self, conditions: Conditions) -> list[int]:
        """The places, from 0, of the requests that meet all of the conditions, in order.

        They are cached: similar requests have the same conditions.
        """
        cache_key = tuple(conditions.items())
        if cache_key not in self._met:
            holds = test(conditions, self._reading)
            path = conditions.get("path", "*")
            exact_path = path[1:] if path[:1] == "=" else None if "*" in path else path
            places: Iterable[int] = (
                range(len(self.outcomes)) if exact_path is None else self._places.get(exact_path, ())
            )
            self._met[cache_key] = [place for place in places if holds(self._requests[place])]
        return self._met[cache_key]

    def point(self, at: int, conditions: Conditions) -> Point:
        """The point of the request at a place."""
        skip = bisect_left(self.places_of(conditions), at)
        return Point(
            at + 1, self.outcomes[at], conditions, skip, goes_on=self._goes_on(at, conditions.get("path"))
        )

    def _goes_on(self, at: int, path: str | None) -> bool:
        """Whether a request reads more of an object that another writer may replace.

        An object whose name is new in each run, or that was written under a condition, has no other writer.
        """
        outcome = self.outcomes[at]
        if not (outcome.method == "GET" and outcome.range and outcome.status == PARTIAL):
            return False
        if path != literal(outcome.path) or with_placeholders(outcome.path) != outcome.path:
            return False
        before = [self.outcomes[place] for place in self._places[outcome.path] if place < at]
        return any(earlier.method == "GET" and earlier.etag for earlier in before) and not any(
            earlier.method == "PUT" and earlier.guarded for earlier in before
        )

    def shared_point(self, at: int, other: Trace, *, in_part: bool = False) -> Point | None:
        """A request's point, with the finest conditions that the other run meets as often.

        Args:
            at: its place, from 0.
            other: the other run.
            in_part: whether the other run may make the request less often.
        """
        outcome = self.outcomes[at]
        for level in LEVELS:
            conditions = level(outcome)
            if conditions is None:
                continue
            point, number_in_other = self.point(at, conditions), len(other.places_of(conditions))
            in_both = in_part and level is not operation_condition and point.skip < number_in_other
            if in_both or number_in_other == len(self.places_of(conditions)):
                return point
        return None


def name_of(outcome: Outcome) -> str:
    """`UploadPart /bucket/key`; method and path if the request is no storage operation."""
    return f"{outcome.operation or outcome.method} {outcome.path}"


def exact_conditions(outcome: Outcome) -> Conditions:
    """The conditions of one request: method, path and each parameter.

    A parameter whose value is volatile, or not in the journal, may have any value.
    """
    return _conditions(outcome, literal)


def masked_conditions(outcome: Outcome) -> Conditions | None:
    """The conditions with a star for each part that differs in each run; None if no part does."""
    conditions = _conditions(outcome, _with_star)
    return None if conditions == exact_conditions(outcome) else conditions


def operation_condition(outcome: Outcome) -> Conditions | None:
    """The condition on the operation alone; None if there is no operation."""
    return None if outcome.operation is None else {"operation": outcome.operation}


LEVELS: tuple[Callable[[Outcome], Conditions | None], ...] = (
    exact_conditions,
    masked_conditions,
    operation_condition,
)
"""The levels of conditions, the finest first."""


def literal(value: str) -> str:
    """A pattern that only the value matches."""
    special = "*" in value or "?" in value or value[:1] == "=" or value[-1:] == "/"
    return f"={value}" if special or check_pattern(value) else value


def test(conditions: Conditions, reading: Addressing) -> Callable[[Any], bool]:
    """A function that tests a request of the journal for all of these conditions."""
    checks = []
    for full, text in conditions.items():
        key, _, name = full.partition(".")
        checks.append(CONDITIONS[key].compile((text,), name, Reading(reading)))
    return lambda request: all(holds(request) for holds in checks)


def _conditions(outcome: Outcome, spelled: Callable[[str], str]) -> Conditions:
    conditions = {"method": outcome.method}
    if outcome.path:
        conditions["path"] = spelled(outcome.path)
    if outcome.bucket and outcome.host.startswith(f"{outcome.bucket}."):
        # The path does not name the bucket, and may be that of a route of the app under test.
        conditions["host"] = spelled(outcome.host.partition(":")[0])
    for name, value in parse_qsl(outcome.query, keep_blank_values=True):
        if name and "…" not in name:
            conditions[f"query.{name}"] = "" if _changes(name, value) else spelled(value)
    return conditions


def _changes(name: str, value: str) -> bool:
    parameter = name.lower()
    return not value or "…" in value or parameter in volatile_parameters() or parameter in _MARKERS


def _reason_left_out(trace: Trace, at: int, other: Trace, *, exhaustive: bool) -> tuple[str, ...]:
    """The reason why a request is not a point, and the effect of `exhaustive` on it."""
    outcome = trace.outcomes[at]
    finest = (exact_conditions(outcome), masked_conditions(outcome))
    in_other = any(conditions is not None and other.places_of(conditions) for conditions in finest)
    return _ONCE if exhaustive or not in_other else _OFTEN


def _with_star(value: str) -> str:
    starred = _CHANGING.sub("*", value)
    if starred == value or "*" in value or "?" in value or value[-1:] == "/" or starred.count("*") > STARS:
        return literal(value)
    return literal(value) if check_pattern(starred) else starred


def rule_at(point: Point, choice: Choice, vendor: Vendor | None = None) -> Rule:
    """Make the rule that injects a fault at one point and nowhere else.

    Args:
        point: the request.
        choice: the fault.
        vendor: the vendor that has read the point's operation.
    """
    conditions, its_own = point.conditions, choice.rule.vendor
    operation = conditions.get("operation")
    if operation is not None and its_own is not None and operation not in operations_of(its_own).names:
        # The fault's vendor names operations differently from the vendor that has read the requests.
        conditions = masked_conditions(point.outcome) or exact_conditions(point.outcome)
    # `query` takes a dict, as the name of a parameter may contain anything, even quotes.
    query = {full[6:]: text for full, text in conditions.items() if full[:6] == "query."}
    plain = {full: text for full, text in conditions.items() if full[:6] != "query."}
    keys: dict[str, Any] = {"times": "1", **plain, "query": query, **choice.options_at(point.outcome)}
    if point.skip:
        keys["skip"] = point.skip
    if choice.name is not None:
        keys["name"] = choice.name
    if "operation" in keys and vendor is not None and choice.rule.vendor is None:
        keys["vendor"] = vendor.id
    return Rule(choice.rule.fault, **keys)


def merge_rules(first: Rule, second: Rule) -> tuple[Rule, ...]:
    """Merge two rules into one with more `times`, if the second hits the next such request."""
    follows = first.value("skip") + first.value("times") == second.value("skip")
    if follows and comparable_parts([first], _COUNTS) == comparable_parts([second], _COUNTS):
        name, conditions, unless, options = first.parts
        options["times"] = str(first.value("times") + second.value("times"))
        return (Rule.of_parts(first.fault, (name, conditions, unless, options)),)
    return first, second


def starts_with(rule: Rule, first: Rule) -> bool:
    """Whether a rule is the first rule, or that rule with more `times`."""
    return rule.value("skip") == first.value("skip") and comparable_parts(
        [rule], _COUNTS
    ) == comparable_parts([first], _COUNTS)


def comparable_parts(rules: Iterable[Rule], ignored_keys: Collection[str] = ()) -> list[object]:
    """The parts of rules that are equal if their scenarios are equal.

    Args:
        rules: the rules of a scenario.
        ignored_keys: the keys that may differ.
    """
    parts: list[object] = []
    for rule in rules:
        name, conditions, unless, options = rule.parts
        if name == CRASH and "after_bytes" in options:
            options["after_bytes"] = ""  # bodies of other lengths have another middle
        parts.append(
            (rule.fault, name, conditions, unless, {k: options[k] for k in options if k not in ignored_keys})
        )
    return parts


def marker(rules: Sequence[Rule]) -> str:
    """A scenario as a marker to paste."""
    return f"@pytest.mark.faultinject({', '.join(as_python(str(rule)) for rule in rules)})"


def as_python(text: str) -> str:
    """A text as a string of Python."""
    # A string of JSON, and an escape of `quoted`, is valid Python as well.
    return quoted(json.dumps(text, ensure_ascii=False))

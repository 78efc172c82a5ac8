"""Where a fault can come: the requests of a run without faults, each as the conditions of an ordinary rule."""

from __future__ import annotations

import re
from collections import Counter

from faultinject.audit.nearest import Remembered
from faultinject.core.conditions import CONDITIONS
from faultinject.core.facts import LONGEST_TEXT
from faultinject.core.identity import volatile_parameters
from faultinject.core.patterns import STARS, check_pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from faultinject.core.outcome import Outcome
    from faultinject.core.reading import Reading

    Conditions = dict[str, str]
    Level = Callable[[Outcome], Conditions | None]

# What tells two runs of the same code apart: UUIDs, long hexadecimal runs, long numbers.
_CHANGING = re.compile(
    r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16,}|[0-9]{6,}"
)
# Where a listing goes on: another value on each page.
_MARKERS = frozenset(
    "marker key-marker upload-id-marker version-id-marker part-number-marker start-after continuation-token"
    " pagetoken page-token next token cursor".split()
)
_POLLS = 3
"""Requests with the same conditions beyond which only the first two and the last are points."""


class Point:
    """One recorded request at which a fault can come.

    Attributes:
        number: its place in the run, from 1.
        outcome: the request as the journal has it.
        conditions: the conditions of a rule that mean this request and those like it.
        skip: how many earlier requests of the run meet the same conditions.
    """

    def __init__(self, number: int, outcome: Outcome, conditions: Conditions, skip: int) -> None:
        self.number = number
        self.outcome = outcome
        self.conditions = conditions
        self.skip = skip

    @property
    def name(self) -> str:
        """Operation and address, for people."""
        return name_of(self.outcome)

    @property
    def operation(self) -> str:
        """The storage operation; else method and nothing more."""
        return self.outcome.operation or self.outcome.method

    def __repr__(self) -> str:
        return f"<Point {self.number} {self.name}>"


class Points:
    """The points of two runs without faults, and what of them can be no point.

    Attributes:
        points: in the order of the run.
        left_out: what the two runs do not agree on, as text with how often.
        polled: what was made more often than three times alike: only the first two and the last are points.
    """

    def __init__(self, first: Sequence[Outcome], second: Sequence[Outcome], reading: Reading) -> None:
        self.points: list[Point] = []
        self._loose: set[str | None] = set()
        left_out: Counter[str] = Counter()
        trace, other = Trace(first, reading), Trace(second, reading)
        for number, outcome in enumerate(first, 1):
            for level in LEVELS:
                conditions = None if _is_cut(outcome) else level(outcome)
                if conditions is None:
                    continue
                met = trace.meeting(conditions)
                if len(met) == len(other.meeting(conditions)):
                    skip = sum(each < number - 1 for each in met)
                    self.points.append(Point(number, outcome, conditions, skip))
                    if level is by_operation:
                        self._loose.add(outcome.operation)
                    break
            else:
                left_out[f"{outcome.method} {outcome.path}"] += 1
        self.left_out = [name if count == 1 else f"{name} x {count}" for name, count in left_out.items()]
        self.polled = self._without_polls()
        self._usual = [self.identity(each) for each in first]
        self._ordered = self._usual == [self.identity(each) for each in second]

    def identity(self, outcome: Outcome) -> str:
        """What a request asks for, the same in two runs of the same code."""
        if outcome.operation in self._loose:
            return str(outcome.operation)
        return repr(sorted((masked(outcome) or exact(outcome)).items()))

    def usual_end(self, after: int, rest: Sequence[Outcome]) -> bool:
        """Whether a run ends from here on as the one without faults does after that request."""
        asked = [self.identity(each) for each in rest]
        ahead = self._usual[max(after, len(self._usual) - len(asked)) :]
        return asked == ahead if self._ordered else sorted(asked) == sorted(ahead)

    def point_in(self, trace: Trace, at: int) -> Point:
        """The point of one request of a run with a fault, by conditions that will hold in the next such run too."""
        outcome = trace.outcomes[at]
        conditions = masked(outcome) or exact(outcome)
        if outcome.operation in self._loose:
            conditions = by_operation(outcome) or conditions
        elif any(each.conditions == exact(outcome) for each in self.points):
            conditions = exact(outcome)
        return trace.point(at, conditions)

    def _without_polls(self) -> list[str]:
        alike: dict[str, list[Point]] = {}
        for point in self.points:
            alike.setdefault(repr(point.conditions), []).append(point)
        polled = []
        dropped: set[int] = set()
        for points in alike.values():
            if len(points) > _POLLS:
                polled.append(f"{points[0].outcome.method} {points[0].outcome.path} x {len(points)}")
                dropped.update(each.number for each in points[2:-1])
        self.points = [each for each in self.points if each.number not in dropped]
        return polled


class Trace:
    """The requests of one run, to be asked which of them meet conditions."""

    def __init__(self, outcomes: Sequence[Outcome], reading: Reading) -> None:
        self.outcomes = outcomes
        self._reading = reading
        self._requests = [Remembered(each, reading) for each in outcomes]
        self._places: dict[str, list[int]] = {}
        for number, each in enumerate(outcomes):
            self._places.setdefault(each.path, []).append(number)

    def meeting(self, conditions: Conditions) -> list[int]:
        """The places, from 0, of the requests that meet all of the conditions."""
        holds = test(conditions, self._reading)
        path = conditions.get("path", "*")
        literally = path[1:] if path[:1] == "=" else None if "*" in path else path
        places: Iterable[int] = (
            range(len(self.outcomes)) if literally is None else self._places.get(literally, ())
        )
        return [each for each in places if holds(self._requests[each])]

    def point(self, at: int, conditions: Conditions) -> Point:
        """The point of one of the requests."""
        skip = sum(each < at for each in self.meeting(conditions))
        return Point(at + 1, self.outcomes[at], conditions, skip)


def name_of(outcome: Outcome) -> str:
    """`UploadPart /bucket/key`, or method and path where the request is no storage operation."""
    return f"{outcome.operation or outcome.method} {outcome.path}"


def exact(outcome: Outcome) -> Conditions:
    """Method, path and each parameter; of a volatile one, and of one that the journal keeps back, that it is there."""
    return _conditions(outcome, literal)


def masked(outcome: Outcome) -> Conditions | None:
    """The same with a star for what is new in each run; None where nothing is."""
    found = _conditions(outcome, _starred)
    return None if found == exact(outcome) else found


def by_operation(outcome: Outcome) -> Conditions | None:
    """The operation alone; None where there is none."""
    return None if outcome.operation is None else {"operation": outcome.operation}


LEVELS: tuple[Level, ...] = (exact, masked, by_operation)
"""The finest that two runs agree on is taken."""


def literal(value: str) -> str:
    """A value as a pattern that means itself."""
    special = "*" in value or "?" in value or value[:1] == "=" or value[-1:] == "/"
    return f"={value}" if special or check_pattern(value) else value


def test(conditions: Conditions, reading: Reading) -> Callable[[Any], bool]:
    """A test of a remembered request for all of these conditions."""
    checks = []
    for full, text in conditions.items():
        key, _, name = full.partition(".")
        checks.append(CONDITIONS[key].compile((text,), name, reading))
    return lambda request: all(holds(request) for holds in checks)


def _conditions(outcome: Outcome, spelled: Callable[[str], str]) -> Conditions:
    from urllib.parse import parse_qsl

    found = {"method": outcome.method}
    if outcome.path:
        found["path"] = spelled(outcome.path)
    for name, value in parse_qsl(outcome.query, keep_blank_values=True):
        if name:
            found[f"query.{name}"] = "" if _changes(name, value) else spelled(value)
    return found


def _changes(name: str, value: str) -> bool:
    folded = name.lower()
    return value in ("", "…") or folded in volatile_parameters() or folded in _MARKERS


def _is_cut(outcome: Outcome) -> bool:
    """Whether the journal has only the beginning of what was asked for."""
    return max(len(outcome.path), len(outcome.query)) >= LONGEST_TEXT


def _starred(value: str) -> str:
    found = _CHANGING.sub("*", value)
    if found == value or "*" in value or "?" in value or value[-1:] == "/" or found.count("*") > STARS:
        return literal(value)
    return literal(value) if check_pattern(found) else found

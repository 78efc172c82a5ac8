"""Where a fault can come: the requests of a run without faults, each as the conditions of an ordinary rule."""

from __future__ import annotations

import re
from collections import Counter

from faultinject.audit.nearest import Remembered
from faultinject.core.conditions import CONDITIONS
from faultinject.core.identity import volatile_parameters
from faultinject.core.reading import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from faultinject.core.outcome import Outcome

    Conditions = dict[str, str]

# What tells two runs of the same code apart: UUIDs, long hexadecimal runs, long numbers.
_CHANGING = re.compile(
    r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16,}|[0-9]{6,}"
)
# Where a listing goes on: another value on each page.
_MARKERS = frozenset(
    "marker key-marker upload-id-marker version-id-marker part-number-marker start-after continuation-token"
    " pagetoken page-token next token cursor".split()
)
_STARS = 16
_POLLS = 3
"""Requests with the same conditions beyond which only the first two and the last are points."""
READING = Reading()
"""Requests are read the S3 way."""


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

    def __init__(self, first: Sequence[Outcome], second: Sequence[Outcome]) -> None:
        self.points: list[Point] = []
        left_out: Counter[str] = Counter()
        views = [Remembered(each) for each in first]
        others = [Remembered(each) for each in second]
        for number, outcome in enumerate(first, 1):
            for conditions_of in LEVELS:
                conditions = conditions_of(outcome)
                if conditions is None:
                    continue
                holds = test(conditions)
                met = [holds(each) for each in views]
                if sum(met) == sum(map(holds, others)):
                    self.points.append(Point(number, outcome, conditions, sum(met[: number - 1])))
                    break
            else:
                left_out[f"{outcome.method} {outcome.path}"] += 1
        self.left_out = [name if count == 1 else f"{name} x {count}" for name, count in left_out.items()]
        self.polled = self._without_polls()

    def _without_polls(self) -> list[str]:
        alike: dict[str, list[Point]] = {}
        for point in self.points:
            alike.setdefault(repr(point.conditions), []).append(point)
        polled = []
        for points in alike.values():
            if len(points) > _POLLS:
                polled.append(f"{points[0].outcome.method} {points[0].outcome.path} x {len(points)}")
                dropped = {id(each) for each in points[2:-1]}
                self.points = [each for each in self.points if id(each) not in dropped]
        return polled


def name_of(outcome: Outcome) -> str:
    """`UploadPart /bucket/key`, or method and path where the request is no storage operation."""
    return f"{outcome.operation or outcome.method} {outcome.path}"


def point_in(trace: Sequence[Outcome], at: int) -> Point:
    """The point of one request of a single run."""
    conditions = exact(trace[at])
    holds = test(conditions)
    return Point(at + 1, trace[at], conditions, sum(holds(Remembered(each)) for each in trace[:at]))


def exact(outcome: Outcome) -> Conditions:
    """Method, path and each parameter; of a volatile one, and of one that the journal keeps back, that it is there."""
    found = {"method": outcome.method, "path": literal(outcome.path)}
    for name, value in _parameters(outcome):
        found[f"query.{name}"] = "" if _changes(name, value) else literal(value)
    return found


def masked(outcome: Outcome) -> Conditions | None:
    """The same with a star for what is new in each run; None where nothing is."""
    found = {"method": outcome.method, "path": _starred(outcome.path)}
    for name, value in _parameters(outcome):
        found[f"query.{name}"] = "" if _changes(name, value) else _starred(value)
    return (
        None if found == exact(outcome) or any(each.count("*") > _STARS for each in found.values()) else found
    )


def by_operation(outcome: Outcome) -> Conditions | None:
    """The operation alone; None where there is none."""
    return None if outcome.operation is None else {"operation": outcome.operation}


LEVELS: tuple[Callable[[Outcome], Conditions | None], ...] = (exact, masked, by_operation)


def literal(value: str) -> str:
    """A value as a pattern that means itself."""
    special = "*" in value or "?" in value or value[:1] == "=" or value[-1:] == "/"
    return f"={value}" if special else value


def identity(outcome: Outcome) -> str:
    """What a request asks for, the same in two runs of the same code."""
    return repr(sorted((masked(outcome) or exact(outcome)).items()))


def test(conditions: Conditions) -> Callable[[Any], bool]:
    """A test of a remembered request for all of these conditions."""
    checks = []
    for full, text in conditions.items():
        key, _, name = full.partition(".")
        checks.append(CONDITIONS[key].compile((text,), name, READING))
    return lambda request: all(holds(request) for holds in checks)


def _parameters(outcome: Outcome) -> Iterable[tuple[str, str]]:
    from urllib.parse import parse_qsl

    return dict(parse_qsl(outcome.query, keep_blank_values=True)).items()


def _changes(name: str, value: str) -> bool:
    folded = name.lower()
    return value == "…" or folded in volatile_parameters() or folded in _MARKERS


def _starred(value: str) -> str:
    if not _CHANGING.search(value) or "*" in value or "?" in value or value[-1:] == "/":
        return literal(value)
    return _CHANGING.sub("*", value)

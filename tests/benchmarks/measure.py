"""Measures side by side, in shuffled short blocks of process CPU time, with a control.

A comparison measures its base twice, as itself and once more under the name `AGAIN`. The median ratio of the two is
the control: where two measurements of the same thing differ by more than 5 %, nothing measured beside them counts.
"""

import gc
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from time import process_time_ns
from typing import Any, Self

Block = Callable[[int], object]
"""Does a thing so many times."""

AGAIN = "the base again"
CONTROL = (0.95, 1.05)
ATTEMPTS = 3
"""Attempts at a measurement whose control is off, and so says nothing of the contenders.

A valid measurement is never repeated.
"""


@dataclass(frozen=True)
class Goal:
    """A number to reach.

    Attributes:
        sign: `≤`, `≥` or `=`; empty for a number that is only shown.
        limit: the number itself.
        unit: `×`, `µs`, `ms`, `MiB`; empty for yes or no.
    """

    sign: str
    limit: float
    unit: str = "×"

    def met(self, value: float) -> bool:
        if self.sign == "≤":
            return value <= self.limit
        return not self.sign or (value >= self.limit if self.sign == "≥" else value == self.limit)

    def __str__(self) -> str:
        return f"{self.sign} {shown(self.limit, self.unit)}" if self.sign else "–"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        measured: the median.
        low: the first quartile.
        high: the third quartile.
        control: bare against bare, or None where nothing is compared.
    """

    case: str
    against: str
    goal: Goal
    measured: float
    low: float
    high: float
    control: float | None = None
    note: str = ""

    @property
    def void(self) -> bool:
        return self.control is not None and not CONTROL[0] <= self.control <= CONTROL[1]

    @property
    def verdict(self) -> str:
        if self.void:
            return "void"
        if not self.goal.sign:
            return ""
        return "yes" if self.goal.met(self.measured) else "NO"

    def to_dict(self) -> dict[str, object]:
        return {**asdict(self), "ok": self.verdict}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        given = {name: value for name, value in fields.items() if name != "ok"}
        return cls(**{**given, "goal": Goal(**given["goal"])})


def shown(value: float, unit: str) -> str:
    """A number with its unit, as precise as it deserves."""
    if not unit:
        return "yes" if value else "no"
    digits = 0 if value >= 100 else 1 if value >= 20 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f} {unit}"


def spread(values: list[float]) -> tuple[float, float, float]:
    """Median and quartiles."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return median(values), low, high


@dataclass(frozen=True)
class Sample:
    """Times of one comparison: nanoseconds a call, round by round."""

    base: str
    times: dict[str, list[float]]

    @property
    def control(self) -> float:
        return median(self.ratios(AGAIN))

    def ratios(self, name: str, base: str = "") -> list[float]:
        return [
            one / other for one, other in zip(self.times[name], self.times[base or self.base], strict=True)
        ]

    def added(self, name: str, base: str = "") -> list[float]:
        """Nanoseconds more than the base, round by round."""
        return [
            one - other for one, other in zip(self.times[name], self.times[base or self.base], strict=True)
        ]

    def added_row(self, name: str, case: str, against: str, goal: Goal, base: str = "") -> Row:
        """Show the time that is added to the base, in the unit of the goal."""
        unit = {"µs": 1e3, "ms": 1e6}[goal.unit]
        return self.row(case, against, goal, [each / unit for each in self.added(name, base)])

    def row(self, case: str, against: str, goal: Goal, values: list[float], note: str = "") -> Row:
        return Row(case, against, goal, *spread(values), control=self.control, note=note)

    def ratio(self, name: str, case: str, against: str, goal: Goal, base: str = "") -> Row:
        added = median(self.added(name, base))
        scale, unit = (1e3, "µs") if abs(added) < 1e6 else (1e6, "ms")
        note = f"{median(self.times[name]) / scale:.2f} {unit}, {added / scale:+.2f} {unit}"
        return self.row(case, against, goal, self.ratios(name, base), note)


def side_by_side(
    blocks: dict[str, Block],
    *,
    base: str = "",
    rounds: int = 81,
    milliseconds: float = 4.0,
    once: bool = False,
) -> Sample:
    """Measure contenders in shuffled rounds of short blocks.

    Args:
        blocks: by name; the first is the base unless another is named.
        rounds: how often each is measured.
        milliseconds: how long a block takes.
        once: each block is one call of something long.
    """
    base = base or next(iter(blocks))
    contenders = {**blocks, AGAIN: blocks[base]}
    counts = {name: 1 if once else _calls(block, milliseconds) for name, block in contenders.items()}
    counts[AGAIN] = counts[base]
    order = list(contenders)
    shuffle = random.Random(1).shuffle
    sample = Sample(base, {})
    for _ in range(ATTEMPTS):  # while the base and the base again differ, the machine was busy
        sample = Sample(base, {name: [] for name in order})
        gc.collect()
        gc.freeze()
        for _round in range(rounds):
            shuffle(order)
            for name in order:
                block, count = contenders[name], counts[name]
                before = process_time_ns()
                block(count)
                sample.times[name].append((process_time_ns() - before) / count)
        gc.unfreeze()
        if CONTROL[0] <= sample.control <= CONTROL[1]:
            break
    return sample


def _calls(block: Block, milliseconds: float) -> int:
    """The number of calls that fill a block, after a few that import and prepare."""
    block(3)
    count, spent = 1, 0
    while spent <= milliseconds * 500_000:
        count *= 2
        before = process_time_ns()
        block(count)
        spent = process_time_ns() - before
    return max(1, int(count * milliseconds * 1_000_000 / spent))


def retried(measure: Callable[[], list[Row]]) -> list[Row]:
    """Measure again, at most three times in all, while a control says that the run is void."""
    rows: list[Row] = []
    for _ in range(ATTEMPTS):
        rows = measure()
        if not any(row.void for row in rows):
            break
    return rows


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "| case | against | goal | measured | p25..p75 | control | ok |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        unit = row.goal.unit
        quartiles = "" if row.low == row.high else f"{shown(row.low, '×')[:-2]}..{shown(row.high, '×')[:-2]}"
        control = "" if row.control is None else f"{row.control:.3f}"
        measured = shown(row.measured, unit) + (f" ({row.note})" if row.note else "")
        cells = (row.case, row.against, str(row.goal), measured, quartiles, control, row.verdict)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)

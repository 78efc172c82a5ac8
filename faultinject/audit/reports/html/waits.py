"""How long the client waited before each retry, on a log axis."""

from __future__ import annotations

from statistics import median

from faultinject.audit.checks.words import seconds
from faultinject.audit.reports.html.scales import Scale, counts, powers
from faultinject.audit.reports.html.times import YEAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.audit.evidence import Evidence
    from faultinject.audit.profiles import Profile

KINDS = {
    "throttle": "after a throttle error",
    "server": "after a server error",
    "transport": "after a broken connection",
}
"""The kinds of failure whose waits are drawn, in words."""
SHORTEST = 0.001
"""Seconds at the foot of the axis; shorter waits stand there."""
ALONE = 8
"""Retry numbers that have a column each; above, columns are 9–16, 17–32 and so on."""
FAR = 20
"""A limit so many times as long as the longest wait is not drawn."""
DOTS = 60
"""Waits of one cloud that are drawn one by one; more are drawn by their density."""
WIDTH, HEIGHT, LEFT, TOP = 460.0, 300.0, 56.0, 8.0


class Cloud:
    """Waits before one retry (or a few numbers of them) after one kind of failure.

    Attributes:
        kind: the kind of failure.
        low: the first retry number.
        high: the last one.
        waits: seconds, sorted.
        bound: the longest wait that is documented, seconds; None where there is none, or several.
        limit: left end, height and length of the line that shows it, pixels; None where it is not drawn.
        marks: where each wait stands, pixels, unless there are too many.
        bars: place and size of each part of their shape, pixels, where there are.
    """

    def __init__(self, kind: str, low: int, high: int, waits: list[float], profile: Profile | None) -> None:
        self.kind = kind
        self.low, self.high = low, high
        self.waits = sorted(waits)
        bounds = set() if profile is None else {profile.bound(kind, low), profile.bound(kind, high)}
        self.bound = bounds.pop() if len(bounds) == 1 else None
        self.limit: tuple[float, float, float] | None = None
        self.marks: list[tuple[float, float]] = []
        self.bars: list[tuple[float, float, float, float]] = []

    def draw(self, axis: Scale, middle: float, wide: float) -> None:
        """Find the place of each part of it around `middle`, pixels."""
        if self.bound is not None and self.bound <= axis.high:
            # Broader than the cloud and behind it: neither hides the other where they are the same.
            self.limit = middle - wide * 0.65, axis(self.bound), wide * 1.3
        if len(self.waits) <= DOTS:
            # Multiples of the golden ratio lie apart from each other without being drawn by chance.
            shifts = ((number * 0.618034) % 1 - 0.5 for number in range(len(self.waits)))
            self.marks = [
                (middle + shift * wide, axis(each)) for shift, each in zip(shifts, self.waits, strict=True)
            ]
            return
        heights = counts(map(axis, self.waits), axis.end, axis.begin, int((axis.begin - axis.end) / 4))
        for number, many in enumerate(heights):
            if many:
                own = max(1.5, wide * many / max(heights))
                self.bars.append((middle - own / 2, axis.end + number * 4, own, 4.2))

    @property
    def tip(self) -> str:
        """What it is, in words."""
        kind, numbers, count, low, usual, high, _ = self.cells
        return f"retry {numbers} {kind}: {count} waits, {low} to {high}, median {usual}"

    @property
    def numbers(self) -> str:
        """`3`, `9–16`."""
        return str(self.low) if self.low == self.high else f"{self.low:,}–{self.high:,}"

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of the table of numbers: kind, retry, n, shortest, median, longest, documented limit."""
        times = (self.waits[0], median(self.waits), self.waits[-1], self.bound)
        told = ("–" if each is None else seconds(each) for each in times)
        return (KINDS[self.kind], self.numbers, f"{len(self.waits):,}", *told)


def clouds(evidence: Evidence) -> list[Cloud]:
    """The client's own waits, those that the checks judge, by kind of failure and retry number."""
    found: dict[tuple[str, int, int], list[float]] = {}
    for wait in evidence.waits:
        if wait.seconds < YEAR:
            found.setdefault((wait.kind, *_column(wait.retry)), []).append(wait.seconds)
    order = list(KINDS)
    keys = sorted(found, key=lambda key: (order.index(key[0]), key[1]))
    return [Cloud(*key, found[key], evidence.profile) for key in keys]


class Waits:
    """What the picture shows.

    Args:
        found: the clouds, at least one.
        zero: a shorter wait is none, seconds.

    Attributes:
        number: how many waits.
        axis: from seconds to pixels.
        floor: where waits begin that can be told from none, pixels.
        powers: seconds that have a line, and their names.
        columns: the middle of each, pixels, and its clouds.
    """

    width, height, left = WIDTH, HEIGHT, LEFT

    def __init__(self, found: list[Cloud], zero: float) -> None:
        self.clouds = found
        self.number = sum(len(each.waits) for each in found)
        self.kinds = list(dict.fromkeys(each.kind for each in found))
        self.bounded = any(each.bound is not None for each in found)
        self.dense = any(len(each.waits) > DOTS for each in found)
        longest = max(2 * zero, *(each.waits[-1] for each in found))
        bounds = [each.bound for each in found if each.bound is not None and each.bound < FAR * longest]
        shortest = min(each.waits[0] for each in found)
        low = max(SHORTEST, 10.0 ** (len(powers(SHORTEST, max(min(shortest, zero), SHORTEST))) - 4))
        self.axis = Scale(low, max([longest, *bounds]) * 1.5, HEIGHT - 40, TOP, log=True)
        self.floor = self.axis(zero)
        self.powers = [(each, _power(each)) for each in powers(low, self.axis.high)]
        self.columns: list[tuple[float, list[Cloud]]] = []
        self._lay_out()

    @staticmethod
    def words(kind: str) -> str:
        """The kind of failure in words."""
        return KINDS[kind]

    def _lay_out(self) -> None:
        """Give every cloud its place: kinds stand in the same order in every column."""
        columns = sorted({(each.low, each.high) for each in self.clouds})
        wide = (WIDTH - LEFT) / len(columns)
        own = min(wide / len(self.kinds), 44)
        for place, column in enumerate(columns):
            middle = LEFT + wide * (place + 0.5)
            here = [each for each in self.clouds if (each.low, each.high) == column]
            for each in here:
                aside = self.kinds.index(each.kind) - (len(self.kinds) - 1) / 2
                each.draw(self.axis, middle + aside * own, own * 0.72)
            self.columns.append((middle, here))


def _column(number: int) -> tuple[int, int]:
    """The retry numbers that share a column with this one."""
    if number <= ALONE:
        return number, number
    low = ALONE
    while low * 2 < number:
        low *= 2
    return low + 1, low * 2


def _power(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"

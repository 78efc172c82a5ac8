"""How long the client waited before each retry, on a log axis."""

from __future__ import annotations

from statistics import median

from faultinject.audit.checks.words import seconds
from faultinject.audit.reports.html import svg
from faultinject.audit.reports.html.times import YEAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultinject.audit.evidence import Evidence
    from faultinject.audit.profiles import Profile

KINDS = {
    "throttle": ("after a throttle error", svg.dot),
    "server": ("after a server error", svg.dot),
    "transport": ("after a broken connection", svg.triangle),
}
"""The kinds of failure whose waits are drawn: in words, and their mark."""
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
    """

    def __init__(self, kind: str, low: int, high: int, waits: list[float], profile: Profile | None) -> None:
        self.kind = kind
        self.low, self.high = low, high
        self.waits = sorted(waits)
        bounds = set() if profile is None else {profile.bound(kind, low), profile.bound(kind, high)}
        self.bound = bounds.pop() if len(bounds) == 1 else None

    @property
    def numbers(self) -> str:
        """`3`, `9–16`."""
        return str(self.low) if self.low == self.high else f"{self.low:,}–{self.high:,}"

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of the table of numbers: kind, retry, n, shortest, median, longest, documented limit."""
        times = (self.waits[0], median(self.waits), self.waits[-1], self.bound)
        told = ("–" if each is None else seconds(each) for each in times)
        return (KINDS[self.kind][0], self.numbers, f"{len(self.waits):,}", *told)


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
    """The picture.

    Args:
        found: the clouds, at least one.
        zero: a shorter wait is none, seconds.
    """

    def __init__(self, found: list[Cloud], zero: float) -> None:
        self.clouds = found
        self.kinds = list(dict.fromkeys(each.kind for each in found))
        self.bounded = any(each.bound is not None for each in found)
        self.dense = any(len(each.waits) > DOTS for each in found)
        self._zero = zero
        longest = max(2 * zero, *(each.waits[-1] for each in found))
        bounds = [each.bound for each in found if each.bound is not None and each.bound < FAR * longest]
        shortest = min(each.waits[0] for each in found)
        low = max(SHORTEST, 10.0 ** (len(svg.powers(SHORTEST, max(min(shortest, zero), SHORTEST))) - 4))
        self._axis = svg.Scale(low, max([longest, *bounds]) * 1.5, HEIGHT - 40, TOP, log=True)
        self._columns = sorted({(each.low, each.high) for each in found})

    def __html__(self) -> str:
        """The picture as SVG."""
        told = f"{sum(len(each.waits) for each in self.clouds):,} waits by retry number, on a log axis."
        picture = svg.Picture(WIDTH, "Wait before each retry", told)
        picture.height = HEIGHT
        axis = self._axis
        floor = axis(self._zero)
        picture.box(LEFT, floor, WIDTH - LEFT, axis.begin - floor, "floor", "cannot be told from no wait")
        for each in svg.powers(axis.low, axis.high):
            y = axis(each)
            picture.path([f"M{svg.at(LEFT, y)}H{svg.number(WIDTH)}"], "grid")
            picture.text(LEFT - 6, y + 4, _power(each), "tick", "end")
        picture.text(WIDTH - 4, axis.begin - 5, "cannot be told from no wait", "tick", "end")
        wide = (WIDTH - LEFT) / len(self._columns)
        for number, column in enumerate(self._columns):
            middle = LEFT + wide * (number + 0.5)
            here = [each for each in self.clouds if (each.low, each.high) == column]
            picture.text(middle, HEIGHT - 24, here[0].numbers, "tick", "middle")
            for place, cloud in self._side_by_side(here, middle, wide):
                self._draw(picture, cloud, place, min(wide / len(self.kinds), 44) * 0.72)
        picture.text(LEFT + (WIDTH - LEFT) / 2, HEIGHT - 6, "retry number", "tick", "middle")
        return str(picture)

    @staticmethod
    def words(kind: str) -> str:
        """The kind of failure in words."""
        return KINDS[kind][0]

    @staticmethod
    def mark(kind: str) -> str:
        """Its mark as a path, in the middle of 12 by 12 pixels."""
        return KINDS[kind][1](6, 6)

    def _side_by_side(self, here: list[Cloud], middle: float, wide: float) -> Iterator[tuple[float, Cloud]]:
        """Each cloud with its place: kinds stand in the same order in every column."""
        own = min(wide / len(self.kinds), 44)
        for each in here:
            yield middle + (self.kinds.index(each.kind) - (len(self.kinds) - 1) / 2) * own, each

    def _draw(self, picture: svg.Picture, cloud: Cloud, middle: float, wide: float) -> None:
        kind, numbers, count, low, usual, high, _ = cloud.cells
        picture.begin(f"retry {numbers} {kind}: {count} waits, {low} to {high}, median {usual}")
        if cloud.bound is not None and cloud.bound <= self._axis.high:
            # Broader than the cloud and behind it: neither hides the other where they are the same.
            left, y = middle - wide * 0.65, self._axis(cloud.bound)
            picture.path([f"M{svg.at(left, y)}h{svg.number(wide * 1.3)}"], "bound")
        if len(cloud.waits) > DOTS:
            self._draw_density(picture, cloud, middle, wide)
        else:
            mark = KINDS[cloud.kind][1]
            # Multiples of the golden ratio lie apart from each other without being drawn by chance.
            shifts = ((number * 0.618034) % 1 - 0.5 for number in range(len(cloud.waits)))
            marks = (
                mark(middle + shift * wide, self._axis(each))
                for shift, each in zip(shifts, cloud.waits, strict=True)
            )
            picture.path(marks, f"mark {cloud.kind}")
        picture.end()

    def _draw_density(self, picture: svg.Picture, cloud: Cloud, middle: float, wide: float) -> None:
        axis = self._axis
        bins = int((axis.begin - axis.end) / 4)
        heights = svg.counts(map(axis, cloud.waits), axis.end, axis.begin, bins)
        for number, many in enumerate(heights):
            if many:
                own = max(1.5, wide * many / max(heights))
                picture.box(middle - own / 2, axis.end + number * 4, own, 4.2, f"dense {cloud.kind}")


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

"""How long the client waited before each retry, on a log axis."""

from __future__ import annotations

from statistics import median

from faultinject.audit.checks.words import seconds
from faultinject.audit.reports.html.scales import Scale, powers, spread_over

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
LAST = 9
"""The retry number whose column has all later ones as well."""
FAR = 20
"""A limit so many times as long as the longest wait is not drawn."""
DOTS = 60
"""Waits of one cloud that are drawn; of more, as many of all lengths."""
WIDTH, HEIGHT, LEFT, TOP = 460.0, 300.0, 56.0, 8.0


class Cloud:
    """Waits before one retry after one kind of failure.

    Attributes:
        kind: the kind of failure.
        retry: the number of the retry; `LAST` for all later ones as well.
        waits: seconds, sorted.
        bound: the longest wait that is documented, seconds; None where there is none.
        limit: left end, height and length of the line that shows it, pixels; None where it is not drawn.
        marks: where waits stand, pixels.
    """

    def __init__(self, kind: str, retry: int, waits: list[float], profile: Profile | None) -> None:
        self.kind = kind
        self.retry = retry
        self.waits = sorted(waits)
        self.bound = None if profile is None else profile.bound(kind, retry)
        self.limit: tuple[float, float, float] | None = None
        self.marks: list[tuple[float, float]] = []

    def draw(self, axis: Scale, middle: float, wide: float) -> None:
        """Find the place of each part of it around `middle`, pixels."""
        if self.bound is not None and self.bound <= axis.high:
            # Broader than the cloud and behind it: neither hides the other where they are the same.
            self.limit = middle - wide * 0.65, axis(self.bound), wide * 1.3
        # Multiples of the golden ratio lie apart from each other without being drawn by chance.
        self.marks = [
            (middle + ((number * 0.618034) % 1 - 0.5) * wide, axis(each))
            for number, each in enumerate(spread_over(DOTS, self.waits))
        ]

    @property
    def tip(self) -> str:
        """What it is, in words."""
        kind, numbers, count, low, usual, high, _ = self.cells
        return f"retry {numbers} {kind}: {count} waits, {low} to {high}, median {usual}"

    @property
    def numbers(self) -> str:
        """`3`, `9+`."""
        return f"{self.retry}+" if self.retry == LAST else str(self.retry)

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of the table of numbers: kind, retry, n, shortest, median, longest, documented limit."""
        times = (self.waits[0], median(self.waits), self.waits[-1], self.bound)
        told = ("–" if each is None else seconds(each) for each in times)
        return (KINDS[self.kind], self.numbers, f"{len(self.waits):,}", *told)


def clouds(evidence: Evidence) -> list[Cloud]:
    """The client's own waits, those that the checks judge, by kind of failure and retry number."""
    found: dict[tuple[str, int], list[float]] = {}
    for (kind, retry), group in evidence.waits_by_number.items():
        found.setdefault((kind, min(retry, LAST)), []).extend(group.seconds)
    return [Cloud(*key, waits, evidence.profile) for key, waits in found.items()]


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

    width, height, left, words = WIDTH, HEIGHT, LEFT, KINDS

    def __init__(self, found: list[Cloud], zero: float) -> None:
        self.clouds = found
        self.number = sum(len(each.waits) for each in found)
        self.kinds = list(dict.fromkeys(each.kind for each in found))
        self.bounded = any(each.bound is not None for each in found)
        longest = max(2 * zero, *(each.waits[-1] for each in found))
        bounds = [each.bound for each in found if each.bound is not None and each.bound < FAR * longest]
        shortest = min(each.waits[0] for each in found)
        low = max(SHORTEST, 10.0 ** (len(powers(SHORTEST, max(min(shortest, zero), SHORTEST))) - 4))
        self.axis = Scale(low, max([longest, *bounds]) * 1.5, HEIGHT - 40, TOP, log=True)
        self.floor = self.axis(zero)
        self.powers = [(each, _power(each)) for each in powers(low, self.axis.high)]
        self.columns: list[tuple[float, list[Cloud]]] = []
        # Kinds stand in the same order in every column.
        columns = sorted({each.retry for each in self.clouds})
        wide = (WIDTH - LEFT) / len(columns)
        own = min(wide / len(self.kinds), 44)
        for place, column in enumerate(columns):
            middle = LEFT + wide * (place + 0.5)
            here = [each for each in self.clouds if each.retry == column]
            for each in here:
                aside = self.kinds.index(each.kind) - (len(self.kinds) - 1) / 2
                each.draw(self.axis, middle + aside * own, own * 0.72)
            self.columns.append((middle, here))


def _power(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"

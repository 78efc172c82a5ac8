"""The few statistics that the checks need, and grouping by a key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from math import exp, inf, sqrt
from statistics import fmean, linear_regression, pstdev, variance
from statistics import median as median
from typing import TypeVar

Thing = TypeVar("Thing")
Key = TypeVar("Key", bound=Hashable)

FEWEST = 3
"""The number of cases with the same outcome that is not taken for chance."""
MANY = 20
"""The number of durations that shows how long most of them are."""


def grouped(things: Iterable[Thing], key: Callable[[Thing], Key]) -> dict[Key, list[Thing]]:
    """Group things by a key, in the order in which they come.

    >>> grouped(["get", "put", "head"], len)
    {3: ['get', 'put'], 4: ['head']}
    """
    groups: dict[Key, list[Thing]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return groups


def p95(values: Sequence[float]) -> float:
    """The value that 19 of 20 do not exceed.

    >>> p95(range(1, 101)), p95([1, 2, 3])
    (95, 3)
    """
    return sorted(values)[(len(values) * 95 + 99) // 100 - 1]


def variation(values: Sequence[float]) -> float:
    """The standard deviation as a share of the mean: 0 if all values are equal.

    It is 0.58 for even draws from 0, and 1 for the intervals between events at random times.

    >>> variation([2, 2, 2]), variation([1, 3]), variation([0, 0])
    (0.0, 0.5, 0.0)
    """
    mean = fmean(values)
    return pstdev(values, mean) / mean if mean else 0.0


def most_within(values: Sequence[float], width: float) -> int:
    """The most values that lie within one window of that width.

    >>> most_within([1.0, 1.05, 1.1, 2.0], 0.1)
    3
    """
    ordered = sorted(values)
    width += 1e-9
    low = 0
    for value in ordered:
        # The window never shrinks: only one with more values matters.
        if value - ordered[low] > width:
            low += 1
    return len(ordered) - low


def most_in_beat(values: Sequence[float], period: float) -> int:
    """The most values that lie in the same tenth of every period, wherever that begins.

    >>> most_in_beat([0.01, 1.02, 3.97, 4.5], 1.0)
    3
    """
    phases = [value % period for value in values]
    return min(len(values), most_within([*phases, *(phase + period for phase in phases)], period / 10))


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The slope through points by least squares, and its standard error (infinite for two)."""
    n, (xs, ys) = len(points), zip(*points, strict=True)
    gradient, start = linear_regression(xs, ys)
    rest = sum((y - start - gradient * x) ** 2 for x, y in points)
    return gradient, sqrt(rest / (n - 2) / (n - 1) / variance(xs)) if n > 2 else inf


def uneven(values: Sequence[float]) -> tuple[float, float]:
    """Smirnov's distances of values to the left and to the right of an even draw from 0 to 1.

    >>> uneven([0.1, 0.2]), uneven([0.5])
    ((0.8, 0.1), (0.5, 0.5))
    """
    ordered = sorted(min(1.0, max(0.0, value)) for value in values)
    n = len(ordered)
    left = max((i + 1) / n - value for i, value in enumerate(ordered))
    return left, max(value - i / n for i, value in enumerate(ordered))


def chance(n: int, distance: float) -> float:
    """The probability that `n` even draws have at least this distance, to either side.

    The distribution of Kolmogorov and Smirnov with Stephens' correction: Numerical Recipes, 3rd edition, 14.3.3.
    """
    size = (sqrt(n) + 0.12 + 0.11 / sqrt(n)) * distance
    if size < 0.2:
        return 1.0
    total = sum((1 if k % 2 else -1) * exp(-2 * (k * size) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * total))

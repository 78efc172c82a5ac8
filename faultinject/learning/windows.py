"""When a share of errors changed: the log's time is cut where that makes what was seen much more likely."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import inf, log

BINS = 400
"""Pieces of time that a cut may stand between."""
MOST = 12
"""Windows of one kind of request at most."""
LEAST = 20
"""Requests of the shortest window."""


def cuts(requests: Sequence[int], errors: Sequence[int]) -> list[int]:
    """Where the share of errors changes.

    Of all ways to cut the time that one is taken which explains the errors best, where each cut has to make them so much more
    likely as chance reaches at hardly any of the places (a likelihood ratio: twice its logarithm above 12 + 2·ln of their number).

    Args:
        requests: how many there were in each piece of time.
        errors: how many of them failed.

    Returns:
        The pieces before which a new share begins, sorted.
    """
    sums = [(0, 0)]
    for n, k in zip(requests, errors, strict=True):
        sums.append((sums[-1][0] + n, sums[-1][1] + k))
    found = _best(sums, 6 + log(max(1, len(requests))))
    while len(found) >= MOST:
        around = zip([0, *found], found, [*found[1:], len(requests)], strict=False)
        _, least, _ = min(around, key=partial(_gain, sums))
        found.remove(least)
    return found


def _gain(sums: Sequence[tuple[int, int]], places: tuple[int, int, int]) -> float:
    """How much more likely a cut makes the errors between the one before it and the one behind it."""
    before, at, after = places
    parts = _likelihood(sums, before, at) + _likelihood(sums, at, after)
    return parts - _likelihood(sums, before, after)


def _best(sums: Sequence[tuple[int, int]], penalty: float) -> list[int]:
    """The best cuts, each of which costs the penalty (optimal partitioning, https://doi.org/10.1109/LSP.2001.838216)."""
    # Of each beginning of the log: how likely its errors are with the best cuts, and the last of these.
    best = [(0.0, 0)]
    for end in range(1, len(sums)):
        ways = (
            (best[at][0] + _likelihood(sums, at, end) - penalty, at)
            for at in range(end)
            if sums[end][0] - sums[at][0] >= LEAST
        )
        best.append(max(ways, default=(-inf, 0)))
    found: list[int] = []
    at = best[-1][1]
    while at:
        found.insert(0, at)
        at = best[at][1]
    return found


def _likelihood(sums: Sequence[tuple[int, int]], start: int, end: int) -> float:
    """The logarithm of how likely the errors of a piece are, with the share that fits best."""
    n, k = sums[end][0] - sums[start][0], sums[end][1] - sums[start][1]
    return sum(each * log(each / n) for each in (k, n - k) if each)


def interval(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The share of which k of n is a likely sample: Wilson's interval, of 95 % by default.

    >>> [round(each, 4) for each in interval(3, 1000)]
    [0.001, 0.0088]
    """
    share = k / n
    middle = share + z * z / (2 * n)
    width = z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    scale = 1 + z * z / n
    return max(0.0, (middle - width) / scale), min(1.0, (middle + width) / scale)

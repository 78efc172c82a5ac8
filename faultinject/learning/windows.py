"""Finds the times at which a share of errors changed.

The log's time is cut where that makes the log much more likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import log

BINS = 400
"""The most pieces of time; a cut stands between two of them."""
MOST = 12
"""Windows of one kind of request, or one more."""
LEAST = 20
"""Requests of the shortest window."""


def cuts(requests: Sequence[int], errors: Sequence[int]) -> list[int]:
    """The places where the share of errors changes.

    Binary segmentation: a piece is cut where two shares explain it better than one, by a likelihood ratio that chance
    reaches at hardly any of the places that were tried (twice its logarithm above 12 + 2·ln of their number). Two
    cuts at once, as of an outage in the middle, gain that much each.

    Args:
        requests: the number in each piece of time.
        errors: the number of them that failed.

    Returns:
        The pieces before which a new share begins, sorted.
    """
    sums = [(0, 0)]
    for n, k in zip(requests, errors, strict=True):
        sums.append((sums[-1][0] + n, sums[-1][1] + k))
    bound = 12 + 2 * log(max(1, len(requests)))
    chosen: list[int] = []
    pieces = [(0, len(requests))]
    while requests and len(chosen) < MOST - 1:
        # The piece whose best cut gains most goes first.
        (gain, places), start, end = max((_best(sums, *piece), *piece) for piece in pieces)
        if gain <= bound:
            break
        chosen += places
        pieces.remove((start, end))
        pieces += pairwise([start, *places, end])
    return _needed(sums, sorted(chosen), bound)


def _needed(sums: Sequence[tuple[int, int]], chosen: list[int], bound: float) -> list[int]:
    """Remove the cuts that no longer gain enough.

    The first cut stood where it did for want of those that came after it.
    """
    while chosen:
        edges = [0, *chosen, len(sums) - 1]
        gains = [
            2
            * (
                _likelihood(sums, before, at)
                + _likelihood(sums, at, after)
                - _likelihood(sums, before, after)
            )
            for before, at, after in zip(edges, chosen, edges[2:], strict=False)
        ]
        least = min(gains)
        if least > bound:
            break
        del chosen[gains.index(least)]
    return chosen


def _best(sums: Sequence[tuple[int, int]], start: int, end: int) -> tuple[float, list[int]]:
    """The gain of the best cut of a piece, or of the best two for each, and their places.

    Two cuts have the most or the fewest errors between them.
    """
    gain, at = _best_one(sums, start, end)
    requests, errors = sums[end][0] - sums[start][0], sums[end][1] - sums[start][1]

    def excess(at: int) -> int:
        """The surplus of errors before a place over an even spread, times the requests."""
        return (sums[at][1] - sums[start][1]) * requests - (sums[at][0] - sums[start][0]) * errors

    first = min(min(range(start, end), key=excess), max(range(start, end), key=excess))
    _, last = _best_one(sums, first, end)
    _, first = _best_one(sums, start, last)
    pieces = [*pairwise((start, first, last, end))]
    if min(sums[after][0] - sums[before][0] for before, after in pieces) < LEAST:
        return gain, [at]
    both = 2 * (sum(_likelihood(sums, *piece) for piece in pieces) - _likelihood(sums, start, end))
    return max((gain, [at]), (both / 2, [first, last]))


def _best_one(sums: Sequence[tuple[int, int]], start: int, end: int) -> tuple[float, int]:
    """The gain of the best single cut of a piece, and its place; the beginning if there is none."""
    whole = _likelihood(sums, start, end)
    best = (0.0, start)
    for at in range(start + 1, end):
        if min(sums[at][0] - sums[start][0], sums[end][0] - sums[at][0]) < LEAST:
            continue
        gain = 2 * (_likelihood(sums, start, at) + _likelihood(sums, at, end) - whole)
        if gain > best[0]:
            best = (gain, at)
    return best


def _likelihood(sums: Sequence[tuple[int, int]], start: int, end: int) -> float:
    """The log-likelihood of the errors of a piece, with the share that fits best."""
    n, k = sums[end][0] - sums[start][0], sums[end][1] - sums[start][1]
    return sum(count * log(count / n) for count in (k, n - k) if count)


def interval(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The share of which k of n is a likely sample: Wilson's interval, of 95 % by default.

    >>> [round(bound, 4) for bound in interval(3, 1000)]
    [0.001, 0.0088]
    """
    share = k / n
    middle = share + z * z / (2 * n)
    width = z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    scale = 1 + z * z / n
    return max(0.0, (middle - width) / scale), min(1.0, (middle + width) / scale)

"""Finds the times at which the share of errors changed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import log

BINS = 400
"""The largest number of bins: pieces of time, between which cuts are made."""
MOST = 12
"""The largest number of windows of one kind of request; the last cut may add one more."""
LEAST = 20
"""The smallest number of requests in a window."""


def cuts(requests: Sequence[int], errors: Sequence[int]) -> list[int]:
    """Find the places at which the share of errors changes.

    The method is binary segmentation: a piece is cut if two shares explain it better than one. Twice the logarithm of
    the likelihood ratio must exceed 12 + 2·ln of the number of bins; by chance that almost never happens. Two cuts may
    be made at once, such as the beginning and the end of an outage, if each gains that much.

    Args:
        requests: the number of requests in each bin.
        errors: the number of failed requests in each bin.

    Returns:
        The bins at which a new share begins, sorted.
    """
    sums = [(0, 0)]
    for n, k in zip(requests, errors, strict=True):
        sums.append((sums[-1][0] + n, sums[-1][1] + k))
    bound = 12 + 2 * log(max(1, len(requests)))
    chosen: list[int] = []
    pieces = [(0, len(requests))]
    while requests and len(chosen) < MOST - 1:
        # Cut the piece with the greatest gain first.
        (gain, places), start, end = max((_best(sums, *piece), *piece) for piece in pieces)
        if gain <= bound:
            break
        chosen += places
        pieces.remove((start, end))
        pieces += pairwise([start, *places, end])
    return _needed_cuts(sums, sorted(chosen), bound)


def _needed_cuts(sums: Sequence[tuple[int, int]], chosen: list[int], bound: float) -> list[int]:
    """Remove cuts that gain too little since a later cut was made."""
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
    """Find the best cut or the best two cuts of a piece; return the gain per cut and the places."""
    gain, at = _best_one(sums, start, end)
    requests, errors = sums[end][0] - sums[start][0], sums[end][1] - sums[start][1]

    def excess(at: int) -> int:
        """The errors before a place, minus those of an even spread, times the requests."""
        return (sums[at][1] - sums[start][1]) * requests - (sums[at][0] - sums[start][0]) * errors

    # With two cuts, the stretch between them has the highest or the lowest share of errors; so the first cut is where
    # the excess is smallest or largest.
    first = min(min(range(start, end), key=excess), max(range(start, end), key=excess))
    _, last = _best_one(sums, first, end)
    _, first = _best_one(sums, start, last)
    pieces = [*pairwise((start, first, last, end))]
    if min(sums[after][0] - sums[before][0] for before, after in pieces) < LEAST:
        return gain, [at]
    both = 2 * (sum(_likelihood(sums, *piece) for piece in pieces) - _likelihood(sums, start, end))
    return max((gain, [at]), (both / 2, [first, last]))


def _best_one(sums: Sequence[tuple[int, int]], start: int, end: int) -> tuple[float, int]:
    """The gain of the best single cut, and its place; the place is the start if there is none."""
    uncut = _likelihood(sums, start, end)
    best = (0.0, start)
    for at in range(start + 1, end):
        if min(sums[at][0] - sums[start][0], sums[end][0] - sums[at][0]) < LEAST:
            continue
        gain = 2 * (_likelihood(sums, start, at) + _likelihood(sums, at, end) - uncut)
        if gain > best[0]:
            best = (gain, at)
    return best


def _likelihood(sums: Sequence[tuple[int, int]], start: int, end: int) -> float:
    """The log-likelihood of a piece's errors, with the share that fits best."""
    n, k = sums[end][0] - sums[start][0], sums[end][1] - sums[start][1]
    return sum(count * log(count / n) for count in (k, n - k) if count)


def interval(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval for a share of which k of n were observed, 95 % by default.

    >>> [round(bound, 4) for bound in interval(3, 1000)]
    [0.001, 0.0088]
    """
    share = k / n
    middle = share + z * z / (2 * n)
    width = z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    scale = 1 + z * z / n
    return max(0.0, (middle - width) / scale), min(1.0, (middle + width) / scale)

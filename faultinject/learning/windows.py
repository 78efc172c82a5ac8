"""When a share of errors changed: the log's time is cut where that makes what was seen much more likely."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

BINS = 400
"""Pieces of time that a cut may stand between."""
MOST = 12
"""Windows of one kind of request."""
LEAST = 20
"""Requests of the shortest window."""


def cuts(requests: Sequence[int], errors: Sequence[int]) -> list[int]:
    """Where the share of errors changes.

    Binary segmentation: a piece is cut where two shares explain it better than one, by a likelihood ratio that chance
    reaches at hardly any of the places that were tried (twice its logarithm above 12 + 2·ln of their number).

    Args:
        requests: how many there were in each piece of time.
        errors: how many of them failed.

    Returns:
        The pieces before which a new share begins, sorted.
    """
    sums = [(0, 0)]
    for n, k in zip(requests, errors, strict=True):
        sums.append((sums[-1][0] + n, sums[-1][1] + k))
    bound = 12 + 2 * log(max(1, len(requests)))
    found: list[int] = []
    pieces = [(0, len(requests))]
    while pieces and len(found) < MOST - 1:
        # The piece whose best cut gains most goes first.
        best = max(((_best(sums, start, end), start, end) for start, end in pieces), default=None)
        if best is None or best[0][0] <= bound:
            break
        (_, at), start, end = best
        found.append(at)
        pieces.remove((start, end))
        pieces += [(start, at), (at, end)]
    return _needed(sums, sorted(found), bound)


def _needed(sums: Sequence[tuple[int, int]], found: list[int], bound: float) -> list[int]:
    """The cuts that still gain enough: the first stood where it did for want of those that came after it."""
    while found:
        edges = [0, *found, len(sums) - 1]
        gains = [
            2
            * (
                _likelihood(sums, before, at)
                + _likelihood(sums, at, after)
                - _likelihood(sums, before, after)
            )
            for before, at, after in zip(edges, found, edges[2:], strict=False)
        ]
        least = min(gains)
        if least > bound:
            break
        del found[gains.index(least)]
    return found


def _best(sums: Sequence[tuple[int, int]], start: int, end: int) -> tuple[float, int]:
    """What the best cut of a piece gains, and where it is."""
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
    """The logarithm of how likely the errors of a piece are, with the share that fits best."""
    return _fit(sums[end][0] - sums[start][0], sums[end][1] - sums[start][1])


def _fit(n: int, k: int) -> float:
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

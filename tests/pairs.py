"""Reduces products that are too big: each pair of values is tried once."""

import os
from heapq import heapify, heappop, heappush
from itertools import combinations, cycle, product

WHOLE = "WHOLE_PRODUCTS"
"""The variable that has every case run: `pytest --whole` sets it."""


def pairs(*, allowed=lambda *case: True, alike=(), **values):
    """Choose few of all combinations, in order, that have every possible pair of values.

    Args:
        allowed: whether a combination, its values in the order of their names here, can be.
        alike: name to a function from a value to its kind: it meets the kinds of the others, and they meet its kind.
        values: name to what it may be; hashable.
    """
    cases = [case for case in product(*values.values()) if allowed(*case)]
    alike = dict(alike)
    assert alike.keys() <= values.keys()

    def met(case):
        exact = dict(zip(values, case, strict=True))
        kind = {name: alike[name](value) if name in alike else value for name, value in exact.items()}
        yield from exact.items()
        for one, other in combinations(values, 2):
            yield one, other, exact[one] if other in alike else kind[one], kind[other]
            yield other, one, exact[other] if one in alike else kind[other], kind[one]

    return fewest(cases, met)


def fewest(cases, shows):
    """Choose few cases, in order, that show all that any case shows.

    The case that shows most that is new comes first.
    """
    cases = list(cases)
    if os.environ.get(WHOLE):
        return cases
    shown = [frozenset(shows(case)) for case in cases]
    waiting = [(-len(each), at) for at, each in enumerate(shown)]
    heapify(waiting)
    seen, taken = set(), []
    while waiting:
        hoped, at = heappop(waiting)
        new = len(shown[at] - seen)
        if new == -hoped:
            seen |= shown[at]
            taken.append(at)
        elif new:
            heappush(waiting, (-new, at))
    return [cases[at] for at in sorted(taken)]


def in_turn(ones, others):
    """Combine each of `ones` with one of `others` in turn.

    For `others` that do the same to all of them.
    """
    ones, others = list(ones), list(others)
    assert len(ones) >= len(others)
    return list(product(ones, others) if os.environ.get(WHOLE) else zip(ones, cycle(others), strict=False))

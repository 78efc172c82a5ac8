"""Changes of a share are found where they happened, and almost never elsewhere."""

from __future__ import annotations

import random

import pytest

from faultinject.learning.windows import cuts, interval


def drawn(shares, requests, seed):
    """The number of failures in each piece of time."""
    chance = random.Random(seed)
    return [sum(chance.random() < share for _ in range(requests)) for share in shares]


def test_nothing_has_changed():
    """Of 200 logs with one share each, at most two are cut; chance exceeds that in under 1 %."""
    cut = 0
    for seed in range(200):
        share = (0.01, 0.1, 0.5, 0.9)[seed % 4]
        cut += bool(cuts([30] * 120, drawn([share] * 120, 30, seed)))
    assert cut <= 2


@pytest.mark.parametrize(
    ("before", "within", "size", "begins", "pieces", "near"),
    [
        *((*each, 50, 50, 120, 2) for each in [(0.0, 0.2), (0.02, 0.4), (0.5, 1.0), (0.3, 0.0)]),
        # In a twentieth of the time: any single cut makes two parts with nearly the same share.
        (0.02, 0.2, 10, 180, 400, 4),
    ],
)
def test_an_outage(before, within, size, begins, pieces, near):
    """Its begin and end, to within a few pieces."""
    ends = begins + 20
    for seed in range(10):
        shares = [within if begins <= number < ends else before for number in range(pieces)]
        found = cuts([size] * pieces, drawn(shares, size, seed))
        assert len(found) == 2
        assert abs(found[0] - begins) <= near
        assert abs(found[1] - ends) <= near


@pytest.mark.parametrize(("requests", "seed"), [(10, 11), (25, 1), (50, 9), (50, 26)])
def test_a_cut_that_later_ones_explain_goes(requests, seed):
    """A cut goes that stood in for the begin of an outage, once later cuts explain it better.

    The share rose before the outage.
    """
    shares = [0.01] * 200 + [0.05] * 80 + [0.4] * 20 + [0.05] * 100
    found = cuts([requests] * 400, drawn(shares, requests, seed))
    assert (len(found), found[1:]) == (3, [280, 300])


def test_there_are_so_many_and_no_more():
    """There are at most eleven cuts, and none where there is almost nothing."""
    assert len(cuts([1000] * 400, [0, 1000] * 200)) == 11
    assert cuts([1] * 30, [0, 1] * 15) == cuts([], []) == cuts([0] * 5, [0] * 5) == []


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (3, 1000), (500, 1000)])
def test_the_interval(k, n):
    """Wilson's interval is within 0 and 1, and holds the share; tables agree for 3 of 1,000."""
    low, high = interval(k, n)
    assert 0 <= low <= k / n <= high <= 1
    if k == 3:
        assert (round(low, 4), round(high, 4)) == (0.001, 0.0088)

"""Chance at its ends and between them, and what a group is drawn from; `test_vectors` has each draw to the byte."""

from __future__ import annotations

import pytest

from faultinject import vendors
from faultinject.exceptions import UnknownDocumentedError
from tests.rows import row_by_row

GROUPS = ("@server", "@throttle", "@retryable", "@client", "@all")


def test_the_statistics_are_right(p_of):
    """Values of the published chi-square table, at the thousandth and at the middle."""
    assert [round(p_of.tail(x, freedom), 4) for x, freedom in [(10.828, 1), (13.816, 2), (29.588, 10)]] == [
        0.001
    ] * 3
    assert [round(p_of.tail(x, freedom), 3) for x, freedom in [(0.455, 1), (4.351, 5), (99.334, 100)]] == [
        0.5
    ] * 3


@row_by_row(
    ("probability", "hits"),
    [
        ("0", 0),
        ("0.0", 0),
        ("0.00000000000000000001", 0),
        ("0.9999999999999999", 500),
        ("1", 500),
        ("1.0", 500),
    ],
)
@row_by_row(
    "targets", [["PUT /b/k"] * 500, [f"PUT /b/k{number}" for number in range(500)]], ids=["one", "many"]
)
def test_the_ends_are_certain(site, targets, probability, hits):
    """Whatever is drawn; a chance so small that nothing is below it never fires."""
    assert sum(each is not None for each in site(f"http:503,probability={probability}").asks(targets)) == hits


def test_raising_a_probability_only_adds_faults(site):
    """Each attempt that fails at some probability fails at every higher one, and of many as many as it says."""
    targets = [f"PUT /photos/k{number % 400}" for number in range(1200)]
    before = set()
    for probability in (0, 0.01, 0.05, 0.3, 0.5, 0.9, 0.99, 1):
        hits = site(f"http:503,probability={probability}", "a seed").asks(targets)
        now = {number for number, hit in enumerate(hits) if hit}
        assert before <= now
        assert len(now) == pytest.approx(1200 * probability, abs=70)
        before = now


def belongs(row, group):
    """The definition of the groups: by the row's own status, of those that have one from 400."""
    if row.status is None or row.status < 400:
        return False
    return {
        "@server": 500 <= row.status < 600 and row.status != 501,
        "@client": 400 <= row.status < 500,
        "@throttle": row.category == "throttle",
        "@retryable": row.retryable == "yes",
        "@all": True,
    }[group]


@row_by_row("name", GROUPS)
def test_a_group_holds_what_belongs_to_it(for_all, name):
    """By the rows' own statuses, categories and words, the usual row of each code; empty groups are refused."""

    def check(vendor):
        errors = vendors.get(vendor).errors
        codes = {each.address for each in errors if each.usual and belongs(each, name)}
        if codes:
            assert {each.address for each in vendors.get(vendor).group(name)} == codes
        else:
            with pytest.raises(UnknownDocumentedError, match=f"{vendor}:{name} is empty"):
                vendors.get(vendor).group(name)

    for_all(vendors.names(), check)

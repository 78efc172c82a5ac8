"""The confusion table counts what is wrong as wrong."""

import pytest

from .comparison import ALARM, CAUGHT, MISSED, OPEN_BROKEN, OPEN_HEALTHY, RIGHT, compare, totals


def finding(check, verdict, subject=None):
    return {"check": check, "verdict": verdict, "subject": subject, "message": "so it was"}


@pytest.mark.parametrize(
    ("wanted", "got", "outcome"),
    [
        ("PASS", "PASS", RIGHT),
        ("PASS", "INCONCLUSIVE", OPEN_HEALTHY),
        ("PASS", "WARN", ALARM),
        ("PASS", "FAIL", ALARM),
        ("WARN", "WARN", CAUGHT),
        ("WARN", "FAIL", ALARM),
        ("WARN", "INCONCLUSIVE", OPEN_BROKEN),
        ("WARN", "PASS", MISSED),
        ("FAIL", "FAIL", CAUGHT),
        ("FAIL", "WARN", MISSED),
        ("FAIL", "PASS", MISSED),
        (("WARN", "PASS"), "PASS", RIGHT),
        (("WARN", "PASS"), "WARN", CAUGHT),
        (("WARN", "PASS"), "FAIL", ALARM),
        (("WARN", "PASS"), "INCONCLUSIVE", OPEN_HEALTHY),
    ],
)
def test_outcome(wanted, got, outcome):
    """Each verdict counts as what it is, in both directions; being undecided is never wrong."""
    assert totals(compare([finding("gives up", got)], {"gives up": wanted})) == {outcome: 1}


def test_nothing_is_expected_of_what_is_not_named():
    """A client without a known bug has to pass everything."""
    rows = compare([finding("gives up", "WARN"), finding("backoff", "PASS")], {})
    assert totals(rows) == {ALARM: 1, RIGHT: 1}


def test_one_name_for_many_subjects():
    """A star stands for every subject of a check, and the first name that fits counts."""
    expected = {"retry-after: date": "PASS", "retry-after*": "FAIL"}
    findings = [finding("retry-after", "FAIL", "seconds"), finding("retry-after", "PASS", "date")]
    assert totals(compare(findings, expected)) == {CAUGHT: 1, RIGHT: 1}


def test_silence_is_a_miss():
    """A check that says nothing of a client that it should have caught has missed it."""
    assert totals(compare([], {"gives up": "FAIL", "thundering herd": ("WARN", "PASS")})) == {MISSED: 1}

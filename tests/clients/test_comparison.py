"""The confusion table counts what is wrong as wrong."""

from __future__ import annotations

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
    rows = compare([finding("stops", got)], {"stops": wanted})
    assert totals(rows) == {outcome: 1}


def test_nothing_is_expected_of_what_is_not_named():
    """A client without a known bug has to pass everything."""
    rows = compare([finding("stops", "WARN"), finding("waits", "PASS")], {})
    assert totals(rows) == {ALARM: 1, RIGHT: 1}


def test_one_name_for_many_subjects():
    """A star stands for every subject of a check, and the first name that fits counts."""
    expected = {"hint: date": "PASS", "hint*": "FAIL"}
    findings = [finding("hint", "FAIL", "seconds"), finding("hint", "PASS", "date")]
    assert totals(compare(findings, expected)) == {CAUGHT: 1, RIGHT: 1}


def test_silence_is_a_miss():
    """A check that says nothing of a client that it should have caught has missed it."""
    assert totals(compare([], {"stops": "FAIL", "spread": ("WARN", "PASS")})) == {MISSED: 1}


def test_foreign_journals_say_less():
    """Without the plan a check may be silent, or only warn; saying the opposite is as wrong as ever."""
    expected = {"hidden error": "FAIL", "budget": "WARN", "waits": "FAIL"}
    findings = [finding("hidden error", "WARN"), finding("waits", "PASS"), finding("stops", "WARN")]
    assert totals(compare(findings, expected, foreign=True)) == {CAUGHT: 1, MISSED: 1, ALARM: 1}

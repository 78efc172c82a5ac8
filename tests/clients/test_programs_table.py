"""The table of programs counts what is wrong as wrong."""

import pytest

from .comparison import ALARM, CAUGHT, OPEN_BROKEN, OPEN_HEALTHY, RIGHT
from .programs.program import Program
from .programs_table import ENOUGH, GREEN, compare


def program(name="a loop", **more):
    return Program(name, "asks | again", ("http:503",), **more)


def finding(check, verdict, subject=None):
    return {"check": check, "verdict": verdict, "subject": subject, "message": "so it was"}


@pytest.mark.parametrize(
    ("expected", "got", "outcome"),
    [
        ({}, "PASS", RIGHT),
        ({}, "INCONCLUSIVE", OPEN_HEALTHY),
        ({}, "WARN", ALARM),
        ({}, "FAIL", ALARM),
        ({"passes": {"gives up"}}, "INCONCLUSIVE", ENOUGH),
        ({"caught": {"gives up"}}, "FAIL", CAUGHT),
        ({"caught": {"gives up"}}, "WARN", CAUGHT),
        ({"caught": {"gives up"}}, "INCONCLUSIVE", ENOUGH),
        ({"caught": {"gives up"}}, "PASS", GREEN),
        ({"true": {"gives up"}}, "FAIL", CAUGHT),
        ({"true": {"gives up"}}, "INCONCLUSIVE", OPEN_BROKEN),
        ({"true": {"gives up"}}, "PASS", GREEN),
    ],
)
def test_outcome(expected, got, outcome):
    """Each verdict counts as what it is; being undecided is told apart where enough was there."""
    [row] = compare(program(**expected), [finding("gives up", got)])
    assert row.outcome == outcome


def test_nothing_is_expected_of_what_may_be_either():
    """Then it is not counted."""
    assert compare(program(either={"retry-after*"}), [finding("retry-after", "FAIL", "date")]) == []


@pytest.mark.parametrize("expected", [{"caught": {"gives up"}}, {"passes": {"gives up"}}])
def test_silence_is_undecided(expected):
    """A check that says nothing where it should have."""
    assert [each.outcome for each in compare(program(**expected), [])] == [ENOUGH]
    assert compare(program(true={"gives up"}), []) == []

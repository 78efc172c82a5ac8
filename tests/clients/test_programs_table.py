"""The table of programs counts what is wrong as wrong."""

from __future__ import annotations

import pytest

from .comparison import ALARM, CAUGHT, OPEN_BROKEN, OPEN_HEALTHY, RIGHT
from .programs.program import Program
from .programs_table import ENOUGH, GREEN, compare, page


def program(name="a loop", **more):
    return Program(name, "asks | again", "time_stamps", lambda endpoint: None, ("http:503",), **more)


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


def test_page():
    """It counts over all rounds and names what is wrong, with its round."""
    programs = {
        "a loop": program(caught={"gives up"}),
        "another": program("another"),
        "never run": program("never run"),
    }
    results = [
        {
            "program": name,
            "round": number,
            "busy": number == 2,
            "seconds": 30,
            "findings": [finding("gives up", got)],
        }
        for number, name, got in [(1, "a loop", "FAIL"), (2, "a loop", "PASS"), (1, "another", "WARN")]
    ]
    lines = page(results, programs).splitlines()
    assert "2 programs, 2 rounds, in 1 of them every core busy with something else; 2 minutes." in lines
    assert "| time stamps | a loop | asks / again | gives up | 0 | 1 | 0 | 0 | 0 | 0 | 1 |" in lines
    assert "|  | another | asks / again | nothing | 0 | 0 | 0 | 0 | 0 | 1 | 0 |" in lines
    assert "| **all** | | | | 0 | 1 | 0 | 0 | 0 | 1 | 1 |" in lines
    assert lines[-2:] == [
        "- a loop, round 2 (busy): false green: gives up is PASS: so it was",
        "- another, round 1: false alarm: gives up is WARN: so it was",
    ]
    assert not any("never run" in line for line in lines)

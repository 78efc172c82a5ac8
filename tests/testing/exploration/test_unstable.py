"""Code that differs between runs: addressable requests are explored, and others named."""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

import faultinject
from faultinject.exceptions import ProgramFailedError
from faultinject.testing.exploration.programs import ended_by

from .service import call, exploring, passing

FAULTS = ("reset", "http:503")


def test_threads():
    """Four threads in any order: every request by its own name."""
    chance = random.Random(1)

    def code():
        numbers = list(range(15))
        chance.shuffle(numbers)
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda number: call("PUT", f"/b/k?partNumber={number}&uploadId=x"), numbers))

    exploration = passing(code, *FAULTS)
    assert [each.reached for each in exploration.runs] == [True] * 30
    assert exploration.sweep.left_out == []


def test_state_that_leaks():
    """A run that does less because of an earlier one is no failure, and is reported."""
    there = set()

    def code():
        for each in "ab":
            if each not in there:
                assert call("PUT", f"/b/{each}")
                there.add(each)
        assert call("GET", "/b/a")

    _, error = exploring(code, "reset,method=PUT", "http:503")
    assert str(error).splitlines()[-3:] == [
        "left out: PUT /b/a (differs between two runs without faults: only one makes it; make them alike)",
        "left out: PUT /b/b (differs between two runs without faults: only one makes it; make them alike)",
        "incomplete: reset,method=PUT was injected in no run (nearest: PUT /b/a)",
    ]


def test_depth_2_in_threads():
    """Also at depth 2 nothing is missed, whatever the order in which the answers come."""

    def code():
        with ThreadPoolExecutor(3) as pool:
            assert all(pool.map(lambda number: call("PUT", f"/b/{number}"), range(5)))

    assert {each.text for each in passing(code, "http:503", depth=2).runs} >= {
        f"http:503,method=PUT,path=/b/{number},times={times}" for number in range(5) for times in (1, 2)
    }
    assert faultinject.explore("http:503").runs == []


@pytest.mark.parametrize(
    ("code", "crashes", "made", "failed"),
    [
        (-6, [3], 4, False),
        (134, [3], 4, False),
        (-6, [3, 4], 4, True),
        (1, [3], 3, True),
        (255, [3], 3, True),
    ],
    ids=[
        "by a signal once",
        "as a shell reports it once",
        "by a signal twice",
        "exit code 1",
        "exit code 255",
    ],
)
def test_a_program_that_crashes(code, crashes, made, failed):
    """A crash that does not come again is not blamed on the fault, and the report names it.

    A crash that comes again fails; an exit code of the program's own fails at once.
    """
    runs = itertools.count(1)

    def program():
        call("PUT", "/b/k")
        if next(runs) in crashes:
            raise ProgramFailedError(ended_by(code), code=code)

    exploration, error = exploring(program, "reset")
    assert (next(runs), [each.failed for each in exploration.runs]) == (made + 1, [failed])
    why = f"{ended_by(code)}, and passed when it was repeated"
    said = f"not judged: a run with reset,method=PUT,path=/b/k,times=1 ({why})"
    lines = (exploration.report() if error is None else str(error)).splitlines()
    assert (ended_by(code) in lines, said in lines) == (failed, not failed)
    assert "not judged" not in str(error)

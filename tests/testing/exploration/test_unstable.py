"""Code that differs between runs: addressable requests are explored, and others named."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

import faultinject
from faultinject.exceptions import ProgramFailedError
from faultinject.testing.exploration.programs import ended_by

from .service import call, exploring, passing

FAULTS = ("reset", "http:503")


def reached(exploration, error, runs, left_out=()):
    """So many runs, all reached, and this left out."""
    assert error is None, error
    assert len(exploration.runs) == runs
    assert all(each.reached for each in exploration.runs)
    assert [each.subject for each in exploration.sweep.left_out] == list(left_out)


def test_threads():
    """Four threads in any order: every request by its own name."""
    chance = random.Random(1)

    def code():
        numbers = list(range(15))
        chance.shuffle(numbers)
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda number: call("PUT", f"/b/k?partNumber={number}&uploadId=x"), numbers))

    reached(*exploring(code, *FAULTS), 30)


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
    assert [line for line in str(error).splitlines() if line.startswith("left out")] == [
        "left out: PUT /b/a (differs between two runs without faults: only one makes it; make them alike)",
        "left out: PUT /b/b (differs between two runs without faults: only one makes it; make them alike)",
    ]
    assert str(error).splitlines()[-1] == (
        "incomplete: reset,method=PUT was injected in no run (nearest: PUT /b/a)"
    )


def test_depth_2_in_threads():
    """Also at depth 2 nothing is missed, whatever the order in which the answers come."""

    def code():
        with ThreadPoolExecutor(3) as pool:
            assert all(pool.map(lambda number: call("PUT", f"/b/{number}"), range(5)))

    exploration = passing(code, "http:503", depth=2)
    assert {each.text for each in exploration.runs} >= {
        f"http:503,method=PUT,path=/b/{number},times={times}" for number in range(5) for times in (1, 2)
    }
    assert faultinject.explore("http:503").runs == []


@pytest.mark.parametrize("code", [-6, 134], ids=["by a signal", "as a shell reports it"])
def test_a_program_that_crashes_at_random(code):
    """A crash that does not come again is not blamed on the fault, and the report names it."""
    runs = []

    def program():
        runs.append(1)
        call("PUT", "/b/k")
        if len(runs) == 3:
            raise ProgramFailedError(ended_by(code), code=code)

    exploration = passing(program, "reset")
    assert (len(runs), len(exploration.runs)) == (4, 1)
    why = f"{ended_by(code)}, and passed when it was repeated"
    said = f"not judged: a run with reset,method=PUT,path=/b/k,times=1 ({why})"
    assert said in exploration.report().splitlines()


@pytest.mark.parametrize(("code", "made"), [(-6, 4), (1, 3), (255, 3)])
def test_a_program_that_fails_at_each_fault(code, made):
    """A crash fails if it comes again; an exit code of the program's own fails at once."""
    runs = []

    def program():
        runs.append(1)
        call("PUT", "/b/k")
        if len(runs) > 2:
            raise ProgramFailedError(ended_by(code), code=code)

    exploration, error = exploring(program, "reset")
    assert (len(runs), [each.failed for each in exploration.runs]) == (made, [True])
    assert f"\n{ended_by(code)}\n" in str(error)
    assert "not judged" not in str(error)

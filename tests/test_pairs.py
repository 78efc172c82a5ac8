"""Nothing is lost to `pairs` but company."""

import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import pytest

from tests.pairs import WHOLE, fewest, in_turn, pairs

THREE = {"server": "abcd", "fault": range(5), "client": ("x", "y", "z")}


@pytest.fixture(autouse=True)
def by_pairs(monkeypatch):
    monkeypatch.delenv(WHOLE, raising=False)


def pairs_in(cases):
    """Each two values, and where they stand."""
    return {two for case in cases for two in combinations(enumerate(case), 2)}


def allowed(server, fault, client):
    """Some never meet; three may be apart that meet by two."""
    return (
        (server, fault) != ("a", 1)
        and (fault != 2 or client == "y")
        and (server + client != "bx" or fault > 2)
    )


@pytest.mark.parametrize("which", [lambda *case: True, allowed])
def test_each_pair_that_can_be_is_there(which):
    """And no combination that cannot be."""
    whole = [case for case in product(*THREE.values()) if which(*case)]
    found = pairs(**THREE, allowed=which)
    assert found == sorted(found, key=whole.index)
    assert pairs_in(found) == pairs_in(whole)
    assert len(found) <= 1.4 * 4 * 5 < len(whole)


def test_each_value_meets_each_kind():
    """Twelve servers of three kinds and ten faults of two: not 120 cases."""
    kinds = {"server": lambda n: n % 3, "fault": lambda n: n % 2}
    found = pairs(server=range(12), fault=range(10), alike=kinds)
    met = [{(server, fault % 2) for server, fault in found}, {(server % 3, fault) for server, fault in found}]
    assert met == [set(product(range(12), range(2))), set(product(range(3), range(10)))]
    assert len(found) <= 36


def test_few_show_all():
    assert fewest(["a", "ab", "bcd", "d", "e"], set) == ["a", "bcd", "e"]


def test_others_in_turn(monkeypatch):
    assert in_turn("abc", "xy") == [("a", "x"), ("b", "y"), ("c", "x")]
    monkeypatch.setenv(WHOLE, "1")
    assert in_turn("abc", "xy") == list(product("abc", "xy"))


@pytest.mark.parametrize(("a", "b", "c"), pairs(a=range(3), b=range(3), c=range(3)))
def test_each_case_is_run_before_a_release(monkeypatch, a, b, c):
    """As it is where the variable is set."""
    monkeypatch.setenv(WHOLE, "1")
    whole = pairs(a=range(3), b=range(3), c=range(3))
    assert ((a, b, c) in whole, len(whole)) == (True, 27)


@pytest.mark.slow
def test_an_option_sets_it():
    """`--whole` runs all 27 cases; without it there are nine."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "--whole", __file__]
    said = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    assert said.stdout.count("::test_each_case_is_run_before_a_release[") == 27

"""Drawn scenarios: they find a bug, and shrink to the one fault that shows it."""

import sys
from contextlib import suppress
from urllib.request import urlopen

import pytest
from hypothesis import HealthCheck, given, settings

import faultinject
from faultinject.exceptions import ConfigurationError, MissingExtraError
from faultinject.strategies import scenarios

from .clients import CLIENTS, Client, StorageError
from .service import call, passing, served

PLAIN = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=80,
)


def shrunk(name, *may_raise):
    """The scenario that Hypothesis ends with, and its notes."""
    client = Client()
    recording = faultinject.record(lambda: CLIENTS[name](client, right=False))
    tried = []

    @PLAIN
    @given(scenarios(recording, "cos", max_faults=2))
    def test(scenario):
        tried.append(scenario)
        with faultinject.inject(scenario), suppress(*may_raise):
            CLIENTS[name](client, right=False)

    with pytest.raises((AssertionError, StorageError)) as caught:
        test()
    return tried[-1], "\n".join(caught.value.__notes__)


def test_it_finds_and_shrinks():
    """Of two faults only the one that matters is left, and it is printed as what replays it."""
    scenario, said = shrunk("append", StorageError)
    assert str(scenario) == "reset,method=POST,path=/b/log,query.append=,times=1,when=after"
    assert f"scenario=Scenario('{scenario}', seed='0')" in said


def test_two_faults_where_it_takes_two():
    """The far pair, which depth 1 cannot see."""
    scenario, _ = shrunk("budget")
    assert sum(each.value("times") for each in scenario.rules) == 2


def test_it_is_drawn_from_what_was_recorded():
    """Drawn rules are an exploration's passing ones; empty slots and equal slots are allowed.

    Two slots with the same rule are one.
    """
    client = Client()
    exploration = passing(lambda: CLIENTS["copy"](client, True), "cos")
    rules = {str(rule) for each in exploration.runs for rule in each.scenario.rules if not each.lasts}
    drawn = []

    @PLAIN
    @given(scenarios(faultinject.record(lambda: CLIENTS["copy"](client, True)), "cos", max_faults=3))
    def test(scenario):
        drawn.append([str(each) for each in scenario.rules])

    test()
    assert {rule for each in drawn for rule in each} == rules
    assert {(len(each), len(set(each))) for each in drawn} == {(number, number) for number in range(4)}


@pytest.mark.parametrize("live", [True, False])
def test_a_hang_costs_no_time(live):
    """A set's hang is drawn for test clients alone, which time out at once; a named one always."""
    with served() as port:
        url = f"http://127.0.0.1:{port}/b/k"
        recording = faultinject.record(lambda: urlopen(url).close() if live else call("GET", "/b/k"))
    drawn = set()

    @PLAIN
    @given(scenarios(recording, "gateway", max_faults=1))
    def test(scenario):
        drawn.update(each.fault for each in scenario.rules)

    test()
    assert drawn == {
        "reset",
        "truncate",
        *map("gateway:{}".format, ("BadGateway", "ServiceUnavailable", "TooManyRequests")),
    } | (set() if live else {"hang"})
    assert repr(scenarios(recording, "hang"))


@pytest.mark.parametrize(
    ("faults", "most", "said"),
    [
        (["cos:SlowDown,path=nowhere/"], 2, "none of the faults fits any of the requests"),
        ([], 2, "explore needs a fault"),
        (["reset,skip=1"], 2, "no skip"),
        (["cos"], 0, "max_faults is a whole number from 1 on, not 0"),
    ],
)
def test_what_does_not_fit(faults, most, said):
    """Wrong rules, rules that fit none of the requests, and no fault at all are errors at once."""
    recording = faultinject.record(lambda: call("PUT", "/b/k"))
    with pytest.raises(ConfigurationError, match=said):
        scenarios(recording, *faults, max_faults=most)


def test_without_hypothesis(monkeypatch):
    """The extra that is missing is named."""
    monkeypatch.delitem(sys.modules, "faultinject.strategies")
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(MissingExtraError, match=r'pip install "faultinject\[hypothesis\]"$'):
        __import__("faultinject.strategies")

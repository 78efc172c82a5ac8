"""The plan: every service has its faults, every call its key."""

from __future__ import annotations

from collections import Counter

import pytest

from faultinject import Scenario
from faultinject.conformance import plan


@pytest.mark.parametrize("vendor", plan.CODES)
def test_every_service_has_a_rule_for_every_phase(vendor):
    """The rules of a service are read without a mistake, are named for their phases, and only `cal` has none."""
    phases = plan.chosen(plan.CODES[vendor], aws=True)
    rules = Scenario.of(plan.rules(phases, plan.CODES[vendor])).rules
    assert [each.name for each in rules] == [each.name for each in plan.PHASES if each.name != "cal"]


def test_no_two_calls_have_a_key_in_common():
    """A key tells a call from all others; it begins with its phase."""
    asked = [each for phase in plan.PHASES for each in phase.asked()]
    assert Counter(each.key for each in asked).most_common(1)[0][1] == 1
    assert all(each.key.startswith(f"{each.phase}-") for each in asked)


def test_the_numbers_of_calls_are_those_that_the_checks_need():
    """Twenty-five calls calibrate, ten repeat a wait often enough, a hundred are an outage."""
    numbers = {each.name: len(list(each.asked())) for each in plan.PHASES}
    assert numbers == {
        "cal": 25, "thr": 20, "srv": 12, "one": 10, "rst": 6, "den": 3, "nf": 3, "bad": 3, "t429": 4, "vthr": 4,
        "ra": 5, "rad": 3, "raz": 5, "junk": 3, "lost": 8, "okerr": 6, "slow": 6, "out": 120,
    }  # fmt: skip


def test_calls_of_a_phase_begin_one_after_the_other():
    """The outage begins a second after the rest, and its calls 20 ms apart."""
    out = plan.PHASES[-1]
    assert [round(each.at, 2) for each in out.asked()][:3] == [1.0, 1.02, 1.04]


def test_phases_that_a_client_cannot_know_are_left_out():
    """Only AWS's own clients are asked in AWS's header to wait."""
    assert {each.name for each in plan.PHASES} - {each.name for each in plan.chosen(plan.CODES["cos"])} == {
        "raz"
    }
    assert [each.name for each in plan.chosen(plan.CODES["cos"], names=["den", "raz"])] == ["den"]


def test_a_service_without_an_error_is_not_asked_for_it():
    """A phase whose fault a service has not is left out."""
    codes = plan.Codes("cos", "cos:SlowDown", "", "http:403", "http:404", "http:400", "")
    names = {each.name for each in plan.chosen(codes, aws=True)}
    assert {each.name for each in plan.PHASES} - names == {"srv", "okerr", "out"}

"""Tests of unittest and of Hypothesis, and an async one."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import Unpack

from hypothesis import given

import faultinject
from faultinject import Faults, Outcome, RuleKeys, Scenario, strategies


def upload(name: str) -> int:
    return len(name)


REQUESTS: list[Outcome] = faultinject.record(lambda: upload("cat"))


@faultinject.inject("cos:SlowDown", times=2, per="call")
class UploadTest(unittest.TestCase):
    def test_upload(self) -> None:
        self.assertEqual(upload("cat"), 3)


@given(strategies.scenarios(REQUESTS, "cos", max_faults=2))
def test_any_faults(scenario: Scenario) -> None:
    with faultinject.inject(scenario) as faults:
        upload("cat")
    faults.assert_retries()


async def test_async() -> None:
    async with faultinject.inject("reset", when="after") as faults:
        assert outcomes_of(faults) == []


def outcomes_of(faults: Faults) -> list[str]:
    return [outcome.did for outcome in faults.outcomes]


def slowly(**keys: Unpack[RuleKeys]) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """A decorator of a test suite's own."""
    given_keys: RuleKeys = {"delay": "1s"}
    given_keys.update(keys)
    return faultinject.inject("latency", **given_keys)

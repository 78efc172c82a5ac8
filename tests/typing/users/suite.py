"""Tests with the marker and the fixtures, of unittest and of Hypothesis, and an async one."""

from __future__ import annotations

import unittest
import urllib.request

import pytest
from hypothesis import given

import faultinject
from faultinject import Faults, Outcome, Scenario, StorageFactory, strategies


def upload(url: str) -> int:
    asked = urllib.request.Request(f"{url}/photos/cat.jpg", b"meow", method="PUT")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return int(answer.status)


@pytest.mark.faultinject("cos:SlowDown", times=2, path="photos/")
def test_upload(faults: Faults, faultinject_store: StorageFactory) -> None:
    storage = faultinject_store("cos")
    with faults.pause():
        upload(storage.url)
    with faults.call("upload") as call:
        upload(storage.url)
    assert call.returned
    assert (faults.injected, faults.attempts) == (2, 3)
    faults.assert_retries(ignore="jitter", strict=True)
    faults.assert_all_fired()
    assert [outcome.did for outcome in faults.outcomes] == ["answered", "answered", "passed"]


@faultinject.inject("cos:SlowDown", times=2, per="call")
class UploadTest(unittest.TestCase):
    def test_upload(self) -> None:
        self.assertEqual(upload("http://127.0.0.1"), 200)


REQUESTS: list[Outcome] = faultinject.record(lambda: upload("http://127.0.0.1"))


@given(strategies.scenarios(REQUESTS, "cos", max_faults=2))
def test_any_faults(scenario: Scenario) -> None:
    with faultinject.inject(scenario) as faults:
        upload("http://127.0.0.1")
    faults.assert_retries()


async def test_async() -> None:
    async with faultinject.inject("reset", when="after") as faults:
        assert faults.outcomes == []

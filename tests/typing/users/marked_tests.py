"""Tests with the marker, the fixtures and a named call."""

from __future__ import annotations

import urllib.request

import pytest

from faultinject import Call, Faults, Finding, Outcome, StorageFactory


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
    faults.assert_retries(ignore="jitter")
    faults.assert_all_fired()
    assert slow(faults.calls) == []
    assert wrong(faults.findings(profile="rfc")) == []
    assert [outcome.did for outcome in faults.outcomes] == ["answered", "answered", "passed"]


def slow(calls: list[Call]) -> list[Call]:
    return [call for call in calls if any(gap is not None and gap > 1 for gap in call.gaps)]


def wrong(findings: list[Finding]) -> list[str]:
    return [finding.message for finding in findings if finding.verdict == "FAIL"]


def lost(outcomes: list[Outcome]) -> list[Outcome]:
    """The requests that the app has carried out and whose answer never came."""
    return [outcome for outcome in outcomes if outcome.when == "after" and outcome.applied]

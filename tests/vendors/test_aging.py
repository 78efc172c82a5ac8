"""The check of aging names changed facts, and its notes match the installed SDKs."""

import json
import sys
from importlib.metadata import version

import pytest

from tests.vendors.aging import FACTS, KNOWN, moved, read

NOTED = json.loads(KNOWN.read_text(encoding="utf-8"))
FACT = "codes and statuses that OSS's second SDK retries"


def test_every_fact_is_noted():
    """With the version that it was read in."""
    assert set(NOTED) == set(FACTS)
    assert all(told["version"] for told in NOTED.values())


def test_what_has_moved_is_told():
    """The vendor, the fact, both versions, what it was and what it is; what is as it was is not."""
    [line] = moved(NOTED, {FACT: {"version": "9.9", "found": [["Busy"], [503]]}})
    assert line == (
        f"oss: {FACT} (alibabacloud-oss-v2 {NOTED[FACT]['version']} -> 9.9)\n"
        f"  was {NOTED[FACT]['found']}\n  is  [['Busy'], [503]]"
    )
    assert moved(NOTED, {FACT: {**NOTED[FACT], "version": "9.9"}}) == []


@pytest.mark.slow
def test_a_fact_is_read_from_what_is_installed():
    """As it was noted, where the version is the same."""
    package = FACTS[FACT][0]
    told = read(sys.executable, FACT)
    assert told["version"] == version(package)
    if told["version"] == NOTED[FACT]["version"]:
        assert told == NOTED[FACT]

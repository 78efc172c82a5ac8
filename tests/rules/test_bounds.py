"""Bad input costs few messages, short ones, little memory, and ends."""

import os
import subprocess
import sys
import tracemalloc

import pytest

from faultinject import Injector, Scenario
from tests.refusals import refusal
from tests.rows import each_row

MOST = 20
"""Mistakes that are told."""
MOST_ACTIVE = 10_000

TEXTS = {
    "rules": "\n".join(f"wrod{each}:SlwDown" for each in range(10_000)),
    "words": "\n".join(f"latncy{each}" for each in range(10_000)),
    "keys": "http:503," + ",".join(f"wrod{each}=1" for each in range(2_000)),
    "codes": ";".join(f"cos:SlwDown{each}" for each in range(10_000)),
    "one word": "cos:" + "x" * 100_000,
    "one rule name": "http:503,name=" + "\x1b[31m" * 10_000,
    "a list": [f"latncy{each}" for each in range(10_000)],
}


def problems(make, *arguments, **named):
    return refusal(make, *arguments, **named).problems


@each_row("text", TEXTS.values())
def test_the_first_twenty_mistakes(text):
    """And a sentence that there may be more; each message has an end."""
    found = problems(Scenario.parse, text) if isinstance(text, str) else problems(Injector, text, environ={})
    assert len(found) <= MOST + 1
    if len(found) > 1:
        assert found[-1].message == f"these are the first {MOST} mistakes; there may be more"
    assert max(len(each.message) for each in found) <= 2000


@each_row("number", [MOST_ACTIVE + 1, 10**8, 10**12])
def test_places_are_bounded(number):
    """A number of faults under way that no process can have is a mistake, and costs nothing."""
    tracemalloc.start()
    environ = {"FAULTINJECT_MAX_ACTIVE": str(number)}
    [problem] = problems(Injector, "http:503", environ=environ)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert str(problem) == f"FAULTINJECT_MAX_ACTIVE: {number} is more than {MOST_ACTIVE}"
    Injector("http:503", environ={"FAULTINJECT_MAX_ACTIVE": str(MOST_ACTIVE)})


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no such device")  # noqa: PTH110
@pytest.mark.parametrize(
    "arguments",
    [pytest.param(("report", "/dev/zero"), marks=pytest.mark.slow), ("check", "--file", "/dev/zero")],
)
def test_a_file_without_an_end(arguments):
    """A sentence, not a hanging program."""
    result = subprocess.run(
        [sys.executable, "-m", "faultinject", *arguments], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith("faultinject: /dev/zero: ")


def test_a_message_shows_its_place_on_one_line_and_has_an_end():
    """Place, text and excerpt together."""
    [named] = problems(Scenario.load, "a\nfaultinject: all is well")
    assert str(named) == r"a\nfaultinject: all is well: there is no such file"
    [long] = problems(Scenario.parse, "http:503,times=" + "\U000e0041" * 3000, where="\x1b" * 3000)
    assert len(str(long)) <= 2000

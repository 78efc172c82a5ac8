"""Bad input costs few messages, short ones, little memory, and ends."""

import os
import subprocess
import sys
import tracemalloc
from functools import partial
from json import dumps

import pytest

from faultinject import Injector, Scenario
from tests.refusals import refusal
from tests.rows import each_row

MOST_ACTIVE = 10_000

MANY = [
    (Scenario.parse, "\n".join(f"wrod{each}:SlwDown" for each in range(10_000)), "'wrod0' is not a vendor"),
    (Scenario.parse, "\n".join(f"latncy{each}" for each in range(10_000)), "latncy0 is not a fault"),
    (Scenario.parse, "http:503," + ",".join(f"wrod{each}=1" for each in range(2_000)), "wrod0 is not a key"),
    (Scenario.parse, ";".join(f"cos:SlwDown{each}" for each in range(10_000)), "cos:SlwDown0 is not a documented"),
    (partial(Injector, environ={}), [f"latncy{each}" for each in range(10_000)], "latncy0 is not a fault"),
    (Scenario.from_json, dumps({f"key-{number}": 1 for number in range(30)}), "key-0 is not a key"),
    (Scenario.from_json, dumps({"rules": [{"fault": "http:1"}] * 30}), "http:1 is not"),
    (Scenario.from_json, dumps({"rules": ["no table"] * 30}), "'no table' is not"),
    (Scenario.from_json, "{" + ", ".join(['"seed": "1"'] * 30) + "}", "seed is given twice"),
    *((Scenario, rules, "http:1 is not") for rules in ("http:1 " * 30, ["http:1 " * 30], ["http:1"] * 30)),
    # Those that are not told are not examined either: nearest words would take minutes.
    (Scenario.parse, "reset," + "a=b," * 20_000, "a is not a key"),
    (Scenario.parse, "reset" + "," * 20_000, "there is nothing between two commas"),
    (Scenario.parse, "latency," + "a=b," * 20_000 + "delay=1s", "a is not a key"),
    (Scenario.from_json, dumps({"rules": [{"fault": "reset"} | {f"a{n}": 1 for n in range(20_000)}]}), "a0 is not a key"),
    (Scenario.from_json, dumps({"rules": [{"fault": "reset", "size": ["x"] * 20_000}]}), "x is not a size"),
]  # fmt: skip


def problems(make, *arguments, **named):
    return refusal(make, *arguments, **named).problems


@each_row(("read", "given", "first"), MANY)
def test_the_first_twenty_mistakes(read, given, first):
    """And a sentence that there may be more; each message has an end."""
    told = [each.message for each in problems(read, given)]
    assert (len(told), told[-1]) == (21, "these are the first 20 mistakes; there may be more")
    assert told[0].startswith(first) and max(map(len, told)) <= 2000
    assert not any("needs a delay" in each for each in told)


@pytest.mark.parametrize(
    "text",
    [
        "cos:" + "x" * 100_000,
        "http:503,name=" + "\x1b[31m" * 10_000,
        pytest.param("r" * 1_000_000, marks=pytest.mark.slow),
    ],
    ids=["one word", "one rule name", "a very long word"],
)
def test_one_long_mistake(text):
    """Its message is no longer than others."""
    [problem] = problems(Scenario.parse, text)
    assert len(problem.message) <= 2000


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

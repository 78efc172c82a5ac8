"""What bad input may cost: few mistakes told, short messages, little memory, and an end."""

import os
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultinject import Injector, Scenario
from faultinject.cli.program import program
from faultinject.exceptions import ConfigurationError
from faultinject.settings.diagnosis import MOST
from faultinject.settings.environment import MOST_ACTIVE

testing = pytest.importorskip("click.testing")

TEXTS = {
    "rules": "\n".join(f"wrod{each}:SlwDown" for each in range(10_000)),
    "words": "\n".join(f"latncy{each}" for each in range(10_000)),
    "keys": "http:503," + ",".join(f"wrod{each}=1" for each in range(2_000)),
    "codes": ";".join(f"cos:SlwDown{each}" for each in range(10_000)),
    "one word": "cos:" + "x" * 100_000,
    "one rule name": "http:503,name=" + "\x1b[31m" * 10_000,
    "a list": [f"latncy{each}" for each in range(10_000)],
}


def problems(make):
    with pytest.raises(ConfigurationError) as caught:
        make()
    return caught.value.problems


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_first_twenty_mistakes(text):
    """And a sentence that there may be more; each message has an end."""
    found = problems(lambda: Scenario.parse(text) if isinstance(text, str) else Injector(text, environ={}))
    assert len(found) <= MOST + 1
    if len(found) > 1:
        assert found[-1].message == f"these are the first {MOST} mistakes; there may be more"
    assert max(len(each.message) for each in found) <= 2000


def test_a_table_of_mistakes(tmp_path):
    """The same from a file."""
    path = tmp_path / "rules.toml"
    path.write_text("".join(f'[[rules]]\nfault = "latncy{each}"\n' for each in range(300)))
    assert len(problems(lambda: Scenario.load(path))) == MOST + 1


@pytest.mark.parametrize("number", [MOST_ACTIVE + 1, 10**8, 10**12])
def test_places_are_bounded(number):
    """A number of faults under way that no process can have is a mistake, and costs nothing."""
    tracemalloc.start()
    environ = {"FAULTINJECT_MAX_ACTIVE": str(number)}
    [problem] = problems(lambda: Injector("http:503", environ=environ))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert str(problem) == f"FAULTINJECT_MAX_ACTIVE: {number} is more than {MOST_ACTIVE}"
    Injector("http:503", environ={"FAULTINJECT_MAX_ACTIVE": str(MOST_ACTIVE)})


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no such device")  # noqa: PTH110
@pytest.mark.parametrize("arguments", [("report", "/dev/zero"), ("check", "--file", "/dev/zero")])
def test_a_file_without_an_end(arguments):
    """A sentence, not a hanging program."""
    result = testing.CliRunner().invoke(program, arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("faultinject: /dev/zero: ")
    assert result.stderr.count("\n") == 1


def odd_texts(size):
    pieces = st.sampled_from(
        [
            "cos:SlowDown",
            "http:",
            "latency",
            ",",
            ";",
            "\n",
            "=",
            '"',
            "\\",
            "times=",
            "\x1b[2J",
            "\x9b",
            "\u202e",
            "query.",
            "[[rules]]",
            "seed",
            "\0",
        ]
    )
    return st.lists(pieces | st.text(max_size=8), max_size=size).map("".join)


def check_text(text):
    """It is either rules or a mistake, whose messages are short and print."""
    try:
        Scenario.parse(text)
    except ConfigurationError as error:
        assert len(error.problems) <= MOST + 1
        for each in error.problems:
            assert len(each.message) <= 2000
            assert all(part.isprintable() for part in str(each).split("\n"))


def check_environ(environ):
    environ = {f"FAULTINJECT_{name}": value for name, value in environ.items()} | {"FAULTINJECT_ENABLED": "1"}
    try:
        Injector(environ=environ)
    except ConfigurationError as error:
        assert all(part.isprintable() for part in str(error).split("\n"))


NAMES = st.sampled_from(
    ["RULES", "RULE_A", "SEED", "HEADER", "ENDPOINT", "MAX_ACTIVE", "EXPIRES", "PRODUCTION", "\x1b[31m"]
)


@given(odd_texts(12))
def test_fuzz_rule_texts(text):
    """No text breaks the reader."""
    check_text(text)


@given(st.dictionaries(NAMES, odd_texts(4)))
def test_fuzz_environs(environ):
    """No environment does."""
    check_environ(environ)


@pytest.mark.slow
@settings(max_examples=1000)
@given(odd_texts(40))
def test_fuzz_rule_texts_for_long(text):
    """The same with more and longer texts, as TOML too."""
    check_text(text)
    try:
        Scenario.from_toml(text)
    except ConfigurationError as error:
        assert all(part.isprintable() for part in str(error).split("\n"))


@pytest.mark.slow
@settings(max_examples=500)
@given(st.dictionaries(NAMES, odd_texts(12)))
def test_fuzz_environs_for_long(environ):
    """The same with more of them."""
    check_environ(environ)

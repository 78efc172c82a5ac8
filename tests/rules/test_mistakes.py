"""Each mistake in a rule has its exact words and place, in `mistakes.txt` and its like.

`mistakes_in_python.txt` has those of Python.
"""

import os
import re
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from datetime import timedelta
from functools import partial
from json import dumps, loads

import pytest

from faultinject import Injector, Rule, Scenario
from faultinject.rules.environment import read_environment
from faultinject.rules.faults import FAULTS
from tests.refusals import refusal
from tests.rows import each_row

ALL = ", ".join(each.title for each in FAULTS[:-1]) + f" and {FAULTS[-1].title}"
"""The list of all faults, so that a new fault changes no message."""


def worded(error):
    """The words of an error, without lists that other tests know."""
    text = str(error).replace(ALL, "{every fault}")
    return re.sub(r"; it takes .+", "; it takes {its effects}", f"{type(error).__name__}: {text}")


def test_mistakes_in_python(golden):
    """Mistakes of Python alone: values of other types, names with odd characters."""
    names = {"Rule": Rule, "timedelta": timedelta}
    golden("mistakes_in_python.txt", lambda text: worded(refusal(eval, text, names)))


def keys_of(text):
    """The fault and the keys of a rule without quotes and repetitions; None of any other text."""
    fault, *items = text.split(",")
    keys = dict(each.split("=", 1) for each in items if "=" in each)
    odd = len(keys) < len(items) or not fault or set(text) & set("\"' \r\n;") or "" in keys or "fault" in keys
    return None if odd else (fault, keys)


def plain(text):
    """A number where the text is one, as TOML and JSON have it."""
    with suppress(ValueError):
        if str(number := loads(text)) == text:
            return number
    return text


def toml(table):
    """A table of TOML, whose values are written as JSON's are."""
    return "\n".join(["[[rules]]", *(f"{key} = {dumps(value)}" for key, value in table.items())])


def test_mistakes_are_the_same_in_every_spelling(golden, subtests):
    """Text has the words of `mistakes.txt`; Python, TOML and JSON the same in any order.

    The rule where there are several, what is wrong, what would be right, and carets under it.
    """

    def messages(error):
        return type(error), sorted(each.message for each in error.problems)

    def compare(text):
        in_text = refusal(Scenario.parse, text)
        told = messages(in_text)
        fault, keys = keys_of(text)
        table = {"fault": fault, **{key: plain(value) for key, value in keys.items()}}
        in_python = refusal(Rule, fault, **keys)
        in_toml = refusal(Scenario.from_toml, toml(table))
        in_json = refusal(Scenario.from_json, dumps({"rules": [table]}))
        assert [messages(each) for each in (in_python, in_toml, in_json)] == [told] * 3
        assert sorted(
            each.where.removeprefix(fault).removeprefix(": ") for each in in_python.problems
        ) == sorted(each.where for each in in_text.problems)

    texts = golden("mistakes.txt", lambda text: worded(refusal(Scenario.parse, text)))
    for text in filter(keys_of, texts):
        with subtests.test(text):
            compare(text)


def test_what_is_no_store(golden):
    """A wrong store is answered with the value, the choices and the nearest (`stores.txt`)."""

    def message(text):
        environ = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_STORE": text}
        error = refusal(read_environment, environ, now=0, rules_given=True)
        return f"{type(error).__name__}: {error.problems[0].message}"

    golden("stores.txt", message)


def test_a_condition_with_very_many_values():
    """Costs time as they are many, not as their square; they keep their order."""
    values = [f"/a{number}/" for number in range(100_000)]
    scenario = Scenario.from_json(dumps({"rules": [{"fault": "reset", "path": values, "unless": {"path": ["b", "c"]}}]}))  # fmt: skip
    assert [*scenario.rules[0].conditions["path"]] == values
    assert scenario.rules[0].unless["path"] == ("b", "c")


NO_NUMBER = "rules[0].times: x is not a whole number of 0 or more"
NEGATIVE = "x:4: rules[0].times: -1 is not a whole number of 0 or more"


@each_row(
    ("text", "told"),
    [
        # Whether a text in three quotes ends in its line or in another, and however the key is written.
        ('[[rules]]\nfault = "http:503"\nmessage = """a"""\ntimes = -1', NEGATIVE),
        ("[[rules]]\nfault = 'http:503'\nmessage = '''a'''\n times=-1", NEGATIVE),
        ('[[rules]]\nfault = "http:503"\n# an equals sign = and quotes """ \'\'\'\ntimes = -1', NEGATIVE),
        ('[[rules]] # see the """note"" below\nfault = "http:503"  # the text needs \'\'\'\nmessage = "#\'\'\'"\ntimes = -1 # """', NEGATIVE),
        # It ends where TOML ends it: at no escaped quote, after up to two more. Otherwise the line would be one within
        # the text, or none.
        *(
            (f'[[rules]]\nfault = "http:503"\nmessage = {value}\ntimes = "x"', f"x:{value.count(chr(10)) + 4}: {NO_NUMBER}")
            for value in (
                '"""\\"""\ntimes = 1\n"""',
                '"""a\\\\\\"\\""" \ntimes = 1\n"""',
                '"""a"" \\""" " \ntimes = 1\n"""""',
                "'''a''\\ \ntimes = 1\n'''''",
            )
        ),
        # Very many quotes cost time as they are many, not as their square, which would be ten minutes.
        *(
            (f'[[rules]]\nfault = "http:503"\nmessage = """\\"""{inside * 200_000}\n"""\ntimes = "x"', f"x:5: {NO_NUMBER}")
            for inside in ('\\"', "'\\\"", '\\"""', ' ""\\"', "'''\\\"", '#\\"', "a")
        ),
        # Keys in quotes of TOML's, or of a rule's own spelling, with blanks in them too.
        *(
            (f'[[rules]]\nfault = "http:503"\n{key} = "{"*" * 17}"\n', f"x:3: rules[0].{place}: a pattern of 17 stars; at most 16 are allowed")
            for key, place in (
                ('query."a[]"', "query.a[]"), ("'query.\"a[]\"'", 'query."a[]"'), ('query . "a b"', "query.a b"),
            )
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_toml_has_its_line(text, told):
    """Whatever stands before it, and however its key is written."""
    assert str(refusal(Scenario.from_toml, text, where="x")) == told


def test_keys_have_their_line_however_they_are_written():
    """Keys have their line in every spelling, also keys that the fault does not take.

    With blanks around a dot, in quotes of either kind, with underscores, in a table of their own.
    """
    text = f"""[[rules]]
fault = "http:503"
unless . path = ""
'retry_after' = "x"
duration = "5s"
[rules . query]
"a" = "{"*" * 17}"
"""
    problems = refusal(Scenario.from_toml, text, where="x").problems
    assert sorted(f"{each.where}: {each.message}".split(": ")[:2] for each in problems) == [
        ["x:3", "rules[0].unless.path"],
        ["x:4", "rules[0].retry_after"],
        ["x:5", "rules[0]"],
        ["x:7", "rules[0].query.a"],
    ]


def test_a_rule_has_the_line_of_its_header():
    """Lists in its keys are no lists of rules."""
    text = '[[rules]]\ntimes = 1\nkey = [["a"], ["b"]]\n'
    problems = refusal(Scenario.from_toml, text, where="x").problems
    assert sorted(each.where for each in problems) == [
        "x:1: rules[0]",
        "x:3: rules[0].key",
        "x:3: rules[0].key",
    ]


def test_keys_of_many_parts_are_refused():
    """The parser's time grows with the square of their number."""
    for dot, many, told in (
        (".", 500, "a is not a key"),
        (".", 10_001, "keys of too many"),
        (" . ", 10_001, "keys of too many"),
    ):
        [problem] = refusal(Scenario.from_toml, "a" + f"{dot}a" * many + " = 1").problems
        assert problem.message.startswith(told)


# --- bad input costs few messages, short ones, little memory, and ends ---------------------------------------

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


@each_row(("read", "given", "first"), MANY)
def test_the_first_twenty_mistakes(read, given, first):
    """And a sentence that there may be more; each message has an end."""
    told = [each.message for each in refusal(read, given).problems]
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
    [problem] = refusal(Scenario.parse, text).problems
    assert len(problem.message) <= 2000


@each_row("number", [MOST_ACTIVE + 1, 10**8, 10**12])
def test_places_are_bounded(number):
    """A number of faults under way that no process can have is a mistake, and costs nothing."""
    tracemalloc.start()
    environ = {"FAULTINJECT_MAX_ACTIVE": str(number)}
    [problem] = refusal(Injector, "http:503", environ=environ).problems
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
    [named] = refusal(Scenario.load, "a\nfaultinject: all is well").problems
    assert str(named) == r"a\nfaultinject: all is well: there is no such file"
    [long] = refusal(Scenario.parse, "http:503,times=" + "\U000e0041" * 3000, where="\x1b" * 3000).problems
    assert len(str(long)) <= 2000

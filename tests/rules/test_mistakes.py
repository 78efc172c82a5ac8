"""Each mistake in a rule has its exact words and place, in `mistakes.txt` and its like.

`mistakes_in_python.txt` has those of Python.
"""

import re
from contextlib import suppress
from datetime import timedelta
from json import dumps, loads

import pytest

from faultinject import Rule, Scenario
from faultinject.rules.environment import read_environment
from faultinject.rules.faults import FAULTS
from tests.refusals import refusal

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


def test_no_more_than_twenty_mistakes_are_told():
    """Of rules, of keys and of tables."""
    for text in (
        dumps({f"key-{number}": 1 for number in range(30)}),
        dumps({"rules": [{"fault": "http:1"}] * 30}),
        dumps({"rules": ["no table"] * 30}),
        "{" + ", ".join(['"seed": "1"'] * 30) + "}",
    ):
        problems = refusal(Scenario.from_json, text).problems
        assert len(problems) == 21
        assert problems[-1].message == "these are the first 20 mistakes; there may be more"
    for rules in ("http:1 " * 30, ["http:1 " * 30], ["http:1"] * 30):
        assert len(refusal(Scenario, rules).problems) == 21


@pytest.mark.parametrize(
    ("read", "first"),
    [
        (lambda: Scenario.parse("reset," + "a=b," * 20_000), "a is not a key"),
        (lambda: Scenario.parse("reset" + "," * 20_000), "there is nothing between two commas"),
        (lambda: Scenario.parse("latency," + "a=b," * 20_000 + "delay=1s"), "a is not a key"),
        (
            lambda: Scenario.from_json(dumps({"rules": [{"fault": "reset"} | {f"a{n}": 1 for n in range(20_000)}]})),
            "a0 is not a key",
        ),
        (
            lambda: Scenario.from_json(dumps({"rules": [{"fault": "reset", "size": ["x"] * 20_000}]})),
            "x is not a size",
        ),
        pytest.param(lambda: Scenario.parse("r" * 1_000_000), "rrr", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_very_many_mistakes_in_one_rule_cost_little(read, first):
    """Mistakes beyond those reported are not examined: nearest words would take minutes."""
    told = [each.message for each in refusal(read).problems]
    assert told[0].startswith(first)
    assert len(told) in (1, 21) and not any("needs a delay" in each for each in told)


def test_a_condition_with_very_many_values():
    """Costs time as they are many, not as their square; they keep their order."""
    values = [f"/a{number}/" for number in range(100_000)]
    scenario = Scenario.from_json(dumps({"rules": [{"fault": "reset", "path": values, "unless": {"path": ["b", "c"]}}]}))  # fmt: skip
    assert [*scenario.rules[0].conditions["path"]] == values
    assert scenario.rules[0].unless["path"] == ("b", "c")


def test_mistakes_behind_texts_in_three_quotes_have_their_line():
    """Whether such a text ends in its line or in another, and however the key is written."""
    for text in (
        '[[rules]]\nfault = "http:503"\nmessage = """a"""\ntimes = -1',
        "[[rules]]\nfault = 'http:503'\nmessage = '''a'''\n times=-1",
        '[[rules]]\nfault = "http:503"\n# an equals sign = and quotes """ \'\'\'\ntimes = -1',
        (
            '[[rules]] # see the """note"" below\nfault = "http:503"  # the text needs '
            "'''\nmessage = \"#'''\"\ntimes = -1 # \"\"\""
        ),
    ):
        told = str(refusal(Scenario.from_toml, text, where="x"))
        assert told == "x:4: rules[0].times: -1 is not a whole number of 0 or more"


def test_a_text_in_three_quotes_ends_where_toml_ends_it():
    """A text in three quotes ends where TOML ends it: at no escaped quote, after up to two more.

    Otherwise the line would be one within the text, or none.
    """
    for value in (
        '"""\\"""\ntimes = 1\n"""',
        '"""a\\\\\\"\\""" \ntimes = 1\n"""',
        '"""a"" \\""" " \ntimes = 1\n"""""',
        "'''a''\\ \ntimes = 1\n'''''",
    ):
        text = f'[[rules]]\nfault = "http:503"\nmessage = {value}\ntimes = "x"'
        error = refusal(Scenario.from_toml, text, where="x")
        assert (
            str(error) == f"x:{text.count(chr(10)) + 1}: rules[0].times: x is not a whole number of 0 or more"
        )


@pytest.mark.parametrize(
    "inside",
    ['\\"', "'\\\"", '\\"""', ' ""\\"', "'''\\\"", '#\\"', "a"],
)
def test_very_many_quotes_before_a_mistake_cost_little(inside):
    """Time as they are many, not as their square, which would be ten minutes."""
    text = f'[[rules]]\nfault = "http:503"\nmessage = """\\"""{inside * 200_000}\n"""\ntimes = "x"'
    error = refusal(Scenario.from_toml, text, where="x")
    assert str(error) == "x:5: rules[0].times: x is not a whole number of 0 or more"


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


@pytest.mark.parametrize(
    ("key", "place"),
    [('query."a[]"', "query.a[]"), ("'query.\"a[]\"'", 'query."a[]"'), ('query . "a b"', "query.a b")],
)
def test_a_key_in_quotes_has_its_line(key, place):
    """Whether they are of TOML's, or of a rule's own spelling, with blanks in them too."""
    text = f'[[rules]]\nfault = "http:503"\n{key} = "{"*" * 17}"\n'
    error = refusal(Scenario.from_toml, text, where="x")
    assert str(error) == f"x:3: rules[0].{place}: a pattern of 17 stars; at most 16 are allowed"


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

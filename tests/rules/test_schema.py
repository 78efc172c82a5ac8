"""The JSON Schema of rule files accepts every right file, and refuses visible mistakes."""

from __future__ import annotations

import ast
import json
import tomllib
from ast import literal_eval
from doctest import DocTestParser
from pathlib import Path

import pytest
from jsonschema import Draft4Validator, Draft202012Validator

from faultinject import Rule, Scenario, vendors
from faultinject.exceptions import ConfigurationError
from faultinject.rules.schema import rules_schema
from faultinject.rules.vocabulary import KEYS
from faultinject.vendors.operations import operations_of
from tests.rows import each_row
from tests.rules.test_mistakes import keys_of, plain

ROOT = Path(__file__).parents[2]
BEYOND = (
    "is longer than 1h",
    "ends before it begins",
    "is no operation of",
    "is not an address",
    "share needs",
    "share is not supported",
    "share: ",
    "needs something to change",
    "does not change the connection",
    "sets connection itself",
)
"""Mistakes that only `faultinject check` finds.

They take arithmetic on texts, or the vendor of a rule's fault.
"""


def recorded(path: str) -> list[tuple[str, str]]:
    """The inputs of a golden file, each with what is said of it."""
    cases = (ROOT / "tests" / path).read_text(encoding="utf-8").removeprefix(">>> ").split("\n\n>>> ")
    pairs = (each.split("\n", 1) for each in cases)
    return [(literal_eval(text) if text[0] in "'\"" else text, said) for text, said in pairs]


@pytest.fixture
def schema():
    """Made anew, so that each test shows what its parts are for."""
    return rules_schema()


@pytest.fixture
def complaints(schema):
    """A function that says what the schema has against plain data; both readings of it agree."""
    valid, older = Draft202012Validator(schema), Draft4Validator(schema)

    def call(data):
        found = [each.message for each in valid.iter_errors(data)]
        assert older.is_valid(data) is not bool(found)
        return found

    return call


def test_it_is_a_schema(schema):
    """Of 2020-12, and of draft 4 for editors that read no more."""
    Draft202012Validator.check_schema(schema)
    Draft4Validator.check_schema(schema)


@pytest.mark.parametrize(
    "path", [path for path in sorted((ROOT / "examples").rglob("*.toml")) if "[[rules]]" in path.read_text()]
)
def test_files_of_the_examples_are_valid(complaints, path):
    """Those that the examples show."""
    assert complaints(tomllib.loads(path.read_text(encoding="utf-8"))) == []


def test_every_rule_of_other_tests_is_valid(complaints):
    """In TOML as a scenario is written, and in a table of its texts."""
    scenarios = [Scenario.parse(text) for text, _ in recorded("cli/sentences.txt")]
    assert len(scenarios) > 30
    for each in scenarios:
        in_toml, in_json = tomllib.loads(each.to_toml()), json.loads(each.to_json())
        assert complaints(in_toml) == complaints(in_json) == [], each


@each_row("word", KEYS)
def test_the_example_of_every_key_is_valid(complaints, schema, word):
    """The rule of its docstring, and the key has that docstring for its explanation."""
    source = DocTestParser().get_examples(KEYS[word].doc)[0].source
    calls = [each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.Call)]
    call = next(each for each in calls if ast.unparse(each.func) == "Rule")
    rule = eval(ast.unparse(call), {"Rule": Rule})
    assert complaints(tomllib.loads(Scenario(rule).to_toml())) == []
    described = schema["$defs"]["rule"]["properties"][word]["description"]
    assert described.startswith(KEYS[word].meaning.split("`")[0].strip())


@each_row(
    "table",
    [
        {"retry-after": "2s"},
        {"unless": {"path": "health", "header": {"x-test": ["a", "b"]}}},
        {"unless.path": "health", "header.x-test": "a", 'query."tags[]"': "x"},
        {"method": ["PUT", "POST"], "key": 2024, "size": 4096},
        {"drain": "NO", "cors": 1, "times": "3", "hint": "Retry-After-Ms", "retry_after": "2s"},
        {"set": {"Connection": "close"}},
        {"operation": "=PutObject", "path": "=" + "*" * 17},
        {"fault": "jss:BucketNotEmpty/1"},
        {"fault": "oss:AccessDenied/18"},
    ],
)
def test_other_spellings_are_valid(complaints, table):
    """The schema accepts every spelling that the reader accepts."""
    rule = {"fault": "http:503", **table}
    assert Scenario.from_json(json.dumps({"rules": [rule]})).rules
    assert complaints({"seed": 42, "rules": [rule]}) == []


def test_every_documented_error_is_completed(schema):
    """The schema lists each error and group, numbered rows of ambiguous codes, and nothing else."""
    known = schema["$defs"]["documented"]["enum"]
    right = set()
    for name in vendors.names():
        rows = vendors.get(name).errors
        right.update(each.address for each in rows)
        several = [each.code for each in rows if each.variant > 1]
        right.update(f"{name}:{each.numbered}" for each in rows if each.code in several)
        right.update(
            text
            for group in ("@all", "@client", "@server", "@retryable", "@throttle")
            if is_rule(text := f"{name}:{group}")
        )
    assert sorted(known) == sorted(right)


def test_every_operation_is_completed(schema):
    """Of every storage vendor, and nothing else."""
    storage = [each for each in map(vendors.get, vendors.names()) if each.addressing is not None]
    right = {name for each in storage for name in operations_of(each).names}
    assert schema["$defs"]["operation"]["enum"] == sorted(right)


def is_rule(text: str) -> bool:
    try:
        return bool(Scenario.parse(text))
    except ConfigurationError:
        return False


def test_it_is_what_is_on_record(schema, request):
    """The schema is the recorded one, without lists of errors and operations.

    The tests above are about those. A change is seen so.
    """
    path = Path(__file__).with_name("schema.json")
    for each in ("documented", "operation"):
        schema["$defs"][each]["enum"] = []
    said = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    if request.config.option.update_golden:
        path.write_text(said, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == said, "pytest --update-golden writes it anew"


def test_mistakes_that_a_schema_can_see_are_refused(complaints):
    """Of the mistakes in the golden file only those pass that take more than a schema."""
    seen = 0
    for text, answer in recorded("rules/mistakes.txt"):
        if not (found := keys_of(text)):
            continue
        fault, keys = found
        table = {"fault": fault, **{key: plain(value) for key, value in keys.items()}}
        if complaints({"rules": [table]}):
            seen += 1
        else:
            assert any(each in answer for each in BEYOND), text
    assert seen > 100


@each_row(
    "data",
    [
        {"rule": []},
        {"seed": 1.5},
        {"rules": {"fault": "http:503"}},
        {"rules": [{}]},
        {"rules": [{"fault": "http:503", "unless": {"times": 1}}]},
        {"rules": [{"fault": "http:503", "method": []}]},
        {"rules": [{"fault": "http:503", "times": True}]},
        {"rules": [{"fault": "http:503", "set": {"Content_Length": "1"}}]},
        {"rules": [{"fault": "http:503", "header": {"a b": "1"}}]},
        {"rules": [{"fault": "http:503", "header": "x"}]},
    ],
)
def test_tables_that_are_no_rules_are_refused(complaints, data):
    """As the reader refuses them."""
    with pytest.raises(ConfigurationError):
        Scenario.from_json(json.dumps(data))
    assert complaints(data)

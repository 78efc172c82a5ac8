"""A scenario: rules and seed, from Python, text, TOML, JSON and files."""

import os
import pickle

import pytest

from faultinject import Rule, Scenario, inject
from faultinject.exceptions import UnknownDocumentedError, UnknownVendorError
from tests.refusals import refusal
from tests.rows import each_row

READS_NOT_ALL = hasattr(os, "geteuid") and os.geteuid() != 0
"""Root reads every file."""


@each_row(
    "rules",
    [
        "http:503,times=1 http:504",
        [Rule("http:503", times=1), "http:504"],
        (Rule("http:503", times=1), Rule("http:504")),
        ["http:503,times=1;http:504"],
    ],
)
def test_rules_are_text_or_rules_or_both(rules):
    """A list may hold either, and a text several."""
    assert Scenario(rules).rules == (Rule("http:503", times=1), Rule("http:504"))


def test_one_rule_is_a_scenario():
    """And none too: what `clear()` leaves."""
    assert Scenario(Rule("http:503")).rules == (Rule("http:503"),)
    assert Scenario().rules == Scenario("").rules == ()
    assert "there is no rule: give one" in str(refusal(inject, ""))  # nobody means that


def test_a_second_rule_is_no_seed():
    """A second rule is refused, not taken for a seed: the fault would be lost silently.

    `inject` takes rules one after another.
    """
    with pytest.raises(TypeError, match="takes from 1 to 2 positional arguments but 3 were given"):
        Scenario("http:503", "http:500")


@each_row(("seed", "text"), [(42, "42"), ("42", "42"), (None, None), ("", ""), ("é x", "é x")])
def test_a_seed_is_text(seed, text):
    """`42` and `"42"` are the same."""
    assert [make("http:503", seed=seed).seed for make in (Scenario, Scenario.parse)] == [text] * 2


@each_row(
    ("rules", "seed", "message"),
    [
        (5, None, "5 is not rules: give text, a Rule, or a list of either"),
        ([5], None, "rules[0]: 5 is not a rule: give text or a Rule"),
        ({"fault": "x"}, None, "{'fault': 'x'} is not rules: give text, a Rule, or a list of either"),
        ("http:503", 1.5, "seed: 1.5 is not text or a whole number"),
        ("http:503", True, "seed: True is not text or a whole number"),
        ("http:503", "\udcff", "seed: not valid Unicode, or too many digits"),
        pytest.param("http:503", 10**5000, "seed: not valid Unicode, or too many digits", id="digits"),
        (
            ["http:503", "http:1"],
            None,
            "rules[1]: http:1 is not http: and a status from 400 to 599\n  http:1\n  ^^^^^^",
        ),
        (["http:1"], None, "http:1 is not http: and a status from 400 to 599\n  http:1\n  ^^^^^^"),
        (
            "http:503,name=a http:504 http:505,name=a",
            None,
            "rule 3: name: a is already the name of rule 1; names must be unique\n"
            "  http:503,name=a http:504 http:505,name=a\n"
            "                                         ^",
        ),
        (
            [Rule("http:503", name="a"), Rule("http:504"), Rule("http:505", name="a")],
            None,
            "rules[2].name: a is already the name of rules[0]; names must be unique",
        ),
        (
            ["http:503 http:504,name=a", Rule("http:505", name="a"), "http:500,name=a"],
            None,
            "rules[1].name: a is already the name of rule 2 (rules[0]); names must be unique\n"
            "rules[2]: name: a is already the name of rule 2 (rules[0]); names must be unique\n"
            "  http:500,name=a\n"
            "                ^",
        ),
    ],
)
def test_what_is_no_scenario_is_refused(rules, seed, message):
    """In exact words."""
    assert str(refusal(Scenario, rules, seed=seed)) == message


@each_row(
    ("text", "names"),
    [
        ("http:503 http:504", ("rule-1", "rule-2")),
        ("http:503 http:504,name=x", ("rule-1", "x")),
        ("http:503 http:504,name=rule-1", ("rule-1-2", "rule-1")),
        ("http:503 http:504,name=rule-1 http:505,name=rule-1-2", ("rule-1-3", "rule-1", "rule-1-2")),
    ],
)
def test_a_name_by_position_steps_aside(text, names):
    """For one that is given."""
    assert Scenario(text).display_names == names


def test_scenarios_are_values():
    """Equal when rules and seed are, and able to travel."""
    one = Scenario("http:503,path=a", seed=1)
    assert one == Scenario.parse("http:503,path=a", seed="1") == pickle.loads(pickle.dumps(one))
    assert len({one, Scenario([Rule("http:503", path="a")], seed=1)}) == 1
    assert one not in (Scenario("http:503,path=a"), "http:503,path=a")


def test_a_scenario_prints_its_rules():
    """In one line, ready for a variable."""
    scenario = Scenario("http:503;\n http:504,times=1", seed=7)
    text = "http:503 http:504,times=1"
    assert (str(scenario), repr(scenario)) == (text, f"Scenario('{text}', seed='7')")


def test_from_env_reads_the_variables_of_rules_only():
    """Switched on or not."""
    environ = {"FAULTINJECT_RULES": "http:503", "FAULTINJECT_SEED": "5", "FAULTINJECT_NONSENSE": "1"}
    assert Scenario.from_env(environ) == Scenario("http:503", seed=5)
    refused = refusal(Scenario.from_env, {"FAULTINJECT_RULES": "http:1"})
    assert str(refused).startswith("FAULTINJECT_RULES: http:1 is")


TOML = """\
# everything that a rule can hold
seed = 42

[[rules]]
fault = "cos:SlowDown"
probability = 0.3
times = 5
method = ["PUT", "POST"]
path = "photos/"
retry-after = "2s"
header.x-test = "abc"
query = { "tags[]" = "x", uploads = "" }
unless = { path = "health", header.x_no = "" }

[[rules]]
name = "text"
fault = "http:503"
message = '''
[[rules]] is not
a = "table" here'''
drain = false
size = 5

[rules.set]
Location = "/x"
"""


def test_toml_has_the_same_vocabulary(tmp_path):
    """Numbers, booleans, lists and tables where they are natural."""
    expected = Scenario(
        [
            Rule(
                "cos:SlowDown",
                probability=0.3,
                times=5,
                method=["PUT", "POST"],
                path="photos/",
                retry_after="2s",
                header={"x-test": "abc"},
                query={"tags[]": "x", "uploads": ""},
                unless={"path": "health", "header": {"x-no": ""}},
            ),
            Rule(
                "http:503",
                name="text",
                message='[[rules]] is not\na = "table" here',
                drain=False,
                size=5,
                set={"location": "/x"},
            ),
        ],
        seed=42,
    )
    file = tmp_path / "rules.toml"
    file.write_bytes(b"\xef\xbb\xbf" + TOML.replace("\n", "\r\n").encode())
    assert Scenario.load(file) == Scenario.load(str(file)) == Scenario.from_toml(TOML) == expected


@each_row(
    ("text", "problems"),
    [
        (TOML.replace("0.3", "1.5"), ["rules.toml:6: rules[0].probability: 1.5 is not between 0 and 1"]),
        (TOML.replace('"2s"', "2"), ["rules.toml:10: rules[0].retry-after: 2 has no unit; did you mean 2s?"]),
        (TOML.replace('"abc"', '"**************************"'), ["rules.toml:11: rules[0].header.x-test: a pattern of 26 stars; at most 16 are allowed"]),
        (TOML.replace('"health"', '""'), ["rules.toml:13: rules[0].unless.path: needs a value"]),
        (TOML.replace("drain = false", "drain = 5"), ["rules.toml:21: rules[1].drain: 5 is not yes or no"]),
        (TOML.replace("Location", "Upgrade"), ["rules.toml:25: rules[1]: set.upgrade: the server sets upgrade itself"]),
        (TOML.replace("times = 5", "tiems = 5"), ["rules.toml:7: rules[0]: tiems is not a key; did you mean times?"]),
        (TOML.replace('fault = "http:503"', "fault = 503"), ["rules.toml:17: rules[1].fault: 503 is not a fault: give it as text"]),
        (
            TOML.replace('fault = "http:503"', 'faullt = "http:503"'),
            [
                "rules.toml:17: rules[1]: faullt is not a key; did you mean fault?",
                'rules.toml:15: rules[1]: there is no fault; a rule needs one, such as fault = "cos:SlowDown"',
            ],
        ),
        (TOML.replace("cos:SlowDown", "cos:Slowdown"), ["rules.toml:5: rules[0].fault: cos:Slowdown is not a documented error of cos; did you mean cos:SlowDown?"]),
        (TOML.replace("seed = 42", "sede = 42"), ["rules.toml:2: sede is not a key of a scenario; did you mean seed?"]),
        ('fault = "http:503"', ["rules.toml:1: fault is not a key of a scenario; write [[rules]] above a rule, in JSON [{…}]"]),
        (TOML.replace("seed = 42", "seed = 4.2"), ["rules.toml:2: seed: 4.2 is not text or a whole number"]),
        (TOML + '\n[[rules]]\nfault="http:504"\nname="text"', ["rules.toml:29: rules[2].name: text is already the name of rules[1] (rules.toml:16); names must be unique"]),
        (TOML + '\n[[rules]]\nfault="latency"', ["rules.toml:28: rules[2].fault: latency needs a delay, such as delay=2s"]),
        ('x = 1\nrules = [{fault = "http:503", times = -1}, "http:503"]', [
            "rules.toml:1: x is not a key of a scenario",
            "rules.toml:2: rules[0].times: -1 is not a whole number of 0 or more",
            "rules.toml:2: rules[1]: 'http:503' is not a table with a fault",
        ]),
        ("rules = 5", ["rules.toml:1: rules is not a list of tables"]),
        ('seed = 1\n[rules]\nfault = "http:503"', ["rules.toml:2: rules is one table, not a list of them; write [[rules]], in JSON [{…}]"]),
        ('[[rules]]\nfault = "http:503,times=2"', ["rules.toml:2: rules[0].fault: only a fault can stand here; give its keys as keywords (in TOML: as keys of the table), or all of it to Scenario.parse"]),
        ('rules = [{fault="http:503"},\n{fault="http:1"}, # {,[\n{fault="http:503", times=-1}]\n[x]', [
            "rules.toml:4: x is not a key of a scenario",
            "rules.toml:1: rules[1].fault: http:1 is not http: and a status from 400 to 599",
            "rules.toml:1: rules[2].times: -1 is not a whole number of 0 or more",
        ]),
        ('[[rules]]\nfault = "http:503"\n"query.a-b" = []', ["rules.toml:3: rules[0].query.a-b: [] is not a value of query: give it as text"]),
        ('[[rules]]\nfault = "http:503"\n["rules"]\n', ["rules.toml:3: Cannot declare ('rules',) twice; write [[rules]] for each rule"]),
        ("seed = 42\n[[rules]\n", ["rules.toml:2: Expected ']]' at the end of an array declaration"]),
        ('seed = 1\nx = "', ["rules.toml:2: Unterminated string"]),
        pytest.param("a = " + "[" * 5000, ["rules.toml: nested too deeply"], id="deep"),
        pytest.param("a = " + "9" * 5000, ["rules.toml: Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits; use sys.set_int_max_str_digits() to increase the limit"], id="digits"),
        ('{"rules": [{"fault": "http:503", "times": -1}]}', ["rules.json: rules[0].times: -1 is not a whole number of 0 or more"]),
        ('{"rules": [{"fault": "http:503", "times": 1, "times": 2}]}', ["rules.json: times is given twice"]),
        ('{"seed": "1", "seed": "2", "rules": [{"fault": "http:503", "times": 1, "times": 2}, {"fault": "bogus:1"}, {"fault": "http:503", "method": "P UT"}]}', [
            "rules.json: times is given twice",
            "rules.json: seed is given twice",
            "rules.json: rules[1].fault: 'bogus' is not a vendor; did you mean bos?",
            "rules.json: rules[2].method: P UT cannot be a method",
        ]),
        ('{"rules": [{"fault": "http:503", "delay": 5}]}', ["rules.json: rules[0].delay: 5 has no unit; did you mean 5s?"]),
        ('{"rules": [{"fault": "http:503", "name": "a"}, {"fault": "http:504", "name": "a"}]}', ["rules.json: rules[1].name: a is already the name of rules[0] (rules.json); names must be unique"]),
        ('{"rules":\n[}', ["rules.json:2: Expecting value"]),
        ('{"ruls": []}', ["rules.json: ruls is not a key of a scenario; did you mean rules?"]),
        ("[]", ['rules.json: a scenario is a table with "rules" and perhaps "seed"']),
        pytest.param("[" * 100000, ["rules.json: nested too deeply"], id="deep JSON"),
        pytest.param("9" * 5000, ["rules.json: Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits; use sys.set_int_max_str_digits() to increase the limit"], id="digits in JSON"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_has_its_place(tmp_path, monkeypatch, text, problems):
    """A mistake in a file has file, rule and key, and in TOML the line.

    The line is searched for, as the standard library's parser gives no positions.
    """
    monkeypatch.chdir(tmp_path)
    name = problems[0].partition(":")[0]
    (tmp_path / name).write_text(text)
    assert str(refusal(Scenario.load, name)).splitlines() == problems


@each_row(
    ("read", "text", "where", "told"),
    [
        (Scenario.from_toml, '[[rules]]\nfault="http:503"\ntimes=-1', "", "rules[0].times: -1 is not a whole number of 0 or more"),
        (Scenario.from_toml, "a", "x", "x:1: "),
        (Scenario.from_json, "{\n", "", "line 2: "),
    ],
)  # fmt: skip
def test_a_mistake_without_a_file_has_its_key(read, text, where, told):
    """Or its line; also when nobody says where the text is from."""
    assert str(refusal(read, text, **({"where": where} if where else {}))).startswith(told)


@each_row(
    ("text", "sort"),
    [('[[rules]]\nfault="s3:Slow"', UnknownDocumentedError), ('[[rules]]\nfault="x:Y"', UnknownVendorError)],
)
def test_the_sort_of_an_error_is_kept(text, sort):
    """As from text."""
    assert type(refusal(Scenario.from_toml, text)) is sort


def test_a_file_that_cannot_be_read_is_one_clear_message(tmp_path, monkeypatch):
    """Not there, a directory, not readable, not UTF-8: in the system's words."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "closed.toml").touch(0o000)
    (tmp_path / "binary.toml").write_bytes(b'seed = "a"\nx = "\xff"')
    (tmp_path / "empty-line.toml").write_bytes(b"\n\xff")
    messages = {
        "absent.toml": "absent.toml: there is no such file",
        "absent.yaml": "absent.yaml: there is no such file",
        "folder.toml": "folder.toml: this is a directory, not a file",
        "binary.toml": "binary.toml:2: not UTF-8: byte 0xff",
        "empty-line.toml": "empty-line.toml:2: not UTF-8: byte 0xff",
        "nul\0.toml": "nul\\x00.toml: cannot be read: no file can have such a name",
        "half\ud800.toml": "half\\ud800.toml: cannot be read: no file can have such a name",
        "binary.toml/x": "binary.toml/x: cannot be read: not a directory",
    }
    if READS_NOT_ALL:
        messages["closed.toml"] = "closed.toml: cannot be read: permission denied"
    assert {name: str(refusal(Scenario.load, name)) for name in messages} == messages


def test_a_file_of_yaml_is_told_what_is_read(tmp_path, monkeypatch):
    """Only what is no TOML: the name alone says nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("rules.yaml", "rules.YML"):
        (tmp_path / name).write_text('[[rules]]\nfault = "http:503"\n')
        assert Scenario.load(name) == Scenario.parse("http:503")
        (tmp_path / name).write_text("rules:\n- fault: http:503\n")
        told = str(refusal(Scenario.load, name))
        assert told.startswith(f"{name}:1: ")
        assert told.endswith("; rules are TOML, or JSON in a file whose name ends in .json")


def test_permission_denied_is_told_for_root_too(tmp_path, monkeypatch):
    """The same message whatever the user: the system's error is what counts."""

    def refuse(*_):
        raise PermissionError(13, "Permission denied", "closed.toml")

    monkeypatch.chdir(tmp_path)
    (tmp_path / "closed.toml").touch()
    monkeypatch.setattr("builtins.open", refuse)
    assert str(refusal(Scenario.load, "closed.toml")) == "closed.toml: cannot be read: permission denied"


def test_json_is_laid_out():
    """For people to read and to change, with what does not print escaped."""
    assert Scenario("http:503,message=a\u202eb", seed=1).to_json() == (
        '{\n  "seed": "1",\n  "rules": [\n    {\n      "fault": "http:503",\n      "message": '
        '"a\\u202eb"\n    }\n  ]\n}\n'
    )


def test_a_wrong_seed_is_told_with_the_name_of_the_text():
    """As rules are."""
    refused = refusal(Scenario.parse, "http:503", seed=4.2, where="HERE")
    assert str(refused) == "HERE: seed: 4.2 is not text or a whole number"


@each_row(
    ("rule", "draws"),
    [
        ("cos:SlowDown", False),
        ("cos:@server", True),
        ("cos:InternalError,status=200,share=0.5", True),
        ("latency,delay=1s", False),
        ("latency,delay=1s..2s", True),
        ("truncate", False),
        ("truncate,of=cos:@server", True),
        ("corrupt", True),
        ("hang", False),
    ],
)
def test_what_is_drawn_when_a_rule_fires(rule, draws):
    """Then every match needs a number of its own, or the same would come out of each."""
    [rule] = Scenario.parse(rule).rules
    assert rule.resolved.draws(rule) is draws


@pytest.mark.parametrize("value", [Scenario("http:503"), Rule("http:503")])
@pytest.mark.parametrize("name", ["rules", "fault", "no_such_name"])
def test_values_cannot_be_changed(value, name):
    """Not by any name: a misspelt one is no attribute either."""
    with pytest.raises(AttributeError):
        setattr(value, name, 1)
    with pytest.raises(AttributeError):
        delattr(value, name)

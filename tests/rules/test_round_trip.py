"""Printing and reading are inverse, in text, TOML and JSON."""

import re
from ast import literal_eval
from json import dumps

from hypothesis import given
from hypothesis import strategies as st

from faultinject import Rule, Scenario
from faultinject.exceptions import ConfigurationError
from faultinject.rules.conditions import CONDITIONS
from faultinject.rules.faults import FAULTS
from faultinject.rules.triggers import TRIGGERS
from faultinject.rules.vocabulary import KEYS

NASTY = st.text(st.sampled_from(list(" \t\r\n,;=\"\\'*?/.#[]{}%aé猫\x00\x7f\u2028\U0001f600-_")), max_size=10)
TEXT = NASTY | st.text(st.characters(codec="utf-8"), max_size=12)
FILLED = TEXT.filter(bool)
HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=10)
TOKEN = st.text("abcXYZ09-_.!#$%&'*+^`|~", min_size=1, max_size=6)
COUNT = st.integers(0, 10**6)
DURATION = st.sampled_from(["0s", "200ms", "1.50s", "5m", "1h", 2, 0.25])
SEVERAL = {"min_size": 1, "max_size": 3}


def some(values):
    return values | st.lists(values, **SEVERAL)


VALUES = {
    "method": some(st.sampled_from(["PUT", "get", "P*", "=PUT"])),
    "path": some(FILLED),
    "host": some(st.sampled_from(["example.com", "*.x", "[::1]"])),
    "header": st.dictionaries(TOKEN, some(TEXT), **SEVERAL),
    "query": st.dictionaries(FILLED, some(TEXT), **SEVERAL),
    "operation": some(st.sampled_from(["PutObject", "Get*"])),
    "bucket": some(FILLED),
    "key": some(FILLED),
    "client": some(st.sampled_from(["10.0.0.0/8", "::1", "testclient"])),
    "size": some(st.sampled_from(["5MiB..", "..1KiB", "4096", 7])),
    "probability": st.floats(0, 1) | st.sampled_from(["0.30", "1", "1e-3"]),
    "skip": COUNT,
    "from": st.integers(1, 100) | st.just("007"),
    "every": st.integers(1, 100) | st.just("007"),
    "times": COUNT,
    "per": st.sampled_from(["rule", "call", "key", "bucket", "operation", "client"]),
    "above": st.sampled_from(["100/s", "5/10s"]),
    "begin": DURATION,
    "end": DURATION,
    "when": st.sampled_from(["before", "after"]),
    "delay": DURATION | st.just("100ms..2s"),
    "retry_after": DURATION,
    "hint": st.sampled_from(["seconds", "date"]),
    "message": TEXT,
    "content_type": HEADER_TEXT.filter(bool),
    "resource": TEXT,
    "status": st.integers(200, 599),
    "set": st.dictionaries(TOKEN.map("x-{}".format), HEADER_TEXT, min_size=1, max_size=1),
    "drop": st.dictionaries(TOKEN.map("x-{}".format), st.just(""), min_size=1, max_size=1),
    "range": st.sampled_from(["ignore", "shift"]),
    "drain": st.booleans() | st.sampled_from(["on", "0"]),
    "cors": st.booleans(),
    "duration": DURATION,
    "of": st.sampled_from(["cos:SlowDown", "jss:BucketNotEmpty/3", "qingstor:@server", "gateway:BadGateway"]),
    "keep": st.floats(0, 1, exclude_max=True) | st.sampled_from(["0", "0.50", ".5", "00.9"]),
    "after_bytes": COUNT | st.sampled_from(["4KiB", "0", "1MB"]),
    "keep_bytes": COUNT | st.sampled_from(["4KiB", "0", "1MB"]),
    "rate": st.integers(1, 10**6) | st.sampled_from(["1KiB", "2MB"]),
    "flips": st.integers(1, 1000) | st.just("007"),
    "http2": st.booleans() | st.just("ON"),
    "name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,10}", fullmatch=True),
    "vendor": st.sampled_from(["cos", "jss"]),
}
SAYING = ("when", "delay", "retry_after", "hint", "message", "set", "drain", "cors")
TAKEN = {
    **{each.title: ("vendor", *each.takes) for each in FAULTS if ":" not in each.title},
    **dict.fromkeys(("reset", "close"), ("when", "delay", "after_bytes", "http2")),
    "hang": ("when", "delay", "duration", "drain", "http2"),
    "cos:SlowDown": (*SAYING, "status", "resource"),
    "cos:SlowDown ": ("delay", "after_bytes", "cors"),
    "gateway:BadGateway": ("vendor", "message"),
    "http:503": ("vendor", *SAYING, "content_type"),
    "oneof": (*SAYING, "status", "resource"),
    "oneof ": ("vendor", "delay", "after_bytes"),
    "truncate": ("delay", "of", "keep", "http2"),
    "truncate ": ("vendor", "delay", "keep_bytes", "http2"),
    "drip": ("delay", "of"),
}
"""Keys of each fault that may stand together; of one without a row all that it takes."""
NEEDED = {
    "latency": ("delay", VALUES["delay"]),
    "drip": ("rate", VALUES["rate"]),
    "edit": ("range", VALUES["range"]),
    "oneof": ("of", st.lists(VALUES["of"], **SEVERAL)),
    "oneof ": (
        "of",
        st.lists(VALUES["of"], max_size=2).map(lambda each: ["cos:SlowDown", "s3:SlowDown", *each]),
    ),
}


def values_of(key):
    """Values of a key; for a key without a strategy, the value of its example."""
    if key in VALUES:
        return VALUES[key]
    return st.just(literal_eval(re.search(rf"\b{key}=([^,)]+)", KEYS[key].doc)[1]))


def _valid(keys):
    # At most 16 stars, 32 segments: the strategies stay far below.
    return st.fixed_dictionaries({}, optional={key: values_of(key) for key in keys})


@st.composite
def rules(draw):
    fault = draw(st.sampled_from(sorted(TAKEN)))
    keys = draw(_valid((*CONDITIONS, *TRIGGERS, "name", *TAKEN[fault])))
    if "from" in keys:
        keys = {key: value for key, value in keys.items() if key not in ("skip", "every", "times")}
    if fault in NEEDED:
        needed, values = NEEDED[fault]
        keys[needed] = draw(values)
    if draw(st.booleans()) and (unless := draw(_valid(CONDITIONS))):
        keys["unless"] = unless
    return Rule(fault.strip(), **keys)


def scenarios():
    return st.builds(
        Scenario,
        st.lists(rules(), max_size=4, unique_by=lambda each: each.name or id(each)),
        seed=st.none() | TEXT | st.integers(),
    )


@given(rules())
def test_a_rule_printed_and_read_is_the_same_rule(rule):
    """A rule that is printed and read is the same rule, and prints the same text.

    Python's keywords, which have the shape of the tables, give the same rule too. Text without quotes is read by
    splitting, with the same result.
    """
    text = str(rule)
    (again,) = Scenario.parse(text).rules
    assert (again, str(again), hash(again)) == (rule, text, hash(rule))
    data = rule.to_dict()
    assert Rule(data.pop("fault"), **data) == rule
    if '"' not in text:
        text = text.replace(",", ", ")
        assert Scenario.parse(text).rules == (rule,)
        assert Scenario.parse(f'{text}\nhttp:503,message="x"').rules[0] == rule


@given(scenarios(), st.sampled_from([" ", "\n", ";", " ;\r\n\t"]))
def test_a_scenario_survives(scenario, separator):
    """A scenario survives TOML, JSON and text, with its rules and seed.

    In text the rules stand between blanks, line ends and semicolons, also first and last.
    """
    assert Scenario.from_toml(scenario.to_toml()) == Scenario.from_json(scenario.to_json()) == scenario
    text = separator.join(["", *map(str, scenario.rules), ""])
    assert Scenario.parse(text, seed=scenario.seed) == scenario


@given(NASTY | TEXT, NASTY | TEXT)
def test_no_text_is_anything_but_rules_or_a_configuration_error(one, other):
    """Whatever a shell leaves of a rule, there is a message and its excerpt is visible."""
    for text in (
        one,
        f"http:503,{one}",
        f"http:503,path={one}",
        f"http:503,{one}={other}",
        f"http:503,query.{one}={other}",
    ):
        try:
            Scenario.parse(text, where="FAULTINJECT_RULES")
        except ConfigurationError as error:
            assert all(line.isprintable() for line in str(error).split("\n"))
            for problem in error.problems:
                shown, carets = problem.excerpt.split("\n")
                assert set(carets.strip()) == {"^"}
                assert len(carets) <= len(shown) + 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["rules", "seed", "fault", "header", "unless", "times", "path"]) | TEXT, inner
            )
        ),
        max_leaves=12,
    )
)
def test_no_plain_data_is_anything_but_a_scenario_or_a_configuration_error(data):
    """Whatever JSON or a Python keyword brings."""
    for shape in (
        data,
        {"rules": data},
        {"rules": [data]},
        {"rules": [{"fault": "http:503", "header": data, "unless": data}]},
    ):
        try:
            Scenario.from_json(dumps(shape))
        except ConfigurationError as error:
            assert error.problems
    try:
        Rule("http:503", path=data, header=data, unless=data, set=data, times=data)
    except ConfigurationError as error:
        assert error.problems

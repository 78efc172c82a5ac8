"""The faults of the connection and their effects as rules: every spelling, and what is refused in which words."""

from __future__ import annotations

from datetime import timedelta
from json import dumps

import pytest

from faultinject import Rule, Scenario, vendors
from faultinject.exceptions import ConfigurationError, UnknownDocumentedError, UnknownVendor
from faultinject.rules import EFFECTS
from faultinject.rules.faults import FAULTS
from tests.rows import row_by_row

# A rule in its canonical text, and its keys as TOML and JSON have them.
RULES = [
    ("hang", {}),
    ("hang,duration=30s", {"duration": "30s"}),
    (
        "hang,method=PUT,unless.path=health,times=2,when=after,delay=100ms..2s,drain=no,duration=1h,http2=yes,name=a",
        {
            "name": "a",
            "http2": True,
            "duration": "1h",
            "drain": False,
            "delay": "100ms..2s",
            "when": "after",
            "times": 2,
            "unless": {"path": "health"},
            "method": "PUT",
        },
    ),
    ("reset,path=photos/", {"path": "photos/"}),
    (
        "reset,when=after,delay=1s,drain=no,http2=yes",
        {"http2": True, "drain": False, "delay": "1s", "when": "after"},
    ),
    ("close,vendor=jss,per=call,delay=1ms,drain=yes", {"vendor": "jss", "per": "call", "delay": "1ms", "drain": True}),
    ("reset,when=after,after_bytes=0", {"when": "after", "after_bytes": 0}),
    ("hang,delay=1s,duration=2s,after_bytes=4KiB,http2=yes", {"http2": True, "after_bytes": "4KiB", "delay": "1s", "duration": "2s"}),
    ("http:503,method=PUT,after_bytes=256KiB", {"after_bytes": "256KiB", "method": "PUT"}),
    ("stall", {}),
    ("stall,when=after,duration=3s,after_bytes=10", {"after_bytes": 10, "when": "after", "duration": "3s"}),
    ("truncate", {}),
    ("truncate,keep=0", {"keep": 0}),
    (
        "truncate,delay=2s,of=cos:InternalError,keep=0.9,http2=no",
        {"http2": False, "keep": 0.9, "of": "cos:InternalError", "delay": "2s"},
    ),
    ("truncate,keep=0.50", {"keep": "0.50"}),
    ("truncate,keep_bytes=4096", {"keep_bytes": 4096}),
    ("truncate,of=jss:BucketNotEmpty/3,keep_bytes=4KiB", {"keep_bytes": "4KiB", "of": "jss:BucketNotEmpty/3"}),
    ("drip,rate=1", {"rate": 1}),
    ("drip,delay=1s,of=cos:@server,rate=1KiB", {"rate": "1KiB", "of": "cos:@server", "delay": "1s"}),
    ("drip,vendor=cos,of=gateway:BadGateway,rate=2MB", {"rate": "2MB", "of": "gateway:BadGateway", "vendor": "cos"}),
    ("corrupt", {}),
    ("corrupt,probability=0.1,delay=1s,flips=1000", {"flips": 1000, "delay": "1s", "probability": 0.1}),
    ("corrupt,flips=007", {"flips": "007"}),
    ("cos:SlowDown,status=200,cors=no,exact=yes", {"exact": True, "cors": False, "status": 200}),
]  # fmt: skip


def toml(fault, keys):
    """A table of TOML; JSON's strings, numbers and bools are TOML's as well."""
    lines = [f"unless.{name} = {dumps(value)}" for name, value in keys.get("unless", {}).items()]
    lines += [f"{key} = {dumps(value)}" for key, value in keys.items() if key != "unless"]
    return "\n".join(["[[rules]]", f"fault = {dumps(fault)}", *lines])


@row_by_row(("text", "keys"), RULES)
def test_every_spelling_means_the_same_rule(text, keys):
    """Text, TOML, JSON and Python; it prints in canonical order, and what is printed is the same rule."""
    fault = text.partition(",")[0]
    rule = Rule(fault, **keys)
    assert str(rule) == text
    assert rule.to_dict() == {"fault": fault, **keys}
    scenario = Scenario([rule])
    assert Scenario.parse(text).rules == (rule,)
    assert Scenario.from_toml(toml(fault, keys)).rules == (rule,)
    assert Scenario.from_json(dumps({"rules": [{"fault": fault, **keys}]})).rules == (rule,)
    assert Scenario.from_toml(scenario.to_toml()) == Scenario.from_json(scenario.to_json()) == scenario


@row_by_row(
    ("rule", "key", "expected"),
    [
        (Rule("hang"), "duration", 300.0),
        (Rule("hang", duration=1.5), "duration", 1.5),
        (Rule("hang", duration=timedelta(minutes=2)), "duration", 120.0),
        (Rule("hang", duration="1h"), "duration", 3600.0),
        (Rule("hang", duration=0), "duration", 0.0),
        (Rule("reset", delay="1h"), "delay", (3600.0, 3600.0)),
        (Rule("truncate"), "keep", 0.5),
        (Rule("truncate", keep=0), "keep", 0.0),
        (Rule("truncate", keep=0.999999), "keep", 0.999999),
        (Rule("truncate"), "keep_bytes", None),
        (Rule("truncate", keep_bytes=0), "keep_bytes", 0),
        (Rule("truncate", keep_bytes="4KiB"), "keep_bytes", 4096),
        (Rule("reset"), "after_bytes", None),
        (Rule("reset", after_bytes=0), "after_bytes", 0),
        (Rule("cos:SlowDown", after_bytes="256KiB"), "after_bytes", 262_144),
        (Rule("stall"), "duration", 300.0),
        (Rule("truncate"), "of", None),
        (Rule("truncate", of="cos:@server"), "of", "cos:@server"),
        (Rule("drip", rate="1KB"), "rate", 1000),
        (Rule("corrupt"), "flips", 1),
        (Rule("corrupt", flips=1000), "flips", 1000),
        (Rule("reset"), "http2", False),
        (Rule("reset", http2="on"), "http2", True),
        (Rule("cos:SlowDown"), "exact", False),
        (Rule("cos:SlowDown", exact=1), "exact", True),
    ],
)
def test_a_value_is_parsed(rule, key, expected):
    """Durations in seconds, sizes and rates in bytes, and the documented defaults."""
    assert rule.value(key) == expected


EXAMPLES = {
    "vendor:Code": ("cos:SlowDown", {}),
    "http:NNN": ("http:503", {}),
    "latency": ("latency", {"delay": "1s"}),
    "drip": ("drip", {"rate": 1}),
    "edit": ("edit", {"range": "shift"}),
}
VALUES = {
    "delay": "1s", "retry_after": "1s", "duration": "1s", "status": 500, "of": "cos:SlowDown", "keep": 0.1,
    "keep_bytes": 1, "after_bytes": 1, "rate": 2, "flips": 2, "set": {"x-a": "b"}, "when": "after", "hint": "date",
    "share": 0.5, "drop": {"x-a": ""}, "range": "ignore",
}  # fmt: skip
NEEDS = {"share": {"status": 200}}
"""The effects without which another says nothing."""


@row_by_row("fault", FAULTS, ids=lambda each: each.title)
def test_a_fault_takes_its_effects(fault):
    """And refuses the others in words that say which it takes."""
    text, given = EXAMPLES.get(fault.title, (fault.title, {}))
    for effect in EFFECTS:
        keys = {**given, effect: VALUES.get(effect, "yes")}
        if effect in fault.takes:
            keys = {**NEEDS.get(effect, {}), **keys}
            assert effect in {key.partition(".")[0] for key in Rule(text, **keys).options}
            continue
        with pytest.raises(ConfigurationError) as caught:
            Rule(text, **keys)
        told, _, listed = str(caught.value).partition("; it takes ")
        assert told == f"{text} takes no {effect}"
        assert set(listed.replace(" and ", ", ").split(", ")) == {*fault.takes}


def messages(make):
    with pytest.raises(ConfigurationError) as caught:
        make()
    return [each.message for each in caught.value.problems]


@pytest.mark.parametrize(
    ("of", "sort"), [("cos:Slow", UnknownDocumentedError), ("aws:SlowDown", UnknownVendor)]
)
def test_a_wrong_of_is_an_error_of_its_own_sort(of, sort):
    """As the same words are in the place of the fault."""
    with pytest.raises(sort) as caught:
        Rule("drip", rate=1, of=of)
    assert type(caught.value) is sort


def test_a_number_is_seconds_in_python_only():
    """TOML and JSON want a unit."""
    assert Rule("hang", duration=5) == Rule("hang", duration="5s")
    assert messages(lambda: Scenario.from_toml('[[rules]]\nfault = "hang"\nduration = 5')) == [
        "5 has no unit; did you mean 5s?"
    ]


@row_by_row(
    ("rule", "vendor"),
    [
        (Rule("truncate", of="cos:SlowDown"), "cos"),
        (Rule("drip", rate=1, of="jss:@server"), "jss"),
        (Rule("truncate", of="gateway:BadGateway"), None),
        (Rule("truncate", of="gateway:BadGateway", vendor="jss"), "jss"),
        (Rule("truncate"), None),
        *((Rule(each, vendor="qingstor"), "qingstor") for each in ("hang", "reset", "close", "truncate", "corrupt")),
    ],
)  # fmt: skip
def test_the_error_that_is_cut_says_how_requests_are_read(rule, vendor):
    """Else `vendor`, else as an S3 request."""
    assert rule.vendor is (None if vendor is None else vendors.get(vendor))

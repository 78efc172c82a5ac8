"""The faults of the connection and their effects as rules: every spelling, and what is refused in which words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from faultinject import Rule
from faultinject.exceptions import ConfigurationError
from faultinject.rules import EFFECTS
from faultinject.rules.faults import FAULTS
from tests.rows import row_by_row


# A rule in its canonical text, and its keys as TOML and JSON have them.
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

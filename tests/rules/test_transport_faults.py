"""Connection faults and their effects as rules: spellings, and the words of refusals."""

from faultinject import Rule
from faultinject.rules.effects import EFFECTS
from faultinject.rules.faults import FAULTS, get
from tests.refusals import refusal
from tests.rows import each_row

EXAMPLES = {
    "vendor:Code": ("cos:SlowDown", {}),
    "http:NNN": ("http:503", {}),
    "oneof": ("oneof", {"of": "cos:SlowDown"}),
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


@each_row("fault", FAULTS, ids=lambda each: each.title)
def test_a_fault_takes_its_effects(fault):
    """And refuses the others in words that say which it takes; the list of a fault has no typo."""
    text, given = EXAMPLES.get(fault.title, (fault.title, {}))
    assert (type(get(text)), get(text).meaning[-1], {*fault.takes} - {*EFFECTS}) == (fault, ".", set())
    for effect in EFFECTS:
        keys = {**given, effect: VALUES.get(effect, "yes")}
        if effect in fault.takes:
            keys = {**NEEDS.get(effect, {}), **keys}
            assert effect in {key.partition(".")[0] for key in Rule(text, **keys).options}
            continue
        told, _, listed = str(refusal(Rule, text, **keys)).partition("; it takes ")
        assert told == f"{text} takes no {effect}"
        assert set(listed.replace(" and ", ", ").split(", ")) == {*fault.takes}

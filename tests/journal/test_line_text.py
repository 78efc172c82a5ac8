"""The text of a journal's line: letter for letter what the JSON library writes of its fields."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultinject import Outcome
from faultinject.engine.journal_entry import FIELDS
from faultinject.journal import line_text as module
from faultinject.journal.line_text import line_text

HOSTILE = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.sampled_from(
        ["", "%s", "%", '"', "\\", "{}", "\x00", "\x1f", "\x7f", "\x9b", "é", "\u2028", "\u202e", "\ud800", "\U000e0001", "😀", "\n"]
    ),
)  # fmt: skip
FLOATS = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1e16, 1e-7, 5e-324, 1.8e9 + 0.1]))
NUMBERS = st.one_of(st.integers(), FLOATS)
TYPES = {
    "int": st.integers(),
    "float": NUMBERS,
    "str": HOSTILE,
    "bool": st.booleans(),
    "dict[str, object]": st.dictionaries(
        HOSTILE, st.one_of(HOSTILE, st.integers(), st.booleans(), st.none())
    ),
}


def drawn(kind):
    name, _, none = kind.partition(" | ")
    return st.one_of(st.none(), TYPES[name]) if none else TYPES[name]


LINES = st.tuples(*(drawn(Outcome.__annotations__[name]) for name in FIELDS))


def reference(values):
    """What the journal wrote when it used the JSON library for the whole line."""
    fields = dict(zip(FIELDS, values, strict=True))
    if not fields["final"]:
        del fields["final"]
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    if not text.isprintable():
        text = "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)
    return text.encode("utf-8", "replace") + b"\n"


@given(st.lists(LINES, min_size=1, max_size=3))
def test_the_text_is_that_of_the_json_library(lines):
    """Hostile texts, surrogates, floats of every kind, None, in any field: also where a line like it came before."""
    for values in lines:
        assert line_text(values) == reference(values)


@given(LINES, st.data())
def test_a_remembered_template_has_nothing_of_another_line(values, data):
    """What changes is put in anew, whatever it was."""
    line_text(values)
    name = data.draw(st.sampled_from(FIELDS))
    place = FIELDS.index(name)
    other = (*values[:place], data.draw(drawn(Outcome.__annotations__[name])), *values[place + 1 :])
    assert line_text(other) == reference(other)


@pytest.mark.parametrize("name", [name for name in FIELDS if "float" in Outcome.__annotations__[name]])
def test_equal_numbers_are_written_as_they_are(name):
    """1 and 1.0 are equal, and so are 0.0 and -0.0."""
    place = FIELDS.index(name)
    for value in (1, 1.0, 0.0, -0.0, float("nan"), float("-inf"), True, False):
        values = [None] * len(FIELDS)
        values[place] = value
        assert line_text(values) == reference(values)


def test_templates_are_bounded(monkeypatch):
    """Clients that call themselves something else each time fill no memory."""
    monkeypatch.setattr(module, "TEMPLATES", 3)
    module._templates.clear()
    for number in range(20):
        values = [None] * len(FIELDS)
        values[FIELDS.index("user_agent")] = f"client/{number}"
        assert line_text(values) == reference(values)
        assert len(module._templates) <= 3

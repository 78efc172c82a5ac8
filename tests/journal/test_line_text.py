"""The text of a journal's line: letter for letter what the JSON library writes of its fields."""

from __future__ import annotations

import json
from math import nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultinject import Outcome
from faultinject.engine.journal_entry import FIELDS
from faultinject.journal.line_text import line_text

HOSTILE = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.sampled_from(
        ["", "%s", "%", '"', "\\", "{}", "\x00", "\x1f", "\x7f", "\x9b", "é", "\u2028", "\u202e", "\ud800", "\U000e0001", "😀", "\n"]
    ),
)  # fmt: skip
# As a line has them, and about where Python begins to write an exponent.
FLOATS = st.one_of(
    st.floats(),
    st.floats(0, 1e-3),
    st.floats(1e9, 3e9),
    st.floats(1e14, 1e18),
    st.sampled_from(
        [0.0, -0.0, 1e16, nextafter(1e16, 0), 1e-4, nextafter(1e-4, 0), 1e-5, 1e-7, 5e-324, 1.8e9 + 0.1]
    ),
)
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


@pytest.mark.parametrize("name", [name for name in FIELDS if "float" in Outcome.__annotations__[name]])
def test_equal_numbers_are_written_as_they_are(name):
    """1 and 1.0 are equal, and so are 0.0 and -0.0."""
    place = FIELDS.index(name)
    for value in (1, 1.0, 0.0, -0.0, float("nan"), float("-inf"), True, False):
        values = [None] * len(FIELDS)
        values[place] = value
        assert line_text(values) == reference(values)


class Text(str):
    """A server's own kind of text."""


def test_a_text_of_a_servers_own_kind_is_written_as_any_other():
    """msgspec refuses it."""
    values = [Text("é/\x7f") if "str" in Outcome.__annotations__[name] else None for name in FIELDS]
    assert line_text(values) == reference(values)

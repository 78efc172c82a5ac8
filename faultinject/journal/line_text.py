"""A line of a journal file: the JSON text of its fields.

What is the same in most lines of a process, such as rule, fault, host and user agent, is written once and remembered
as a template; what changes with each request is put in between. The text is that of `printed_json.json_text`, letter
for letter, at half the cost (`tests/journal/test_line_text.py`). A faster library would not give the same: msgspec and
orjson write some floats otherwise.
"""

from __future__ import annotations

from json import JSONEncoder
from json.encoder import encode_basestring
from operator import itemgetter

from faultinject.engine.journal_entry import FIELDS
from faultinject.rules.printed_json import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

CHANGING = frozenset(
    "time arrived answered seq connection path query key request_bytes request_digest attempt_hint hint status"
    " response_bytes request_id elapsed stalled n".split()
)
"""The fields that a template has no values for: those that differ, or whose values may be equal and yet not be written
alike, as 1 and 1.0 are."""
TEMPLATES = 500
"""How many are remembered."""

_changing = itemgetter(*(place for place, name in enumerate(FIELDS) if name in CHANGING))
_steady = itemgetter(*(place for place, name in enumerate(FIELDS) if name not in CHANGING))
_templates: dict[tuple[object, ...], list[str]] = {}
_dumps = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_float, _int = float.__repr__, int.__repr__


def line_text(values: Sequence[object]) -> bytes:
    """The line of a request, with its end.

    Args:
        values: of `FIELDS`, in their order. `final` is left out where it is not true.
    """
    steady = _steady(values)
    template = _templates.get(steady)
    if template is None:
        template = _template(values)
        if len(_templates) >= TEMPLATES:
            _templates.clear()
        _templates[steady] = template
    pieces = template.copy()
    # A float that is not finite is not 0 less than itself.
    pieces[1::2] = [
        "null" if value is None
        else encode_basestring(value) if (kind := type(value)) is str
        else _float(value) if kind is float and value - value == 0.0
        else _int(value) if kind is int
        else _other(value)
        for value in _changing(values)
    ]  # fmt: skip
    text = "".join(pieces)
    # All that ASCII has that does not print is escaped by now, but for this one.
    if text.isascii() and "\x7f" not in text:
        return text.encode()
    return (printable(text[:-1]) + "\n").encode("utf-8", "replace")


def _other(value: object) -> str:
    """The text of what a client says of its attempt, and of what no journal of ours has."""
    if type(value) is not dict:
        return _dumps(value)
    pairs = []
    for name, each in value.items():
        kind = type(each)
        text = encode_basestring(each) if kind is str else _int(each) if kind is int else _dumps(each)
        pairs.append(f"{encode_basestring(name)}:{text}")
    return f"{{{','.join(pairs)}}}"


def _template(values: Sequence[object]) -> list[str]:
    """The pieces of the text between the values that change, and a place for each of these."""
    pieces = [""]
    for name, value in zip(FIELDS, values, strict=True):
        if name == "final" and not value:
            continue
        pieces[-1] += f'{"," if name != FIELDS[0] else "{"}"{name}":'
        if name in CHANGING:
            pieces += ["", ""]
        else:
            pieces[-1] += _dumps(value)
    pieces[-1] += "}\n"
    return pieces

"""A line of a journal file: the JSON text of its fields.

The text is that of `printed_json.json_text`, letter for letter (`tests/journal/test_line_text.py`), and msgspec writes
it at less than half the cost. What msgspec would write otherwise is given to it as text: floats that Python writes with an
exponent, or as no number at all. What it refuses, such as half of a surrogate pair, `json_text` writes.
"""

from __future__ import annotations

from json import JSONEncoder

from msgspec import Raw, defstruct
from msgspec.json import Encoder

from faultinject.engine.journal_entry import FIELDS, Outcome
from faultinject.rules.printed_json import json_text, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

SMALLEST, BEYOND = 1e-4, 1e16
"""From the one up to the other, Python and msgspec write floats alike."""
DELETE = 0x7F
"""The one sign of ASCII that neither prints nor is escaped in JSON."""

_FLOATS = tuple(
    (place, name) for place, name in enumerate(FIELDS) if "float" in Outcome.__annotations__[name]
)
# `final` is left out where it is None; the others have no default.
_Record = defstruct(
    "Record",
    [(name, object, None) if name == "final" else (name, object) for name in FIELDS],
    omit_defaults=True,
    gc=False,
)
_encode = Encoder().encode
_dumps = JSONEncoder().encode


def line_text(values: Sequence[object]) -> bytes:
    """The line of a request, with its end.

    Args:
        values: of `FIELDS`, in their order. `final` is left out where it is not true.
    """
    try:
        record = _Record(*values)
        for place, name in _FLOATS:
            value = values[place]
            if value is not None and not SMALLEST <= value < BEYOND:  # type: ignore[operator]  # met below
                setattr(record, name, Raw(_number(value)))
        if not values[-1]:
            record.final = None  # type: ignore[attr-defined]
        data = _encode(record)
    except (TypeError, ValueError):
        return _by_library(values)
    if not data.isascii() or DELETE in data:
        data = printable(data.decode()).encode()
    return data + b"\n"


def _number(value: object) -> str:
    """The text of a number that msgspec might write otherwise."""
    # A float that is not finite is not 0 less than itself.
    return float.__repr__(value) if type(value) is float and value - value == 0.0 else _dumps(value)


def _by_library(values: Sequence[object]) -> bytes:
    """The same by the standard library, which takes whatever a line may hold."""
    fields = dict(zip(FIELDS, values, strict=True))
    if not fields["final"]:
        del fields["final"]
    return (json_text(fields) + "\n").encode("utf-8", "replace")

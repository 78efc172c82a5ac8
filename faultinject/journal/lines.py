"""One line of a journal becomes the fields of an attempt, or a reason why not."""

from __future__ import annotations

from functools import cache
from json import JSONDecoder
from typing import NamedTuple

from faultinject.journal.attempts import KEPT, STEADY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

VERSION = 1
"""The version of the journal's lines that is read."""
NOT_JSON = "not JSON"
ANOTHER_TOOL = "another tool's"
FUTURE = "of a later version"
DAMAGED = "damaged"
TORN = "torn"
TWICE = "there twice"
TOO_LONG = "longer than 1 MiB"
ORPHANED = "the end of a request whose beginning is missing"
"""Why a line is skipped."""

_TYPES: dict[str, Any] = {
    **dict.fromkeys(("time", "arrived"), float | int),
    **dict.fromkeys(("answered", "hint"), float | int | None),
    **dict.fromkeys(("pid", "seq"), int),
    **dict.fromkeys(
        ("connection", "request_bytes", "response_bytes", "clock_offset", "status", "app_status"), int | None
    ),
    **dict.fromkeys(("method", "path", "query", "did"), str),
    **dict.fromkeys(("applied", "guarded"), bool),
    **dict.fromkeys(("body_complete", "left", "checksum"), bool | None),
    "attempt_hint": dict | None,
}
_CHECKED = tuple((name, _TYPES.get(name, str | None)) for name in KEPT)
_YES_NO = frozenset(("applied", "guarded", "body_complete", "left", "checksum"))
_HINTS = {"invocation": str, "attempt": int, "max": int, "retry": bool, "part": str}
_STEADY = len(STEADY)
_COUNTS = tuple(map(KEPT.index, ("connection", "request_bytes", "clock_offset", "status", "app_status")))
_NUMBERS = tuple(map(KEPT.index, ("time", "arrived", "answered", "hint")))
_HINT = KEPT.index("attempt_hint")
_FARTHEST = 1e12
TEXTS = 20_000
"""How many texts and numbers are known at a time."""


class Fields:
    """What a line of a request says.

    Attributes:
        values: of `KEPT`, in their order.
        final: whether it is the end of a request that was there before.
    """

    __slots__ = ("final", "values")

    def __init__(self, values: list[Any], final: bool) -> None:
        self.values = values
        self.final = final


class End(NamedTuple):
    """A process says that it has ended (`journal.endings`).

    Attributes:
        pid: the process.
        parent: who may start another one in its place, as text, or None.
    """

    pid: int
    parent: str | None


class Driven(NamedTuple):
    """A driver says what calls it made (`journal.driven_run`)."""


class Lines:
    """Reads lines; what comes again in many of them is kept once.

    msgspec reads a whole line of a request, checks its types and makes nothing of the fields that nobody needs, in a
    fifth of the time that the standard library takes for the JSON alone. Whatever it refuses is read again by the
    standard library, which tells why, or takes it, as it does with half of a surrogate pair.

    >>> Lines().read(b"Hello")
    'not JSON'
    """

    def __init__(self) -> None:
        self._whole = _decoder()
        self._decode = JSONDecoder(parse_constant=_no_number).decode
        self._known: dict[object, Any] = {}

    def read(self, line: bytes) -> Fields | End | Driven | str:
        """The fields of a line, or why it has none; or that it is of another kind."""
        try:
            # Bytes would not be checked where a field is passed over.
            *values, version, final, ended = self._whole(line.decode())
        except (ValueError, RecursionError):
            return self._looked_into(line)
        if ended is True or version > VERSION:
            return self._looked_into(line)
        return self._fields(values, final)

    def _looked_into(self, line: bytes) -> Fields | End | Driven | str:
        """The same for a line of any kind."""
        try:
            found = self._decode(line.decode())
        except (ValueError, RecursionError):
            # Where a disk was full, a whole line stands behind a part of one.
            second = line.rfind(b'{"v":')
            return self.read(line[second:]) if second > 0 else NOT_JSON
        if not isinstance(found, dict) or type(found.get("v")) is not int or "arrived" not in found:
            return ANOTHER_TOOL
        get = found.get
        if found["v"] > VERSION:
            return FUTURE
        if "driven" in found:
            return Driven()
        if get("ended") is True:
            parent = get("parent")
            is_end = type(get("pid")) is int and isinstance(parent, str | None)
            return End(found["pid"], parent) if is_end else DAMAGED
        values = list(map(get, KEPT))
        for value, (name, types) in zip(values, _CHECKED, strict=True):
            # True is an int for Python, and none in JSON.
            if not isinstance(value, types) or (type(value) is bool and name not in _YES_NO):
                return DAMAGED
        return self._fields(values, get("final"))

    def _fields(self, values: list[Any], final: object) -> Fields | str:
        """The fields with these values, whose types are right."""
        for place in _NUMBERS:
            value = values[place]
            if value is not None and not -_FARTHEST < value < _FARTHEST:
                return DAMAGED
        hint = values[_HINT]
        if hint is not None:
            for name in hint:
                if name in _HINTS and type(hint[name]) is not _HINTS[name]:
                    return DAMAGED
        known = self._known
        if len(known) > TEXTS:
            known.clear()
        steady = tuple(values[:_STEADY])
        same = known.get(steady)
        if same is None:
            same = tuple(known.setdefault(each, each) for each in steady)
            known[same] = same
        values[:_STEADY] = same
        for place in _COUNTS:
            value = values[place]
            if value is not None:
                values[place] = known.setdefault(value, value)
        return Fields(values, final is True)


def _no_number(text: str) -> float:
    raise ValueError(text)


@cache
def _decoder() -> Callable[[str], tuple[Any, ...]]:
    """Reads a line: the values of `KEPT`, then `v`, `final` and `ended`; raises `ValueError` for any other line."""
    from msgspec import defstruct
    from msgspec.json import Decoder
    from msgspec.structs import astuple

    fields: list[Any] = [
        (name, types, None) if isinstance(None, types) else (name, types) for name, types in _CHECKED
    ]
    fields += [("v", int), ("final", object, None), ("ended", object, None)]
    decode = Decoder(defstruct("Line", fields, kw_only=True)).decode
    return lambda text: astuple(decode(text))

"""One line of a journal becomes the fields of an attempt, or a reason why not."""

from __future__ import annotations

from json import JSONDecoder
from typing import NamedTuple

from faultinject.journal.attempts import KEPT, STEADY

TYPE_CHECKING = False
if TYPE_CHECKING:
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
ORPHANED = "the end of a request that is not there"
"""Why a line is skipped."""

_NUMBER, _WHOLE, _TEXT, _YES_NO = (float, int), (int,), (str,), (bool,)
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("time", "arrived"), _NUMBER),
    **dict.fromkeys(("answered", "hint", "stalled"), (*_NUMBER, type(None))),
    **dict.fromkeys(("pid", "seq"), _WHOLE),
    **dict.fromkeys(("connection", "request_bytes", "status"), (*_WHOLE, type(None))),
    **dict.fromkeys(("method", "path", "query", "did"), _TEXT),
    **dict.fromkeys(("applied", "guarded"), _YES_NO),
    "body_complete": (*_YES_NO, type(None)),
    "attempt_hint": (dict, type(None)),
}
_CHECKED = tuple((name, frozenset(_TYPES.get(name, (*_TEXT, type(None))))) for name in KEPT)
_HINTS = {"invocation": str, "attempt": int, "max": int, "retry": bool}
_STEADY = len(STEADY)
_COUNTS = tuple(map(KEPT.index, ("connection", "request_bytes", "status")))
_NUMBERS = tuple(map(KEPT.index, ("time", "arrived", "answered", "hint", "stalled")))
_HINT = KEPT.index("attempt_hint")
_FARTHEST = 1e12
TEXTS = 20_000
"""How many texts and numbers are known at a time."""
KINDS = 1_000
"""How many combinations of types are known."""


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


class Lines:
    """Reads lines; what comes again in many of them is kept once.

    >>> Lines().read(b"Hello")
    'not JSON'
    """

    def __init__(self) -> None:
        decoder = JSONDecoder(parse_constant=_no_number)
        self._decode = decoder.decode
        self._scan = decoder.raw_decode
        self._known: dict[object, Any] = {}
        # Types that the fields of whole lines had, so that most lines are checked in one step.
        self._kinds: set[tuple[type, ...]] = set()

    def read(self, line: bytes) -> Fields | End | str:
        """The fields of a line, or why it has none; or that a process has ended."""
        try:
            text = line.decode()
            found, end = self._scan(text)
            if text[end:] not in ("\n", ""):
                found = self._decode(text)
        except (ValueError, RecursionError):
            found = self._stripped(line)
            if found is None:
                # Where a disk was full, a whole line stands behind a part of one.
                second = line.rfind(b'{"v":')
                return self.read(line[second:]) if second > 0 else NOT_JSON
        if not isinstance(found, dict) or type(found.get("v")) is not int or "arrived" not in found:
            return ANOTHER_TOOL
        get = found.get
        if found["v"] > VERSION:
            return FUTURE
        if get("ended") is True:
            parent = get("parent")
            is_end = type(get("pid")) is int and isinstance(parent, str | None)
            return End(found["pid"], parent) if is_end else DAMAGED
        values = list(map(get, KEPT))
        kinds = tuple(map(type, values))
        if kinds not in self._kinds:
            if not all(kind in types for kind, (_, types) in zip(kinds, _CHECKED, strict=True)):
                return DAMAGED
            if len(self._kinds) >= KINDS:
                self._kinds.clear()
            self._kinds.add(kinds)
        for place in _NUMBERS:
            value = values[place]
            if value is not None and not -_FARTHEST < value < _FARTHEST:
                return DAMAGED
        hint = values[_HINT]
        if hint is not None and not all(
            type(hint[name]) is kind for name, kind in _HINTS.items() if name in hint
        ):
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
        return Fields(values, get("final") is True)

    def _stripped(self, line: bytes) -> object:
        """What stands in a line with blanks around it; None where nothing does."""
        try:
            return self._decode(line.decode())
        except (ValueError, RecursionError):
            return None


def _no_number(text: str) -> float:
    raise ValueError(text)

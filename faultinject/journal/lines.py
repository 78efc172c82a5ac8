"""One line of a journal becomes the fields of an attempt, or a reason why not."""

from __future__ import annotations

from json import JSONDecoder
from typing import NamedTuple

from faultinject.journal.attempts import KEPT

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
_SHARED = (
    "pid", "connection", "principal", "credential", "precondition", "test", "method", "query", "host", "client", "operation", "bucket", "user_agent",
    "request_bytes", "rule", "fault", "hint_form", "did", "status", "seed",
)  # fmt: skip
_FARTHEST = 1e12
TEXTS = 20_000
"""How many texts and numbers are known at a time."""


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
        self._decode = JSONDecoder(parse_constant=_no_number).decode
        self._known: dict[str | int, str | int] = {}

    def read(self, line: bytes) -> dict[str, Any] | End | str:
        """The fields of a line, or why it has none; or that a process has ended."""
        try:
            found = self._decode(line.decode())
        except (ValueError, RecursionError):
            # Where a disk was full, a whole line stands behind a part of one.
            second = line.rfind(b'{"v":')
            return self.read(line[second:]) if second > 0 else NOT_JSON
        if not isinstance(found, dict) or type(found.get("v")) is not int or "arrived" not in found:
            return ANOTHER_TOOL
        if found["v"] > VERSION:
            return FUTURE
        get = found.get
        if get("ended") is True:
            parent = get("parent")
            is_end = type(get("pid")) is int and isinstance(parent, str | None)
            return End(found["pid"], parent) if is_end else DAMAGED
        for name, types in _CHECKED:
            if type(get(name)) not in types:
                return DAMAGED
        if not _plausible(found):
            return DAMAGED
        known = self._known
        if len(known) > TEXTS:
            known.clear()
        for name in _SHARED:
            value = get(name)
            if value is not None:
                found[name] = known.setdefault(value, value)
        return found


def _plausible(found: dict[str, Any]) -> bool:
    """Whether the numbers can be reckoned with, and the client's own words are what we write."""
    for name in ("time", "arrived", "answered", "hint", "stalled"):
        value = found.get(name)
        if value is not None and not -_FARTHEST < value < _FARTHEST:
            return False
    hint = found.get("attempt_hint")
    return hint is None or all(type(hint[name]) is kind for name, kind in _HINTS.items() if name in hint)


def _no_number(text: str) -> float:
    raise ValueError(text)

"""Reads one line of a journal: an attempt, or the reason for skipping it."""

from __future__ import annotations

from json import JSONDecoder
from operator import attrgetter
from typing import Any

from msgspec import MsgspecError, Struct, convert
from msgspec.json import Decoder

from faultinject.journal.attempts import Attempt
from faultinject.journal.outcome import VERSION

NOT_JSON = "not JSON"
ANOTHER_TOOL = "another tool's"
FUTURE = "of a later version"
DAMAGED = "damaged"
TORN = "torn"
TWICE = "there twice"
TOO_LONG = "longer than 1 MiB"
"""The reasons for skipping a line."""

STEADY = (
    "principal", "credential", "test", "method", "query", "host", "client", "operation", "bucket", "user_agent",
    "rule", "fault", "precondition", "region", "hint_form", "did", "seed",
)  # fmt: skip
"""The fields whose values, taken together, are the same in many lines."""
TEXTS = 20_000
"""The most texts that are kept for sharing."""
_steady_values = attrgetter(*STEADY)


class EndLine(Struct):
    """The line of a process's end (`journal.endings`); a request's other fields are null in it.

    Attributes:
        v: The version of the format.
        time: The time at which it ended, unix seconds.
        arrived: The same on one monotonic clock, seconds.
        pid: The process.
        ended: Always true.
        parent: The process that may start a successor of it.
    """

    v: int
    time: float
    arrived: float
    pid: int
    ended: bool
    parent: str | None = None


OTHERS = frozenset(("driven", "told", "change"))
"""The fields that only lines of drivers, of tests and of changes have.

See `journal.driven_run`, `named_calls` and `changes`.
"""


class LineReader:
    """Reads lines, and keeps one copy of a text that many lines have.

    msgspec parses a line and checks its types in a fifth of the time that the standard library needs for the JSON
    alone. A line that msgspec refuses is parsed again by the standard library, to find the reason; it accepts some of
    these lines, such as one with half of a surrogate pair.

    >>> LineReader().read(b"Hello")
    'not JSON'
    """

    def __init__(self) -> None:
        self._whole = Decoder(Attempt).decode
        self._decode = JSONDecoder(parse_constant=_no_number).decode
        self._known: dict[object, Any] = {}

    def read(self, line: bytes) -> Attempt | EndLine | str | None:
        """Read the request or the end in a line, or the reason to skip it; None for `OTHERS`."""
        try:
            # Decoded first: in bytes msgspec does not check the UTF-8 of unknown fields.
            attempt = self._whole(line.decode())
        except (ValueError, MsgspecError, RecursionError):  # msgspec's error is a ValueError since 0.21
            return self._read_by_json(line)
        return FUTURE if attempt.v > VERSION else self._with_known_texts(attempt)

    def _read_by_json(self, line: bytes) -> Attempt | EndLine | str | None:
        """Read a line of any kind with the standard library."""
        try:
            fields = self._decode(line.decode())
        except (ValueError, RecursionError):
            # After a full disk, a whole line may follow a part of another one.
            second = line.rfind(b'{"v":')
            return self.read(line[second:]) if second > 0 else NOT_JSON
        if not isinstance(fields, dict) or type(fields.get("v")) is not int or "arrived" not in fields:
            return ANOTHER_TOOL
        get = fields.get
        if fields["v"] > VERSION:
            return FUTURE
        if not OTHERS.isdisjoint(fields):
            return None
        try:
            if get("ended") is True and get("method") is None:
                return convert(fields, EndLine)
            return self._with_known_texts(convert(fields, Attempt))
        except (ValueError, MsgspecError, OverflowError):
            return DAMAGED

    def _with_known_texts(self, attempt: Attempt) -> Attempt:
        """Replace an attempt's texts by equal ones of earlier attempts, so that one copy is kept."""
        texts = self._known
        if len(texts) > TEXTS:
            texts.clear()
        values = _steady_values(attempt)
        shared = texts.get(values)
        if shared is None:
            shared = tuple(texts.setdefault(text, text) for text in values)
            texts[shared] = shared
        for name, text in zip(STEADY, shared, strict=True):
            setattr(attempt, name, text)
        return attempt


def _no_number(text: str) -> float:
    raise ValueError(text)

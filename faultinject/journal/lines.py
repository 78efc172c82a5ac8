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
"""The fields whose texts are the same, all together, in many lines."""
TEXTS = 20_000
"""The most texts that are remembered at a time."""
_steady = attrgetter(*STEADY)


class End(Struct):
    """The line of a process that has ended (`journal.endings`); all other fields are null.

    Attributes:
        v: The version of the format.
        time: The time at which it ended, unix seconds.
        arrived: The same on one monotonic clock, seconds.
        pid: The process.
        ended: Always true.
        parent: The process that may start another one in its place.
    """

    v: int
    time: float
    arrived: float
    pid: int
    ended: bool
    parent: str | None = None


OTHERS = frozenset(("driven", "told", "change"))
"""The fields of the lines of drivers, tests and changes.

See `journal.driven_run`, `told_calls` and `changes`.
"""


class LineReader:
    """Reads lines, and keeps a text that many lines have in common once.

    msgspec reads a line of a request and checks its types in a fifth of the time that the standard library needs for
    the JSON alone. The standard library reads again a line that msgspec refuses: it gives the reason, or accepts the
    line, as one with half of a surrogate pair.

    >>> LineReader().read(b"Hello")
    'not JSON'
    """

    def __init__(self) -> None:
        self._whole = Decoder(Attempt).decode
        self._decode = JSONDecoder(parse_constant=_no_number).decode
        self._known: dict[object, Any] = {}

    def read(self, line: bytes) -> Attempt | End | str | None:
        """The request of a line, or the reason why it has none; None for a line of `OTHERS`."""
        try:
            # From bytes msgspec would not check the UTF-8 of unknown fields.
            attempt = self._whole(line.decode())
        except (ValueError, MsgspecError, RecursionError):  # a ValueError since msgspec 0.21
            return self._read_by_json(line)
        return FUTURE if attempt.v > VERSION else self._with_known_texts(attempt)

    def _read_by_json(self, line: bytes) -> Attempt | End | str | None:
        """Read a line of any kind by the standard library."""
        try:
            fields = self._decode(line.decode())
        except (ValueError, RecursionError):
            # On a disk that was full, a whole line may follow a part of one.
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
                return convert(fields, End)
            return self._with_known_texts(convert(fields, Attempt))
        except (ValueError, MsgspecError, OverflowError):
            return DAMAGED

    def _with_known_texts(self, attempt: Attempt) -> Attempt:
        """The attempt, with the equal texts of earlier attempts in place of its own."""
        texts = self._known
        if len(texts) > TEXTS:
            texts.clear()
        steady = _steady(attempt)
        same = texts.get(steady)
        if same is None:
            same = tuple(texts.setdefault(text, text) for text in steady)
            texts[same] = same
        for name, text in zip(STEADY, same, strict=True):
            setattr(attempt, name, text)
        return attempt


def _no_number(text: str) -> float:
    raise ValueError(text)

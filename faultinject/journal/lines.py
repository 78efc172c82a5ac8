"""One line of a journal becomes an attempt, or a reason why not."""

from __future__ import annotations

from json import JSONDecoder
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from msgspec import Struct, convert
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
"""Why a line is skipped."""

STEADY = (
    "principal", "credential", "test", "method", "query", "host", "client", "operation", "bucket", "user_agent",
    "rule", "fault", "precondition", "region", "hint_form", "did", "seed",
)  # fmt: skip
"""The texts of which the same ones come again and again, together."""
TEXTS = 20_000
"""How many texts are known at a time."""
_steady = attrgetter(*STEADY)


class End(Struct):
    """A process says that it has ended (`journal.endings`); all other fields of its line are null.

    Attributes:
        v: The version of the format.
        time: When it ended, unix seconds.
        arrived: The same on one monotonic clock, seconds.
        pid: The process.
        ended: That it has ended.
        parent: The process that may start another one in its place.
    """

    v: int
    time: float
    arrived: float
    pid: int
    ended: Literal[True]
    parent: str | None = None


class Driven(NamedTuple):
    """A driver says what calls it made (`journal.driven_run`)."""


class Lines:
    """Reads lines; texts that come again in many of them are kept once.

    msgspec reads a whole line of a request and checks its types, in a fifth of the time that the standard library takes for
    the JSON alone. Whatever it refuses is read again by the standard library, which tells why, or takes it, as it does with
    half of a surrogate pair.

    >>> Lines().read(b"Hello")
    'not JSON'
    """

    def __init__(self) -> None:
        self._whole = Decoder(Attempt).decode
        self._decode = JSONDecoder(parse_constant=_no_number).decode
        self._known: dict[object, Any] = {}

    def read(self, line: bytes) -> Attempt | End | Driven | str:
        """The request of a line, or why it has none; or that it is of another kind."""
        try:
            # Bytes would not be checked where a field is passed over.
            attempt = self._whole(line.decode())
        except (ValueError, RecursionError):
            return self._looked_into(line)
        return FUTURE if attempt.v > VERSION else self._kept(attempt)

    def _looked_into(self, line: bytes) -> Attempt | End | Driven | str:
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
        try:
            if get("ended") is True and get("method") is None:
                return convert(found, End)
            return self._kept(convert(found, Attempt))
        except (ValueError, OverflowError):
            return DAMAGED

    def _kept(self, attempt: Attempt) -> Attempt:
        """The attempt, with the texts of earlier ones where they are the same."""
        known = self._known
        if len(known) > TEXTS:
            known.clear()
        steady = _steady(attempt)
        same = known.get(steady)
        if same is None:
            same = tuple(known.setdefault(each, each) for each in steady)
            known[same] = same
        for name, text in zip(STEADY, same, strict=True):
            setattr(attempt, name, text)
        return attempt


def _no_number(text: str) -> float:
    raise ValueError(text)

"""Filters of an answer: of its head, then of its body piece by piece, without a buffer.

A filter does no I/O and knows no clock: it takes the pieces of an answer and gives events. So it can be tested without
a server.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from faultinject.engine.draw import stretched
from faultinject.http.wire import Headers

PARTIAL = 206
RANGES = ("range", "x-ms-range")
"""The headers that ask for a range of an object."""
STORE = "faultinject.store"
"""The key, in environ or scope, of a change that the embedded store makes before it answers."""
DELETE = "faultinject.delete"
"""The key, in a scope of ASGI, of the function that deletes keys of the embedded store."""
_PARTS = 10**12


@dataclass(slots=True, eq=True)
class Data:
    """Send a part of the body.

    Attributes:
        data: the part; may be empty.
        more: whether more follows.
        due: when to send it, in seconds after the first part; None: at once.
    """

    data: bytes
    more: bool = True
    due: float | None = None


@dataclass(slots=True, eq=True)
class Rest:
    """Send nothing for a while.

    Attributes:
        seconds: how long.
    """

    seconds: float


@dataclass(slots=True, eq=True)
class BreakOff:
    """End the connection here, in the middle of the answer."""


Event = Data | Rest | BreakOff


class Filter:
    """A change to one answer.

    Attributes:
        did: the action to record, a value of `Did`.
        undone: the action to record if nothing was changed.
        hidden: the request's headers that the app does not get, in lower case.
        of_body: whether the body is changed.
        cuts: whether the connection ends in the middle of the answer.
        how: the action to record for that end, `reset` or `closed`; None: the connection is closed with a FIN, and
            `did` is recorded.
        hangs: whether the wait before that end is longer than a client's time-out.
        whole: whether the client gets all bytes unchanged, only later.
        slow: whether the filter waits.
        over: whether the filter has no further change, and the rest passes.
        touched: whether anything was changed.
    """

    did = ""
    undone = "nothing_to_cut"
    hidden: Collection[str] = ()
    of_body = True
    cuts = False
    how: str | None = None
    hangs = False
    whole = False
    slow = False

    def __init__(self) -> None:
        self.over = False
        self.touched = False

    def head(self, status: int, headers: Iterable[tuple[str, str]]) -> Headers:  # noqa: ARG002
        """The headers to send with an answer of that status."""
        return list(headers)

    def fits(self, length: int | None) -> bool:
        """Whether the filter can change a body of that Content-Length; None: not known."""
        return length != 0

    def begins_with(self, piece: bytes) -> bool:
        """Whether the filter surely changes a body that begins with that piece."""
        return bool(piece)

    def feed(self, piece: bytes, *, more: bool) -> Iterable[Event]:
        """Give the events for the next piece; the last piece of a body may be empty."""
        changed = self.change(piece) if piece else b""
        if changed or not more:
            yield Data(changed, more)

    def change(self, piece: bytes) -> bytes:
        """Give the bytes to send for a piece; a filter with other events overrides `feed`."""
        return piece


class Interrupted(Filter):
    """A body that stops in its middle: then the connection ends, or the rest follows.

    Args:
        after: the number of bytes that are sent before.
        quiet: seconds in which nothing is sent.
        did: the action to record: `reset` or `closed` for the end of the connection, `stalled` if the rest follows.
        hangs: whether the pause is longer than a client's time-out.
    """

    def __init__(self, after: int, quiet: float, did: str, *, hangs: bool = False) -> None:
        super().__init__()
        self.did = did
        self.whole = did == "stalled"
        self.cuts = not self.whole
        self.how = did if self.cuts else None
        self.hangs = hangs
        self.slow = quiet > 0
        self._quiet = quiet
        self._bytes_left = after

    def fits(self, length: int | None) -> bool:
        """Whether the body is longer than the part before the stop."""
        return length is None or length > self._bytes_left

    def begins_with(self, piece: bytes) -> bool:
        """Whether the stop is in the piece."""
        return len(piece) > self._bytes_left

    def feed(self, piece: bytes, *, more: bool) -> Iterator[Event]:
        """Give the part before the stop, the pause, and the rest or the end."""
        if self.touched or len(piece) <= self._bytes_left:
            self._bytes_left -= len(piece)
            if piece or not more:
                yield Data(piece, more)
            return
        self.touched = True
        before, rest = piece[: self._bytes_left], piece[self._bytes_left :]
        if before or not (self.slow or self.whole):
            # An empty piece counts too: some servers send the head only with the first piece.
            yield Data(before)
        if self.slow or self.whole:
            yield Rest(self._quiet)
        if self.cuts:
            yield BreakOff()
        else:
            self.over = True
            yield Data(rest, more)


class Truncated(Interrupted):
    """A body that ends early.

    Args:
        share: the part of the body that is sent, from 0 to below 1.
        most: the number of bytes that are sent, instead of the share; or None.
    """

    def __init__(self, share: float, most: int | None) -> None:
        super().__init__(most or 0, 0, "truncated")
        self.how = None
        self._share = share
        self._of_length = most is None

    def fits(self, length: int | None) -> bool:
        """Whether the body is longer than the part to send."""
        if length is not None:
            self._measure(length)
        return super().fits(length)

    def begins_with(self, piece: bytes) -> bool:
        """Whether the piece alone is longer than the part to send.

        Without a Content-Length, `feed` takes a share of the first piece: that always cuts.
        """
        return bool(piece) and (self._of_length or super().begins_with(piece))

    def feed(self, piece: bytes, *, more: bool) -> Iterator[Event]:
        """The part of the piece before the cut, and the cut."""
        if piece:
            self._measure(len(piece))
        return super().feed(piece, more=more)

    def _measure(self, length: int) -> None:
        """Compute the share of the first known length."""
        if self._of_length:
            self._of_length = False
            # In integers, so that 0.29 of 100 bytes are 29; and never all bytes.
            self._bytes_left = max(0, min(length * round(self._share * _PARTS) // _PARTS, length - 1))


class Dripped(Filter):
    """A body that is sent slowly.

    Args:
        rate: bytes per second.
    """

    did = "dripped"
    whole = True
    slow = True

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.rate = rate
        self._sent = 0

    def feed(self, piece: bytes, *, more: bool) -> Iterator[Event]:
        """Give the piece in parts: one for each 0.05 s, but at least one byte each."""
        step = max(1, self.rate // 20)
        for at in range(0, len(piece), step):
            self.touched = True
            part = piece[at : at + step]
            self._sent += len(part)
            yield Data(part, due=self._sent / self.rate)
        if not more:
            yield Data(b"", more=False)


class Corrupted(Filter):
    """A body with bytes changed, at places that are drawn.

    Args:
        flips: the number of bytes to change.
        digest: the source of the draws.
    """

    did = "corrupted"

    def __init__(self, flips: int, digest: bytes) -> None:
        super().__init__()
        self._flips = flips
        self._digest = digest
        self._masks: dict[int, int] | None = None
        self._seen = 0

    def fits(self, length: int | None) -> bool:
        """Whether there is a byte to change."""
        if length:
            self._draw(length)
        return length != 0

    def change(self, piece: bytes) -> bytes:
        """Make the changes whose positions are in this piece."""
        masks = self._masks if self._masks is not None else self._draw(len(piece))
        first, self._seen = self._seen, self._seen + len(piece)
        changed = bytearray(piece)
        for position in [drawn for drawn in masks if first <= drawn < self._seen]:
            changed[position - first] ^= masks.pop(position)
            self.touched = True
        self.over = not masks
        return bytes(changed)

    def _draw(self, length: int) -> dict[int, int]:
        """Draw different positions below `length`, and for each a mask from 1 to 255."""
        masks: dict[int, int] = {}
        for number in range(min(self._flips, length)):
            drawn = stretched(self._digest, number)
            position = int.from_bytes(drawn[:8], "big") * length >> 64
            while position in masks:
                position = (position + 1) % length
            masks[position] = (int.from_bytes(drawn[8:16], "big") * 255 >> 64) + 1
        self._masks = masks
        return masks


class ObjectChange(Filter):
    """A change in the embedded store before it answers.

    The store sets `touched`, or `undone` if it has nothing to do.

    Args:
        did: `overwritten` or `stale`.
    """

    undone = "refused"
    of_body = False

    def __init__(self, did: str) -> None:
        super().__init__()
        self.did = did


class Edited(Filter):
    """Headers of the answer that are set, dropped or shifted.

    Args:
        given: the headers to add or replace, with names in lower case.
        dropped: the names of the headers to leave out, in lower case.
        shifted: whether to shift the Content-Range by one byte, so that it no longer fits the body.
        ignored: whether to hide the request's range from the app.
    """

    did = "edited"
    of_body = False

    def __init__(self, given: Headers, dropped: Collection[str], *, shifted: bool, ignored: bool) -> None:
        super().__init__()
        self._given = given
        self._left_out = {*dropped, *(name for name, _ in given)}
        self._shifted = shifted
        self.hidden = RANGES if ignored else ()

    def head(self, status: int, headers: Iterable[tuple[str, str]]) -> Headers:
        """The headers to send.

        The answer is touched if a header differs, or if a hidden range had its effect: the app did not answer 206.
        """
        before = list(headers)
        after = [header for header in before if header[0].lower() not in self._left_out] + self._given
        if self._shifted:
            after = [
                (name, shifted(text) if name.lower() == "content-range" else text) for name, text in after
            ]
        self.touched = after != before or (bool(self.hidden) and status != PARTIAL)
        return after


def shifted(text: str) -> str:
    """A Content-Range one byte further on, or one byte back if the object ends there.

    The range of a whole object stays.

    >>> shifted("bytes 0-4/9"), shifted("bytes 5-8/9"), shifted("bytes 0-8/9"), shifted("bytes */9")
    ('bytes 1-5/9', 'bytes 4-7/9', 'bytes 0-8/9', 'bytes */9')
    """
    part, _, size = text.removeprefix("bytes ").partition("/")
    start, _, last = part.partition("-")
    if not (start.isdecimal() and last.isdecimal()):
        return text
    step = 1 if size != str(int(last) + 1) else -1 if int(start) else 0
    return f"bytes {int(start) + step}-{int(last) + step}/{size}"

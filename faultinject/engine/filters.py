"""Filters of an answer: its head, then its body piece by piece; nothing is held.

A filter does no input and output and knows no clock: it is fed with the app's answer and gives events. So one can be
fed with the events of another, and tried without a server.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faultinject.engine.draw import stretched

if TYPE_CHECKING:
    from faultinject.http.wire import Headers

PARTIAL = 206
RANGES = ("range", "x-ms-range")
"""The headers that ask for a part of an object."""
STORE = "faultinject.store"
"""The key, in environ or scope, of the embedded store's change before it answers."""
DELETE = "faultinject.delete"
"""The key, in a scope of ASGI, of the function that deletes keys of the embedded store."""
_PARTS = 10**12


@dataclass(slots=True, eq=True)
class Data:
    """Some of the body goes out.

    Attributes:
        data: of the body; may be empty.
        more: whether more follows.
        due: seconds behind the first of the body until it goes out; None: at once.
    """

    data: bytes
    more: bool = True
    due: float | None = None


@dataclass(slots=True, eq=True)
class Rest:
    """Nothing goes out for a while.

    Attributes:
        seconds: how long.
    """

    seconds: float


@dataclass(slots=True, eq=True)
class BreakOff:
    """The connection ends here, in the middle of the answer."""


Event = Data | Rest | BreakOff


class Filter:
    """A change to one answer on its way.

    Attributes:
        did: the outcome's word.
        undone: the outcome's word if nothing was done.
        hidden: the headers of the request that the app does not get to see, in lower case.
        of_body: whether the body is changed.
        cuts: whether the connection ends in the middle of the answer.
        how: how it ends then, as an outcome says it: `reset` or `closed`; None: closed, and `did` says what that is.
        hangs: the end is that of a client's patience.
        whole: the body arrives as it was given, and only later.
        slow: whether it takes its time.
        over: nothing more is done to the answer, of which the rest goes out.
        touched: whether anything was done.
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
        """The headers of an answer with that status as they go out."""
        return list(headers)

    def fits(self, length: int | None) -> bool:
        """Whether anything can be done to a body of that Content-Length; None: it is not known."""
        return length != 0

    def begins_with(self, piece: bytes) -> bool:
        """Whether something is done to a body that begins with that piece, however long it is."""
        return bool(piece)

    def feed(self, piece: bytes, *, more: bool) -> Iterable[Event]:
        """Give the events of the next piece, of which the last one may be empty."""
        changed = self.change(piece) if piece else b""
        if changed or not more:
            yield Data(changed, more)

    def change(self, piece: bytes) -> bytes:
        """Give the bytes that go out for a piece.

        A filter that gives other events overrides `feed`.
        """
        return piece


class Truncated(Filter):
    """A body that ends early.

    Args:
        share: of the body, from 0 to below 1.
        most: bytes; instead of the share.
    """

    did = "truncated"
    cuts = True

    def __init__(self, share: float, most: int | None) -> None:
        super().__init__()
        self._share = share
        self._limit = most
        self._seen = 0

    def fits(self, length: int | None) -> bool:
        """Whether the body is longer than the part to let through."""
        if length is None:
            return True
        if self._limit is None:
            self._limit = self._of(length)
        return self._limit < length

    def begins_with(self, piece: bytes) -> bool:
        """Whether the piece alone is longer than the part to let through.

        A share is one of that very piece.
        """
        return bool(piece) and (self._limit is None or self._limit < len(piece))

    def feed(self, piece: bytes, *, more: bool) -> Iterator[Event]:
        """The part of the piece before the cut, and the cut."""
        if piece and self._limit is None:
            self._limit = self._of(len(piece))
        kept = piece if self._limit is None else piece[: max(0, self._limit - self._seen)]
        self._seen += len(piece)
        self.touched = self._limit is not None and self._seen > self._limit
        if kept or self.touched or not more:
            # Some servers send a head with the first piece only, also of nothing.
            yield Data(kept, more or self.touched)
        if self.touched:
            yield BreakOff()

    def _of(self, length: int) -> int:
        # In whole numbers: 0.29 of 100 bytes are 29, and never are they all.
        return max(0, min(length * round(self._share * _PARTS) // _PARTS, length - 1))


class Interrupted(Filter):
    """A body that pauses in its middle.

    Then the connection ends, or the rest comes.

    Args:
        after: bytes of the body that go out before.
        quiet: seconds in which nothing goes out.
        did: the outcome's word: `reset` or `closed` as the connection ends, `stalled` where the rest comes.
        hangs: whether the client is to lose its patience meanwhile.
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
        self._left = after

    def fits(self, length: int | None) -> bool:
        """Whether something comes behind the place."""
        return length is None or length > self._left

    def begins_with(self, piece: bytes) -> bool:
        """Whether the place is in the piece."""
        return len(piece) > self._left

    def feed(self, piece: bytes, *, more: bool) -> Iterator[Event]:
        """The part of the piece before the place, the pause, and the rest or the end."""
        if self.touched or len(piece) <= self._left:
            self._left -= len(piece)
            if piece or not more:
                yield Data(piece, more)
            return
        self.touched = True
        before, rest = piece[: self._left], piece[self._left :]
        if before or not (self.slow or self.whole):
            yield Data(before)
        if self.slow or self.whole:
            yield Rest(self._quiet)
        if self.cuts:
            yield BreakOff()
        else:
            self.over = True
            yield Data(rest, more)


class Dripped(Filter):
    """A body that goes out slowly.

    Args:
        rate: bytes a second.
    """

    did = "dripped"
    whole = True
    slow = True

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.rate = rate
        self._sent = 0

    def feed(self, piece: bytes, *, more: bool) -> Iterator[Event]:
        """Give the piece in parts of a twentieth of a second each, or of one byte."""
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
        flips: how many bytes.
        digest: where the places are drawn from.
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
        """The piece with its share of the changes."""
        masks = self._masks if self._masks is not None else self._draw(len(piece))
        first, self._seen = self._seen, self._seen + len(piece)
        changed = bytearray(piece)
        for place in [mask for mask in masks if first <= mask < self._seen]:
            changed[place - first] ^= masks.pop(place)
            self.touched = True
        self.over = not masks
        return bytes(changed)

    def _draw(self, length: int) -> dict[int, int]:
        masks: dict[int, int] = {}
        for number in range(min(self._flips, length)):
            drawn = stretched(self._digest, number)
            place = int.from_bytes(drawn[:8], "big") * length >> 64
            while place in masks:
                place = (place + 1) % length
            masks[place] = (int.from_bytes(drawn[8:16], "big") * 255 >> 64) + 1
        self._masks = masks
        return masks


class Moved(Filter):
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
    """Headers of the answer set, dropped or off by one.

    Args:
        given: the headers to add or replace, their names in lower case.
        dropped: the names of headers to leave out, in lower case.
        shifted: whether a Content-Range says another range than that of the body.
        ignored: whether the request asks for a range, which the app does not get to see.
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
        """The headers as they go out.

        Nothing changes in an answer that has none of them, or that is of a range all the same.
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

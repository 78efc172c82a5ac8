"""Changes to the body of an answer on its way, piece by piece, with nothing held."""

from __future__ import annotations

from abc import abstractmethod

from faultinject.engine.plan import stretched

_PARTS = 10**12


class BodyTransform:
    """A change to one body.

    Attributes:
        did: the outcome's word.
        cuts: the connection ends where the transform is done.
        how: how it ends then, as an outcome says it: `reset` or `closed`; None: closed, and `did` says what that is.
        hangs: the end is that of a client's patience.
        quiet: seconds in which nothing goes out, once, behind the first piece that was touched.
        whole: the body arrives as it was given, and only later.
        rate: bytes a second at most, or None.
        done: nothing more of the body goes out.
        over: nothing more is done to the body, of which the rest goes out.
        touched: whether anything was done to the body.
    """

    did = ""
    cuts = False
    how: str | None = None
    hangs = False
    quiet = 0.0
    whole = False

    def __init__(self) -> None:
        self.rate: int | None = None
        self.done = False
        self.over = False
        self.touched = False

    def fits(self, length: int | None) -> bool:
        """Whether anything can be done to a body of that Content-Length; None: it is not known."""
        return length != 0

    def begins_with(self, piece: bytes) -> bool:
        """Whether something is done to a body that begins with that piece, however long it is."""
        return bool(piece)

    @property
    def slow(self) -> bool:
        """Whether it takes its time, so that no worker of a server is to wait for it."""
        return self.rate is not None or self.quiet > 0

    @abstractmethod
    def feed(self, piece: bytes) -> bytes:
        """Return the bytes to send of the next piece, which is not empty."""

    def held_back(self) -> bytes:
        """Return the bytes of the last piece to send after the `quiet`."""
        return b""


class Truncated(BodyTransform):
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
        """Whether the body is longer than what is let through."""
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

    def feed(self, piece: bytes) -> bytes:
        """The part of the piece before the cut."""
        if self._limit is None:
            self._limit = self._of(len(piece))
        kept = piece[: max(0, self._limit - self._seen)]
        self._seen += len(piece)
        self.done = self.touched = self._seen > self._limit
        return kept

    def _of(self, length: int) -> int:
        # In whole numbers: 0.29 of 100 bytes are 29, and never are they all.
        return max(0, min(length * round(self._share * _PARTS) // _PARTS, length - 1))


class Interrupted(BodyTransform):
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
        self.quiet = quiet
        self._after = after
        self._seen = 0
        self._held = b""

    def fits(self, length: int | None) -> bool:
        """Whether something comes behind the place."""
        return length is None or length > self._after

    def begins_with(self, piece: bytes) -> bool:
        """Whether the place is in the piece."""
        return len(piece) > self._after

    def feed(self, piece: bytes) -> bytes:
        """The part of the piece before the place; all of it once that is behind."""
        if self.touched:
            return piece
        left = self._after - self._seen
        self._seen += len(piece)
        self.touched = self._seen > self._after
        if not self.touched:
            return piece
        self.done = self.cuts
        if not self.cuts:
            self._held = piece[left:]
        return piece[:left]

    def held_back(self) -> bytes:
        """The rest of the piece that has the place in it, once."""
        held, self._held = self._held, b""
        self.over = self.touched and self.whole
        return held


class Dripped(BodyTransform):
    """A body that goes out slowly.

    Args:
        rate: bytes a second.
    """

    did = "dripped"
    whole = True

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.rate = rate

    def feed(self, piece: bytes) -> bytes:
        """The piece."""
        self.touched = True
        return piece


class Corrupted(BodyTransform):
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

    def feed(self, piece: bytes) -> bytes:
        """The piece with its share of the changes."""
        masks = self._masks if self._masks is not None else self._draw(len(piece))
        first, self._seen = self._seen, self._seen + len(piece)
        changed = bytearray(piece)
        for place in [each for each in masks if first <= each < self._seen]:
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

"""The one source of chance: a keyed digest of rule, request and number; a seed replays it.

For one match it is `blake2b(label ‖ 0 ‖ identity ‖ 0 ‖ n, key=blake2b(seed).digest(), digest_size=32)`. Bytes 0-7
decide, 8-15 choose the row of a group, 16-23 the delay; 24-31, stretched, the ids, the bytes that `corrupt` changes
and the keys of a DeleteObjects that fail. No number serves two decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from math import exp
from typing import NamedTuple

Draw = Callable[[str, int], bytes | None]
ONE = 2**64


def seed_key(seed: str) -> bytes:
    """The 64-byte key that a seed's text stands for."""
    return blake2b(seed.encode("utf-8", "surrogatepass")).digest()


def drawer(key: bytes, label: str, limit: int) -> Draw:
    """Make the draw from (identity, n) to 32 bytes for the nth match of that identity, n from 0.

    The draw returns None if the rule does not fire: if bytes 0-7 are not below `limit`.
    """
    state = blake2b(label.encode("utf-8", "surrogatepass") + b"\0", key=key, digest_size=32)
    copy = state.copy
    # Bytes compare like numbers, from the first: the digest's bytes 0-7 decide. No digest reaches 33 times 0xff.
    below = limit.to_bytes(8, "big") if limit < ONE else b"\xff" * 33

    def draw(identity: str, n: int) -> bytes | None:
        state = copy()
        state.update(f"{identity}\0{n}".encode("utf-8", "surrogatepass"))
        digest = state.digest()
        return digest if digest < below else None

    return draw


def threshold(probability: float) -> int:
    """The limit below which bytes 0-7 fire: probability 0 never fires, 1 always."""
    return int(probability * ONE)


def choose(digest: bytes, count: int) -> int:
    """Choose an index below `count`, evenly."""
    return int.from_bytes(digest[8:16], "big") * count // ONE


class LogNormal(NamedTuple):
    """A delay whose logarithm is normally distributed.

    Attributes:
        median: the median of the waits, in seconds.
        sigma: the standard deviation of the logarithm.
    """

    median: float
    sigma: float


LONGEST_DELAY = 3600.0
"""The most seconds of a delay; a longer draw is cut to it."""


def delays(delay: tuple[float, float] | LogNormal) -> Callable[[bytes], float]:
    """A function from a digest to the seconds that a rule waits."""
    if isinstance(delay, LogNormal):
        from statistics import NormalDist  # loads much, and few rules need it

        exponent = NormalDist(0, delay.sigma).inv_cdf
        # 52 bits, as with more a float could round the share to 1, which has no quantile.
        return lambda digest: min(
            LONGEST_DELAY,
            delay.median * exp(exponent(((int.from_bytes(digest[16:24], "big") >> 12) + 0.5) / 2**52)),
        )
    low, high = delay
    if low == high:
        return lambda _: low
    return lambda digest: low + (high - low) * (int.from_bytes(digest[16:24], "big") / ONE)


def stretched(digest: bytes, number: int) -> bytes:
    """64 more bytes from a match's digest for each number: for the ids, and for `corrupt`."""
    return blake2b(b"%b%d" % (digest[24:32], number)).digest()


def fails(digest: bytes, named: tuple[str, str | None], limit: int) -> bool:
    """Whether a key of a DeleteObjects, or a version of it, gets the error.

    The other keys of the request do not matter.

    Bytes 24-31 of the digest are stretched, as for the ids; the `person` keeps the numbers apart.
    """
    key, version = named
    text = key if version is None else f"{key}\0{version}"
    drawn = blake2b(
        digest[24:32] + text.encode("utf-8", "surrogatepass"), digest_size=8, person=b"faultinj-share"
    )
    return int.from_bytes(drawn.digest(), "big") < limit

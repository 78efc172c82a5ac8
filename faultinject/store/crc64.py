"""CRC-64 of ECMA-182, by which the SDKs of OSS, TOS and COS check what they upload and download; and of NVMe, which S3 has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, lru_cache, partial

POLYNOMIAL = 0xC96C5795D7870F42
"""ECMA-182's, its lowest bit first: https://www.alibabacloud.com/help/en/oss/developer-reference/check-data-transmission-integrity-by-using-crc-64"""
NVME = 0x9A6C9329AC4BC9B5
"""NVMe's, likewise: NVM Express, NVM Command Set Specification 1.0d, section 5.2.1.3.4."""
ONES = 0xFFFFFFFFFFFFFFFF
ONE = 1 << 63
"""The polynomial 1."""
BYTE = ONE >> 8
"""The polynomial x⁸: what a further byte multiplies the checksum with."""


def crc64(blocks: Iterable[bytes]) -> int:
    """The checksum of a content in blocks."""
    extend = fastest()
    value = 0
    for block in blocks:
        value = extend(block, value)
    return value


def joined(first: int, second: int, size: int) -> int:
    """The checksum of two contents one behind the other, of their checksums and the second's size."""
    return _product(_power(size), first) ^ second


@lru_cache(maxsize=256)
def _power(size: int) -> int:
    """What `size` further bytes multiply the checksum with; an upload's parts are mostly of one size."""
    found, factor = ONE, BYTE
    while size:
        if size & 1:
            found = _product(factor, found)
        factor = _product(factor, factor)
        size >>= 1
    return found


@cache
def fastest(polynomial: int = POLYNOMIAL) -> Callable[[bytes, int], int]:
    """The one that the SDKs bring along; else the slow one, about 10 MB/s."""
    try:
        from crcmod import mkCrcFun
    except ImportError:
        return partial(extended, polynomial=polynomial)
    # It writes the highest bit first, and x⁶⁴ before it.
    written = int("1" + f"{polynomial:064b}"[::-1], 2)
    found: Callable[[bytes, int], int] = mkCrcFun(written, initCrc=0, rev=True, xorOut=ONES)
    return found


def extended(block: bytes, value: int = 0, *, polynomial: int = POLYNOMIAL) -> int:
    """The checksum of what `value` is the checksum of, and the block behind it."""
    table = _table(polynomial)
    value ^= ONES
    for byte in block:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ ONES


@cache
def _table(polynomial: int) -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        return value

    return tuple(map(entry, range(256)))


def _times_x(value: int) -> int:
    return value >> 1 ^ (POLYNOMIAL if value & 1 else 0)


def _product(first: int, second: int) -> int:
    found = 0
    while first:
        if first & ONE:
            found ^= second
        first = first << 1 & ONES
        second = _times_x(second)
    return found

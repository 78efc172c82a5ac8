"""The CRCs by which SDKs check what they upload and download."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache

ECMA = 0xC96C5795D7870F42
"""CRC-64 of OSS, TOS and COS, its lowest bit first: https://www.alibabacloud.com/help/en/oss/developer-reference/check-data-transmission-integrity-by-using-crc-64"""
NVME = 0x9A6C9329AC4BC9B5
"""CRC-64 of S3, likewise: NVM Express, NVM Command Set Specification 1.0d, section 5.2.1.3.4."""
CASTAGNOLI = 0x82F63B78
"""CRC-32C of S3 and Google, likewise: RFC 3720, appendix B.4."""

Extend = Callable[[bytes, int], int]
"""From a block and the checksum of what stands before it to the checksum of both."""


def checksum(polynomial: int, blocks: Iterable[bytes]) -> int:
    """The checksum of a content in blocks."""
    extend = extender(polynomial)
    value = 0
    for block in blocks:
        value = extend(block, value)
    return value


@cache
def extender(polynomial: int) -> Extend:
    """The one that the SDKs bring along; else a slow one, about 10 MB/s."""
    with suppress(ImportError):
        if polynomial == CASTAGNOLI:
            from google_crc32c import extend

            return lambda block, value: int(extend(value, block))
        from crcmod import mkCrcFun

        # It writes the highest bit first, and x⁶⁴ before it.
        written = int("1" + f"{polynomial:064b}"[::-1], 2)
        found: Extend = mkCrcFun(written, initCrc=0, rev=True, xorOut=(1 << 64) - 1)
        return found
    return slow(polynomial)


def slow(polynomial: int) -> Extend:
    """The same in Python."""
    ones = (1 << (32 if polynomial == CASTAGNOLI else 64)) - 1
    table = []
    for entry in range(256):
        for _ in range(8):
            entry = entry >> 1 ^ (polynomial if entry & 1 else 0)  # noqa: PLW2901
        table.append(entry)

    def extend(block: bytes, value: int) -> int:
        value ^= ones
        for byte in block:
            value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
        return value ^ ones

    return extend

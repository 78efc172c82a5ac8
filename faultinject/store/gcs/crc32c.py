"""CRC-32C, by which Google's SDK checks what it uploads and downloads."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable
from functools import cache

POLYNOMIAL = 0x82F63B78
"""Castagnoli's, its lowest bit first: RFC 3720, appendix B.4."""


def crc32c(blocks: Iterable[bytes]) -> str:
    """The checksum of a content in blocks, in base64 as the API writes it."""
    extend = fastest()
    value = 0
    for block in blocks:
        value = extend(value, block)
    return b64encode(value.to_bytes(4)).decode()


@cache
def fastest() -> Callable[[int, bytes], int]:
    """Google's own, which its SDK brings along; else the slow one, about 10 MB/s."""
    try:
        from google_crc32c import extend
    except ImportError:
        return extended
    found: Callable[[int, bytes], int] = extend
    return found


def extended(value: int, block: bytes) -> int:
    """The checksum of what `value` is the checksum of, and the block behind it."""
    table = _table()
    value ^= 0xFFFFFFFF
    for byte in block:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        return value

    return tuple(map(entry, range(256)))

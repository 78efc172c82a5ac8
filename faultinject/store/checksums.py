"""Checksums of bodies, and the headers and elements of documents that have them."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Protocol

from faultinject.store.buckets import Headers, StoreError, Upload, UploadedPart

ECMA = 0xC96C5795D7870F42
"""The polynomial of the CRC-64 of OSS, TOS and COS, lowest bit first.

https://www.alibabacloud.com/help/en/oss/developer-reference/check-data-transmission-integrity-by-using-crc-64
"""
NVME = 0x9A6C9329AC4BC9B5
"""The polynomial of the CRC-64 of S3, lowest bit first.

NVM Express, NVM Command Set Specification 1.0d, section 5.2.1.3.4.
"""
CASTAGNOLI = 0x82F63B78
"""The polynomial of CRC-32C of S3 and Google, lowest bit first: RFC 3720, appendix B.4."""

Extend = Callable[[bytes, int], int]
"""A function from a block and the checksum of the bytes before it to the checksum of both."""


def ecma(blocks: Iterable[bytes]) -> int:
    """Compute the CRC-64 of OSS, TOS and COS."""
    return int.from_bytes(digest_of(Crc(extender(ECMA), 8), blocks))


@cache
def extender(polynomial: int) -> Extend:
    """Choose the fast function of an installed SDK, or the slow one, about 10 MB/s."""
    with suppress(ImportError):
        if polynomial == CASTAGNOLI:
            from google_crc32c import extend

            return lambda block, value: int(extend(value, block))
        from crcmod import mkCrcFun

        # crcmod writes a polynomial highest bit first, with x⁶⁴ in front.
        written = int("1" + f"{polynomial:064b}"[::-1], 2)
        crc64: Extend = mkCrcFun(written, initCrc=0, rev=True, xorOut=(1 << 64) - 1)
        return crc64
    return slow_extender(polynomial)


def slow_extender(polynomial: int) -> Extend:
    """Make the function of `extender` in Python."""
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


PREFIX, KIND = "x-amz-checksum-", "x-amz-checksum-type"
WHOLE, COMPOSITE = "FULL_OBJECT", "COMPOSITE"


def of_body(checksum: tuple[str, str] | None) -> Headers:
    """The headers of a body's checksum."""
    return () if checksum is None else ((f"{PREFIX}{checksum[0]}", checksum[1]), (KIND, WHOLE))


def read_algorithm(algorithm: str | None, kind: str | None) -> tuple[str, bool] | tuple[()]:
    """Read the headers of CreateMultipartUpload that announce the checksum.

    Returns:
        The algorithm, and whether the checksum covers the whole object.

    Raises:
        StoreError: `argument`, an unknown algorithm.
    """
    if algorithm is None:
        return ()
    name = algorithm.lower()
    if name not in DIGESTS:
        raise StoreError("argument", "Checksum algorithm provided is unsupported.")
    return name, name == "crc64nvme" if kind is None else kind.upper() == WHOLE


def of_blocks(name: str, blocks: Iterable[bytes]) -> Headers:
    """Compute a checksum, and write it as a header."""
    return ((f"{PREFIX}{name}", b64encode(digest_of(DIGESTS[name](), blocks)).decode()),)


def of_upload(upload: Upload, parts: Sequence[UploadedPart]) -> Headers:
    """Compute the checksum of an object made of parts, as headers.

    It covers the bytes of the parts, or the checksums of the parts.
    """
    if not upload.checksum:
        return ()
    name, whole = upload.checksum
    if whole:
        return *of_blocks(name, (block for part in parts for block in part.blocks)), (KIND, WHOLE)
    header = f"{PREFIX}{name}"
    digest = DIGESTS[name]()
    for part in parts:
        if header not in dict(part.checksums):
            return ()
        digest.update(b64decode(dict(part.checksums)[header]))
    return (header, f"{b64encode(digest.digest()).decode()}-{len(parts)}"), (KIND, COMPOSITE)


def check_given(given: Iterable[tuple[str, str]], computed: Headers) -> None:
    """Refuse an object if its checksum, or the checksum's type, differs from the request's.

    Raises:
        StoreError: `bad_digest`.
    """
    computed_by_name = dict(computed)
    for name, value in given:
        if computed_by_name.get(name, value).partition("-")[0] != value.partition("-")[0]:
            algorithm = name.removeprefix(PREFIX).upper()
            raise StoreError(
                "bad_digest", f"The {algorithm} you specified did not match the calculated checksum."
            )


def element(header: str) -> str:
    """Name the element for a checksum's header: `ChecksumCRC32`, `ChecksumType`."""
    name = header.removeprefix(PREFIX)
    return "ChecksumType" if header == KIND else f"Checksum{name.upper()}"


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


def digest_of(digest: _Digest, blocks: Iterable[bytes]) -> bytes:
    """Compute the digest of content in blocks with a new `digest` of any algorithm."""
    for block in blocks:
        digest.update(block)
    return digest.digest()


class Crc:
    """A CRC with the methods of `hashlib`'s digests.

    Args:
        extend: adds a block.
        size: the checksum's size in bytes.
    """

    def __init__(self, extend: Extend, size: int) -> None:
        self._extend = extend
        self._size = size
        self._value = 0

    def update(self, data: bytes) -> None:
        """Add data."""
        self._value = self._extend(data, self._value)

    def digest(self) -> bytes:
        """The checksum of all data."""
        return self._value.to_bytes(self._size)


DIGESTS: Mapping[str, Callable[[], _Digest]] = {
    "crc32": lambda: Crc(zlib.crc32, 4),
    "crc32c": lambda: Crc(extender(CASTAGNOLI), 4),
    "crc64nvme": lambda: Crc(extender(NVME), 8),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}
"""The algorithms, by the last part of the header's name."""


class BodyChecksums:
    """Checks a body against the checksums in the request's headers or in its trailer.

    Args:
        headers: the request's headers.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        in_trailer = headers.get("x-amz-trailer", "").strip().lower()
        self._digests = [
            (name, headers.get(f"x-amz-checksum-{name}"), make())
            for name, make in DIGESTS.items()
            if f"x-amz-checksum-{name}" in headers or in_trailer == f"x-amz-checksum-{name}"
        ]

    def update(self, piece: bytes) -> None:
        """Add a piece of the body."""
        for _, _, digest in self._digests:
            digest.update(piece)

    def check(self, trailer: bytes) -> tuple[str, str] | None:
        """Compare the checksums, and return the algorithm and value of the last one.

        Args:
            trailer: the trailer's line after the body.

        Raises:
            StoreError: `digest`, `bad_digest`.
        """
        trailing = trailer.partition(b":")[2].decode("latin-1").strip()
        checked = None
        for name, given, digest in self._digests:
            computed = digest.digest()
            if read_digest(trailing if given is None else given, len(computed)) != computed:
                message = f"The {name.upper()} you specified did not match the calculated checksum."
                raise StoreError("bad_digest", message)
            checked = name, b64encode(computed).decode()
        return checked


def read_digest(text: str, size: int) -> bytes:
    """Decode a digest of `size` bytes from base64.

    Raises:
        StoreError: `digest`.
    """
    try:
        digest = b64decode(text, validate=True)
    except ValueError as error:
        raise StoreError("digest") from error
    if len(digest) != size:
        raise StoreError("digest")
    return digest

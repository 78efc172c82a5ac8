"""What a request says of its body by S3's checksum headers.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html. CRC-32C and CRC-64/NVME
are not in the standard library, and are taken for right.
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Protocol

from werkzeug.datastructures import Headers

from faultinject.store.mistakes import StoreError


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class Crc32:
    """CRC-32 in the manner of `hashlib`."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        """Add the data behind what came before."""
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        """The checksum of all data."""
        return self._value.to_bytes(4)


DIGESTS: Mapping[str, Callable[[], _Digest]] = {
    "crc32": Crc32,
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}
"""By the end of the header's name."""


class BodyChecksums:
    """The checksums that a request gives of its body.

    Args:
        headers: the request's.
    """

    def __init__(self, headers: Headers) -> None:
        self._digests = [
            (name, given, make())
            for name, make in DIGESTS.items()
            if (given := headers.get(f"x-amz-checksum-{name}")) is not None
        ]

    def update(self, piece: bytes) -> None:
        """Add a piece of the body."""
        for _, _, digest in self._digests:
            digest.update(piece)

    def check(self) -> None:
        """Compare.

        Raises:
            StoreError: `digest`, `bad_digest`.
        """
        for name, given, digest in self._digests:
            found = digest.digest()
            if read_digest(given, len(found)) != found:
                message = f"The {name.upper()} you specified did not match the calculated checksum."
                raise StoreError("bad_digest", message)


def read_digest(text: str, size: int) -> bytes:
    """A digest of that many bytes out of its base64.

    Raises:
        StoreError: `digest`.
    """
    try:
        found = b64decode(text, validate=True)
    except ValueError as error:
        raise StoreError("digest") from error
    if len(found) != size:
        raise StoreError("digest")
    return found

"""The checksums of S3's headers `x-amz-checksum-…`: of an object that came whole, and of one that came in parts.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence

from faultinject.store.bodies import DIGESTS
from faultinject.store.buckets import Headers, Part, Upload
from faultinject.store.refusal import StoreError

PREFIX, KIND = "x-amz-checksum-", "x-amz-checksum-type"
WHOLE, COMPOSITE = "FULL_OBJECT", "COMPOSITE"


def of_body(checksum: tuple[str, str] | None) -> Headers:
    """The headers of the checksum that came with a body."""
    return () if checksum is None else ((f"{PREFIX}{checksum[0]}", checksum[1]), (KIND, WHOLE))


def read_algorithm(algorithm: str | None, kind: str | None) -> tuple[str, bool] | tuple[()]:
    """What a multipart upload's beginning says of its checksum: the algorithm, and whether it is of the whole object.

    Raises:
        StoreError: `argument`, an algorithm that there is not.
    """
    if algorithm is None:
        return ()
    name = algorithm.lower()
    if name not in DIGESTS:
        raise StoreError("argument", "Checksum algorithm provided is unsupported.")
    return name, name == "crc64nvme" if kind is None else kind.upper() == WHOLE


def of_blocks(name: str, blocks: Iterable[bytes]) -> Headers:
    """The header of the checksum of these bytes by that algorithm."""
    digest = DIGESTS[name]()
    for block in blocks:
        digest.update(block)
    return ((f"{PREFIX}{name}", b64encode(digest.digest()).decode()),)


def of_upload(upload: Upload, parts: Sequence[Part]) -> Headers:
    """The headers of the checksum of an object made of parts: of their bytes, or of their checksums."""
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


def check_given(given: Iterable[tuple[str, str]], found: Headers) -> None:
    """Refuse an object whose checksum or its type is another one than the request's headers give.

    Raises:
        StoreError: `bad_digest`.
    """
    known = dict(found)
    for name, value in given:
        if known.get(name, value).partition("-")[0] != value.partition("-")[0]:
            what = name.removeprefix(PREFIX).upper()
            raise StoreError("bad_digest", f"The {what} you specified did not match the calculated checksum.")


def element(header: str) -> str:
    """How documents call such a header: `ChecksumCRC32`, `ChecksumType`."""
    name = header.removeprefix(PREFIX)
    return "ChecksumType" if header == KIND else f"Checksum{name.upper()}"

"""Reads request bodies in pieces, decodes aws-chunked ones, and computes their digests.

No body takes more memory than the store has left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5

from werkzeug.exceptions import ClientDisconnected

from faultinject.http.wire import number_of
from faultinject.store.buckets import Buckets, StoreError
from faultinject.store.checksums import BodyChecksums, read_digest
from faultinject.store.messages import StoreRequest
from faultinject.vendors.aws_chunks import AwsChunks

PIECE = 64 * 1024
BLOCK = 1024 * 1024
DOCUMENT_BYTES = 2 * 1024 * 1024
"""The longest XML or JSON document; 10,000 parts with checksums take about 1.5 MiB."""
DRAIN_BYTES = 128 * 1024 * 1024
"""The bytes of a refused upload that are dropped, so that its client sees the refusal."""
PARAMETER = re.compile(r';\s*([^\s;="]+)\s*=\s*(?:"([^"]*)"|([^;"]*))')


@dataclass(frozen=True, slots=True)
class ReceivedBody:
    """A received body, in blocks of about 1 MiB.

    Attributes:
        blocks: the body.
        size: its length.
        md5: its MD5, in hex.
        checksum: the client's checksum, which was verified: the algorithm as headers name it, and the value.
    """

    blocks: tuple[bytes, ...]
    size: int
    md5: str
    checksum: tuple[str, str] | None


def receive(request: StoreRequest, buckets: Buckets, chunked: str = "") -> ReceivedBody:
    """Read the whole body, and reserve its bytes in the store.

    If the length is known, they are reserved before the body is read.

    Args:
        request: the request.
        buckets: the store's buckets.
        chunked: the mistake to report for an upload in HTTP chunks without a length; empty if the service accepts it.

    Raises:
        StoreError: `chunked`, `length`, `full`, `incomplete`, `digest`, `bad_digest`.
    """
    if chunked and "transfer-encoding" in request.headers and not is_aws_chunked(request):
        raise StoreError(chunked)
    if not (request.ends or request.headers.get("content-length")):
        raise StoreError("length")
    expected = _declared_length(request)
    reserved = expected or 0
    buckets.take(reserved)
    digest = md5(usedforsecurity=False)
    checksums = BodyChecksums(request.fields)
    blocks = []
    block = bytearray()
    size = 0
    chunks = AwsChunks()
    for piece in pieces(request, chunks):
        size += len(piece)
        if size > reserved:
            buckets.take(size - reserved)
            reserved = size
        digest.update(piece)
        checksums.update(piece)
        block += piece
        if len(block) >= BLOCK:
            blocks.append(bytes(block))
            block.clear()
    if block:
        blocks.append(bytes(block))
    if expected is not None and size != expected:
        raise StoreError("incomplete")
    _check_md5(request, digest.digest())
    checksum = checksums.check(chunks.checksum)
    return ReceivedBody(tuple(blocks), size, digest.hexdigest(), checksum)


def read_document(request: StoreRequest, *, checksums: bool = True) -> bytes:
    """Read a body that is a document of at most `DOCUMENT_BYTES`.

    Args:
        request: the request.
        checksums: whether to compare the document with the checksums in the headers.

    Raises:
        StoreError: `document` (too long), `empty_document`, `incomplete`, `digest`, `bad_digest`.
    """
    document = bytearray()
    chunks = AwsChunks()
    for piece in pieces(request, chunks):
        document += piece
        if len(document) > DOCUMENT_BYTES:
            raise StoreError("document")
    if not document:
        raise StoreError("empty_document")
    _check_md5(request, md5(document, usedforsecurity=False).digest())
    if checksums:
        body_checksums = BodyChecksums(request.fields)
        body_checksums.update(bytes(document))
        body_checksums.check(chunks.checksum)
    return bytes(document)


def split_multipart(body: bytes, content_type: str | None) -> list[tuple[bytes, bytes]]:
    """Split a multipart body into the headers and the content of each part.

    Raises:
        StoreError: `multipart`, when the body is not multipart.
    """
    # aiohttp writes a boundary with `=` in it without quotes, which common parsers of headers do not accept.
    parameters = PARAMETER.findall(content_type or "")
    boundary = next(
        (quoted or bare.strip() for name, quoted, bare in parameters if name.lower() == "boundary"), ""
    )
    # gcsfs ends lines with a bare LF, and Google takes that.
    end = b"\r\n" if body.partition(b"\n")[0].endswith(b"\r") else b"\n"
    pieces = (end + body).split(end + b"--" + boundary.encode())
    if not boundary or len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise StoreError("multipart")
    cut_up = (piece.partition(end + end) for piece in pieces[1:-1])
    return [(head, content) for head, _, content in cut_up]


def drain(request: StoreRequest) -> None:
    """Read and drop the rest of a body, at most `DRAIN_BYTES`."""
    bytes_left = DRAIN_BYTES
    try:
        while bytes_left > 0 and (piece := request.body.read(PIECE)):
            bytes_left -= len(piece)
    except (ClientDisconnected, OSError):
        return


def pieces(request: StoreRequest, chunks: AwsChunks) -> Iterator[bytes]:
    """Read the body in pieces, decoded by `chunks` if it is aws-chunked.

    Raises:
        StoreError: `incomplete`, when it ends too early or its chunks cannot be read.
    """
    return _decode_chunks(_read_raw(request), chunks) if is_aws_chunked(request) else _read_raw(request)


def is_aws_chunked(request: StoreRequest) -> bool:
    """Whether the body has AWS's own chunk format."""
    return request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-") or (
        "aws-chunked" in request.headers.get("content-encoding", "")
    )


def cut(blocks: tuple[bytes, ...], start: int, stop: int) -> tuple[bytes, ...]:
    """Cut the bytes from `start` up to `stop` out of blocks."""
    pieces_inside = []
    begin = 0
    for block in blocks:
        end = begin + len(block)
        if end > start and begin < stop:
            pieces_inside.append(block[max(start - begin, 0) : stop - begin])
        begin = end
    return tuple(pieces_inside)


def _declared_length(request: StoreRequest) -> int | None:
    if not is_aws_chunked(request):
        return request.content_length
    return number_of(request.headers.get("x-amz-decoded-content-length"))


def _decode_chunks(source: Iterator[bytes], chunks: AwsChunks) -> Iterator[bytes]:
    for piece in source:
        yield from chunks.feed(piece)
        if chunks.state == "broken":
            break
    if chunks.state != "nothing":
        raise StoreError("incomplete")


def _read_raw(request: StoreRequest) -> Iterator[bytes]:
    size = 0
    try:
        while piece := request.body.read(PIECE):
            size += len(piece)
            yield piece
    except (ClientDisconnected, OSError) as error:
        raise StoreError("incomplete") from error
    if size < (request.content_length or 0):
        raise StoreError("incomplete")


def _check_md5(request: StoreRequest, digest: bytes) -> None:
    md5_header = request.headers.get("content-md5")
    if md5_header is not None and read_digest(md5_header, len(digest)) != digest:
        raise StoreError("bad_digest")

"""A request's body: its bounds, and a digest by which attempts are compared."""

from __future__ import annotations

from hashlib import blake2b

# Bytes read of a request's body, their digest, whether that was all.
Body = tuple[int, str, bool]
PIECE = 64 * 1024
"""Bytes read from a request body at a time."""
MOST = 128 * 1024 * 1024
"""Bytes after which a body or a dropped answer is no longer read."""
LONGEST = 10.0
"""Seconds after which a body or a dropped answer is no longer read."""
DIGEST_SIZE = 16
"""Bytes of a digest."""


class BodyDigest:
    """A keyed digest of a body in pieces, without a multipart boundary.

    The boundary is new on each attempt.

    >>> def digest(boundary):
    ...     body = BodyDigest(b"key", f"multipart/form-data; boundary={boundary}")
    ...     body.update(f"--{boundary}--".encode())
    ...     return body.hexdigest()
    >>> digest("abc") == digest("xyz")
    True
    """

    def __init__(self, key: bytes, content_type: str = "") -> None:
        self._digest = blake2b(key=key, digest_size=DIGEST_SIZE)
        self._boundary = boundary(content_type)
        self._tail = b""
        self.size = 0
        """Bytes seen so far."""

    def update(self, piece: bytes) -> None:
        """Add the next piece."""
        self.size += len(piece)
        if not self._boundary:
            self._digest.update(piece)
            return
        # A boundary may lie across two pieces: the last bytes wait until more is known.
        *parts, rest = (self._tail + piece).split(self._boundary)
        for part in parts:
            self._digest.update(part)
        cut = max(0, len(rest) - len(self._boundary) + 1)
        self._digest.update(rest[:cut])
        self._tail = rest[cut:]

    def hexdigest(self) -> str:
        """The digest as 32 hexadecimal digits."""
        whole = self._digest.copy()
        whole.update(self._tail)
        return whole.hexdigest()


class ChunkedBodyDigest(BodyDigest):
    r"""The digest of the content of a body in aws-chunked.

    The signatures of its chunks and trailers are new on each attempt. As long as its end has not come, and if its
    chunks cannot be read, it is the digest of the bytes as sent.

    >>> def digest(signature):
    ...     body = ChunkedBodyDigest(b"key", "")
    ...     body.update(b"5;chunk-signature=%b\r\nhello\r\n0;chunk-signature=%b\r\n\r\n" % (signature, signature))
    ...     return body.hexdigest()
    >>> digest(b"0b") == digest(b"1c")
    True
    """

    def __init__(self, key: bytes, content_type: str) -> None:
        from faultinject.vendors.aws_chunks import AwsChunks

        super().__init__(key, content_type)
        self._chunks = AwsChunks()
        self._content = BodyDigest(key, content_type)

    def update(self, piece: bytes) -> None:
        """Add the next piece."""
        super().update(piece)
        for part in self._chunks.feed(piece):
            self._content.update(part)

    def hexdigest(self) -> str:
        """The digest as 32 hexadecimal digits."""
        return self._content.hexdigest() if self._chunks.state == "nothing" else super().hexdigest()


class SeenBody:
    """A request's body as the app reads it.

    By its digest the journal tells whether a later request carries the same.

    Args:
        digest: gets each piece.
        length: its Content-Length; None if its end is marked.
    """

    def __init__(self, digest: BodyDigest, length: int | None) -> None:
        self._digest = digest
        self._length = length
        self.ended = False
        """Whether the end of a body without a length was seen."""

    def feed(self, piece: bytes) -> None:
        """Take a piece that the app has read; an empty one is the end."""
        if piece:
            self._digest.update(piece)
        else:
            self.ended = True

    @property
    def size(self) -> int:
        """The number of bytes that the app has read."""
        return self._digest.size

    @property
    def body(self) -> Body | None:
        """Bytes, digest, and that this was all; None until the app has read all of it."""
        size = self._digest.size
        whole = size == self._length or (self._length is None and self.ended)
        return (size, self._digest.hexdigest(), True) if whole else None


def boundary(content_type: str) -> bytes:
    """The boundary of a multipart Content-Type; empty for any other.

    >>> boundary('multipart/form-data; boundary="a b"')
    b'a b'
    """
    kind, _, parameters = content_type.partition(";")
    if not kind.strip().lower().startswith("multipart/"):
        return b""
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "boundary":
            return value.strip('"').encode("latin-1", "replace")
    return b""

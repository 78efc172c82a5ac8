"""aws-chunked: a body in signed chunks within a request's body, signed anew in each attempt.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    State = Literal["size", "data", "trailer", "nothing", "broken"]

LONGEST_LINE = 4096
"""The most bytes of a line with its end; a longer one is not a chunk's head or a trailer."""
_HEX = b"0123456789ABCDEFabcdef"


class AwsChunks:
    r"""Decodes a body in signed chunks piece by piece, and buffers at most one line.

    The body consists of chunks, then a chunk of size 0, trailers and an empty line. Each chunk is a line
    `SIZE[;chunk-signature=...]`, then as many bytes.
    Signatures are read and not checked.

    >>> AwsChunks().feed(b"5;chunk-signature=0b\r\nhello\r\n0;chunk-signature=1c\r\n\r\n")
    [b'hello']

    Attributes:
        state: the next part of the body; `broken` after an unexpected part: then nothing more is read.
        checksum: the trailer `x-amz-checksum-…: VALUE`, or empty.
    """

    __slots__ = ("_buffer", "_bytes_left", "checksum", "state")

    def __init__(self) -> None:
        self._buffer = b""
        self._bytes_left = 0
        self.checksum = b""
        self.state: State = "size"

    def feed(self, piece: bytes) -> list[bytes]:
        """The content in the next piece of the body."""
        content = []
        data = self._buffer + piece
        at = 0
        while at < len(data) and self.state != "broken":
            if self._bytes_left:
                part = data[at : at + self._bytes_left]
                content.append(part)
                at += len(part)
                self._bytes_left -= len(part)
            elif self.state == "nothing":
                self.state = "broken"
            elif (end := data.find(b"\r\n", at, at + LONGEST_LINE)) >= 0:
                self.state = self._state_after(data[at:end])
                at = end + 2
            elif len(data) - at >= LONGEST_LINE:
                self.state = "broken"
            else:
                break
        self._buffer = b"" if self.state == "broken" else data[at:]
        return content

    def _state_after(self, line: bytes) -> State:
        """The state after a line, which comes without its end."""
        if self.state == "size":
            size = line.partition(b";")[0]
            if not size or size.strip(_HEX):
                return "broken"
            self._bytes_left = int(size, 16)
            return "data" if self._bytes_left else "trailer"
        if self.state == "data":
            return "broken" if line else "size"
        if line:
            if line.lower().startswith(b"x-amz-checksum-"):
                self.checksum = line
            return "trailer" if b":" in line else "broken"
        return "nothing"

"""The content of bodies in Amazon's chunks, in whatever pieces they come."""

import pytest

from faultinject.vendors.aws_chunks import AwsChunks
from tests.rows import each_row

LONGEST = 4096
"""Bytes of a line, with its end."""
BODY = b"5;chunk-signature=0b\r\nhello\r\n3\r\n, y\r\n0;chunk-signature=1c\r\nX-Amz-Checksum-CRC32:AAAAAA==\n\r\n\r\n"
"""A body with a line feed more behind its checksum, as minio-go ends it."""


@pytest.mark.parametrize("size", [1, 2, 7, len(BODY)])
def test_the_content_comes_out(size):
    """All of it and nothing else, with the checksum that stands behind it."""
    chunks = AwsChunks()
    content = [part for at in range(0, len(BODY), size) for part in chunks.feed(BODY[at : at + size])]
    assert b"".join(content) == b"hello, y"
    assert (chunks.state, chunks.checksum) == ("nothing", b"X-Amz-Checksum-CRC32:AAAAAA==\n")


@each_row(
    "body",
    [
        b"\r\n",
        b";x\r\n",
        b"5g\r\n",
        b"1\r\nab\r\n",
        b"0\r\nno trailer\r\n",
        BODY + b"x",
        b"5;" + b"x" * LONGEST,
    ],
)
def test_a_body_of_another_form(body):
    """Nothing is read any more."""
    chunks = AwsChunks()
    chunks.feed(body)
    assert (chunks.state, chunks.feed(BODY)) == ("broken", [])


def test_the_longest_line():
    """It ends within its bound; one that is a byte longer is none."""
    for more, content in ((0, [b"a"]), (1, [])):
        assert AwsChunks().feed(b"1;" + b"x" * (LONGEST - 4 + more) + b"\r\na\r\n") == content

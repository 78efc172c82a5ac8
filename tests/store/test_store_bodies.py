"""Bodies: aws-chunked, broken and slow ones."""

import io
from itertools import product

import pytest
import requests

import faultinject

from .conftest import client_of, code_of

STREAMING = {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
SIGNED = b"5;chunk-signature=abc\r\nhello\r\n6;chunk-signature=def\r\n world\r\n0;chunk-signature=ghi\r\n\r\n"
TRAILER = b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"


@pytest.fixture
def client():
    return client_of("cos")


class Trickle:
    """A body that comes a few bytes at a time, whatever is asked for."""

    def __init__(self, data, step):
        self._data, self._step = io.BytesIO(data), step

    def read(self, size=-1):
        return self._data.read(self._step)


class Broken(Trickle):
    """A body whose connection breaks."""

    def read(self, size=-1):
        data = super().read(size)
        if not data:
            raise OSError("connection reset")
        return data


HEADERS = [
    STREAMING, {"Content-Encoding": "aws-chunked"}, {**STREAMING, "x-amz-decoded-content-length": "11"}
]  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "step", "data"),
    [
        (headers, step, (SIGNED, TRAILER)[at % 2])  # each pair once
        for at, (headers, step) in enumerate(product(HEADERS, [1, 7, 1000]))
    ],
)
def test_aws_chunked_bodies_are_decoded(client, data, step, headers):
    """Signed chunks and trailers are read away, however the pieces fall."""
    environ = {"wsgi.input": Trickle(data, step), "wsgi.input_terminated": True}
    put = client.put("/photos/k", headers=headers, environ_overrides=environ)
    got = client.get("/photos/k")
    assert (put.status_code, got.data, "Content-Encoding" in got.headers) == (200, b"hello world", False)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        # Python reads more as a number than the format allows.
        *(size + b"\r\nhello\r\n0\r\n\r\n" for size in (b"five", b"-5", b"0x5", b"+5", b" 5", b"")),
        b"5_0\r\n" + b"x" * 80 + b"\r\n0\r\n\r\n",
        b"5\r\nhel",
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"5\r\nhello",
        b"5\r\n",
        b"5\r\nhello\r\n0\r\n",
        b"5\r\nhello\r\n0\r\n\r\nhello",
        b"5" * 10_000,
        b"0\r\n" + b"x" * 200_000,
    ],
)
def test_broken_aws_chunks(client, data):
    """Wrong sizes, missing ends and endless trailers make an incomplete body; nothing is kept."""
    used = client.application.buckets.used
    answer = client.put("/photos/k", headers=STREAMING, data=data)
    assert (answer.status_code, b"IncompleteBody" in answer.data, client.application.buckets.used) == (
        400,
        True,
        used,
    )


def test_a_decoded_length_that_is_not_kept(client):
    """A body longer or shorter than it said is incomplete."""
    used = client.application.buckets.used
    asked = [{**STREAMING, "x-amz-decoded-content-length": length} for length in ("10", "12")]
    answers = [client.put("/photos/k", headers=headers, data=SIGNED) for headers in asked]
    assert ([code_of(each) for each in answers], client.application.buckets.used) == (
        ["IncompleteBody"] * 2,
        used,
    )


@pytest.mark.parametrize("terminated", [True, False])
@pytest.mark.parametrize("body", [Trickle, Broken])
def test_a_connection_that_breaks(client, body, terminated):
    """A broken upload is dropped, whether the server raises or ends the body."""
    used = client.application.buckets.used
    environ = {"wsgi.input": body(b"x" * 100, 10), "CONTENT_LENGTH": "200"}
    environ |= {"wsgi.input_terminated": True} if terminated else {}
    answer = client.put("/photos/k", environ_overrides=environ)
    assert (b"IncompleteBody" in answer.data, client.application.buckets.used) == (True, used)


def test_a_body_in_many_pieces_is_kept_in_few_blocks(client):
    """Small pieces are kept in few blocks: 3 MiB in pieces of 1,000 bytes come back whole."""
    content = bytes(range(256)) * 4096 * 3
    environ = {"wsgi.input": Trickle(content, 1000), "wsgi.input_terminated": True}
    client.put("/photos/k", environ_overrides=environ)
    got = client.get("/photos/k", buffered=False)
    assert len(list(got.response)) <= 4
    assert (
        client.get("/photos/k", headers={"Range": "bytes=1048570-2097200"}).data == content[1048570:2097201]
    )


def test_a_digest_is_checked_for_documents_too(client):
    """Content-MD5 of a deletion must be its own."""
    answer = client.post("/photos?delete", data="<X/>", headers={"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="})
    assert b"BadDigest" in answer.data


@pytest.mark.live
@pytest.mark.parametrize(
    ("vendor", "path", "status", "code"),
    [
        ("s3", "/photos/k", 501, "NotImplemented"),
        ("minio", "/photos/k", 411, "MissingContentLength"),
        ("azure-blob", "/account/photos/k", 411, "MissingContentLengthHeader"),
        ("cos", "/photos/k", 200, ""),
    ],
)
def test_content_in_chunks_of_http(vendor, path, status, code):
    """S3, MinIO and Azure refuse a body without a length, as of a streamed generator."""
    storage = faultinject.Storage(vendor)
    url, headers = f"{storage.url}{path}", {"x-ms-blob-type": "BlockBlob"}
    try:
        assert requests.put(f"{url.removesuffix('/k')}?restype=container", timeout=60).ok
        answer = requests.put(url, iter((b"meow",)), headers=headers, timeout=60)
        assert (answer.status_code, code in answer.text) == (status, True)
        assert requests.put(url, b"meow", headers=headers, timeout=60).ok
    finally:
        storage.close()

"""A client's claims about its body and target are true, or the request is refused."""

import socket
import zlib
from base64 import b64encode
from hashlib import sha1, sha256

import pytest

from .conftest import begun, client_of

CONTENT = b"0123456789"
DIGESTS = {
    "crc32": zlib.crc32(CONTENT).to_bytes(4),
    "crc32c": bytes.fromhex("280c069e"),
    "crc64nvme": bytes.fromhex("15f9b1ee4cfd9c1d"),
    "sha1": sha1(CONTENT, usedforsecurity=False).digest(),
    "sha256": sha256(CONTENT).digest(),
}


@pytest.fixture
def client():
    return client_of("s3")


@pytest.mark.parametrize("size", [b"a", b"A", b"0a", b"000000A;chunk-signature=abc"])
def test_sizes_of_chunks(client, size):
    """In capitals or not, with zeros before it."""
    data = size + b"\r\n" + CONTENT + b"\r\n0\r\n\r\n"
    assert client.put("/photos/k", data=data, headers={"Content-Encoding": "aws-chunked"}).status_code == 200
    assert client.get("/photos/k").data == CONTENT


@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_checksums_of_s3(client, name):
    """Puts and parts accept S3's checksums.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """
    message = f"The {name.upper()} you specified did not match the calculated checksum."
    wrong = f"<Code>BadDigest</Code><Message>{message}</Message>"
    digests = {
        b64encode(bytes(len(DIGESTS[name]))).decode(): (400, wrong),
        "no base64": (400, "<Code>InvalidDigest</Code>"),
        "AAAA": (400, "<Code>InvalidDigest</Code>"),
        b64encode(DIGESTS[name]).decode(): (200, ""),
    }
    for path in ("/photos/k", f"/photos/big?partNumber=1&uploadId={begun(client, '/photos/big')}"):
        for digest, (status, said) in digests.items():
            answer = client.put(path, data=CONTENT, headers={f"x-amz-checksum-{name}": digest})
            assert (answer.status_code, said in answer.text.replace("\n", "")) == (status, True)
    assert client.get("/photos/k").data == CONTENT


@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_checksums_behind_the_body(client, name):
    """As SDKs send them with a stream: checked, kept, and told when the client asks."""

    def put(digest, trailer=f"x-amz-checksum-{name}"):
        trailers = f"x-amz-checksum-{name}: {digest}\r\nx-amz-trailer-signature: abc\r\n"
        data = b"a\r\n" + CONTENT + f"\r\n0\r\n{trailers}\r\n".encode()
        headers = {"Content-Encoding": "aws-chunked", "x-amz-trailer": trailer}
        return client.put("/photos/k", data=data, headers=headers)

    right = b64encode(DIGESTS[name]).decode()
    assert b"<Code>BadDigest</Code>" in put(b64encode(bytes(len(DIGESTS[name]))).decode()).data
    assert put(right).headers[f"x-amz-checksum-{name}"] == right
    asked = client.head("/photos/k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert asked.headers[f"x-amz-checksum-{name}"] == right
    assert f"x-amz-checksum-{name}" not in client.head("/photos/k").headers
    assert f"x-amz-checksum-{name}" not in put("no base64", trailer="").headers


def test_checksums_of_documents(client):
    """DeleteObjects comes with one, which SDKs send instead of Content-MD5."""
    document = b"<Delete><Object><Key>k</Key></Object></Delete>"
    right = b64encode(zlib.crc32(document).to_bytes(4)).decode()
    asked = [{"x-amz-checksum-crc32": digest} for digest in ("AAAAAA==", right)]
    answers = [client.post("/photos?delete", data=document, headers=headers) for headers in asked]
    assert [each.status_code for each in answers] == [400, 200]


@pytest.mark.parametrize("text", ["bytes=-0", "bytes=-00", "Bytes = -0 "])
def test_the_last_zero_bytes(client, text):
    """RFC 9110 14.1.2: a suffix of length 0 is not satisfiable."""
    client.put("/photos/k", data=CONTENT)
    got = client.get("/photos/k", headers={"Range": text})
    assert (got.status_code, got.headers["Content-Range"]) == (416, "bytes */10")


def exchanged(port, method, target, data=b""):
    """The status of a request, byte for byte as it is given here, and the answer's body."""
    head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head.encode("latin-1") + data)
        with connection.makefile("rb") as answer:
            first, _, rest = answer.read().partition(b"\r\n")
    return int(first.split()[1]), rest.partition(b"\r\n\r\n")[2]


REFUSED = {
    "s3": b"<Code>InvalidURI</Code>",
    "cos": b"<Code>InvalidURI</Code>",
    "minio": b"<Code>XMinioInvalidObjectName</Code>",
    "qingstor": b'"code":"invalid_object_name"',
}


@pytest.mark.parametrize("vendor", sorted(REFUSED))
def test_names_that_are_no_utf_8(serve, vendor):
    """The server puts U+FFFD for what it cannot decode, so that they would all be one object."""
    port = serve(vendor)
    exchanged(port, "PUT", "/photos")
    for target in ("/photos/%ff", "/photos/%fe", "/photos/%c3", "/photos?prefix=%ff"):
        method = "GET" if "?" in target else "PUT"
        status, body = exchanged(port, method, target, b"x")
        assert (status, REFUSED[vendor] in body) == (400, True)
    targets = ("/photos/%EF%BF%BD", "/photos/%25ff", "/photos/%C3%BC")
    assert {exchanged(port, "PUT", target, target.encode())[0] for target in targets} <= {200, 201}
    assert [exchanged(port, "GET", target) for target in targets] == [
        (200, each.encode()) for each in targets
    ]


@pytest.mark.parametrize(
    ("vendor", "bucket", "refused", "said", "listing", "empty"),
    [
        (
            "gcs",
            ("POST", "/storage/v1/b", b'{"name": "photos"}'),
            [
                ("POST", "/upload/storage/v1/b/photos/o?uploadType=media&name=%ff"),
                ("POST", "/upload/storage/v1/b/photos/o?uploadType=resumable&name=%ff"),
                ("GET", "/storage/v1/b/photos/o/%ff"),
            ],
            b'"message": "The object name is not UTF-8."',
            "/storage/v1/b/photos/o",
            b'"items": []',
        ),
        (
            "azure-blob",
            ("PUT", "/account/photos?restype=container"),
            [
                ("PUT", "/account/photos/%ff"),
                ("GET", "/account/photos/%ff"),
                ("GET", "/account/photos?restype=container&comp=list&prefix=%ff"),
            ],
            b"<Code>InvalidUri</Code>",
            "/account/photos?restype=container&comp=list",
            b"<Blobs></Blobs>",
        ),
    ],
)
def test_names_that_are_no_utf_8_in_other_apis(serve, vendor, bucket, refused, said, listing, empty):
    """They are refused all the same, and nothing is stored."""
    port = serve(vendor)
    assert exchanged(port, *bucket)[0] in (200, 201)
    for method, target in refused:
        status, body = exchanged(port, method, target)
        assert (status, said in body) == (400, True)
    assert empty in exchanged(port, "GET", listing)[1]

"""boto3 and aiobotocore read code, message, both ids and extras of every S3 row.

On HEAD they know the status alone. A redirect, and a HEAD with 400, make them ask once more.
"""

import json
from datetime import datetime
from xml.etree import ElementTree

import pytest

from faultinject import vendors
from tests.rows import each_row

from .path_style import SigV4Auth, client_of
from .path_style import error_of as error_answer
from .processes import pinned
from .told import of_each_row, use_all

KEY = "cat pictures/猫&'<1>\"~+.jpg"
ROWS = vendors.get("s3").errors


@pytest.fixture(scope="module")
def client(server):
    with client_of(server.url, "eu-west-3", signature_version="s3v4") as made:
        yield made


def error_of(call, *arguments, **named):
    """The client's error, and the answer's metadata."""
    answer = error_answer(call, *arguments, **named)
    return answer["Error"], answer["ResponseMetadata"]


CALLS = {
    "get": lambda client: client.get_object(Bucket="photos", Key=KEY),
    "initiate": lambda client: client.create_multipart_upload(Bucket="photos", Key=KEY),
}


@pytest.mark.slow
@of_each_row(ROWS, CALLS)
def test_rows(row, call, server, client):
    """Code, message and ids of every row are read, and the body's ids are the headers'."""
    error, metadata = error_of(CALLS[call], client)
    sent, headers = server.outcomes[-1], metadata["HTTPHeaders"]
    asked_again = row.status in (301, 307) or row.code == "AuthorizationHeaderMalformed"
    assert (
        error["Code"],
        error["Message"],
        metadata["HTTPStatusCode"],
        metadata["RequestId"],
        metadata["HostId"],
        len(server.outcomes),
    ) == (
        row.code,
        row.message,
        row.status or 400,
        sent.request_id,
        headers["x-amz-id-2"],
        2 if asked_again else 1,
    )
    assert headers["x-amz-request-id"] == sent.request_id


@pytest.mark.slow
@of_each_row(ROWS)
def test_head(row, server, client):
    """HEAD: the status is the code; both ids are among the headers."""
    error, metadata = error_of(client.head_object, Bucket="photos", Key=KEY)
    status, headers = row.status or 400, metadata["HTTPHeaders"]
    ids = {each.request_id for each in server.outcomes}
    got = error["Code"], metadata["HTTPStatusCode"], headers["x-amz-request-id"] in ids
    assert (*got, len(headers["x-amz-id-2"])) == (str(status), status, True, 76)


GET = {"Range": "bytes=5-7", "VersionId": "v1", "IfMatch": "x", "IfNoneMatch": "y"}
PUT = {
    "Body": b"x" * 100,
    "ContentMD5": "eA==",
    "Metadata": {"a": "bcd", "ef": "g"},
    "ServerSideEncryption": "rot13",
    "StorageClass": "ICE",
    "Tagging": "te%26st=a&b=c",
}
ENDED = {"UploadId": "up 1", "MultipartUpload": {"Parts": [{"ETag": "x", "PartNumber": 1}]}}
PART = {"Body": b"x" * 100, "UploadId": "up 1", "PartNumber": 7}
CARRIED = [
    ("NoSuchKey", "get", {"Key": KEY}),
    ("NoSuchBucket", "get", {"BucketName": "photos"}),
    ("BucketAlreadyExists", "put", {"BucketName": "photos"}),
    ("NoSuchTagSet", "list", {"BucketName": "photos"}),
    ("NoSuchVersion", "get", {"Key": KEY, "VersionId": "v1"}),
    ("NoSuchUpload", "part", {"UploadId": "up 1"}),
    (
        "InvalidPart",
        "part",
        {"UploadId": "up 1", "PartNumber": "7", "ETag": "e868e0f4719e394144ef36531ee6824c"},
    ),
    ("InvalidArgument", "part", {"ArgumentName": "partNumber", "ArgumentValue": "7"}),
    ("InvalidArgument", "put", {}),
    (
        "InvalidEncryptionAlgorithmError",
        "put",
        {"ArgumentName": "x-amz-server-side-encryption", "ArgumentValue": "rot13"},
    ),
    ("InvalidRange", "get", {"RangeRequested": "bytes=5-7", "ActualObjectSize": "0"}),
    ("InvalidPartNumber", "part", {"ActualPartCount": "1", "PartNumberRequested": "7"}),
    ("OwnershipControlsNotFoundError", "list", {"BucketName": "photos"}),
    ("InvalidChunkSizeError", "part", {"Chunk": "2", "BadChunkSize": "3"}),
    ("AccessForbidden", "put", {"Method": "PUT", "ResourceType": "BUCKET"}),
    ("EntityTooLarge", "part", {"ProposedSize": "6442450944", "MaxSizeAllowed": "5368709120"}),
    ("EntityTooSmall", "part", {"ProposedSize": "LENGTH", "MinSizeAllowed": "5242880"}),
    (
        "EntityTooSmall",
        "complete",
        {
            "ProposedSize": "60166",
            "MinSizeAllowed": "5242880",
            "PartNumber": "1",
            "ETag": "98d3f377a91dbe9c82408ee34ee01ced",
        },
    ),
    ("BadDigest", "put", {"CalculatedDigest": "1B2M2Y8AsgTpgAmY7PhCfg==", "ExpectedDigest": "eA=="}),
    ("MetadataTooLarge", "put", {"Size": "2049", "MaxSizeAllowed": "2048"}),
    ("MissingSecurityHeader", "acl", {"MissingHeaderName": "x-amz-acl"}),
    ("InvalidLocationConstraint", "list", {"LocationConstraint": "us-east-1"}),
    ("InvalidTag", "put", {"TagKey": "te&st"}),
    ("InvalidTag/2", "put", {"TagKey": "te&st", "TagValue": "a"}),
    ("InvalidTag/2", "get", {"TagKey": "key", "TagValue": "inv&alid"}),
    ("InvalidDigest", "put", {"Content-MD5": "eA=="}),
    ("InvalidAccessKeyId", "get", {"AWSAccessKeyId": "id"}),
    ("MethodNotAllowed", "get", {"Method": "GET", "ResourceType": "OBJECT"}),
    ("MethodNotAllowed", "list", {"Method": "GET", "ResourceType": "BUCKET"}),
    ("PreconditionFailed", "get", {"Condition": "If-Match"}),
    ("ConditionalRequestConflict", "get", {"Condition": "If-Match", "Key": KEY}),
    ("KeyTooLongError", "get", {"Size": "1025", "MaxSizeAllowed": "1024"}),
    ("IncompleteBody", "get", {"NumberBytesExpected": "414435", "NumberBytesProvided": "0"}),
    ("MaxPostPreDataLengthExceeded", "get", {"MaxPostPreDataLengthBytes": "20480"}),
    (
        "CrossLocationLoggingProhibitted",
        "put",
        {"TargetBucketLocation": "us-west-2", "SourceBucketLocation": "us-east-1"},
    ),
    ("InvalidStorageClass", "put", {"StorageClassRequested": "ICE"}),
    ("InvalidObjectState", "get", {"StorageClass": "GLACIER"}),
    ("AuthorizationHeaderMalformed", "get", {"Region": "us-west-2"}),
    ("PermanentRedirect", "get", {"Endpoint": "HERE", "Bucket": "photos"}),
    ("TemporaryRedirect", "list", {"Endpoint": "HERE", "Bucket": "photos"}),
]


CARRYING = {
    "get": lambda client: client.get_object(Bucket="photos", Key=KEY, **GET),
    "put": lambda client: client.put_object(Bucket="photos", Key=KEY, **PUT),
    "part": lambda client: client.upload_part(Bucket="photos", Key=KEY, **PART),
    "list": lambda client: client.list_objects_v2(Bucket="photos"),
    "acl": lambda client: client.put_object_acl(Bucket="photos", Key=KEY, ACL="private"),
    "complete": lambda client: client.complete_multipart_upload(Bucket="photos", Key=KEY, **ENDED),
}


@each_row(("code", "call", "carried"), CARRIED)
def test_what_codes_carry(code, call, carried, server, client):
    """The children of the codes come from the request, in S3's order."""
    server.use(f"s3:{code}")
    error, _ = error_of(CARRYING[call], client)
    del error["Code"], error["Message"]
    # It counts the bytes of its own encoding of the body, which is not of this test.
    size = error.get("ProposedSize", "")
    stand_ins = {"HERE": f"127.0.0.1:{server.port}", "LENGTH": size.strip("0123456789") or size}
    wanted = {name: stand_ins.get(text, text) for name, text in carried.items()}
    assert list(error.items()) == list(wanted.items())


@pytest.fixture
def signed(monkeypatch):
    """Canonical request and string to sign of each request, as botocore's own signer makes them."""
    texts = []
    make = SigV4Auth.string_to_sign

    def recorded(self, request, canonical):
        made = make(self, request, canonical)
        texts.append((canonical, made))
        return made

    monkeypatch.setattr(SigV4Auth, "string_to_sign", recorded)
    return texts


def spaced(text):
    return text.encode().hex(" ")


def test_signed_texts(server, client, signed):
    """SignatureDoesNotMatch: what was signed, byte for byte as the client's signer wrote it."""
    calls = [
        client.list_buckets,
        lambda: client.list_objects_v2(Bucket="photos", Prefix="a b/+&=猫", Delimiter="/"),
        lambda: client.get_object(
            Bucket="photos", Key=KEY, Range="bytes=1-2", ResponseContentType="a/b; c=d"
        ),
        lambda: client.get_object(Bucket="photos", Key="x//../y/./%2F"),
        lambda: client.put_object(Bucket="photos", Key=KEY, Body=b"x" * 10, Metadata={"a": "b   c", "z": ""}),
        lambda: client.upload_part(Bucket="photos", Key=KEY, PartNumber=2, UploadId="a+b/c==", Body=b""),
        lambda: client.copy_object(Bucket="photos", Key=KEY, CopySource={"Bucket": "from", "Key": KEY}),
    ]
    server.use("s3:SignatureDoesNotMatch")
    for call in calls:
        signed.clear()
        error, _ = error_of(call)
        [(canonical, to_sign)] = signed
        assert len(error["SignatureProvided"]) == 64
        assert [*error.items()][2:] == [
            ("AWSAccessKeyId", "id"),
            ("StringToSign", to_sign),
            ("SignatureProvided", error["SignatureProvided"]),
            ("StringToSignBytes", spaced(to_sign)),
            ("CanonicalRequest", canonical),
            ("CanonicalRequestBytes", spaced(canonical)),
        ]


def children(body):
    return {each.tag: each.text for each in ElementTree.fromstring(body)}


def test_presigned(server, client, signed):
    """A presigned request: what was signed, and when it expires."""
    url = client.generate_presigned_url(
        "get_object", Params={"Bucket": "photos", "Key": KEY, "ResponseContentType": "a/b c"}, ExpiresIn=60
    )
    [(canonical, to_sign)] = signed
    target = url.removeprefix(server.url)
    server.use("s3:SignatureDoesNotMatch")
    got = children(server.raw("GET", target).body)
    assert (got["CanonicalRequest"], got["StringToSign"]) == (canonical, to_sign)
    assert f"X-Amz-Signature={got['SignatureProvided']}" in url
    server.use("s3:AccessDenied/2")
    got = children(server.raw("GET", target).body)
    assert [*got][1:5] == ["Message", "X-Amz-Expires", "Expires", "ServerTime"]
    assert (got["Message"], got["X-Amz-Expires"]) == ("Request has expired", "60")
    expires, now = (datetime.fromisoformat(got[name]) for name in ("Expires", "ServerTime"))
    assert 50 <= (expires - now).total_seconds() <= 60


def test_own_hint(server, client):
    """`retry_after` is said in S3's own header, in milliseconds."""
    server.use("s3:SlowDown", retry_after="1500ms")
    _, metadata = error_of(lambda: client.get_object(Bucket="photos", Key=KEY))
    headers = metadata["HTTPHeaders"]
    assert (headers["x-amz-retry-after"], "retry-after" in headers) == ("1500", False)


AIOBOTOCORE = """
import asyncio, json, sys
from aiobotocore.session import get_session
from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError

async def ask(client, method, key):
    try:
        await getattr(client, method)(Bucket="photos", Key=key)
    except ClientError as error:
        answer = error.response
        metadata = answer["ResponseMetadata"]
        headers = metadata["HTTPHeaders"]
        return [
            answer["Error"]["Code"], answer["Error"].get("Message"), metadata["HTTPStatusCode"],
            headers["x-amz-request-id"], headers["x-amz-id-2"], metadata.get("RequestId"), metadata.get("HostId"),
        ]

async def main(url, *keys):
    config = AioConfig(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    async with get_session().create_client(
        "s3", endpoint_url=url, region_name="eu-west-3", aws_access_key_id="id", aws_secret_access_key="key",
        config=config,
    ) as client:
        return [
            [await ask(client, method, key) for key in keys]
            for method in ("get_object", "head_object")
        ]

json.dump(asyncio.run(main(*sys.argv[1:])), sys.stdout)
"""


def test_aiobotocore(server):
    """The same from asyncio."""
    rows = use_all(server, {str(number): row for number, row in enumerate(ROWS)})
    # What has a Location aiohttp follows by itself, here without end.
    asked = [(key, row) for key, row in rows.items() if row.status != 307]
    read, heads = json.loads(pinned(AIOBOTOCORE, server.url, *(key for key, _ in asked)))
    sent = {each.request_id for each in server.outcomes}
    assert [got[:3] for got in read] == [[row.code, row.message, row.status or 400] for _, row in asked]
    assert [(got[0], got[2]) for got in heads] == [
        (str(row.status or 400), row.status or 400) for _, row in asked
    ]
    assert [got[3:5] for got in read] == [got[5:] for got in read]
    assert all(got[3] in sent and len(got[4]) == 76 for got in (*read, *heads))

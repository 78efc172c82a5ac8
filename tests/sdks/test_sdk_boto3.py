"""boto3 reads the COS rows; what it hides is compared as bytes.

It hides: the request id (it is in none of its own places, but in the headers), and on HEAD all but the status.
Of JSON envelopes it reads nothing.
"""

from __future__ import annotations

import json
import warnings
from xml.etree import ElementTree

import pytest

from faultinject import vendors

from .told import with_calls

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError

KEY = "cat pictures/猫&.jpg"
RESOURCE = "/photos/cat%20pictures/%E7%8C%AB%26.jpg"
ROWS = vendors.get("cos").errors
ERRORS = [row for row in ROWS if row.status is None or row.status >= 400]
REDIRECTS = [row for row in ROWS if row.status is not None and row.status < 400]


def each(rows):
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.label)


@pytest.fixture(scope="module")
def make_client(server):
    clients = []

    def make(**config):
        made = boto3.client(
            "s3",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id="id",
            aws_secret_access_key="key",
            config=Config(s3={"addressing_style": "path"}, **config),
        )
        clients.append(made)
        return made

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def client(make_client):
    return make_client(retries={"total_max_attempts": 1})


CALLS = {
    "get": lambda client: client.get_object(Bucket="photos", Key=KEY),
    "put": lambda client: client.put_object(Bucket="photos", Key=KEY, Body=b"x" * 100),
    "initiate": lambda client: client.create_multipart_upload(Bucket="photos", Key=KEY),
}


def test_rows(for_all, server, client):
    """Code, message, resource and trace id are read; the request id is left in the headers."""

    def check(case):
        row, call = case
        server.use(row.address)
        with pytest.raises(ClientError) as caught:
            CALLS[call](client)
        error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
        headers = metadata["HTTPHeaders"]
        assert {name: error[name] for name in ("Code", "Message", "Resource", "TraceId")} == {
            "Code": row.code,
            "Message": row.message,
            "Resource": RESOURCE,
            "TraceId": headers["x-cos-trace-id"],
        }
        assert (metadata["HTTPStatusCode"], metadata.get("RequestId")) == (row.status or 400, None)
        assert headers["x-cos-request-id"] == server.last.request_id
        assert (server.last.bucket, server.last.key) == ("photos", KEY)

    for_all(with_calls(ERRORS, CALLS), check)


def test_request_id_that_boto3_hides(for_all, server):
    """The bytes on the same path carry the id in the body too."""

    def check(row):
        server.use(row.address)
        got = server.raw("GET", RESOURCE)
        root = ElementTree.fromstring(got.body)
        ids = [got.headers["x-cos-request-id"], got.headers["x-cos-trace-id"]]
        assert [each.text for each in root] == [row.code, row.message, RESOURCE, *ids]
        assert server.last.request_id == ids[0]

    for_all(ERRORS, check)


@each(REDIRECTS)
def test_redirect(row, server, client):
    """With the bucket's region in a header boto3 asks once more and then reads the row; without it it would ask 80 times."""
    server.use(row.address, set={"x-amz-bucket-region": "us-east-1"})
    with pytest.raises(ClientError) as caught:
        client.get_object(Bucket="photos", Key=KEY)
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == (row.code, row.message)
    assert len(server.outcomes) == 2


def test_heads(for_all, server, client):
    """HEAD: the status is all that boto3 knows; headers and ids are there."""

    def check(row):
        server.use(row.address)
        with pytest.raises(ClientError) as caught:
            client.head_object(Bucket="photos", Key=KEY)
        metadata = caught.value.response["ResponseMetadata"]
        assert (caught.value.response["Error"]["Code"], metadata["HTTPStatusCode"]) == (
            str(row.status),
            row.status,
        )
        assert metadata["HTTPHeaders"]["x-cos-request-id"] == server.last.request_id

    for_all([row for row in ERRORS if row.status != 400 and row.status is not None], check)


@pytest.mark.parametrize("address", ["jss:SlowDown", "qiniu-mix:SlowDown", "qingstor:permission_denied"])
def test_json_envelopes_are_not_read(address, server, client):
    """Of a JSON envelope boto3 knows the status; the bytes have the row."""
    row = vendors.find(address)
    server.use(address)
    with pytest.raises(ClientError) as caught:
        client.get_object(Bucket="photos", Key=KEY)
    assert caught.value.response["Error"]["Code"] == str(row.status)
    fields = json.loads(server.raw("GET", RESOURCE).body)
    assert (fields["code"], fields["message"]) == (row.code, row.message)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "attempts"),
    [("cos:SlowDown", 3), ("cos:InternalError", 3), ("cos:RequestTimeout", 3), ("cos:AccessDenied", 1)],
)
def test_default_attempts(address, attempts, server, make_client):
    """With its own settings boto3 makes three attempts, at 400 RequestTimeout too, and counts them in a header."""
    server.use(address, times=attempts)
    client = make_client()
    with pytest.raises(ClientError) as caught:
        client.get_object(Bucket="photos", Key=KEY)
    assert caught.value.response["Error"]["Code"] == vendors.find(address).code
    assert [each.attempt_hint["attempt"] for each in server.outcomes] == [*range(1, attempts + 1)]
    assert client.get_object(Bucket="photos", Key=KEY)["Body"].read() == b"meow"
    assert server.counts() == {"matched": attempts + 1, "injected": attempts}

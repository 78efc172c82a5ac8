"""boto3 reads every row of JD Cloud's S3-compatible service: code, message, resource and request id."""

from __future__ import annotations

import warnings

import pytest

from faultinject import vendors

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError

KEY = "cat pictures/猫&.jpg"
RESOURCE = f"/photos/{KEY}"
ROWS = vendors.get("jdcloud").errors
ERRORS = [row for row in ROWS if row.status >= 400]
REDIRECTS = [row for row in ROWS if row.status < 400]


@pytest.fixture(scope="module")
def client(server):
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    made = boto3.client(
        "s3", endpoint_url=server.url, region_name="cn-north-1", aws_access_key_id="id",
        aws_secret_access_key="key", config=config,
    )  # fmt: skip
    yield made
    made.close()


CALLS = {
    "GetObject": lambda client: client.get_object(Bucket="photos", Key=KEY),
    "PutObject": lambda client: client.put_object(Bucket="photos", Key=KEY, Body=b"x"),
    "CreateMultipartUpload": lambda client: client.create_multipart_upload(Bucket="photos", Key=KEY),
}


def read(caught, server):
    """What boto3 says of an error, and how many ids there are."""
    error, told = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
    headers = told["HTTPHeaders"]
    ids = {told["RequestId"], headers["x-req-id"], server.outcomes[-1].request_id}
    return (
        error["Code"],
        error["Message"],
        error["Resource"],
        error["statusCode"],
        told["HTTPStatusCode"],
        len(ids),
    )


@pytest.mark.parametrize("operation", CALLS)
def test_rows(operation, server, client):
    wrong = []
    for row in ERRORS:
        server.use(row.address, operation=operation)
        with pytest.raises(ClientError) as caught:
            CALLS[operation](client)
        found = read(caught, server)
        if found != (row.code, row.message, RESOURCE, str(row.status), row.status, 1):
            wrong.append((row.label, found))
    assert wrong == []


def test_redirects(server, client):
    """With the bucket's region in a header boto3 follows a redirect once; without it it would ask 80 times."""
    for row in REDIRECTS:
        server.use(row.address, set={"x-amz-bucket-region": "cn-north-1"})
        with pytest.raises(ClientError) as caught:
            client.get_object(Bucket="photos", Key=KEY)
        assert read(caught, server) == (row.code, row.message, RESOURCE, str(row.status), row.status, 1)


def test_head(server, client):
    """HEAD: the status is the code, the id is in a header."""
    wrong = []
    for row in ERRORS:
        if row.status == 400:  # boto3 asks after the bucket's region then
            continue
        server.use(row.address)
        with pytest.raises(ClientError) as caught:
            client.head_object(Bucket="photos", Key=KEY)
        told = caught.value.response["ResponseMetadata"]
        id_ = told["HTTPHeaders"]["x-amz-request-id"]
        found = (caught.value.response["Error"]["Code"], told["HTTPStatusCode"], id_)
        if found != (str(row.status), row.status, server.last.request_id):
            wrong.append((row.label, found))
    assert wrong == []

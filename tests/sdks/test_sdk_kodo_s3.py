"""boto3 reads every row of Kodo's S3-compatible service: code, message, resource, and Kodo's id as request id."""

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
ROWS = vendors.get("kodo-s3").errors


@pytest.fixture(scope="module")
def client(server):
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    made = boto3.client(
        "s3", endpoint_url=server.url, region_name="cn-east-1", aws_access_key_id="id",
        aws_secret_access_key="key", config=config,
    )  # fmt: skip
    yield made
    made.close()


CALLS = {
    "GetObject": lambda client: client.get_object(Bucket="photos", Key=KEY),
    "PutObject": lambda client: client.put_object(Bucket="photos", Key=KEY, Body=b"x"),
    "CreateMultipartUpload": lambda client: client.create_multipart_upload(Bucket="photos", Key=KEY),
}


@pytest.mark.parametrize("operation", CALLS)
def test_rows(operation, server, client):
    wrong = []
    for row in ROWS:
        server.use(row.address, operation=operation)
        with pytest.raises(ClientError) as caught:
            CALLS[operation](client)
        error, told = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
        ids = {told["RequestId"], told["HTTPHeaders"]["x-reqid"], server.last.request_id}
        found = (error["Code"], error["Message"], error["Resource"], told["HTTPStatusCode"], len(ids))
        if found != (row.code, row.message, RESOURCE, row.status, 1) or told.get("HostId"):
            wrong.append((row.label, found, ids))
    assert wrong == []


def test_head(server, client):
    """HEAD: the status is the code, the id is in a header."""
    wrong = []
    for row in ROWS:
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


def test_unverified_rows_say_why():
    """Three rows were seen in answers of Qiniu's; each of the others says that it was not."""
    seen = [row.code for row in ROWS if not row.unverified]
    assert seen == ["AccessDenied", "NoSuchKey", "NotSupportAnonymous"]
    assert all(row.note for row in ROWS if row.unverified)

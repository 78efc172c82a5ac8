"""boto3 before a service that speaks S3 at an address of its own: path style, one attempt."""

from __future__ import annotations

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError

KEY = "cat pictures/猫&.jpg"
RESOURCE = f"/photos/{KEY}"
CALLS = {
    "GetObject": lambda client: client.get_object(Bucket="photos", Key=KEY),
    "PutObject": lambda client: client.put_object(Bucket="photos", Key=KEY, Body=b"x"),
    "CreateMultipartUpload": lambda client: client.create_multipart_upload(Bucket="photos", Key=KEY),
}


def client_of(url, region):
    """A client for that address."""
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    return boto3.client(
        "s3", endpoint_url=url, region_name=region, aws_access_key_id="id", aws_secret_access_key="key",
        config=config,
    )  # fmt: skip


def error_of(call, client):
    """What the client makes of the error that a call gets."""
    with pytest.raises(ClientError) as caught:
        call(client)
    return caught.value.response


def wrong_heads(rows, server, client):
    """The rows that an answer to HEAD does not tell by its status, with the id in a header."""
    wrong = []
    for row in rows:
        if row.status == 400:  # boto3 asks after the bucket's region then
            continue
        server.use(row.address)
        response = error_of(lambda client: client.head_object(Bucket="photos", Key=KEY), client)
        told = response["ResponseMetadata"]
        found = response["Error"]["Code"], told["HTTPStatusCode"], told["HTTPHeaders"]["x-amz-request-id"]
        if found != (str(row.status), row.status, server.last.request_id):
            wrong.append((row.label, found))
    return wrong

"""Storage SDKs before a server of ours."""

from contextlib import contextmanager

import boto3
from botocore.config import Config


@contextmanager
def s3_client(endpoint, **config):
    """boto3 for S3, closed at the end."""
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, **config),
    )
    try:
        yield client
    finally:
        client.close()

"""boto3 before a service that speaks S3 at an address of its own: path style, one attempt."""

import warnings
from contextlib import closing, contextmanager

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import boto3
    from botocore.auth import SigV4Auth as SigV4Auth
    from botocore.config import Config
    from botocore.exceptions import ClientError

from .told import raised

KEY = "cat pictures/猫&.jpg"
RESOURCE = f"/photos/{KEY}"
CALLS = {
    "GetObject": lambda client: client.get_object(Bucket="photos", Key=KEY),
    "PutObject": lambda client: client.put_object(Bucket="photos", Key=KEY, Body=b"x"),
    "CreateMultipartUpload": lambda client: client.create_multipart_upload(Bucket="photos", Key=KEY),
}


@contextmanager
def client_of(url, region="us-east-1", **settings):
    """A client for that address, with one attempt unless it is set otherwise; closed at the end."""
    client = boto3.client(
        "s3", endpoint_url=url, region_name=region, aws_access_key_id="id", aws_secret_access_key="key",
        config=Config(s3={"addressing_style": "path"}, **{"retries": {"total_max_attempts": 1}, **settings}),
    )  # fmt: skip
    with closing(client):
        yield client


def error_of(call, *arguments, **named):
    """The response that the client makes of a call's error."""
    return raised(ClientError, call, *arguments, **named).response

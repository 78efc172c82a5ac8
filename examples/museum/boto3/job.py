"""Takes a lock that nobody has."""

import os

import boto3

s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["ENDPOINT"],
    region_name="us-east-1",
    aws_access_key_id="id",
    aws_secret_access_key="key",
)
s3.put_object(Bucket="lake", Key="leader", Body=b"me", IfNoneMatch="*")

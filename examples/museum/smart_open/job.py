"""Writes a film of parts, and reads it."""

import os

import boto3
import smart_open

s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["ENDPOINT"],
    region_name="us-east-1",
    aws_access_key_id="id",
    aws_secret_access_key="key",
)
film = b"abcdefgh" * (12 << 17)
options = {"client": s3, "min_part_size": 5 << 20}
with smart_open.open("s3://lake/film", "wb", transport_params=options) as target:
    target.write(film)
with smart_open.open("s3://lake/film", "rb", transport_params={"client": s3}) as source:
    assert source.read() == film

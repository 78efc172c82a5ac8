"""Reads an object to its end, with a RetryLayer."""

import os

import opendal
from opendal.layers import RetryLayer

lake = opendal.Operator(
    "s3",
    bucket="lake",
    endpoint=os.environ["ENDPOINT"],
    region="us-east-1",
    access_key_id="id",
    secret_access_key="key",
    disable_config_load="true",
).layer(RetryLayer())
print(lake.read("film"))

"""Writes a table, and reads it again."""
# /// script
# dependencies = ["polars==2.1.0"]
# [tool.survey]
# vendor = "s3"
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# ///

import os

import polars as pl

options = {
    "aws_endpoint_url": os.environ["ENDPOINT"],
    "aws_access_key_id": "id",
    "aws_secret_access_key": "key",
    "aws_region": "us-east-1",
    "aws_allow_http": "true",
}
pl.DataFrame({"day": [1, 2]}).write_parquet("s3://lake/days.parquet", storage_options=options)
assert pl.read_parquet("s3://lake/days.parquet", storage_options=options)["day"].to_list() == [1, 2]

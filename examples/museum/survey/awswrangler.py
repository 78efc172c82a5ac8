"""Overwrites a table of one day by another."""
# /// script
# dependencies = ["awswrangler==3.17.1"]
# [tool.survey]
# vendor = "s3"
# prepare = "curl -s -X PUT $ENDPOINT/lake; curl -s -X PUT -d old $ENDPOINT/lake/table/part0a1b2c3d.snappy.parquet"
# lost = "the table: the old one is removed before the new one is written, which then fails"
# also = "the truth of the table: the old file stays in it after an InternalError of its removal (s3/_delete.py:62)"
# confirmed = "what the store held: nothing of either"
# issue = "https://github.com/aws/aws-sdk-pandas/issues/1278"
# ///

import os

os.environ |= {
    "AWS_ENDPOINT_URL": os.environ["ENDPOINT"],
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
    "AWS_DEFAULT_REGION": "us-east-1",
}
import awswrangler
import pandas as pd

days = pd.DataFrame({"day": [1, 2]})
awswrangler.s3.to_parquet(
    days, path="s3://lake/table/", dataset=True, mode="overwrite", filename_prefix="part"
)

"""Writes a table, appends to it, and reads it."""

import os

import lance
import pyarrow as pa

OPTIONS = {
    "AWS_ENDPOINT": os.environ["ENDPOINT"],
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}

for day in (1, 2):
    mode = "create" if day == 1 else "append"
    lance.write_dataset(pa.table({"day": [day]}), "s3://lake/table", mode=mode, storage_options=OPTIONS)
days = lance.dataset("s3://lake/table", storage_options=OPTIONS).to_table()["day"].to_pylist()
assert days == [1, 2], days

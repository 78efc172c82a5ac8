"""Appends a day to a table; a scheduler runs it again if it failed."""

import os

from arro3.core import Array, DataType, Table
from deltalake import write_deltalake

OPTIONS = {
    "AWS_ENDPOINT_URL": os.environ["ENDPOINT"],
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}
rows = Table.from_pydict({"day": Array([1], DataType.int64())})
write_deltalake("s3://lake/table", rows, mode="append", storage_options=OPTIONS)

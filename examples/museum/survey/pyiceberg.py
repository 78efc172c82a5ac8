"""Appends to a table twice, and reads it."""
# /// script
# dependencies = ["pyiceberg[sql-sqlite,pyarrow]==0.12.0"]
# [tool.survey]
# vendor = "s3"
# jobs = 16
# lost = "the read of a small range, as in the row of pyarrow, which reads for it"
# judged = "its pyarrow 26.0.1 has the bug of the row `pyarrow`: each of the 8 runs ends with its message"
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# ///

import os
import tempfile

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

store = {
    "s3.endpoint": os.environ["ENDPOINT"],
    "s3.access-key-id": "id",
    "s3.secret-access-key": "key",
    "s3.region": "us-east-1",
}
catalog = SqlCatalog(
    "days", uri=f"sqlite:///{tempfile.mkdtemp()}/catalog.db", warehouse="s3://lake/warehouse", **store
)
catalog.create_namespace("days")
days = pa.table({"day": [1]})
table = catalog.create_table("days.table", schema=days.schema)
table.append(days)
table.append(days)
assert table.scan().to_arrow().num_rows == 2

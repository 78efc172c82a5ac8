"""Writes a table, moves it, and reads it again."""
# /// script
# dependencies = ["pyarrow==26.0.1"]
# [tool.survey]
# vendor = "s3"
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# lost = "the read of a small range: the text of a 503 does not fit into its buffer, and no retry comes"
# confirmed = "a stub that answers 503 once: a read of 10 bytes fails, one of 1,000 is repeated"
# ///

import os

import pyarrow.parquet
from pyarrow import fs

lake = fs.S3FileSystem(
    access_key="id", secret_key="key", region="us-east-1", endpoint_override=os.environ["ENDPOINT"]
)
pyarrow.parquet.write_table(pyarrow.table({"day": [1, 2]}), "lake/new.parquet", filesystem=lake)
lake.move("lake/new.parquet", "lake/days.parquet")
assert pyarrow.parquet.read_table("lake/days.parquet", filesystem=lake).num_rows == 2

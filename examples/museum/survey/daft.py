"""Writes a table, and reads it again."""
# /// script
# dependencies = ["daft==0.7.26"]
# [tool.survey]
# vendor = "s3"
# jobs = 16
# wrong = """\
# two runs ended by SIGABRT, for which their faults were blamed: it crashes at random as its \
# interpreter ends, also without a fault (1 of 20 runs on moto); \
# [mended](../../tests/audit/WRONG_VERDICTS.md)"""
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# ///

import os

import daft
from daft.io import IOConfig, S3Config

keys = {"key_id": "id", "access_key": "key", "region_name": "us-east-1"}
io = IOConfig(s3=S3Config(endpoint_url=os.environ["ENDPOINT"], use_ssl=False, **keys))
daft.from_pydict({"day": [1, 2]}).write_parquet("s3://lake/days", io_config=io)
assert daft.read_parquet("s3://lake/days/*.parquet", io_config=io).count_rows() == 2

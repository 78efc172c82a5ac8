"""Writes a table of two parts, and reads it again."""
# /// script
# dependencies = ["dask[dataframe]==2026.8.0", "s3fs==2026.9.0"]
# [tool.survey]
# vendor = "s3"
# jobs = 16
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# ///

import os

import dask
import dask.dataframe
import pandas as pd

dask.config.set(scheduler="synchronous")
client = {"endpoint_url": os.environ["ENDPOINT"], "region_name": "us-east-1"}
options = {"key": "id", "secret": "key", "client_kwargs": client}
days = dask.dataframe.from_pandas(pd.DataFrame({"day": [1, 2]}), npartitions=2)
days.to_parquet("s3://lake/days", storage_options=options)
assert len(dask.dataframe.read_parquet("s3://lake/days", storage_options=options)) == 2

"""Creates an array, writes it, and reads it again."""
# /// script
# dependencies = ["zarr==3.1.6", "s3fs==2026.9.0"]
# [tool.survey]
# vendor = "s3"
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# ///

import os

import numpy as np
import zarr

options = {
    "endpoint_url": os.environ["ENDPOINT"],
    "key": "id",
    "secret": "key",
    "client_kwargs": {"region_name": "us-east-1"},
}
array = zarr.create_array("s3://lake/array", shape=(4,), chunks=(2,), dtype="i4", storage_options=options)
array[:] = np.arange(4)
again = zarr.open_array("s3://lake/array", mode="r", storage_options=options)
assert list(again[:]) == [0, 1, 2, 3]

"""Creates an array, writes it, and reads it again."""
# /// script
# dependencies = ["tensorstore==0.1.86", "numpy==2.4.6"]
# [tool.survey]
# vendor = "s3"
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# lost = "the truth: an array that it has created is reported as one that exists already"
# confirmed = "the job: it fails, and the store holds its array"
# ///

import os

import numpy as np
import tensorstore

os.environ |= {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_EC2_METADATA_DISABLED": "true"}
store = {
    "driver": "s3",
    "bucket": "lake",
    "path": "array/",
    "endpoint": os.environ["ENDPOINT"],
    "aws_region": "us-east-1",
    "s3_request_retries": {"max_retries": 3},  # by default 32
}
metadata = {"shape": [4], "chunks": [2], "dtype": "<i4"}
array = tensorstore.open({"driver": "zarr", "kvstore": store, "metadata": metadata}, create=True).result()
array[:].write(np.arange(4, dtype="int32")).result()
assert array[:].read().result().tolist() == [0, 1, 2, 3]

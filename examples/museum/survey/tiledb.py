"""Writes an array, and reads it again."""
# /// script
# dependencies = ["tiledb==0.36.1", "numpy==2.4.6"]
# [tool.survey]
# vendor = "s3"
# jobs = 16
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# ///

import os

import numpy as np
import tiledb

scheme, _, address = os.environ["ENDPOINT"].partition("://")
keys = {
    "aws_access_key_id": "id",
    "aws_secret_access_key": "key",
    "region": "us-east-1",
    "use_virtual_addressing": "false",
}
place = {"endpoint_override": address, "scheme": scheme, **keys}
context = tiledb.Ctx({f"vfs.s3.{name}": value for name, value in place.items()})
with tiledb.from_numpy("s3://lake/array", np.arange(4), ctx=context):
    pass
with tiledb.open("s3://lake/array", ctx=context) as array:
    assert list(array[:]) == [0, 1, 2, 3]

"""Stores two packs of a backup, then removes one."""
# /// script
# dependencies = ["borgstore[s3]==0.7.0"]
# [tool.survey]
# vendor = "s3"
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# lost = "the room of what was removed: delete() returns although the store refused, and the pack stays"
# confirmed = "its code: `S3.delete` raises for 404, and drops every other ClientError (backends/s3.py:225)"
# ///

import os

from borgstore.backends.s3 import S3

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
backend = S3(
    "lake", "repo", False, access_key_id="id", access_key_secret="key", endpoint_url=os.environ["ENDPOINT"]
)
backend.create()
backend.open()
backend.store("old", b"a pack")
backend.store("new", b"another pack")
backend.delete("old")
backend.close()

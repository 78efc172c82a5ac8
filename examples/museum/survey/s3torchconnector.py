"""Writes a checkpoint, and reads it again."""
# /// script
# dependencies = ["s3torchconnectorclient==1.5.0"]
# [tool.survey]
# vendor = "s3"
# lost = """\
# the checkpoint: a gateway's 502, which S3 counts as temporary, is not repeated, and the write or the \
# read fails"""
# confirmed = """\
# a stub that answers 502 once: the read fails, as with 504; 500 and 503 are repeated, and 502 and 504 \
# too since #671"""
# issue = "https://github.com/awslabs/aws-c-s3/pull/671"
# prepare = "curl -s -X PUT $ENDPOINT/lake"
# ///

import os

from s3torchconnectorclient._mountpoint_s3_client import MountpointS3Client

os.environ |= {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
client = MountpointS3Client("us-east-1", endpoint=os.environ["ENDPOINT"], force_path_style=True)
checkpoint = client.put_object("lake", "checkpoint")
checkpoint.write(b"weights")
checkpoint.close()
assert b"".join(client.get_object("lake", "checkpoint")) == b"weights"

"""Writes a file, renames it, and removes an older one."""
# /// script
# dependencies = ["cloudpathlib[s3]==0.26.0"]
# [tool.survey]
# vendor = "s3"
# prepare = "curl -s -X PUT $ENDPOINT/lake; curl -s -X PUT -d old $ENDPOINT/lake/old"
# ///

import os

from cloudpathlib import S3Client

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
client = S3Client(aws_access_key_id="id", aws_secret_access_key="key", endpoint_url=os.environ["ENDPOINT"])
report = client.CloudPath("s3://lake/draft")
report.write_text("a report")
report = report.rename(client.CloudPath("s3://lake/report"))
client.CloudPath("s3://lake/old").unlink()
assert report.read_text() == "a report"

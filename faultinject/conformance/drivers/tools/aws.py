"""AWS's command line, `aws s3api`."""

from __future__ import annotations

import json
import os

from faultinject.conformance import plan

from .program import Program


class Client(Program):
    """aws, path style.

    Args:
        endpoint: the server's URL.
        bucket: where its keys are.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._endpoint = endpoint
        self._bucket = bucket
        super().__init__(
            1.0,
            AWS_ACCESS_KEY_ID="id",
            AWS_SECRET_ACCESS_KEY="key",  # noqa: S106 - nobody checks signatures here
            AWS_DEFAULT_REGION="us-east-1",
            AWS_PAGER="",
        )

    def get(self, key: str) -> None:
        """GetObject."""
        self._call("get-object", key, os.devnull)

    def put(self, key: str) -> None:
        """PutObject."""
        self._call("put-object", key, "--body", str(self.body))

    def post(self, key: str) -> None:
        """CreateMultipartUpload."""
        self._call("create-multipart-upload", key)

    def complete(self, key: str) -> None:
        """CompleteMultipartUpload."""
        parts = json.dumps({"Parts": [{"ETag": plan.ETAG, "PartNumber": 1}]})
        self._call("complete-multipart-upload", key, "--upload-id", key, "--multipart-upload", parts)

    def _call(self, operation: str, key: str, *more: str) -> None:
        where = ("--endpoint-url", self._endpoint, "--bucket", self._bucket, "--key", key)
        self.run("aws", "s3api", operation, *where, *more)

"""AWS's SDK for Python."""

from __future__ import annotations

from functools import partial
from typing import Any

import boto3
from botocore.config import Config

from faultinject.conformance import plan


class Client:
    """boto3's S3 client, path style.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
        mode: the retry mode: `standard`, `legacy` or `adaptive`.
    """

    def __init__(self, endpoint: str, bucket: str, mode: str = "standard") -> None:
        self._name = bucket
        session = boto3.Session("id", "key", region_name="us-east-1")
        config = Config(s3={"addressing_style": "path"}, retries={"mode": mode})
        self._s3: Any = session.client("s3", endpoint_url=endpoint, config=config)

    def get(self, key: str) -> None:
        """GetObject."""
        self._s3.get_object(Bucket=self._name, Key=key)["Body"].read()

    def put(self, key: str) -> None:
        """PutObject."""
        self._s3.put_object(Bucket=self._name, Key=key, Body=plan.BODY)

    def post(self, key: str) -> None:
        """CreateMultipartUpload."""
        self._s3.create_multipart_upload(Bucket=self._name, Key=key)

    def complete(self, key: str) -> None:
        """CompleteMultipartUpload."""
        parts = {"Parts": [{"ETag": plan.ETAG, "PartNumber": 1}]}
        self._s3.complete_multipart_upload(Bucket=self._name, Key=key, UploadId=key, MultipartUpload=parts)


legacy = partial(Client, mode="legacy")
"""boto3's S3 client in the retry mode that was the default for long."""
adaptive = partial(Client, mode="adaptive")
"""boto3's S3 client in the retry mode that also limits the rate of its requests."""

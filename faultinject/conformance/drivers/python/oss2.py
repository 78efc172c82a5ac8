"""Alibaba Cloud's first SDK for OSS."""

from __future__ import annotations

import os
from typing import Any

import oss2

from faultinject.conformance import plan


class Client:
    """oss2's bucket, path style, as with every address that is a number.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        session: Any = oss2.Session()
        session.session.trust_env = False
        session.session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        self._bucket: Any = oss2.Bucket(oss2.Auth("id", "key"), endpoint, bucket, session=session)

    def get(self, key: str) -> None:
        """GetObject."""
        self._bucket.get_object(key).read()

    def put(self, key: str) -> None:
        """PutObject."""
        self._bucket.put_object(key, plan.BODY)

    def post(self, key: str) -> None:
        """InitiateMultipartUpload."""
        self._bucket.init_multipart_upload(key)

    def complete(self, key: str) -> None:
        """CompleteMultipartUpload."""
        parts = [oss2.models.PartInfo(1, plan.ETAG.strip('"'))]
        self._bucket.complete_multipart_upload(key, key, parts)

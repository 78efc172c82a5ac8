"""MinIO's SDK."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import urlsplit

from minio import Minio
from minio.datatypes import Part

from faultinject.conformance import plan


class Client:
    """minio's client.

    It has no public method for one request of a multipart upload, so the private steps are called.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        self._minio: Any = Minio(
            endpoint=urlsplit(endpoint).netloc,
            access_key="id",
            secret_key="key",  # noqa: S106 - nobody checks signatures here
            secure=endpoint.startswith("https"),
            region="us-east-1",
        )

    def get(self, key: str) -> None:
        """GetObject."""
        answer = self._minio.get_object(bucket_name=self._name, object_name=key)
        try:
            answer.read()
        finally:
            answer.close()
            answer.release_conn()

    def put(self, key: str) -> None:
        """PutObject."""
        self._minio.put_object(
            bucket_name=self._name, object_name=key, data=io.BytesIO(plan.BODY), length=len(plan.BODY)
        )

    def post(self, key: str) -> None:
        """CreateMultipartUpload, as a large `put_object` begins."""
        self._minio._create_multipart_upload(  # noqa: SLF001
            bucket_name=self._name, object_name=key, headers={}
        )

    def complete(self, key: str) -> None:
        """CompleteMultipartUpload, as a large `put_object` ends."""
        self._minio._complete_multipart_upload(  # noqa: SLF001
            bucket_name=self._name, object_name=key, upload_id=key, parts=[Part(1, plan.ETAG.strip('"'))]
        )

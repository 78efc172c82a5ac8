"""Alibaba Cloud's second SDK for OSS."""

from __future__ import annotations

import alibabacloud_oss_v2 as oss

from faultinject.conformance import plan


class Client:
    """alibabacloud-oss-v2's client, path style.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        config = oss.config.load_default()
        config.region, config.endpoint, config.use_path_style = "cn-hangzhou", endpoint, True
        config.credentials_provider = oss.credentials.StaticCredentialsProvider("id", "key")
        self._oss = oss.Client(config)

    def get(self, key: str) -> None:
        """GetObject."""
        answer = self._oss.get_object(oss.GetObjectRequest(bucket=self._name, key=key))
        if answer.body is not None:
            with answer.body as body:
                body.read()

    def put(self, key: str) -> None:
        """PutObject."""
        self._oss.put_object(oss.PutObjectRequest(bucket=self._name, key=key, body=plan.BODY))

    def post(self, key: str) -> None:
        """InitiateMultipartUpload."""
        self._oss.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(bucket=self._name, key=key))

    def complete(self, key: str) -> None:
        """CompleteMultipartUpload."""
        parts = oss.CompleteMultipartUpload(parts=[oss.UploadPart(part_number=1, etag=plan.ETAG)])
        self._oss.complete_multipart_upload(
            oss.CompleteMultipartUploadRequest(
                bucket=self._name, key=key, upload_id=key, complete_multipart_upload=parts
            )
        )

"""Tencent Cloud's SDK for COS."""

from __future__ import annotations

from urllib.parse import urlsplit

from qcloud_cos import CosConfig, CosS3Client

from faultinject.conformance import plan


class Client:
    """cos-python-sdk-v5's client, sent to the server by address, with Hosts as in the cloud.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        scheme, port = urlsplit(endpoint).scheme, urlsplit(endpoint).port
        config = CosConfig(
            Region="ap-guangzhou",
            SecretId="id",
            SecretKey="key",
            Scheme=scheme,
            IP="127.0.0.1",
            Port=port,
            ServiceDomain=f"127.0.0.1:{port}",
        )
        self._cos = CosS3Client(config)

    def get(self, key: str) -> None:
        """GetObject."""
        self._cos.get_object(self._name, key)["Body"].get_raw_stream().read()

    def put(self, key: str) -> None:
        """PutObject."""
        self._cos.put_object(self._name, plan.BODY, key)

    def post(self, key: str) -> None:
        """CreateMultipartUpload."""
        self._cos.create_multipart_upload(self._name, key)

    def complete(self, key: str) -> None:
        """CompleteMultipartUpload."""
        parts = {"Part": [{"ETag": plan.ETAG, "PartNumber": 1}]}
        self._cos.complete_multipart_upload(self._name, key, key, parts)

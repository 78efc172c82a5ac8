"""Volcengine's SDK for TOS."""

from __future__ import annotations

from typing import Any

import tos
from tos.models2 import UploadedPart

from faultinject.conformance import plan

BODY = b"written by tos"


class Client:
    """tos' client. It writes a bucket into the Host, so the server is to it a domain of the bucket's own, with the bucket in the key.

    Args:
        endpoint: the server's URL.
        bucket: where its keys are.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        self._tos: Any = tos.TosClientV2("id", "key", endpoint, "cn-beijing", is_custom_domain=True)

    def get(self, key: str) -> None:
        """GetObject."""
        self._tos.get_object(self._name, f"{self._name}/{key}").read()

    def put(self, key: str) -> None:
        """PutObject."""
        self._tos.put_object(self._name, f"{self._name}/{key}", content=BODY)

    def post(self, key: str) -> None:
        """CreateMultipartUpload."""
        self._tos.create_multipart_upload(self._name, f"{self._name}/{key}")

    def complete(self, key: str) -> None:
        """CompleteMultipartUpload."""
        parts = [UploadedPart(1, plan.ETAG)]
        self._tos.complete_multipart_upload(self._name, f"{self._name}/{key}", key, parts)

    def close(self) -> None:
        """Close its connections."""
        self._tos.close()

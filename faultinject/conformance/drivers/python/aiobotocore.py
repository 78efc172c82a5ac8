"""botocore on asyncio."""

from __future__ import annotations

from typing import Any

from faultinject.conformance import plan
from faultinject.conformance.drivers.python import without_aws_settings
from faultinject.conformance.drivers.python.event_loop import wait_for

without_aws_settings()

from aiobotocore.config import AioConfig  # noqa: E402 - it reads the environment as it is loaded
from aiobotocore.session import get_session  # noqa: E402 - likewise

BODY = b"written by aiobotocore"


class Client:
    """aiobotocore's S3 client in its default retry mode, path style.

    Args:
        endpoint: the server's URL.
        bucket: where its keys are.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        self._making: Any = get_session().create_client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="id",
            aws_secret_access_key="key",  # noqa: S106 - nobody checks signatures here
            config=AioConfig(s3={"addressing_style": "path"}),
        )
        self._s3: Any = wait_for(self._making.__aenter__())

    def get(self, key: str) -> None:
        """GetObject."""
        wait_for(self._get(key))

    def put(self, key: str) -> None:
        """PutObject."""
        wait_for(self._s3.put_object(Bucket=self._name, Key=key, Body=BODY))

    def post(self, key: str) -> None:
        """CreateMultipartUpload."""
        wait_for(self._s3.create_multipart_upload(Bucket=self._name, Key=key))

    def complete(self, key: str) -> None:
        """CompleteMultipartUpload."""
        parts = {"Parts": [{"ETag": plan.ETAG, "PartNumber": 1}]}
        wait_for(
            self._s3.complete_multipart_upload(
                Bucket=self._name, Key=key, UploadId=key, MultipartUpload=parts
            )
        )

    def close(self) -> None:
        """Close its connections."""
        wait_for(self._making.__aexit__(None, None, None))

    async def _get(self, key: str) -> None:
        answer = await self._s3.get_object(Bucket=self._name, Key=key)
        async with answer["Body"] as body:
            await body.read()

"""Files on S3 for fsspec: what pandas, Dask and others read `s3://` with."""

from __future__ import annotations

from typing import Any

from faultinject.conformance.drivers.python import without_aws_settings

without_aws_settings()

import s3fs  # noqa: E402 - it reads the environment as it is loaded
from fsspec.config import conf  # noqa: E402 - likewise

conf.clear()  # what the user has set for his own file systems

BODY = b"written by s3fs"


class Client:
    """s3fs' file system, path style; its calls are of whole files.

    Args:
        endpoint: the server's URL.
        bucket: where its keys are.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        self._files: Any = s3fs.S3FileSystem(
            key="id",
            secret="key",  # noqa: S106 - nobody checks signatures here
            endpoint_url=endpoint,
            client_kwargs={"region_name": "us-east-1"},
            config_kwargs={"s3": {"addressing_style": "path"}},
            skip_instance_cache=True,
        )

    def get(self, key: str) -> None:
        """Read a file: GetObject."""
        self._files.cat_file(f"{self._name}/{key}")

    def put(self, key: str) -> None:
        """Write a small file: PutObject."""
        self._files.pipe_file(f"{self._name}/{key}", BODY)

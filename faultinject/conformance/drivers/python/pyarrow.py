"""Arrow's file system on S3, which is AWS's SDK for C++."""

from __future__ import annotations

from typing import Any

from pyarrow import fs

from faultinject.conformance import plan


class Client:
    """pyarrow's file system for S3, path style.

    Its calls are of files, so reading asks for the size first.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        self._files: Any = fs.S3FileSystem(
            access_key="id",
            secret_key="key",  # noqa: S106 - nobody checks signatures here
            region="us-east-1",
            scheme="http",
            endpoint_override=endpoint.removeprefix("http://"),
            allow_delayed_open=True,
        )

    def get(self, key: str) -> None:
        """Read a file: HeadObject, GetObject."""
        with self._files.open_input_stream(f"{self._name}/{key}") as file:
            file.read()

    def put(self, key: str) -> None:
        """Write a small file: PutObject."""
        with self._files.open_output_stream(f"{self._name}/{key}") as file:
            file.write(plan.BODY)

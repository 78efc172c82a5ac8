"""Apache OpenDAL, a Rust crate, as it is for Python."""

from __future__ import annotations

from functools import partial
from typing import Any

import opendal
from opendal.layers import RetryLayer

from faultinject.conformance import plan


class Client:
    """opendal's operator for S3, path style.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
        retrying: whether its layer that retries is on it, with that layer's defaults.
    """

    def __init__(self, endpoint: str, bucket: str, *, retrying: bool = False) -> None:
        operator: Any = opendal.Operator(
            "s3",
            bucket=bucket,
            endpoint=endpoint,
            region="us-east-1",
            access_key_id="id",
            secret_access_key="key",  # noqa: S106 - nobody checks signatures here
            disable_config_load="true",
            disable_ec2_metadata="true",
        )
        self._operator = operator.layer(RetryLayer()) if retrying else operator

    def get(self, key: str) -> None:
        """GetObject."""
        self._operator.read(key)

    def put(self, key: str) -> None:
        """PutObject."""
        self._operator.write(key, plan.BODY)


retrying = partial(Client, retrying=True)
"""The same with the layer that retries."""

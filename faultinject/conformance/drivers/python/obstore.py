"""object_store, the Rust crate of Apache Arrow, as obstore has it for Python."""

from __future__ import annotations

from typing import Any

import obstore
from obstore.store import S3Store

from faultinject.conformance import plan


class Client:
    """obstore's store for S3, path style.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._store: Any = S3Store(
            bucket,
            endpoint=endpoint,
            region="us-east-1",
            access_key_id="id",
            secret_access_key="key",  # noqa: S106 - nobody checks signatures here
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )

    def get(self, key: str) -> None:
        """GetObject."""
        obstore.get(self._store, key).bytes()

    def put(self, key: str) -> None:
        """PutObject."""
        obstore.put(self._store, key, plan.BODY)

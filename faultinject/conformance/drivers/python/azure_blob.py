"""Microsoft's SDK for Azure Blob Storage."""

from __future__ import annotations

import base64
from typing import Any

from azure.storage.blob import BlobBlock, BlobServiceClient

from faultinject.conformance import plan

BLOCK = "\0\0\0"
"""The id of the block that the plan prepares, which the SDK sends as Base64."""
CREDENTIAL = {"account_name": "account", "account_key": base64.b64encode(b"key").decode()}


class Client:
    """azure-storage-blob's container, the account in the path.

    A call that meets nothing but errors waits for 75 to 93 seconds.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        account: Any = BlobServiceClient(f"{endpoint}/account", credential=CREDENTIAL)
        self._container = account.get_container_client(bucket)

    def get(self, key: str) -> None:
        """Get Blob."""
        self._container.download_blob(key).readall()

    def put(self, key: str) -> None:
        """Put Blob."""
        self._container.upload_blob(key, plan.BODY, overwrite=True)

    def complete(self, key: str) -> None:
        """Put Block List."""
        self._container.get_blob_client(key).commit_block_list([BlobBlock(BLOCK)])

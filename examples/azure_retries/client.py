"""Puts photos into Azure Blob Storage, whose SDK by default retries after 18, 24 and 42 s."""

import sys
from contextlib import suppress
from pathlib import Path

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import ContainerClient, LinearRetry

BLOCK = 64 * 1024


class Album:
    """The container `photos` of a storage account.

    Args:
        url: the account, such as http://127.0.0.1:8000/account.
        key: the account's key in base64.
        wait: seconds before each of three retries.
    """

    def __init__(self, url: str, key: str = "c2VjcmV0", *, wait: float = 15.0) -> None:
        self.photos = ContainerClient(
            url,
            "photos",
            credential=key,
            retry_policy=LinearRetry(backoff=wait, retry_total=3, random_jitter_range=0),
            max_single_put_size=BLOCK,
            max_block_size=BLOCK,
        )

    def open(self) -> None:
        """Make the container unless it is there."""
        with suppress(ResourceExistsError):
            self.photos.create_container()

    def put(self, name: str, data: bytes) -> None:
        """Store a photo in place of the one of that name, if there is one."""
        self.photos.upload_blob(name, data, overwrite=True)

    def add(self, name: str, data: bytes) -> None:
        """Store a photo; raises `ResourceExistsError` when there is one of that name."""
        self.photos.upload_blob(name, data)

    def get(self, name: str) -> bytes:
        """A stored photo."""
        return self.photos.download_blob(name).readall()

    def close(self) -> None:
        """Give the connections back."""
        self.photos.close()


if __name__ == "__main__":
    album = Album(sys.argv[1], wait=1)
    album.open()
    for file in map(Path, sys.argv[2:]):
        album.put(file.name, file.read_bytes())
        print("stored", file.name)  # noqa: T201
    album.close()

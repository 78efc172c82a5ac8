"""Puts photos into the service. urllib3 repeats what may be repeated."""

import sys
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry


class Album:
    """The client's side of the photo service.

    Args:
        url: where the service is, such as http://127.0.0.1:5000.
        retries: how often one call is retried.
        backoff: seconds; the wait before the nth retry is backoff * 2**(n - 1), none before the first.
    """

    def __init__(self, url: str, *, retries: int = 4, backoff: float = 0.2) -> None:
        self.url = url
        retry = Retry(
            total=retries,
            backoff_factor=backoff,
            status_forcelist=(500, 502, 503, 504),
            allowed_methods=("GET", "PUT"),
            raise_on_status=False,
        )
        self.session = requests.Session()
        self.session.mount(url, HTTPAdapter(max_retries=retry))

    def put(self, name: str, data: bytes) -> None:
        """Store a photo; raises `requests.HTTPError` when the service does not take it."""
        self.session.put(f"{self.url}/photos/{name}", data=data, timeout=10).raise_for_status()

    def get(self, name: str) -> bytes:
        """A stored photo; raises `requests.HTTPError`."""
        answer = self.session.get(f"{self.url}/photos/{name}", timeout=10)
        answer.raise_for_status()
        return answer.content

    def close(self) -> None:
        """Give the connections back."""
        self.session.close()


if __name__ == "__main__":
    album = Album(sys.argv[1])
    for file in map(Path, sys.argv[2:]):
        album.put(file.name, file.read_bytes())
        print("stored", file.name)  # noqa: T201
    album.close()

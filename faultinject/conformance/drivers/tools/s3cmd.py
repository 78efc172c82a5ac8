"""s3cmd."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from .program import Program


class Client(Program):
    """s3cmd, path style. It asks for the bucket's location before each call, and for an object's head before it reads it.

    Args:
        endpoint: the server's URL.
        bucket: where its keys are.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        host = urlsplit(endpoint).netloc
        super().__init__(0.3)
        own = ("--config", os.devnull, "--access_key=id", "--secret_key=key", "--no-progress", "--quiet")
        tls = (
            ("--ssl", f"--ca-certs={os.environ['SSL_CERT_FILE']}")
            if endpoint.startswith("https")
            else ("--no-ssl",)
        )
        self._words = ("s3cmd", *own, *tls, f"--host={host}", f"--host-bucket={host}")
        self._url = f"s3://{bucket}"

    def get(self, key: str) -> None:
        """Read an object."""
        self.run(*self._words, "get", f"{self._url}/{key}", str(self.home / key))

    def put(self, key: str) -> None:
        """Write one."""
        self.run(*self._words, "put", str(self.body), f"{self._url}/{key}")

"""curl and wget, with the option that most scripts have."""

from __future__ import annotations

import os
from functools import partial

from faultinject.conformance.drivers.python.path_style import DOCUMENT

from .program import Program

CURL = ("curl", "--silent", "--show-error", "--fail", "--retry", "3", "--output", os.devnull)
CURL_BODY = ("--request", "--data-binary", "@")
WGET = ("wget", "--no-verbose", "--tries", "4", "--output-document", os.devnull)
WGET_BODY = ("--method", "--body-file", "")


class Client(Program):
    """A program for plain HTTP, path style.

    Args:
        endpoint: the server's URL.
        bucket: where its keys are.
        words: what the command begins with.
        body: the option for the method, the one for a file with the body, and what stands before the file's name.
    """

    def __init__(
        self, endpoint: str, bucket: str, words: tuple[str, ...], body: tuple[str, str, str]
    ) -> None:
        super().__init__()
        self._url = f"{endpoint}/{bucket}"
        self._words = words
        self._sending = body
        self._document = self.home / "document"
        self._document.write_bytes(DOCUMENT)

    def get(self, key: str) -> None:
        """GET."""
        self.run(*self._words, f"{self._url}/{key}")

    def put(self, key: str) -> None:
        """PUT."""
        self._send("PUT", str(self.body), key)

    def post(self, key: str) -> None:
        """POST that begins a multipart upload."""
        self._send("POST", os.devnull, f"{key}?uploads")

    def complete(self, key: str) -> None:
        """POST that ends it."""
        self._send("POST", str(self._document), f"{key}?uploadId={key}")

    def _send(self, method: str, file: str, target: str) -> None:
        by, body, before = self._sending
        self.run(*self._words, by, method, body, before + file, f"{self._url}/{target}")


curl = partial(Client, words=CURL, body=CURL_BODY)
"""curl --retry 3."""


def wget(endpoint: str, bucket: str) -> Client:
    """`wget --tries 4`, which no variable tells whom to trust."""
    tls = (f"--ca-certificate={os.environ['SSL_CERT_FILE']}",) if endpoint.startswith("https") else ()
    return Client(endpoint, bucket, (*WGET, *tls), WGET_BODY)

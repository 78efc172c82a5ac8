"""The four calls as requests of S3's API, path style, for HTTP clients without a service."""

from __future__ import annotations

from collections.abc import Callable

from faultinject.conformance import plan

# Makes a request of its method, its URL and its body, and reads the answer; raises the caller's error.
Ask = Callable[[str, str, bytes | None], object]

PART = f"<Part><PartNumber>1</PartNumber><ETag>{plan.ETAG}</ETag></Part>"
DOCUMENT = f"<CompleteMultipartUpload>{PART}</CompleteMultipartUpload>".encode()


class PathStyle:
    """The four calls, each one request of an HTTP client that sends no signature.

    Args:
        place: the part of URLs before the key.
        ask: the client.
    """

    def __init__(self, place: str, ask: Ask) -> None:
        self._place = place
        self._ask = ask

    def get(self, key: str) -> None:
        """GET."""
        self._ask("GET", f"{self._place}/{key}", None)

    def put(self, key: str) -> None:
        """PUT."""
        self._ask("PUT", f"{self._place}/{key}", plan.BODY)

    def post(self, key: str) -> None:
        """POST that begins a multipart upload."""
        self._ask("POST", f"{self._place}/{key}?uploads", None)

    def complete(self, key: str) -> None:
        """POST that ends it."""
        self._ask("POST", f"{self._place}/{key}?uploadId={key}", DOCUMENT)

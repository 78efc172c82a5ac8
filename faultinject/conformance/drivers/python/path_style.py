"""What the four calls are on the wire, for HTTP clients that know no storage service: S3's API, path style."""

from __future__ import annotations

from collections.abc import Callable

from faultinject.conformance import plan

# Makes a request by its method, its URL and its body, and reads the answer; raises what the caller gets for an error.
Ask = Callable[[str, str, bytes | None], object]

PART = f"<Part><PartNumber>1</PartNumber><ETag>{plan.ETAG}</ETag></Part>"
DOCUMENT = f"<CompleteMultipartUpload>{PART}</CompleteMultipartUpload>".encode()


class PathStyle:
    """The four calls, each one request of an HTTP client that sends no signature.

    Args:
        place: what URLs have before the key.
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

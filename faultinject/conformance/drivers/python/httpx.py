"""httpx with retries of its transport, which are for connections that cannot be made."""

from __future__ import annotations

import httpx

from faultinject.conformance.drivers.python.path_style import PathStyle


class Client(PathStyle):
    """A client with `HTTPTransport(retries=3)` and no environment, path style.

    Args:
        endpoint: the server's URL.
        bucket: where its keys are.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        super().__init__(bucket, self._request)
        transport = httpx.HTTPTransport(retries=3)
        self._httpx = httpx.Client(base_url=endpoint, transport=transport, trust_env=False)

    def _request(self, method: str, path: str, body: bytes | None) -> bytes:
        return self._httpx.request(method, path, content=body).raise_for_status().content

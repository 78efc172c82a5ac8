"""urllib3 as it comes: a pool manager with its default `Retry`."""

from __future__ import annotations

import urllib3

from faultinject.conformance.drivers.python import Refused
from faultinject.conformance.drivers.python.path_style import PathStyle


class Client(PathStyle):
    """A `PoolManager()`, path style.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        super().__init__(f"{endpoint}/{bucket}", self._request)
        self._pools = urllib3.PoolManager()

    def _request(self, method: str, url: str, body: bytes | None) -> bytes:
        answer = self._pools.request(method, url, body=body)
        if answer.status >= 400:
            raise Refused(f"{answer.status} {answer.reason}")
        return answer.data

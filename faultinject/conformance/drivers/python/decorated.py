"""httpx below a decorator that retries: tenacity's and stamina's everyday recipes."""

from __future__ import annotations

from collections.abc import Callable
from ssl import create_default_context
from typing import Any

import httpx

from faultinject.conformance.drivers.python.path_style import PathStyle


class Client(PathStyle):
    """A client of httpx, whose requests are made in a decorated function, path style.

    Args:
        endpoint: the server's URL.
        bucket: where its keys are.
        decorator: retries what it decorates.
    """

    def __init__(self, endpoint: str, bucket: str, decorator: Callable[[Any], Any]) -> None:
        super().__init__(bucket, decorator(self._request))
        self._httpx = httpx.Client(base_url=endpoint, trust_env=False, verify=create_default_context())

    def _request(self, method: str, path: str, body: bytes | None) -> bytes:
        return self._httpx.request(method, path, content=body).raise_for_status().content


def stamina(endpoint: str, bucket: str) -> Client:
    """The first example of stamina's README (https://github.com/hynek/stamina)."""
    from stamina import retry

    return Client(endpoint, bucket, retry(on=httpx.HTTPError, attempts=3))


def tenacity(endpoint: str, bucket: str) -> Client:
    """The exponential wait with jitter of tenacity's documentation (https://tenacity.readthedocs.io), which ends."""
    from tenacity import retry, stop_after_attempt, wait_random_exponential

    waits = wait_random_exponential(multiplier=1, max=60)
    return Client(endpoint, bucket, retry(wait=waits, stop=stop_after_attempt(3), reraise=True))

"""httpx with its transport's retries, or with an everyday decorator of tenacity or stamina."""

from __future__ import annotations

from collections.abc import Callable
from ssl import create_default_context
from typing import Any

import httpx

from faultinject.conformance.drivers.python.path_style import PathStyle


class Client(PathStyle):
    """httpx's client, path style; it ignores the settings of the environment.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
        decorator: a decorator that retries the function that makes the requests.
        options: the options of `httpx.Client`.
    """

    def __init__(
        self, endpoint: str, bucket: str, decorator: Callable[[Any], Any] = lambda call: call, **options: Any
    ) -> None:
        super().__init__(f"{endpoint}/{bucket}", decorator(self._request))
        self._httpx = httpx.Client(trust_env=False, **options)

    def _request(self, method: str, url: str, body: bytes | None) -> bytes:
        return self._httpx.request(method, url, content=body).raise_for_status().content


def transport(endpoint: str, bucket: str) -> Client:
    """`HTTPTransport(retries=3)`, whose retries are for connections that cannot be made."""
    return Client(endpoint, bucket, transport=httpx.HTTPTransport(retries=3))


def stamina(endpoint: str, bucket: str) -> Client:
    """The first example of stamina's README (https://github.com/hynek/stamina)."""
    from stamina import retry

    decorator = retry(on=httpx.HTTPError, attempts=3)
    return Client(endpoint, bucket, decorator, verify=create_default_context())


def tenacity(endpoint: str, bucket: str) -> Client:
    """The exponential wait with jitter of the documentation of tenacity, which ends.

    https://tenacity.readthedocs.io
    """
    from tenacity import retry, stop_after_attempt, wait_random_exponential

    waits = wait_random_exponential(multiplier=1, max=60)
    decorator = retry(wait=waits, stop=stop_after_attempt(3), reraise=True)
    return Client(endpoint, bucket, decorator, verify=create_default_context())

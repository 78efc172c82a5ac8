"""aiohttp as it comes, and with aiohttp-retry."""

from __future__ import annotations

from functools import partial
from typing import Any

import aiohttp

from faultinject.conformance.drivers.python.event_loop import wait_for
from faultinject.conformance.drivers.python.path_style import PathStyle


class Client(PathStyle):
    """A session, path style.

    Args:
        endpoint: the server's URL.
        bucket: where its keys are.
        retrying: whether aiohttp-retry stands before it, with the options of its README.
    """

    def __init__(self, endpoint: str, bucket: str, *, retrying: bool = False) -> None:
        super().__init__(bucket, self._request)
        self._endpoint = endpoint
        self._session: Any = wait_for(self._open(retrying))

    async def _open(self, retrying: bool) -> Any:
        session = aiohttp.ClientSession(trust_env=False)
        if not retrying:
            return session
        from aiohttp_retry import ExponentialRetry, RetryClient

        return RetryClient(client_session=session, retry_options=ExponentialRetry(attempts=3))

    def _request(self, method: str, path: str, body: bytes | None) -> bytes:
        return wait_for(self._exchange(method, path, body))

    async def _exchange(self, method: str, path: str, body: bytes | None) -> bytes:
        async with self._session.request(method, self._endpoint + path, data=body) as answer:
            content: bytes = await answer.read()
            answer.raise_for_status()
            return content


retrying = partial(Client, retrying=True)
"""The same with aiohttp-retry."""

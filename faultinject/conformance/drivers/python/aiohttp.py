"""aiohttp as it comes, and with aiohttp-retry."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from threading import Thread
from typing import Any, TypeVar

import aiohttp

from faultinject.conformance.drivers.python.path_style import PathStyle

Result = TypeVar("Result")

LOOP = asyncio.new_event_loop()
"""The loop of the process, in a thread of its own."""
Thread(target=LOOP.run_forever, daemon=True).start()


def wait_for(work: Coroutine[Any, Any, Result]) -> Result:
    """Run work on the loop, wait for its end, and return its result or raise its error."""
    return asyncio.run_coroutine_threadsafe(work, LOOP).result()


class Client(PathStyle):
    """aiohttp's session, path style.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
        retrying: whether aiohttp-retry makes the requests, with the options of its README.
    """

    def __init__(self, endpoint: str, bucket: str, *, retrying: bool = False) -> None:
        super().__init__(f"{endpoint}/{bucket}", self._request)
        self._session: Any = wait_for(self._open(retrying))

    async def _open(self, retrying: bool) -> Any:
        session = aiohttp.ClientSession(trust_env=False)
        if not retrying:
            return session
        from aiohttp_retry import ExponentialRetry, RetryClient

        return RetryClient(client_session=session, retry_options=ExponentialRetry(attempts=3))

    def _request(self, method: str, url: str, body: bytes | None) -> bytes:
        return wait_for(self._exchange(method, url, body))

    async def _exchange(self, method: str, url: str, body: bytes | None) -> bytes:
        async with self._session.request(method, url, data=body) as answer:
            content: bytes = await answer.read()
            answer.raise_for_status()
            return content


retrying = partial(Client, retrying=True)
"""The same with aiohttp-retry."""

"""Keeps documents in the service, and retries by hand.

It looks at the error's code, and waits as long as the service asks.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import httpx

SLOW = frozenset(("SlowDown", "ServiceUnavailable", "InternalError"))
"""The codes that mean "try again", whatever the status: the SlowDown of JSS is a 400."""


class StorageError(Exception):
    """The service answered with an error, and a retry would not help or did not.

    Attributes:
        code: the service's word for it.
        request_id: what to tell its support.
    """

    def __init__(self, answer: httpx.Response) -> None:
        error = _error(answer)
        self.code = error.get("code", str(answer.status_code))
        self.request_id = error.get("requestId", "")
        super().__init__(f"{self.code}: {error.get('message', answer.text)} (request {self.request_id})")


class Documents:
    """The client's side of the document store.

    Args:
        http: the connection.
        attempts: how often one call is tried in all.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        attempts: int = 4,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.http = http
        self.attempts = attempts
        self.sleep = sleep

    async def put(self, name: str, data: bytes) -> int:
        """Keep a document, and return its size.

        Raises `StorageError`.
        """
        answer = await self._send("PUT", f"/documents/{name}", data)
        size: int = answer.json()["size"]
        return size

    async def get(self, name: str) -> bytes:
        """Return a kept document.

        Raises `StorageError`.
        """
        return (await self._send("GET", f"/documents/{name}")).content

    async def _send(self, method: str, path: str, data: bytes | None = None) -> httpx.Response:
        for attempt in range(1, self.attempts + 1):
            answer = await self.http.request(method, path, content=data)
            if answer.status_code < HTTPStatus.BAD_REQUEST:
                return answer
            if _error(answer).get("code") not in SLOW or attempt == self.attempts:
                break
            await self.sleep(float(answer.headers.get("retry-after", 0.1 * 2**attempt)))
        raise StorageError(answer)


def _error(answer: httpx.Response) -> dict[str, str]:
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return {}
    found: dict[str, str] = answer.json()
    return found

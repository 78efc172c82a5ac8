"""Requests that come back to this proxy by way of others, such as a second proxy whose server it is."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import contextmanager, suppress

import h11

from faultinject.proxy.limits import LIMITS
from faultinject.proxy.upstream import Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from faultinject.proxy.line import Asked
    from faultinject.proxy.upstream import Upstream

MARK = b"x-faultinject-loop"
"""The header of a question by which it is known when it comes back."""


class Alike:
    """Requests under way for one target.

    Attributes:
        loops: whether they are one that goes round.
    """

    __slots__ = ("count", "loops", "most")

    def __init__(self) -> None:
        self.count = self.most = 0
        self.loops = False


class Loops:
    """Finds them without a change to any request, which may be signed.

    A request that goes round is, at each round, one more that waits for its answer. So do those of many clients who ask for the
    same; so where there are many the server is asked by a request of our own, `OPTIONS` with a mark, whether it leads back.

    Args:
        connect: makes a connection to the server.
    """

    def __init__(self, connect: Callable[[], Awaitable[Upstream]]) -> None:
        self._connect = connect
        self._alike: dict[tuple[str, bytes], Alike] = {}
        self._marks: dict[bytes, Alike] = {}
        self._asking: set[asyncio.Task[None]] = set()

    def returned(self, asked: Asked) -> bool:
        """Whether this is our own question."""
        mark = next((value for name, value in asked.headers if name.lower() == MARK), None)
        alike = None if mark is None else self._marks.get(mark)
        if alike is not None:
            alike.loops = True
        return alike is not None

    @contextmanager
    def under_way(self, method: str, asked: Asked) -> Iterator[Alike]:
        """For its block, the first request of a connection waits for its answer."""
        key = method, asked.target
        alike = self._alike.setdefault(key, Alike())
        alike.count += 1
        try:
            if alike.count > alike.most:
                alike.most = alike.count
                # Not at each one: that would be as many again.
                if alike.count >= LIMITS.alike and alike.count.bit_count() == 1:
                    task = asyncio.create_task(self._ask(asked, alike))
                    self._asking.add(task)
                    task.add_done_callback(self._asking.discard)
            yield alike
        finally:
            alike.count -= 1
            if not alike.count:
                del self._alike[key]

    async def _ask(self, asked: Asked, alike: Alike) -> None:
        mark = secrets.token_hex(16).encode()
        self._marks[mark] = alike
        try:
            with suppress(Broken, TimeoutError):
                upstream = await self._connect()
                try:
                    async with asyncio.timeout(LIMITS.connect):
                        host = [each for each in asked.headers if each[0].lower() == b"host"]
                        headers = [*host, (MARK, mark), (b"Connection", b"close")]
                        await upstream.send_head(asked.target, "OPTIONS", "1.1", headers)
                        await upstream.send_end([])
                        said = upstream.events()
                        while isinstance(await anext(said), h11.InformationalResponse):
                            pass  # the answer comes behind it
                finally:
                    upstream.leave()
        finally:
            del self._marks[mark]

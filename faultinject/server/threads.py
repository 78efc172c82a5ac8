"""Threads for blocking work beneath a loop, and the bodies of requests that they read."""

from __future__ import annotations

import asyncio
import contextvars
import io
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, TypeVar, cast

from faultinject.adapters.types import Message, Receive
from faultinject.server.bounds import Bounds

THREADS = "faultinject.threads"
"""The key of the server's threads in a scope."""
LARGE = 65_536
"""Bytes of a body that are awaited without a thread."""
ENDS_WITHIN = 5.0
"""Seconds for which a thread is waited for when its server has ended."""
T = TypeVar("T")


class ClientGone(ConnectionResetError):
    """The client has left, or sent something else than HTTP."""


class Body(io.RawIOBase):
    """The body of one request.

    Args:
        receive: the server's.

    Attributes:
        data: the bytes that have come and were not read yet.
        whole: whether nothing more comes.
        gone: whether the client has left before its end.
        asked: whether the client was asked for it.
        loop: the server's, of a body that a thread reads.
        place: leaves the place of its thread among those that wait for bodies; None: it has none.
    """

    loop: asyncio.AbstractEventLoop
    place: Callable[[], object] | None = None

    def __init__(self, receive: Receive) -> None:
        self.data = bytearray()
        self.whole = self.gone = self.asked = False
        self._receive = receive
        self._until: float | None = None

    async def more(self) -> None:
        """Wait for more of it."""
        self.asked = True
        message: Message = await self._receive()
        self.gone = message["type"] == "http.disconnect"
        self.data += message.get("body", b"")
        self.whole = self.gone or not message.get("more_body", False)
        if self.whole:
            self.leave_place()

    def leave_place(self) -> None:
        """Leave the place for a thread that waits for a body, as this one does not or no longer."""
        leave, self.place = self.place, None
        if leave is not None:
            leave()

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the bytes that have come into the buffer, on a thread; 0 at the end.

        Raises:
            ClientGone: the client left before the end.
            TimeoutError: nothing has come in the time that `allow` gave.
        """
        while not (self.data or self.whole):
            left = None if self._until is None else max(0.0, self._until - time.monotonic())
            self.on_loop(self.more(), left)
        if self.gone:
            raise ClientGone("the client left before the end of its request")
        taken = self.data[: len(buffer)]
        buffer[: len(taken)] = taken
        del self.data[: len(taken)]
        return len(taken)

    def allow(self, seconds: float | None) -> None:
        """Wait for the rest of the body no longer than this from now on; None: for ever."""
        self._until = None if seconds is None else time.monotonic() + seconds

    def on_loop(self, work: Awaitable[None], seconds: float | None = None) -> None:
        """Have the server's loop do something, and wait for it on a thread.

        Raises:
            ClientGone: the server has ended.
            TimeoutError: it is not done within these seconds.
        """
        coroutine = cast("Coroutine[Any, Any, None]", work)
        if self.loop.is_closed():
            coroutine.close()
            raise ClientGone("the server has ended")
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise


class Threads:
    """Threads of one server, of which few wait for bodies.

    Half-sent requests do not take all of them so.

    Args:
        bounds: of the server's connections.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._half_sent = asyncio.Semaphore(bounds.limits.half_sent)
        self._running: set[Thread] = set()

    async def run(self, work: Callable[[], T], body: Body) -> T:
        """Call `work` on a thread, which ends with the program, while the body may still come.

        Raises:
            ClientGone: the client left before there was a thread.
        """
        if not body.whole:
            await self._take_place(body)
        body.loop = loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        context = contextvars.copy_context()

        def do() -> None:
            try:
                report = partial(_tell, done, done.set_result, context.run(work))
            except BaseException as raised:
                report = partial(_tell, done, done.set_exception, raised)
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(report)
            self._running.discard(thread)

        thread = Thread(target=do, name="faultinject request", daemon=True)
        self._running.add(thread)
        thread.start()
        try:
            return await done
        finally:
            body.leave_place()

    async def _take_place(self, body: Body) -> None:
        """Take one of the places of threads that wait for a body, or wait until it is whole."""
        place = asyncio.ensure_future(self._half_sent.acquire())
        await asyncio.sleep(0)  # it is there, if one is free
        waited: set[asyncio.Future[Any]] = {place}
        look = asyncio.ensure_future(self._end_stalled())
        try:
            while not (place.done() or body.whole):
                if len(waited) == 1 and len(body.data) < LARGE:
                    waited.add(asyncio.ensure_future(body.more()))
                ended, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                waited -= ended - {place}
        finally:
            look.cancel()
            for future in waited:
                future.cancel()
            if place.done() and not place.cancelled():
                body.place = self._half_sent.release
        if body.gone:
            body.leave_place()
            raise ClientGone("the client left before the end of its request")

    async def _end_stalled(self) -> None:
        while True:
            await asyncio.sleep(self._bounds.limits.stalled)
            self._bounds.end_stalled()

    def end(self) -> None:
        """Wait a little for the threads that are at work."""
        for thread in list(self._running):
            thread.join(ENDS_WITHIN)


def _tell(done: asyncio.Future[T], say: Callable[[Any], None], what: Any) -> None:
    if not done.done():  # the server ends, and waits no more
        say(what)

"""What wakes the tasks of an event loop that wait: the end of their scenario, of their client, of their server.

One watch serves all waits of a loop. Their connections are in one `epoll`, which the loop hears. What only shows by an
attribute of a server's object is looked at by one timer, as long as such a wait lasts.
"""

from __future__ import annotations

import os
import select
from asyncio import get_running_loop
from contextlib import suppress

import anyio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable
    from typing import Any, Self

    from faultinject.adapters.asgi_wait import Ends
    from faultinject.adapters.connection import Connection
    from faultinject.engine.plan import Plan


TICK = 0.2
"""Seconds between two looks at what tells nobody that it changes."""

_watches: dict[object, Watch] = {}


class Wait:
    """The wait of one task; a context manager.

    Args:
        plan: wakes it when it ends.
        exchange: wakes it by what stands in its `wakes`; where that is `silent`, `over` is looked at now and then.
        connection: wakes it when the client leaves.

    Attributes:
        file: the descriptor by which its connection is watched, or -1.
    """

    def __init__(self, plan: Plan, exchange: Ends, connection: Connection | None) -> None:
        self.exchange = exchange
        self.connection = connection
        self.file = -1
        self._plan = plan
        self._woken = anyio.Event()
        self._watch = _watch_of_loop()

    def __enter__(self) -> Self:
        self._plan.wait(self._wake_soon)
        self.exchange.wakes.add(self.wake)
        self._watch.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._plan.waiting.discard(self._wake_soon)
        self.exchange.wakes.discard(self.wake)
        self._watch.remove(self)

    @property
    def is_looked_at(self) -> bool:
        """Whether something may end it that tells nobody."""
        return self.exchange.silent or (self.connection is not None and self.file < 0)

    def wake(self) -> None:
        """End the sleep; of its own loop."""
        self._woken.set()

    def _wake_soon(self) -> None:
        self._watch.call_soon(self.wake)

    async def sleep(self, seconds: float) -> None:
        """Sleep at most so long, and less when it is woken."""
        with anyio.move_on_after(seconds):
            await self._woken.wait()
            self._woken = anyio.Event()


class Watch:
    """What watches for all waits of one loop.

    Args:
        key: what tells the loop from others.
        call_soon: calls something on the loop, from whatever thread.
    """

    def __init__(self, key: object, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._process = os.getpid()
        self._key = key
        self._waits: set[Wait] = set()
        _watches[key] = self

    def call_soon(self, work: Callable[[], None]) -> None:
        """Call something on the loop, from whatever thread; not from a child of its process."""
        if self._process == os.getpid():
            with suppress(RuntimeError):  # it has ended
                self._call_soon(work)

    def add(self, wait: Wait) -> None:
        """One more waits."""
        self._waits.add(wait)

    def remove(self, wait: Wait) -> None:
        """It waits no more."""
        self._waits.discard(wait)
        if not self._waits:
            _watches.pop(self._key, None)
            self.close()

    def close(self) -> None:
        """Nobody waits."""

    def look(self) -> None:
        """Wake what is over and tells nobody."""
        for wait in list(self._waits):
            left = wait.connection is not None and wait.file < 0 and wait.connection.left(0)
            if left or (wait.exchange.silent and wait.exchange.over):
                wait.wake()


class AsyncioWatch(Watch):
    """A watch on asyncio, uvloop and the like."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        super().__init__(loop, loop.call_soon_threadsafe)
        self._loop = loop
        self._timer: TimerHandle | None = None
        self._by_file: dict[int, Wait] = {}
        self._epoll: Any = None  # where the platform has one
        with suppress(AttributeError, NotImplementedError, OSError):
            epoll = select.epoll()
            loop.add_reader(epoll.fileno(), self._hear)
            self._epoll = epoll

    def add(self, wait: Wait) -> None:
        """One more waits."""
        super().add(wait)
        if wait.connection is not None and self._epoll is not None:
            file = wait.connection.fileno()
            with suppress(OSError, ValueError):  # the system has no room for it; it is released
                self._epoll.register(file, select.EPOLLRDHUP)
                self._by_file[file] = wait
                wait.file = file
        if wait.is_looked_at and self._timer is None:
            self._timer = self._loop.call_later(TICK, self._tick)

    def remove(self, wait: Wait) -> None:
        """It waits no more."""
        self._forget(wait.file)
        super().remove(wait)

    def close(self) -> None:
        """Nobody waits."""
        if self._timer is not None:
            self._timer.cancel()
        if self._epoll is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _forget(self, file: int) -> Wait | None:
        wait = self._by_file.pop(file, None)
        if wait is not None:
            with suppress(OSError):  # released
                self._epoll.unregister(file)
        return wait

    def _hear(self) -> None:
        """Clients have left."""
        for file, _ in self._epoll.poll(0):
            wait = self._forget(file)
            if wait is not None:  # pragma: no branch - only what is known is registered
                wait.wake()

    def _tick(self) -> None:
        self._timer = None
        self.look()
        if any(each.is_looked_at for each in self._waits):
            self._timer = self._loop.call_later(TICK, self._tick)


class TrioWatch(Watch):
    """A watch on trio, by one task."""

    def __init__(self, token: Any) -> None:
        from trio.lowlevel import spawn_system_task

        super().__init__(token, token.run_sync_soon)
        spawn_system_task(self._run)

    async def _run(self) -> None:
        from trio import sleep

        while self._waits:
            self.look()
            await sleep(TICK)


def _watch_of_loop() -> Watch:
    """The watch of the running loop, made for its first wait."""
    try:
        loop = get_running_loop()
    except RuntimeError:
        from trio.lowlevel import current_trio_token

        token = current_trio_token()
        return _watches.get(token) or TrioWatch(token)
    return _watches.get(loop) or AsyncioWatch(loop)


def _after_fork() -> None:
    """In the child no loop of its parent's runs."""
    _watches.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)

"""Clients in this process that were told to raise no error of an app raise an injected one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from traceback import walk_stack, walk_tb
from types import CoroutineType, FrameType
from typing import Any
from weakref import WeakSet

from faultinject.adapters.servers import CLIENTS


def let_through(error: Exception, scope: Mapping[str, Any]) -> None:
    """Have an ASGI client raise an injected error, even if it raises no error of an app.

    Args:
        error: what is about to be raised.
        scope: of the request; it is how the client is found.
    """
    for frame in _running():
        name = CLIENTS.get(frame.f_globals.get("__name__", ""))
        if name and frame.f_locals.get("scope") is scope:
            client = frame.f_locals["self"]
            flag = getattr(client, name)
            if flag is False:
                flag = Flag()
                setattr(client, name, flag)
            if isinstance(flag, Flag):
                flag.injected.add(error)
            return


def _running() -> Iterator[FrameType]:
    """Find the frames of every thread, and of the tasks of this thread's event loop."""
    for innermost in sys._current_frames().values():  # noqa: SLF001 - public, as the documentation says
        yield from (frame for frame, _ in walk_stack(innermost))
    # Starlette's BaseHTTPMiddleware runs what is inside of it in another task than the client's.
    with suppress(RuntimeError):  # trio's
        for task in asyncio.all_tasks():
            coroutine: Any = task.get_coro()
            while isinstance(coroutine, CoroutineType) and coroutine.cr_frame is not None:
                yield coroutine.cr_frame
                coroutine = coroutine.cr_await


class Flag:
    """A flag of a client to raise an app's errors: it is true only for injected ones.

    Attributes:
        injected: errors on their way to the client. It is in the traceback of one that has reached it.
    """

    def __init__(self) -> None:
        self.injected: WeakSet[Exception] = WeakSet()

    def __bool__(self) -> bool:
        for error in list(self.injected):
            if any(frame.f_globals.get("__name__") in CLIENTS for frame, _ in walk_tb(error.__traceback__)):
                self.injected.discard(error)
                return True
        return False

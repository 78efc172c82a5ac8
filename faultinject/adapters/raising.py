"""Makes test clients in this process raise injected errors, even if they hide an app's own."""

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
    """Have an ASGI test client raise an injected error, even if it hides the app's errors.

    Args:
        error: the error that is about to be raised.
        scope: the scope of the request, by which the client's frame is found.
    """
    for frame in _running():
        attribute = CLIENTS.get(frame.f_globals.get("__name__", ""))
        if attribute and frame.f_locals.get("scope") is scope:
            client = frame.f_locals["self"]
            flag = getattr(client, attribute)
            if flag is False:
                flag = Flag()
                setattr(client, attribute, flag)
            if isinstance(flag, Flag):
                flag.injected.add(error)
            return


def _running() -> Iterator[FrameType]:
    """Find the frames of every thread, and of the tasks of this thread's event loop."""
    for innermost in sys._current_frames().values():  # noqa: SLF001 - public, as the documentation says
        yield from (frame for frame, _ in walk_stack(innermost))
    # Starlette's BaseHTTPMiddleware runs the app inside of it in another task than the client's.
    with suppress(RuntimeError):  # the event loop is trio's
        for task in asyncio.all_tasks():
            coroutine: Any = task.get_coro()
            while isinstance(coroutine, CoroutineType) and coroutine.cr_frame is not None:
                yield coroutine.cr_frame
                coroutine = coroutine.cr_await


class Flag:
    """A client's flag to raise an app's errors, which is true only for injected errors.

    Attributes:
        injected: the errors that have not reached the client yet. An error has reached it if a frame of the client is
            in the error's traceback.
    """

    def __init__(self) -> None:
        self.injected: WeakSet[Exception] = WeakSet()

    def __bool__(self) -> bool:
        for error in list(self.injected):
            if any(frame.f_globals.get("__name__") in CLIENTS for frame, _ in walk_tb(error.__traceback__)):
                self.injected.discard(error)
                return True
        return False

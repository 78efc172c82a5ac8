"""Clients in this process that are told to raise no error of an app's: an injected one gets through."""

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
    """Have an ASGI client raise an injected error also where its user has said that it raises no error of an app's.

    Args:
        error: what is about to be raised.
        scope: of the request, by which the client is found.
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
    """What runs, and waits for what runs: in every thread, and in the tasks of this one's event loop."""
    for innermost in sys._current_frames().values():  # noqa: SLF001 - public, as the documentation says
        yield from (frame for frame, _ in walk_stack(innermost))
    # Starlette's BaseHTTPMiddleware runs what is inside of it in another task than the client's.
    with suppress(RuntimeError):  # trio's
        for task in asyncio.all_tasks():
            waits: Any = task.get_coro()
            while isinstance(waits, CoroutineType) and waits.cr_frame is not None:
                yield waits.cr_frame
                waits = waits.cr_await


class Flag:
    """The no of a user to a client that asks whether to raise what an app raises: a yes for an injected error.

    Attributes:
        injected: errors on their way to the client; one that has come to it is in its traceback.
    """

    def __init__(self) -> None:
        self.injected: WeakSet[Exception] = WeakSet()

    def __bool__(self) -> bool:
        for error in list(self.injected):
            if any(frame.f_globals.get("__name__") in CLIENTS for frame, _ in walk_tb(error.__traceback__)):
                self.injected.discard(error)
                return True
        return False

"""The event loop of clients that are awaited: one for the process, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")

LOOP = asyncio.new_event_loop()
Thread(target=LOOP.run_forever, daemon=True).start()


def wait_for(work: Coroutine[Any, Any, Result]) -> Result:
    """Run it on the loop, and wait for what it returns; raises what it raises."""
    return asyncio.run_coroutine_threadsafe(work, LOOP).result()

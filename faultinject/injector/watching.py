"""Sees for those who wait what other processes have put in force: a request that comes would see it, a wait does not.

One thread of the process does, and only while something waits in an injector that follows others. It looks at a number in a
file; a server it has asked as requests have, once a second for all of them. What is found ends all waits by one event each, as a
change in this process does.
"""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Lock

from faultinject.injector import instances as registry

TICK = 0.25
"""Seconds between two looks."""

_lock = Lock()
_runs = False


def watch() -> None:
    """Something waits: from now on it is looked whether that is over, until nothing waits any more."""
    global _runs  # noqa: PLW0603
    with _lock:
        if _runs:
            return
        _runs = True
    from threading import Thread

    try:
        Thread(target=_run, name="faultinject watch", daemon=True).start()
    except RuntimeError:  # no more threads, or the program ends: the next request sees it
        _runs = False


def _run() -> None:
    global _runs  # noqa: PLW0603
    from time import sleep

    while True:
        with _lock:
            if not registry.waiting():
                _runs = False
                return
        sleep(TICK)
        for each in registry.waiting():
            with suppress(Exception):  # requests meet it as well, and tell
                each.catch_up()


def _after_fork() -> None:
    """In a child nothing waits."""
    global _lock, _runs  # noqa: PLW0603
    _lock = Lock()
    _runs = False


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)

"""Sees for those who wait what other processes have put in force: a request that comes would see it, a wait does not.

One thread of the process does, and only while something waits in an injector that follows others. It looks at a number in a
file; a server it has asked as requests have, once a second for all of them. What is found ends all waits by one event each, as a
change in this process does.
"""

from __future__ import annotations

import os
from contextlib import suppress

from faultinject.counts import per_process
from faultinject.injector import instances as registry

TICK = 0.25
"""Seconds between two looks."""

_watcher = 0
"""The process of which a thread looks: a forked child has none."""


def watch() -> None:
    """Something waits: from now on it is looked whether that is over, until nothing waits any more."""
    global _watcher  # noqa: PLW0603
    with per_process.lock:
        if _watcher == os.getpid():
            return
        _watcher = os.getpid()
    from threading import Thread

    try:
        Thread(target=_run, name="faultinject watch", daemon=True).start()
    except RuntimeError:  # no more threads, or the program ends: the next request sees it
        _watcher = 0


def _run() -> None:
    global _watcher  # noqa: PLW0603
    from time import sleep

    while True:
        with per_process.lock:
            if not registry.waiting():
                _watcher = 0
                return
        sleep(TICK)
        for each in registry.waiting():
            with suppress(Exception):  # requests meet it as well, and tell
                each.catch_up()

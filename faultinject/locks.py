"""Locks that greenlets may hold while they wait, even if gevent patches the process later.

gevent replaces the names in `threading`, not the locks that were made before: a server's master or `faultinject run`
makes them before a worker is patched. A greenlet that waited in such a lock would stop its whole process, including the
greenlet that holds the lock. So greenlets do not wait in these locks: they ask repeatedly, and others run meanwhile.

A lock of `_thread` or `threading` is good enough if its holder never waits, writes a log or starts a thread, as then no
greenlet switches. Anything else that gevent replaces is looked up in its module when it is used.
"""

from __future__ import annotations

import _thread
import sys
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 0.001
"""Seconds after which a greenlet asks again."""


class Lock:
    """A lock, as a context manager.

    Attributes:
        take: called with False, gets the lock if it is free, and returns whether it did.
        release: releases the lock.
    """

    def __init__(self) -> None:
        lock = _thread.allocate_lock()
        self.take, self.release = lock.acquire, lock.release

    def acquire(self, seconds: float = -1) -> bool:
        """Get the lock, and return whether that took no longer than `seconds`; below 0: no limit."""
        sleep = gevent_sleep()
        if sleep is None:
            return self.take(timeout=seconds)
        end = float("inf") if seconds < 0 else monotonic() + seconds
        while not self.take(False):
            if monotonic() >= end:
                return False
            sleep(PAUSE)
        return True

    def __enter__(self) -> None:
        if not self.take(False):
            self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class ReentrantLock:
    """A lock that its holder may acquire again, for example in a signal handler.

    A lock that a greenlet holds is not held by the other greenlets of its thread.
    """

    def __init__(self) -> None:
        self._threads = _thread.RLock()
        # The greenlets that hold it, which may share a thread.
        self._holders: list[int] = []

    def acquire(self, blocking: bool = True) -> bool:
        """Get the lock, and return True; return False if it is not free and `blocking` is False."""
        me = _thread.get_ident()  # the greenlet's id if gevent has patched it
        while self._threads.acquire(blocking):
            # It is None for a handler that gevent's hub calls: the handler cannot wait, so it gets the lock.
            sleep = gevent_sleep()
            if self._holders[-1:] in ([], [me]) or sleep is None:
                self._holders.append(me)
                return True
            self._threads.release()
            if not blocking:
                break
            sleep(PAUSE)
        return False

    def release(self) -> None:
        """Release the lock once; it is free after as many releases as acquisitions."""
        self._holders.pop()
        self._threads.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def gevent_sleep() -> Callable[[float], object] | None:
    """The `sleep` of gevent if a greenlet calls this, even in an unpatched process; else None.

    While a greenlet sleeps with it, gevent's loop runs.
    """
    local, gevent = sys.modules.get("gevent._hub_local"), sys.modules.get("gevent")
    if local is None or gevent is None or local.get_hub_if_exists() in (None, gevent.getcurrent()):
        return None
    sleep: Callable[[float], object] = gevent.sleep
    return sleep

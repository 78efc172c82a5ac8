"""Locks that greenlets may hold while they wait, whenever gevent has patched their process.

gevent replaces the names in `threading`, not the locks that were made before: a server's master or `faultinject run`
makes them before a worker is patched. A greenlet that waited in such a lock would stop its process, and with it the
greenlet that has the lock. So greenlets do not wait in these locks: they ask again and again, and the others have
their turn meanwhile.

A lock of `_thread` or `threading` does as well if nobody waits, writes a log or starts a thread under it: no greenlet
gives up its turn there. Whatever else gevent replaces is looked up in its module when it is used.
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
        take: called with False, gets it if it is free, and says whether it has.
        release: lets the next one have it.
    """

    def __init__(self) -> None:
        own = _thread.allocate_lock()
        self.take, self.release = own.acquire, own.release

    def acquire(self, seconds: float = -1) -> bool:
        """Get the lock; no if it was not free for so many seconds, which are unlimited below 0."""
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
    """A lock that its holder gets again, as a signal's handler does.

    A greenlet does not hold the lock of another one of its thread.
    """

    def __init__(self) -> None:
        self._threads = _thread.RLock()
        # Greenlets of one thread, which they share.
        self._holders: list[int] = []

    def acquire(self, blocking: bool = True) -> bool:
        """Get the lock; no if it is not free, and nobody is to wait."""
        me = _thread.get_ident()  # a greenlet's own where gevent has replaced it
        while self._threads.acquire(blocking):
            sleep = gevent_sleep()  # gevent's hub has none: a handler that it calls cannot wait
            if self._holders[-1:] in ([], [me]) or sleep is None:
                self._holders.append(me)
                return True
            self._threads.release()
            if not blocking:
                break
            sleep(PAUSE)
        return False

    def release(self) -> None:
        """Release it once; the next one gets it after as many releases as acquisitions."""
        self._holders.pop()
        self._threads.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def gevent_sleep() -> Callable[[float], object] | None:
    """The `sleep` of gevent if one of its greenlets asks, patched or not; else None.

    With it the loop of gevent goes on.
    """
    local, gevent = sys.modules.get("gevent._hub_local"), sys.modules.get("gevent")
    if local is None or gevent is None or local.get_hub_if_exists() in (None, gevent.getcurrent()):
        return None
    sleep: Callable[[float], object] = gevent.sleep
    return sleep

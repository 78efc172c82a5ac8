"""State that a forked child must not share with its parent.

It begins anew there, once, whichever thread is the first to use it.
"""

from __future__ import annotations

import os
from threading import RLock

lock = RLock()
"""Held for a moment while something changes that all threads of a process share.

No greenlet gives up its turn under it (`faultinject.locks`). It is looked up at each use, as a forked child has
another one: a thread of its parent may have held this one.
"""


class PerProcess:
    """State of one process; subclasses make all of it in `_begin`."""

    _pid = 0

    def _begin(self) -> None:
        """Forget the parent's state."""

    def _here(self) -> None:
        """Begin anew in a process that has not; called before each use."""
        if self._pid != os.getpid():
            with lock:
                if self._pid != os.getpid():  # pragma: no branch - another thread was faster
                    self._begin()
                    # At last: until then the other threads wait.
                    self._pid = os.getpid()


def _after_fork() -> None:
    global lock  # noqa: PLW0603
    lock = RLock()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)

"""State that a forked child must not share with its parent.

The first thread that uses it in the child begins it anew.
"""

from __future__ import annotations

import os
from threading import RLock

lock = RLock()
"""Held for a moment while a thread changes state that all threads of a process share.

No greenlet gives up its turn under it (`faultinject.locks`). Use it as an attribute of this module, since a forked
child has another lock: a thread of its parent may have held this one.
"""


class PerProcess:
    """State of one process; subclasses make all of it in `_begin`."""

    _pid = 0

    def _begin(self) -> None:
        """Forget the parent's state."""

    def _begin_once(self) -> None:
        """Call `_begin` once in each process; called before each use."""
        if self._pid != os.getpid():
            with lock:
                if self._pid != os.getpid():  # pragma: no branch - another thread was faster
                    self._begin()
                    # Last, as the other threads go on when they see it.
                    self._pid = os.getpid()


def _after_fork() -> None:
    global lock  # noqa: PLW0603
    lock = RLock()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)

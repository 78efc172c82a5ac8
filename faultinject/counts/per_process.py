"""State that a forked child must not share with its parent.

In a child, the first thread that uses the state makes a new one.
"""

from __future__ import annotations

import os
from threading import RLock

lock = RLock()
"""Held briefly by a thread that changes state shared by all threads of a process.

No greenlet switches while holding it (`faultinject.locks`). Use it as an attribute of this module, since a forked child
gets a new lock: a thread of its parent may have held this one.
"""


class PerProcess:
    """State of one process; subclasses make all of it in `_begin`."""

    _pid = 0

    def _begin(self) -> None:
        """Make the state new, without the parent's."""

    def _begin_once(self) -> None:
        """Call `_begin` once in each process; call this before each use of the state."""
        if self._pid != os.getpid():
            with lock:
                if self._pid != os.getpid():  # pragma: no branch - another thread was faster
                    self._begin()
                    # Set last, as the other threads continue when they see it.
                    self._pid = os.getpid()


def _after_fork() -> None:
    global lock  # noqa: PLW0603
    lock = RLock()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)

"""What a forked child must not share with its parent: it begins anew there, once, whichever thread is the first to use it."""

from __future__ import annotations

import os
from threading import RLock

lock = RLock()
"""Held for a moment while something changes that all threads of a process have in common: no greenlet gives up its turn under it
(`faultinject.locks`). Looked up at each use, as a forked child has another one: a thread of its parent may have held this one."""


class PerProcess:
    """Something that a process has for itself; subclasses make all of it in `_begin`."""

    _pid = 0

    def _begin(self) -> None:
        """Forget whatever is the parent's."""

    def _here(self) -> None:
        """Begin anew in a process that has not; asked before each use."""
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

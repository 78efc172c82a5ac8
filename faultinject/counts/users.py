"""Whether a store is in use: each process keeps a shared `flock` on a file, which the system gives up however it ends."""

from __future__ import annotations

import os
from contextlib import suppress

from faultinject.counts.opening import FLAGS
from faultinject.rules.files import close_own, identity

with suppress(ImportError):  # Windows
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock

USERS = "users"


class Users:
    """The use of a store by one process, and by those that it forks.

    Args:
        directory: a descriptor of the store's directory.

    Raises:
        OSError: the file cannot be opened, or somebody else has locked it.
    """

    def __init__(self, directory: int) -> None:
        self._file = -1
        self._file = os.open(USERS, os.O_RDWR | os.O_CREAT | FLAGS, 0o600, dir_fd=directory)
        self._known = identity(self._file)
        flock(self._file, LOCK_SH | LOCK_NB)

    def others(self) -> bool:
        """Whether other processes use the store; under its lock."""
        try:
            flock(self._file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            flock(self._file, LOCK_SH | LOCK_NB)
        return False

    def __del__(self) -> None:
        if self._file >= 0:
            close_own(self._file, self._known)

"""Which servers count in a directory, each with all its processes; so that rules of another one are not put in force unseen.

A server has a file there, `holder-` and the process that its processes have in common, and each of them keeps a shared
`flock` on it: the system gives that up for a process however it ends, and tells containers of each other, too.

The processes of a server find which of them they began with, see `counts.begun`: one that is made anew in its place begins at zero,
and the server's next worker must not.
"""

from __future__ import annotations

import os
from contextlib import suppress

from faultinject.counts.begun import Begun
from faultinject.counts.contents import HOLDER
from faultinject.counts.opening import FLAGS, read_file, remove_file, write_file
from faultinject.counts.owner import described, lives
from faultinject.rules.files import close_own, identity

with suppress(ImportError):  # Windows
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock


def begun_with(path: str) -> bool:
    """Whether other processes of this server have begun with a directory there."""
    return Begun(path).read() is not None


class Holders:
    """The servers of one directory, seen from this process.

    Args:
        directory: its descriptor.
        path: itself.
        token: what no other directory has, also one that is made in its place.

    Attributes:
        pid: the process that those of this server have in common.
    """

    def __init__(self, directory: int, path: str, token: str) -> None:
        self._file = -1
        self._directory = directory
        self._token = token
        self._begun = Begun(path)
        self.pid = self._begun.pid
        self._server = described(self.pid)

    def begun(self) -> str | None:
        """What this server's processes have agreed on before this one; None: it is the first, or the only one."""
        return self._told(HOLDER + self._server)[1] if self._begun.is_worker else None

    def lost(self) -> bool:
        """Whether this server began with another directory, in whose place this one was made."""
        found = self._begun.read()
        return found is not None and found != self._token.encode()

    def others(self) -> list[str]:
        """The other servers that are alive, in words; what dead ones have left is removed."""
        found = []
        for name in sorted(os.listdir(self._directory)):  # noqa: PTH208 - by its descriptor
            server = name.removeprefix(HOLDER)
            if server in (name, self._server):
                continue
            workers, _, began = self._told(name)
            if self._is_held(name) or (workers and lives(server)):
                found.append(f"process {server.partition('-')[0]}{began and f' since {began}'}")
            else:
                remove_file(name, self._directory)
        return found

    def hold(self, agreed: str, *, note: bool = False) -> None:
        """Take part from now on, until this process ends; once, under the store's lock.

        Args:
            agreed: what tells these rules from others.
            note: whether later workers are to know which directory it was.

        Raises:
            OSError: no space left.
        """
        from time import gmtime, strftime, time

        name = HOLDER + self._server
        _, before, began = self._told(name)
        if before != agreed:
            began = began or strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(time()))
            workers = "workers" if self._begun.is_worker else ""
            write_file(name, self._directory, f"{workers}\n{agreed}\n{began}".encode())
        self._file = os.open(name, os.O_RDWR | FLAGS, dir_fd=self._directory)
        self._known = identity(self._file)
        flock(self._file, LOCK_SH | LOCK_NB)
        if note:
            self._begun.write(self._token.encode())

    def _told(self, name: str) -> tuple[str, str | None, str]:
        """What a holder's file says: whether it has workers, what it agreed on, and since when."""
        try:
            found = (read_file(name, self._directory) or b"").decode("ascii", "replace").split("\n")
        except OSError:
            found = []
        workers, agreed, began = found if len(found) == 3 else ("", None, "")
        return workers, agreed, began

    def _is_held(self, name: str) -> bool:
        """Whether a process has the lock of a holder's file."""
        try:
            file = os.open(name, os.O_RDWR | FLAGS, dir_fd=self._directory)
        except OSError:
            return False
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def __del__(self) -> None:
        if self._file >= 0:
            close_own(self._file, self._known)

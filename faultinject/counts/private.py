"""Directories and notes of a server, whose names all of its processes can compute.

The start of a later server removes those of servers that have ended.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from hashlib import blake2b
from stat import S_ISREG

from faultinject.counts.files import open_directory, read_file, remove_directory, write_file
from faultinject.counts.processes import has_ended, process_text, server_process, start_ticks
from faultinject.exceptions import ConfigurationError, FaultInjectError


def private_path(scenario: str, *, owner: int) -> str:
    """The path of the store of all processes with the same owner, command line and scenario.

    Args:
        scenario: text that all processes have in common: the scenario, the seed and more.
        owner: a process; the directory exists as long as this process.

    Raises:
        ConfigurationError: the place is not a private directory of this user.
    """
    words = [*sys.argv, scenario]
    digest = blake2b("\0".join(words).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{_clean_parent()}/{process_text(owner)}-{digest}"


def session_path() -> str:
    """A path for a session of this process, which is removed some time after the process ends.

    Raises:
        ConfigurationError: the place is not a private directory of this user.
    """
    return f"{_clean_parent()}/{process_text(os.getpid())}-{os.urandom(8).hex()}"


def _parent() -> str:
    """The parent of this user's private directories."""
    from tempfile import gettempdir

    return f"{gettempdir()}/faultinject-{os.geteuid()}"


def _clean_parent() -> str:
    """Make the parent directory if it is missing, and remove the directories of ended processes."""
    parent = _parent()
    directory = open_directory(parent)
    for name in os.listdir(directory.number):
        if owner_has_ended(name):
            _remove(f"{parent}/{name}")
    return parent


def _remove(path: str) -> None:
    """Remove a directory, or a server's note; files that are not ours stay."""
    try:
        directory = open_directory(path, make=False)
    except ConfigurationError:  # it is a note, or another process cleans up at the same time
        with suppress(OSError):
            if S_ISREG(os.lstat(path).st_mode):
                os.unlink(path)
        return
    remove_directory(directory.number, path)


def owner_has_ended(name: str) -> bool:
    """Whether the process whose directory has this name has ended; false for any other name."""
    owner, _, _ = name.rpartition("-")
    try:
        return has_ended(owner)
    except ValueError:
        return False


class ServerNote:
    """A note that the processes of a server leave for workers that start later.

    It tells a later worker that counts were lost, and the first scenario if the file of rules has changed since. The
    note is in this user's private directory; the start of a later server removes it when this server has ended.

    Args:
        subject: text that identifies the note.
    """

    def __init__(self, subject: str) -> None:
        server = server_process()
        # Windows has no such directory.
        self._has_workers = server != os.getpid() and hasattr(os, "geteuid")
        digest = blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        self._name = f"{process_text(server)}-{digest}"

    def read(self) -> bytes:
        """Read the note; it is empty in the first process of a server."""
        if self._has_workers:
            with suppress(FaultInjectError, OSError):
                parent = open_directory(_parent(), make=False)
                return read_file(self._name, parent.number) or b""
        return b""

    def write(self, content: bytes) -> None:
        """Write the note atomically, if there may be later workers and it can be written."""
        if self._has_workers and self.read() != content:
            with suppress(FaultInjectError, OSError):
                parent = open_directory(_clean_parent())
                new = f"{self._name}.{os.getpid()}"
                write_file(new, parent.number, content)
                os.rename(new, self._name, src_dir_fd=parent.number, dst_dir_fd=parent.number)


def server_start(own_start: float) -> float:
    """The start of this process's server, in unix seconds.

    This is the start of the server's master or reloader, so all workers get the same moment, including later ones. If
    the system does not tell it, they get the time at which the first worker asked.

    Args:
        own_start: the start of this process, which is the result for a server of one process.
    """
    server = server_process()
    if server == os.getpid():
        return own_start
    if ticks := start_ticks(server):
        # The clock since the machine's start does not change when the system's time is set. The difference is rounded,
        # as two clocks are read one after the other.
        booted = round(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME), 1)
        return min(own_start, booted + ticks / os.sysconf("SC_CLK_TCK"))
    note = ServerNote("start")
    note.write(note.read() or str(own_start).encode())
    return float(note.read() or own_start)

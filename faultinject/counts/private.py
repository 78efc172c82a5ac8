"""Directories and notes that the processes of a server find by themselves.

A later start removes them.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from hashlib import blake2b
from stat import S_ISREG

from faultinject.counts.files import open_directory, read_file, remove_directory, write_file
from faultinject.counts.processes import began, described, gone, server_process
from faultinject.exceptions import ConfigurationError, FaultInjectError


def private_path(scenario: str, *, owner: int) -> str:
    """The path of the store of all processes with the same owner, command line and scenario.

    Args:
        scenario: its text, seed and anything else that must be equal.
        owner: the directory exists during the life of this process.

    Raises:
        ConfigurationError: the place is not a private directory of this user.
    """
    words = [*sys.argv, scenario]
    digest = blake2b("\0".join(words).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{_cleaned_parent()}/{described(owner)}-{digest}"


def session_path() -> str:
    """A path for a session of this process, which is removed some time after the process ends.

    Raises:
        ConfigurationError: the place is not a private directory of this user.
    """
    return f"{_cleaned_parent()}/{described(os.getpid())}-{os.urandom(8).hex()}"


def _parent() -> str:
    """The place of this user's private directories."""
    from tempfile import gettempdir

    return f"{gettempdir()}/faultinject-{os.geteuid()}"


def _cleaned_parent() -> str:
    """Make that place if it is missing, and remove the directories of ended processes from it."""
    parent = _parent()
    directory = open_directory(parent)
    for name in os.listdir(directory.number):
        if is_left(name):
            _remove(f"{parent}/{name}")
    return parent


def _remove(path: str) -> None:
    """Remove a directory or a note of a server; files that are not ours stay."""
    try:
        directory = open_directory(path, make=False)
    except ConfigurationError:  # a note, or another process cleans up at the same time
        with suppress(OSError):
            if S_ISREG(os.lstat(path).st_mode):
                os.unlink(path)
        return
    remove_directory(directory.number, path)


def is_left(name: str) -> bool:
    """Whether the process that gave a directory this name has ended; false for any other name."""
    owner, _, _ = name.rpartition("-")
    try:
        return gone(owner)
    except ValueError:
        return False


class ServerNote:
    """A note of a server's processes for its later workers, which a master or reloader starts.

    From it a later worker learns of counts that are lost, and of the first scenario where the file of rules has
    changed. The note is in the private directory of this user; a later start of any server removes it once this
    server has ended.

    Args:
        subject: the subject of the note.
    """

    def __init__(self, subject: str) -> None:
        server = server_process()
        # Windows has no such directory.
        self._has_workers = server != os.getpid() and hasattr(os, "geteuid")
        digest = blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        self._name = f"{described(server)}-{digest}"

    def read(self) -> bytes:
        """The note; empty if this process is the first of the server, or the only one."""
        if self._has_workers:
            with suppress(FaultInjectError, OSError):
                parent = open_directory(_parent(), make=False)
                return read_file(self._name, parent.number) or b""
        return b""

    def write(self, content: bytes) -> None:
        """Write the note, whole or not at all, if there are later workers and a place for it."""
        if self._has_workers and self.read() != content:
            with suppress(FaultInjectError, OSError):
                parent = open_directory(_cleaned_parent())
                new = f"{self._name}.{os.getpid()}"
                write_file(new, parent.number, content)
                os.rename(new, self._name, src_dir_fd=parent.number, dst_dir_fd=parent.number)


def server_start(own: float) -> float:
    """The start of this process's server, in unix seconds.

    It is the same for all its workers, also later ones: the start of its master or reloader. If the system does not
    tell, it is the time at which the first worker asked.

    Args:
        own: the start of this process, the result for a server of one process.
    """
    server = server_process()
    if server == os.getpid():
        return own
    if ticks := began(server):
        # The clock since the machine's start does not change when the system's time is set. The difference is rounded,
        # as two clocks are read one after the other.
        booted = round(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME), 1)
        return min(own, booted + ticks / os.sysconf("SC_CLK_TCK"))
    note = ServerNote("start")
    note.write(note.read() or str(own).encode())
    return float(note.read() or own)

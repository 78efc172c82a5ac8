"""Directories and notes that the processes of a server find by themselves.

Nobody has to remove them.
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
        scenario: its text, seed and whatever else must be the same.
        owner: the process during whose life the directory exists.

    Raises:
        ConfigurationError: somebody else's things are where it belongs.
    """
    words = [*sys.argv, scenario]
    digest = blake2b("\0".join(words).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{_cleaned_parent()}/{described(owner)}-{digest}"


def session_path() -> str:
    """A path for a session of this process, which is removed some time after the process ends.

    Raises:
        ConfigurationError: somebody else's things are where it belongs.
    """
    return f"{_cleaned_parent()}/{described(os.getpid())}-{os.urandom(8).hex()}"


def _parent() -> str:
    """The place of this user's private directories."""
    from tempfile import gettempdir

    return f"{gettempdir()}/faultinject-{os.geteuid()}"


def _cleaned_parent() -> str:
    """The same, made if it is missing; directories of ended processes are removed."""
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
    except ConfigurationError:  # or another process cleans up too
        with suppress(OSError):
            if S_ISREG(os.lstat(path).st_mode):
                os.unlink(path)
        return
    remove_directory(directory.number, path)


def is_left(name: str) -> bool:
    """Whether the process that gave a directory this name has ended.

    No for other names, as where the directory is mounted.
    """
    owner, _, _ = name.rpartition("-")
    try:
        return gone(owner)
    except ValueError:
        return False


class ServerNote:
    """Notes of a server's processes for its later workers, which replace others.

    A master or reloader starts these. A worker that began at zero after others had counted would inject too much; and
    a file of rules may be another one by then, or wrong. The note is in the private directory of this user; a later
    start of any server removes it once this one has ended.

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

    It is the same for its workers of today and later ones: the start of its master or reloader, which may put another
    process in the place of this one. If the system does not tell, it is the time at which the first worker asked.

    Args:
        own: the start of this process, which holds for a server that has no other.
    """
    server = server_process()
    if server == os.getpid():
        return own
    if ticks := began(server):
        # By the clock that begins with the machine: setting the system's time back does not make the server younger.
        # Rounded, because two clocks are read one after the other.
        booted = round(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME), 1)
        return min(own, booted + ticks / os.sysconf("SC_CLK_TCK"))
    note = ServerNote("start")
    note.write(note.read() or str(own).encode())
    return float(note.read() or own)

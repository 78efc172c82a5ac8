"""Directories and notes that the processes of one server find by themselves, and that nobody has to remove."""

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
    """Where the store is of all processes that have the same owner, command line and scenario.

    Args:
        scenario: its text, seed and whatever else must be the same.
        owner: the process that the directory lives as long as.

    Raises:
        ConfigurationError: somebody else's things are where it belongs.
    """
    words = [*sys.argv, scenario]
    digest = blake2b("\0".join(words).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{_cleaned_parent()}/{described(owner)}-{digest}"


def session_path() -> str:
    """A place for a session of this process, which is removed some time after it has ended.

    Raises:
        ConfigurationError: somebody else's things are where it belongs.
    """
    return f"{_cleaned_parent()}/{described(os.getpid())}-{os.urandom(8).hex()}"


def _parent() -> str:
    """Where this user's private directories are."""
    from tempfile import gettempdir

    return f"{gettempdir()}/faultinject-{os.geteuid()}"


def _cleaned_parent() -> str:
    """The same, made where it is missing; what is of processes that have ended is removed."""
    parent = _parent()
    directory = open_directory(parent)
    for name in os.listdir(directory.number):  # noqa: PTH208 - by its descriptor
        if is_left(name):
            _remove(f"{parent}/{name}")
    return parent


def _remove(path: str) -> None:
    """A directory or a note of a server; what is none of ours stays."""
    try:
        directory = open_directory(path, make=False)
    except ConfigurationError:  # or another process cleans up too
        with suppress(OSError):
            if S_ISREG(os.lstat(path).st_mode):
                os.unlink(path)  # noqa: PTH108 - pathlib takes its time to load
        return
    remove_directory(directory.number, path)


def is_left(name: str) -> bool:
    """Whether the process has ended that gave a directory this name; no for other names, as where it is mounted."""
    owner, _, _ = name.rpartition("-")
    try:
        return gone(owner)
    except ValueError:
        return False


class ServerNote:
    """What the processes of one server note for its later workers, which its master or reloader starts in the place of others.

    Who begins at zero where others have counted injects too much; and a file of rules may be another one by then, or wrong. It is in
    the private directory of this user; a later start of any server removes it once this one has ended.

    Args:
        subject: what it is about.
    """

    def __init__(self, subject: str) -> None:
        server = server_process()
        # Windows has no such directory.
        self._has_workers = server != os.getpid() and hasattr(os, "geteuid")
        digest = blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        self._name = f"{described(server)}-{digest}"

    def read(self) -> bytes:
        """What was noted; nothing where this process is the first of the server, or the only one."""
        if self._has_workers:
            with suppress(FaultInjectError, OSError):
                parent = open_directory(_parent(), make=False)
                return read_file(self._name, parent.number) or b""
        return b""

    def write(self, content: bytes) -> None:
        """Let later workers know, whole or not at all, if there are any and there is a place for that."""
        if self._has_workers and self.read() != content:
            with suppress(FaultInjectError, OSError):
                parent = open_directory(_cleaned_parent())
                new = f"{self._name}.{os.getpid()}"
                write_file(new, parent.number, content)
                os.rename(new, self._name, src_dir_fd=parent.number, dst_dir_fd=parent.number)


def server_start(own: float) -> float:
    """When the server of this process began, in unix seconds: the same for its workers of today and later ones.

    Its master or reloader began then, which may put another process in the place of this one. Where the system does not tell, it is
    when the first of the workers asked.

    Args:
        own: when this process began, which stands for a server that has no other.
    """
    server = server_process()
    if server == os.getpid():
        return own
    if ticks := began(server):
        # By the clock that begins with the machine: who sets the system's time back does not make the server younger. Rounded, because
        # two clocks are read one after the other.
        booted = round(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME), 1)
        return min(own, booted + ticks / os.sysconf("SC_CLK_TCK"))
    note = ServerNote("start")
    note.write(note.read() or str(own).encode())
    return float(note.read() or own)

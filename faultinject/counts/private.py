"""Directories and notes that the processes of one server find by themselves, and that nobody has to remove."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from hashlib import blake2b
from stat import S_ISREG

from faultinject.counts.files import open_directory, read_file, remove_directory, write_file
from faultinject.counts.processes import described, gone, server_process
from faultinject.exceptions import ConfigurationError, FaultInjectError


def private_parent() -> str:
    """Where this user's private directories are."""
    from tempfile import gettempdir

    return f"{gettempdir()}/faultinject-{os.geteuid()}"


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
    parent = private_parent()
    os.close(open_directory(parent))
    return f"{parent}/{described(owner)}-{digest}"


def session_path() -> str:
    """A place for a session of this process, which is removed some time after it has ended."""
    parent = private_parent()
    os.close(open_directory(parent))
    return f"{parent}/{described(os.getpid())}-{os.urandom(8).hex()}"


def clean_up_dead_owners(parent: str | None = None) -> int:
    """Remove the private directories whose owner has ended; gives how many.

    Args:
        parent: where they are, by default `private_parent()`.

    Raises:
        ConfigurationError: the place is not this user's own.
    """
    parent = private_parent() if parent is None else parent
    if not os.path.lexists(parent):
        return 0
    above = open_directory(parent, make=False)
    try:
        return sum(_remove(f"{parent}/{name}") for name in os.listdir(above) if _is_left(name))  # noqa: PTH208 - by its descriptor
    finally:
        os.close(above)


def _remove(path: str) -> bool:
    try:
        directory = open_directory(path, make=False)
    except ConfigurationError:
        # A note of a server, or another process cleans up too, or it is none of ours.
        return _remove_note(path)
    try:
        remove_directory(directory, path)
    finally:
        os.close(directory)
    return not os.path.lexists(path)


def _remove_note(path: str) -> bool:
    with suppress(OSError):
        if S_ISREG(os.lstat(path).st_mode):
            os.unlink(path)  # noqa: PTH108 - pathlib takes its time to load
            return True
    return False


def _is_left(name: str) -> bool:
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
        self._has_workers = server != os.getpid()
        digest = blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        self._name = f"{described(server)}-{digest}"

    def read(self) -> bytes:
        """What was noted; nothing where this process is the first of the server, or the only one."""
        if self._has_workers:
            with suppress(FaultInjectError, OSError):
                parent = open_directory(private_parent(), make=False)
                try:
                    return read_file(self._name, parent) or b""
                finally:
                    os.close(parent)
        return b""

    def write(self, content: bytes) -> None:
        """Let later workers know, whole or not at all, if there are any and there is a place for that."""
        if self._has_workers and self.read() != content:
            with suppress(FaultInjectError, OSError):
                clean_up_dead_owners()
                parent = open_directory(private_parent())
                try:
                    new = f"{self._name}.{os.getpid()}"
                    write_file(new, parent, content)
                    os.rename(new, self._name, src_dir_fd=parent, dst_dir_fd=parent)
                finally:
                    os.close(parent)

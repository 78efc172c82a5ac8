"""Directories that the processes of one server find by themselves, and that nobody has to remove."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from hashlib import blake2b
from stat import S_ISREG

from faultinject.counts.contents import remove_directory
from faultinject.counts.opening import open_directory
from faultinject.counts.owner import boot, described, gone
from faultinject.exceptions import ConfigurationError


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
    words = [*sys.argv, scenario, boot()]
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

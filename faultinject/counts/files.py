"""Files that only this user may write, and the names of the files in a store's directory.

Symbolic links are not followed, and directories of other users are not used.
"""

from __future__ import annotations

import os
from contextlib import suppress
from stat import S_ISLNK
from typing import NoReturn

from faultinject.exceptions import ConfigurationError, Problem
from faultinject.rules.files import OwnFile

FILES = ("version", "journal", "lock", "attached", "users")
SCENARIO, COUNTS, EVENTS, ANSWERS = "scenario-", "counts-", "journal-", "answers-"
"""The names, or beginnings of names, of the files in a store's directory.

No other file in it is read, changed or removed.
"""
FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def open_directory(path: str, *, make: bool = True) -> OwnFile:
    """Open a directory that only this user can write to.

    Args:
        path: the path of the directory.
        make: whether to make it if it does not exist.

    Raises:
        ConfigurationError: it is missing, a link, another user's, or open to others.
        OSError: it cannot be opened.
    """
    flags = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | FLAGS
    try:
        if make:
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                pass
            except FileNotFoundError:
                refuse(path, "cannot be made", "make the directory above it first")
        directory = OwnFile(os.open(path, flags))
    except FileNotFoundError:
        refuse(path, "is not there", "make the directory, or name another")
    except NotADirectoryError:
        link = S_ISLNK(os.lstat(path).st_mode)
        refuse(path, f"is {'a symbolic link' if link else 'no directory'}", "name a directory itself")
    status = os.fstat(directory.number)
    problem = cure = ""
    if status.st_uid != os.geteuid():
        problem, cure = "belongs to another user", "name a directory of your own"
    elif status.st_mode & 0o022:
        problem, cure = "can be written to by other users", "chmod 700 it, or name another directory"
    if problem:
        refuse(path, problem, cure)
    return directory


def read_file(name: str, directory: int, offset: int = 0, size: int = -1) -> bytes | None:
    """Read a file from an offset on, to its end or `size` bytes; None if there is no such file.

    Raises:
        OSError: it cannot be read.
    """
    try:
        file = os.open(name, os.O_RDONLY | FLAGS, dir_fd=directory)
    except FileNotFoundError:
        return None
    with os.fdopen(file, "rb") as opened:
        opened.seek(offset)
        return opened.read(size)


def write_file(name: str, directory: int, content: bytes) -> None:
    """Write a file of mode 0600, replacing its content.

    Raises:
        OSError: it cannot be written.
    """
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | FLAGS, 0o600, dir_fd=directory)
    with os.fdopen(file, "wb") as opened:
        opened.write(content)


def remove_file(name: str, directory: int) -> None:
    """Remove a file if it exists."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def is_ours(name: str) -> bool:
    """Whether a file of that name belongs to a store."""
    return name in FILES or name.startswith((SCENARIO, COUNTS, EVENTS, ANSWERS))


def remove_directory(directory: int, path: str) -> None:
    """Remove a store, given its descriptor and path.

    Files that are not ours stay, and with them the directory.
    """
    with suppress(OSError):
        for name in os.listdir(directory):
            if is_ours(name):
                remove_file(name, directory)
        os.rmdir(path)


def refuse(
    path: str, problem: str, cure: str, error: type[ConfigurationError] = ConfigurationError
) -> NoReturn:
    """Raise the error that a directory cannot serve as a store.

    Raises:
        ConfigurationError: always, or the given subclass.
    """
    raise error([Problem(f"the store {path!r} {problem}: {cure}")])

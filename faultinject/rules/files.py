"""Opens files that users name, with a limit on the bytes that are read."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection
from io import BufferedReader
from os import PathLike
from sys import is_finalizing
from typing import Any, BinaryIO, NoReturn, TextIO

from faultinject.exceptions import ConfigurationError
from faultinject.rules.values import shown

Path = str | PathLike[str]

LARGEST = 8 << 20
"""The most bytes of a file of rules, a profile or results, as a device may have no end."""
TO_APPEND = (
    os.O_WRONLY
    | os.O_APPEND
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
"""The flags to open a file to append to it: no link is followed."""
STEPS = 10**8
"""The highest cost of a TOML text's keys: the sum of the squares of their numbers of dots.

At this cost the parser takes a second.
"""


def open_to_read(path: Path) -> BufferedReader:
    """Open a file to read its bytes.

    Raises:
        OSError: it cannot be opened, or its name is impossible.
    """
    try:
        return open(path, "rb")
    except (
        ValueError
    ):  # a NUL or half of a surrogate pair, for which versions of Python have different messages
        raise OSError(errno.EINVAL, "no file can have such a name", str(path)) from None


def read_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """Read all of a file.

    Args:
        path: the file's path.
        largest: the most bytes that it may have.

    Raises:
        OSError: it cannot be read, or is larger.
    """
    with open_to_read(path) as file:
        return read_within(file, largest, str(path))


def read_within(file: BinaryIO, largest: int, name: str) -> bytes:
    """Read all of an open file.

    Raises:
        OSError: it has more bytes.
    """
    data = file.read(largest + 1)
    if len(data) > largest:
        raise OSError(errno.EFBIG, f"more than {largest >> 20} MiB", name)
    return data


def open_to_write(path: Path) -> TextIO:
    """Open a file for a text in UTF-8.

    Raises:
        OSError: it cannot be opened, or is a named pipe without a reader.
    """
    opener = _open_at_once if hasattr(os, "O_NONBLOCK") else None
    return open(path, "w", encoding="utf-8", opener=opener)


def _open_at_once(path: str, flags: int) -> int:
    number = os.open(path, flags | os.O_NONBLOCK, 0o666)
    os.set_blocking(number, True)
    return number


def known_ending(option: str, path: str, endings: Collection[str]) -> str:
    """The ending of a file's name, such as `.html`, which decides on its format.

    Args:
        option: the option that names the file.
        path: the file.
        endings: the endings that have a format, in lower case.

    Raises:
        ConfigurationError: the name has another ending.
    """
    # A file may be named `.html`, without anything before it.
    name = os.path.basename(path)
    ending = f".{name.lower().rpartition('.')[2]}"
    if ending not in endings:
        names = ", ".join(f"FILE{known}" for known in endings)
        raise ConfigurationError(f"{option}: {path} is not one of {names}")
    return ending


def parse_toml(text: str) -> dict[str, Any]:
    """Parse a TOML text into its tables.

    Raises:
        ValueError: it is not TOML, or would take too long, as the parser's time grows with the square of a key's dots.
        RecursionError: it is nested too deeply.
    """
    import tomllib

    dotted = (line.split("=") for line in text.split("\n") if "." in line)
    if sum(part.count(".") ** 2 for parts in dotted for part in parts) > STEPS:
        raise ValueError("keys of too many parts")
    return tomllib.loads(text)


def parse_json(text: str, twice: Callable[[str], object]) -> Any:
    """Parse a JSON text.

    Args:
        text: the JSON.
        twice: called with a sentence about each key that an object has twice; the last value counts.

    Raises:
        JSONDecodeError: it is not JSON.
        ValueError: a number has too many digits, or is not valid in JSON, such as NaN.
        RecursionError: it is nested too deeply.
    """
    import json

    def table(pairs: list[tuple[str, object]]) -> dict[str, object]:
        values: dict[str, object] = {}
        for name, value in pairs:
            if name in values:
                twice(f"{shown(name)} is given twice")
            values[name] = value
        return values

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no number of JSON")

    return json.loads(text, object_pairs_hook=table, parse_constant=refuse)


def identity(file: int) -> tuple[int, int]:
    """Device and inode of an open file; another file with the same descriptor has others.

    Raises:
        OSError: the descriptor is not open.
    """
    status = os.fstat(file)
    return status.st_dev, status.st_ino


class OwnFile:
    """An open file that is closed with the last reference to it.

    If something else has closed it, `close_own` does nothing.

    Args:
        number: its descriptor.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._known = identity(number)

    def __del__(self, ends: Callable[[], bool] = is_finalizing) -> None:
        if not ends():  # at Python's end modules are gone, and the system closes files
            close_own(self.number, self._known)


def close_own(file: int, known: tuple[int, int]) -> None:
    """Close a file, unless it is closed already.

    A program that becomes a daemon closes all its files; then the descriptor may belong to another file by now.

    Args:
        file: its descriptor.
        known: its identity when it was opened.
    """
    if is_open(file, known):
        os.close(file)


def is_open(file: int, known: tuple[int, int]) -> bool:
    """Whether a descriptor still belongs to the file for which it was opened.

    Args:
        file: the descriptor.
        known: its identity when it was opened.
    """
    try:
        return identity(file) == known
    except OSError:
        return False

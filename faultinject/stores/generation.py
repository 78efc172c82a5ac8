"""The number of the scenario in force: one word of a file, which processes share through the memory map."""

from __future__ import annotations

import os
from mmap import mmap
from os import SEEK_END, lseek

from faultinject.stores.opening import FLAGS

NAME = "generation"
CUT = -1
"""What is read where the file was cut under a running process: touching its memory would end the process (SIGBUS)."""

_SIZE = 8


class Generation:
    """The word of one store; 0 before the first scenario.

    Args:
        directory: a descriptor of the store's directory.

    Raises:
        OSError: its file cannot be opened.
    """

    __slots__ = ("_file", "_word")

    def __init__(self, directory: int) -> None:
        self._file = -1
        self._file = file = os.open(NAME, os.O_RDWR | os.O_CREAT | FLAGS, 0o600, dir_fd=directory)
        self._make_room()
        self._word = memoryview(mmap(file, _SIZE)).cast("q")

    def read(self) -> int:
        """The number; `CUT` where it cannot be read."""
        return self._word[0] if lseek(self._file, 0, SEEK_END) >= _SIZE else CUT

    def write(self, number: int) -> None:
        """Put another one in its place; under the lock.

        Raises:
            OSError: no space left.
        """
        self._make_room()
        self._word[0] = number

    def _make_room(self) -> None:
        if os.fstat(self._file).st_size < _SIZE:
            os.pwrite(self._file, bytes(_SIZE), 0)

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)

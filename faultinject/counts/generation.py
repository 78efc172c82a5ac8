"""The number of the scenario in force: one word of a file, which processes share through the memory map."""

from __future__ import annotations

import os
from sys import byteorder

from faultinject.counts.mapping import WHOLE, Mapping
from faultinject.counts.opening import FLAGS
from faultinject.rules.files import close_own, identity

NAME = "generation"
CUT = -1
"""What is read where the file was cut under a running process."""

_SIZE = 16
_END = WHOLE.to_bytes(8, byteorder)


class Generation:
    """The word of one store; 0 before the first scenario.

    Args:
        directory: a descriptor of the store's directory.

    Raises:
        OSError: its file cannot be opened.
    """

    __slots__ = ("_file", "_guarded", "_known", "_mapping", "_words")

    def __init__(self, directory: int) -> None:
        self._file = -1
        self._file = os.open(NAME, os.O_RDWR | os.O_CREAT | FLAGS, 0o600, dir_fd=directory)
        self._known = identity(self._file)
        if not self._is_whole():
            self.write(0)
        self._map()

    def read(self) -> int:
        """The number; `CUT` where it cannot be read."""
        words = self._words
        if not self._guarded and self._mapping.short:
            return CUT
        number = words[0]
        # Looked at afterwards: then the number was of a whole file.
        return number if words[1] == WHOLE else self._read_again()

    @property
    def inode(self) -> int:
        """The number of its file."""
        return os.fstat(self._file).st_ino

    def write(self, number: int) -> None:
        """Put another one in its place; under the lock.

        Raises:
            OSError: no space left.
        """
        os.pwrite(self._file, number.to_bytes(8, byteorder) + _END, 0)

    def _map(self) -> None:
        self._mapping = Mapping(self._file, _SIZE)
        self._words = self._mapping.words
        self._guarded = self._mapping.guarded

    def _is_whole(self) -> bool:
        return os.pread(self._file, _SIZE, 0)[8:] == _END

    def _read_again(self) -> int:
        """The file was cut; it may have been published to since."""
        try:
            if not self._is_whole():
                return CUT
            self._map()
        except OSError:  # cut again
            return CUT
        return self._words[0] if self._mapping.whole else CUT

    def __del__(self) -> None:
        if self._file >= 0:
            close_own(self._file, self._known)

"""Counts the app's own answers in a window, in a file that processes share."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b
from struct import Struct

from faultinject.counts.filelock import FileLock
from faultinject.counts.files import ANSWERS, FLAGS
from faultinject.rules.abort import PARTS
from faultinject.rules.files import OwnFile

_CONTENT = Struct(f"={1 + 3 * PARTS}q")
"""The number of times that faults were switched on again; then three numbers for each part."""


class FileAnswers:
    """The app's answers for one bound, of all processes of a directory.

    Args:
        bound: the text of the bound.
        lock: the lock of the directory.
        directory: a descriptor of the directory.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, bound: str, lock: FileLock, directory: int) -> None:
        name = ANSWERS + blake2b(bound.encode(), digest_size=8).hexdigest()
        self._file = OwnFile(os.open(name, os.O_RDWR | os.O_CREAT | FLAGS, 0o600, dir_fd=directory))
        self._lock = lock

    def add(
        self, armed: int, part: int, answers: int, failures: int, judge: Callable[[int, int, bool], None]
    ) -> None:
        """As `SharedAnswers.add`."""
        with self._lock:
            content = os.pread(self._file.number, _CONTENT.size, 0)
            numbers = [*_CONTENT.unpack(content)] if len(content) == _CONTENT.size else [armed]
            if numbers[0] > armed:
                return  # this process does not know yet that faults are on again
            if numbers[0] < armed or len(numbers) == 1:
                numbers = [armed] + [0] * 3 * PARTS
            at = 1 + part % PARTS * 3
            if numbers[at] != part:
                numbers[at : at + 3] = part, 0, 0
            numbers[at + 1] += answers
            numbers[at + 2] += failures
            os.pwrite(self._file.number, _CONTENT.pack(*numbers), 0)
        # The clock begins at the machine's start, so parts from before a restart differ from `part` by much.
        in_window = [place for place in range(1, len(numbers), 3) if abs(part - numbers[place]) < PARTS]
        if failures:
            judge(
                sum(numbers[place + 1] for place in in_window),
                sum(numbers[place + 2] for place in in_window),
                False,
            )

"""The file behind shared counts: fixed-size records, read by `pread`, written by `pwrite`.

    identities  4,096 buckets of 32 entries of 32 bytes: key, last use; matches
    scopes      4,096 buckets of 32 entries of 64 bytes: key, last use; matches, takes, and the time for the rate
                (`free` of `counts.memory.Scope`)
    counters    262,144 rows of 32 bytes: 1 + the rule, matched, injected, failed. Each row belongs to the process that
                made it. After the number of the last rule come two more: under 65,537 passed requests by reason, under
                65,538 requests that matched a rule
    header      the number of processes, of counters, and of requests that matched a rule under the lock
    rules       65,536 rows of 64 bytes, the first rule last: matches, takes, and the time for the rate
    mark        64 bytes, right after the row of the first rule, so that one read gets both

A file that was cut has lost its mark, even if it was extended again. So data is valid if a read of the mark, made after
that of the data, still finds it. The mark is also read before each write, as the descriptor may belong to another file
by now.

The file is sparse. Each record lies on one page and is written by one call, so that a killed process leaves no half of
a record. All records are written under the store's lock, except for the counters of a process.
"""

from __future__ import annotations

import os
from struct import Struct
from time import time_ns

from faultinject.exceptions import StoreUnavailableError
from faultinject.rules.files import OwnFile

MOST_RULES = 65_536
MOST_COUNTERS = 262_144
WAYS = 32
"""The entries of a bucket."""
BUCKETS = 4_096
RULE, COUNTER = 64, 32
"""The bytes of a row."""

_MARK = b"faults 6"
_PAGE = 4_096
_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)

IDENTITIES = 4_096, 32
"""The offset of the buckets, and the bytes of an entry."""
SCOPES = 4_096 + BUCKETS * WAYS * 32, 64
COUNTERS = SCOPES[0] + BUCKETS * WAYS * 64
HEADER = COUNTERS + MOST_COUNTERS * COUNTER
REQUESTS = HEADER + 16
"""The offset of the number of requests."""
SIZE = HEADER + 4_096 + (MOST_RULES + 1) * RULE
_MARKED = SIZE - len(_MARK)

NUMBER = Struct("=q")
ROW = Struct("=qqqd")
"""Matches, takes, whether the rate has a request, and `free` as in `counts.memory.Scope`."""
COUNTED = Struct("=qq")
"""The header: the numbers of processes and of counters."""
_KEY = 16
_USED = _KEY
ENTRY = _KEY + 8
"""The bytes before the row of an entry."""


class Table:
    """An open file of counts.

    Args:
        path: the file, made by `make_table`.
        directory: a descriptor of the directory with the file.

    Attributes:
        file: the descriptor of the file.

    Raises:
        StoreUnavailableError: it is not one of our files.
        OSError: it cannot be opened.
    """

    def __init__(self, path: str, *, directory: int) -> None:
        self._path = path
        self._opened = OwnFile(os.open(path.rpartition("/")[2], _FLAGS, dir_fd=directory))
        self.file = self._opened.number
        self.check()

    def check(self) -> None:
        """Raise `StoreUnavailableError` if the file was cut, as data read before may then be wrong."""
        if os.pread(self.file, 8, _MARKED) != _MARK:
            raise self._lost()

    def read(self, size: int, at: int) -> bytes:
        """Read so many bytes; `check` tells afterwards whether the file was whole."""
        content = os.pread(self.file, size, at)
        if len(content) != size:
            raise self._lost()
        return content

    def write(self, content: bytes, at: int) -> None:
        """Write a record.

        Raises:
            StoreUnavailableError: no space left.
        """
        try:
            # It is written completely or not at all, as it lies on one page.
            os.pwrite(self.file, content, at)
        except OSError as error:
            raise StoreUnavailableError(f"{self._path}: {error.strerror}") from error

    def number(self, at: int) -> int:
        """The number at an offset."""
        value: int = NUMBER.unpack(self.read(8, at))[0]
        return value

    def rule(self, rule: int) -> tuple[int, bytes]:
        """The offset of a rule's row, and the row; zeros if there is none.

        Raises:
            StoreUnavailableError: the file was cut, so that data read before may be wrong.
        """
        at = rule_row(rule)
        near = SIZE - at <= _PAGE
        row = self.read(SIZE - at if near else RULE, at)
        if not (near and row.endswith(_MARK)):  # the mark is too far away, or missing
            self.check()
        return at, row

    def find(self, buckets: tuple[int, int], key: bytes) -> tuple[int, bytes]:
        """The offset and the row of a key's entry; a new entry has zeros.

        Call it under the lock. A new entry replaces the least recently used entry of its bucket, so the kept entries
        are not exactly the latest ones: about one of the 65,536 pairs matched last is dropped too early, and up to
        131,072 pairs are kept.

        Args:
            buckets: `IDENTITIES` or `SCOPES`.
            key: 16 bytes.
        """
        first, size = buckets
        start = first + int.from_bytes(key[:2]) % BUCKETS * WAYS * size
        bucket = self.read(WAYS * size, start)
        at = bucket.find(key)
        if at >= 0:
            return start + at, bucket[at + ENTRY : at + size]
        uses = [NUMBER.unpack_from(bucket, at)[0] for at in range(_USED, len(bucket), size)]
        return start + uses.index(min(uses)) * size, bytes(size - ENTRY)

    def put(self, key: bytes, at: int, row: bytes) -> None:
        """Write an entry, and mark it as used now; call it under the lock."""
        self.write(key + NUMBER.pack(time_ns()) + row, at)

    def use(self, at: int) -> None:
        """Mark an entry as used now."""
        self.write(NUMBER.pack(time_ns()), at + _USED)

    def _lost(self) -> StoreUnavailableError:
        short = os.fstat(self.file).st_size < SIZE
        return StoreUnavailableError(f"{self._path} {'was cut short' if short else 'is damaged'}")


def rule_row(rule: int) -> int:
    """The offset of the row of a rule."""
    return SIZE - (rule + 2) * RULE


def make_table(name: str, *, directory: int) -> None:
    """Make a file in which all counts are zero.

    It replaces an unfinished file of a killed process.

    Raises:
        OSError: it cannot be made.
    """
    file = os.open(name, _FLAGS | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=directory)
    try:
        os.ftruncate(file, SIZE)
        os.pwrite(file, _MARK, _MARKED)
    finally:
        os.close(file)

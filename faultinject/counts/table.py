"""The file behind shared counts: words of eight bytes that processes share through the memory map.

    header      version, sequence of matches, whether a rate began and when, processes, tallies; a byte a chunk: it has room
    identities  4,096 buckets of 32 entries: 16 bytes of key, last use; matches
    scopes      4,096 buckets of 32 entries: 16 bytes of key, last use; matches, out, due, rated, nothing
    rules       65,536 rows: matches, out, due, rated; nothing; matched, injected, failed where no tally is left
    tallies     65,536 rows: 1 + the rule, matched, injected, failed; each belongs to the process that began it
    end         one word that is never zero: see `counts.mapping`

The file is sparse: a chunk takes room on the disk once something in it is used. Writes are made under the store's
lock, but for those of a process to its own tallies, and each of them is one aligned word, so a process that is killed in
between leaves nothing half done.
"""

from __future__ import annotations

import os
import sys
from mmap import PAGESIZE

from faultinject.counts.mapping import WHOLE, Mapping
from faultinject.exceptions import StoreUnavailable
from faultinject.rules.files import close_own, identity

VERSION = 3
MOST_RULES = 65_536
MATCHES, OUT, DUE, RATED = range(4)
"""Words of a row."""
MATCHED, INJECTED, FAILED = 1, 2, 3
"""Words of a tally, behind that of its rule, and of a row behind its `NOTED`."""
NOTED = 4
SEQUENCE, BEGUN, BEGAN, PROCESSES, TALLIES = 1, 2, 3, 4, 5
"""Words of the header."""

WAYS = 32
BUCKETS = 4_096
RULE_WORDS, TALLY_WORDS = 8, 4
MOST_TALLIES = 65_536

_KEYS = 16 * WAYS
_CHUNK = max(PAGESIZE, 32_768)
_CHUNK_OF_BYTE = _CHUNK.bit_length() - 1
CHUNK_OF_WORD = _CHUNK_OF_BYTE - 3
_ROOM = 1_024
"""The byte of the header behind which stands for each chunk whether it has its room."""
_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


def _bucket(row: int) -> int:
    """Bytes of a bucket: keys, last uses, rows."""
    return _KEYS + 8 * WAYS * (1 + row)


_IDENTITY, _SCOPE = 1, 5
_FIRST_SCOPE = _CHUNK + BUCKETS * _bucket(_IDENTITY)
FIRST_RULE = (_FIRST_SCOPE + BUCKETS * _bucket(_SCOPE)) >> 3
FIRST_TALLY = FIRST_RULE + MOST_RULES * RULE_WORDS
SIZE = (FIRST_TALLY + MOST_TALLIES * TALLY_WORDS) * 8 + _CHUNK
LAST = (SIZE >> 3) - 1
"""The word that a file has lost which was cut; whoever has read others looks at it afterwards."""


class Pages:
    """A mapped file of counts, as words.

    Args:
        path: the file, made by `make_table`.
        directory: a descriptor of the directory that holds it.

    Attributes:
        map: its bytes.
        words: the same as integers.
        seconds: the same as floats.
        guarded: whether reading what was cut is harmless; else `check` goes before whatever reads or writes.
        ready: for each chunk whether it has its room on the disk. Writing to one that finds no space, on some file
            systems reading from it too, is a fault, behind which nothing of the file can be had.

    Raises:
        StoreUnavailable: it is not one of ours.
        OSError: it cannot be opened.
    """

    def __init__(self, path: str, directory: int | None) -> None:
        self._file = -1
        self._path = path
        name = path if directory is None else path.rpartition("/")[2]
        self._file = os.open(name, _FLAGS, dir_fd=directory)
        self._known = identity(self._file)
        if os.fstat(self._file).st_size != SIZE:
            raise StoreUnavailable(f"{path} is damaged")
        self._mapping = mapping = Mapping(self._file, SIZE)
        self.map = mapping.map
        self.guarded = mapping.guarded
        self.words = mapping.words
        view = memoryview(self.map)
        self.seconds = view.cast("d")
        self.ready = view[_ROOM : _ROOM + (SIZE >> _CHUNK_OF_BYTE)]
        if self.words[0] != VERSION or not mapping.whole:
            raise StoreUnavailable(f"{path} is damaged")

    @property
    def cut(self) -> bool:
        """Whether the file was cut since."""
        return not self._mapping.whole

    def check(self) -> None:
        """Raise `StoreUnavailable` when the file was cut, and what was read of it may be wrong."""
        if not self._mapping.guarded and self._mapping.short:
            raise self.lost()
        if self.words[LAST] != WHOLE:
            raise self.lost()

    def lost(self) -> StoreUnavailable:
        """What there is to say when the last word is gone."""
        return StoreUnavailable(f"{self._path} {'was cut short' if self._mapping.short else 'is damaged'}")

    def prepare(self, word: int) -> None:
        """Give the chunk of a word its room on the disk; under the lock, and of all processes once.

        Raises:
            StoreUnavailable: no space left.
            OSError: no space left.
        """
        chunk = word >> CHUNK_OF_WORD
        start = chunk << _CHUNK_OF_BYTE
        content = os.pread(self._file, _CHUNK, start)
        if len(content) != _CHUNK:
            raise self.lost()
        if os.pwrite(self._file, content, start) != _CHUNK:
            raise StoreUnavailable("no space left for the store")
        self.ready[chunk] = 1

    def __del__(self) -> None:
        if self._file >= 0:
            close_own(self._file, self._known)


class Buckets:
    """Entries by key, as many as were matched last: a new one takes the place that was not used for longest.

    A key may stand in one bucket only, so what is kept is not exactly the youngest: of the 65,536 pairs that were
    matched last about one is forgotten too early, and up to 131,072 are remembered.

    Args:
        pages: the file they are in.
        start: the first byte.
        row: words of an entry besides its key and last use.
    """

    __slots__ = ("_map", "_pages", "_row", "_size", "_start", "_words")

    def __init__(self, pages: Pages, start: int, row: int) -> None:
        self._pages = pages
        self._map = pages.map
        self._words = pages.words
        self._start = start
        self._row = row
        self._size = _bucket(row)

    def place(self, key: bytes, row: int) -> tuple[slice, int]:
        """The bytes where the key of a row stands, and the word of its last use."""
        start = self._start + (key[0] << 4 | key[1] >> 4) * self._size
        uses = (start + _KEYS) >> 3
        way = (row - uses - WAYS) // self._row
        return slice(start + way * 16, start + way * 16 + 16), uses + way

    def row(self, key: bytes, sequence: int) -> int:
        """The first word of a key's row, made if there is none; under the lock.

        Raises:
            OSError: no space left.
        """
        start = self._start + (key[0] << 4 | key[1] >> 4) * self._size
        if not self._pages.ready[start >> _CHUNK_OF_BYTE]:
            self._pages.prepare(start >> 3)
        found = self._map[start : start + _KEYS].find(key)
        uses = (start + _KEYS) >> 3
        words = self._words
        if found >= 0:
            way = found >> 4
            words[uses + way] = sequence
            return uses + WAYS + way * self._row
        used = words[uses : uses + WAYS].tolist()
        way = used.index(0 if 0 in used else min(used))
        row = uses + WAYS + way * self._row
        # First nobody's, last the new key's: whoever is killed in between leaves an entry that no key finds.
        place = (start >> 3) + 2 * way
        words[place] = words[place + 1] = 0
        for word in range(row, row + self._row):
            words[word] = 0
        words[uses + way] = sequence
        self._map[start + 16 * way : start + 16 * way + 16] = key
        return row


class Table:
    """What one file of counts holds.

    Args:
        path: the file, made by `make_table`.
        directory: a descriptor of the directory that holds it.

    Raises:
        StoreUnavailable: it is not one of ours.
        OSError: it cannot be opened.
    """

    def __init__(self, path: str, *, directory: int | None = None) -> None:
        self.pages = pages = Pages(path, directory)
        self.identities = Buckets(pages, _CHUNK, _IDENTITY)
        self.scopes = Buckets(pages, _FIRST_SCOPE, _SCOPE)

    def rule(self, rule: int) -> int:
        """The first word of a rule's row; under the lock.

        Raises:
            StoreUnavailable: no space left.
            OSError: no space left.
        """
        row = self.row(rule)
        if not self.pages.ready[row >> CHUNK_OF_WORD]:
            self.pages.prepare(row)
        return row

    def row(self, rule: int) -> int:
        """The same where it may have no room yet."""
        if rule >= MOST_RULES:
            raise IndexError(rule)
        return FIRST_RULE + rule * RULE_WORDS


def make_table(name: str, *, directory: int | None = None) -> None:
    """Make a file in which everything is at zero.

    Raises:
        OSError: it cannot be made.
    """
    file = os.open(name, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
    try:
        os.ftruncate(file, SIZE)
        header = VERSION.to_bytes(8, sys.byteorder).ljust(_ROOM, b"\0") + b"\1"
        end = WHOLE.to_bytes(8, sys.byteorder)
        for content, start in ((header.ljust(_CHUNK, b"\0"), 0), (end, 8 * LAST)):
            if os.pwrite(file, content, start) != len(content):
                raise StoreUnavailable("no space left for the store")
    finally:
        os.close(file)

"""What the processes of a store note of each rule without its lock: each in rows of its own, which all may read."""

from __future__ import annotations

import os
from threading import Lock
from weakref import WeakSet

from faultinject.counts.mapping import WHOLE
from faultinject.counts.table import (
    CHUNK_OF_WORD,
    FAILED,
    FIRST_TALLY,
    INJECTED,
    LAST,
    MATCHED,
    MOST_TALLIES,
    NOTED,
    PROCESSES,
    TALLIES,
    TALLY_WORDS,
    Table,
)
from faultinject.exceptions import StoreUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.counts.filelock import FileLock

_all: WeakSet[Tallies] = WeakSet()
_WORDS = (MATCHED, INJECTED, FAILED)
_PATIENT_AT = (1, 8)
"""The notes of a rule that wait for the lock: else others would not see the first request until this process has another, and a
process that ends soon may have none."""


class Tallies:
    """The notes of this process, and the sums of all.

    A row is begun under the lock by the first note, which waits for that as a request does. Where it waits in vain, what is
    noted is known to this process alone until a later note finds the lock free.

    Args:
        table: the file of counts.
        lock: the lock of its store.
    """

    def __init__(self, table: Table, lock: FileLock) -> None:
        self._table = table
        self._words = table.pages.words
        self._guarded = table.pages.guarded
        self._lock = lock
        self._threads = Lock()
        self._number = 0
        self._process = os.getpid()
        # By rule: its row or 0, and what this process has noted.
        self._own: dict[int, list[int]] = {}
        _all.add(self)

    @property
    def process(self) -> int:
        """What tells this process from all others that ever used the store: 1 for the first that noted something."""
        return self._number or self._process

    def note(self, rule: int, word: int, by: int = 1) -> None:
        """Note one request more, or with -1 one less."""
        with self._threads:
            own = self._own.get(rule)
            if own is None:
                own = self._own[rule] = [0, 0, 0, 0]
            own[word] += by
            if (not self._guarded and self._table.pages.cut) or self._words[LAST] != WHOLE:
                return
            if own[0]:
                self._words[own[0] + word] = own[word]
            else:
                self._begin(rule, own)

    def sums(self) -> dict[int, list[int]]:
        """By rule what stands in all tallies, as a tally has it, and what only this process knows so far."""
        words = self._words
        found: dict[int, list[int]] = {}
        with self._threads:
            cut = self._table.pages.cut
            count = 0 if cut else words[TALLIES]
            rows = words[FIRST_TALLY : FIRST_TALLY + count * TALLY_WORDS].tolist()
            noted = [(rows[at] - 1, rows[at : at + TALLY_WORDS]) for at in range(0, len(rows), TALLY_WORDS)]
            noted += [(rule, own) for rule, own in self._own.items() if cut or not own[0]]
            for rule, numbers in noted:
                before = found.setdefault(rule, [0, 0, 0, 0])
                for word in _WORDS:
                    before[word] += numbers[word]
        return found

    def after_fork(self) -> None:
        """In a child: what is noted there is its parent's."""
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        self._threads = Lock()
        self._number = 0
        self._own = {}

    def _begin(self, rule: int, own: list[int]) -> None:
        """Give what is noted a row, if that takes no waiting; the first and the eighth note wait as long as a request may."""
        lock = self._lock
        try:
            if not lock.acquire_at_once():
                if own[MATCHED] + own[INJECTED] + own[FAILED] not in _PATIENT_AT:
                    return
                lock.acquire()
            try:
                self._fill(rule, own)
            finally:
                lock.release()
        except (StoreUnavailable, OSError):
            return

    def _fill(self, rule: int, own: list[int]) -> None:
        words, pages = self._words, self._table.pages
        if not self._number:
            self._number = words[PROCESSES] = words[PROCESSES] + 1
        count = words[TALLIES]
        if count == MOST_TALLIES:
            row = self._table.rule(rule) + NOTED
            for word in _WORDS:
                words[row + word] += own[word]
                own[word] = 0
            return
        row = FIRST_TALLY + count * TALLY_WORDS
        if not pages.ready[row >> CHUNK_OF_WORD]:
            pages.prepare(row)
        words[row] = rule + 1
        for word in _WORDS:
            words[row + word] = own[word]
        # Last of all: whoever is killed before leaves a row that is nobody's.
        words[TALLIES] = count + 1
        own[0] = row


def after_fork() -> None:
    """In a child, before it notes anything: runs by itself, and does nothing the second time."""
    for each in list(_all):
        each.after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=after_fork)

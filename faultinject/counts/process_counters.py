"""What each process counts of a rule without the store's lock: in rows of its own, which all may read."""

from __future__ import annotations

from operator import add
from struct import Struct
from threading import Lock

from faultinject.counts.filelock import FileLock
from faultinject.counts.per_process import PerProcess
from faultinject.counts.table import COUNTED, COUNTER, COUNTERS, HEADER, MOST_COUNTERS, NUMBER, Table
from faultinject.exceptions import StoreUnavailable

MATCHED, INJECTED, FAILED = range(3)
_ROW = Struct("=qqqq")
_VALUES = Struct("=qqq")
_NOTHING = (0, 0, 0)


class ProcessCounters(PerProcess):
    """The counters of this process, and the sums of all.

    A row is begun under the lock, which is waited for as a request does. While that cannot be had, what is counted is known
    to this process alone.

    Args:
        table: the file of counts.
        lock: the lock of its store.
    """

    def __init__(self, table: Table, lock: FileLock) -> None:
        self._table = table
        self._lock = lock
        self._here()

    @property
    def process(self) -> int:
        """What tells this process from all others that ever used the store: 1 for the first that counted something."""
        return self._number or self._pid

    def add(self, rule: int, which: int, by: int = 1) -> None:
        """Count one request more, or with -1 one less."""
        self._here()  # what stands here before is the parent's
        with self._threads:
            own = self._own.setdefault(rule, [0, 0, 0])
            own[which] += by
            try:
                row = self._rows.get(rule) or self._new_row(rule)
                self._table.check()
                self._table.write(_VALUES.pack(*own), row + 8)
            except (StoreUnavailable, OSError):
                return

    def sums(self) -> dict[int, list[int]]:
        """By rule how many requests all processes matched, injected and failed, with what only this one knows."""
        table = self._table
        self._here()
        with self._threads:
            found = {rule: [*own] for rule, own in self._own.items()}
            try:
                rows = table.read(table.number(HEADER + 8) * COUNTER, COUNTERS)
                table.check()
            except (StoreUnavailable, OSError):
                return found
            mine = {*self._rows.values()}
            for at, (number, *values) in enumerate(_ROW.iter_unpack(rows)):
                if COUNTERS + at * COUNTER not in mine:
                    found[number - 1] = [*map(add, found.get(number - 1, _NOTHING), values)]
        return found

    def _begin(self) -> None:
        self._threads = Lock()
        self._number = 0
        # By rule: what this process has counted, and where that stands.
        self._own: dict[int, list[int]] = {}
        self._rows: dict[int, int] = {}

    def _new_row(self, rule: int) -> int:
        """Where a rule's counters are to stand."""
        table = self._table
        processes: int
        counters: int
        with self._lock:
            processes, counters = COUNTED.unpack(table.read(COUNTED.size, HEADER))
            table.check()
            if counters == MOST_COUNTERS:
                raise StoreUnavailable("no counter is left")
            self._number = self._number or processes + 1
            row = COUNTERS + counters * COUNTER
            table.write(NUMBER.pack(rule + 1) + _VALUES.pack(0, 0, 0), row)
            table.write(COUNTED.pack(max(processes, self._number), counters + 1), HEADER)
        self._rows[rule] = row
        return row

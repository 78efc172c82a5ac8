"""Counts in a file: exact for threads and processes, even if one is stopped or killed.

Values that need no lock are counted in rows that belong to one process each; all processes read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from operator import add
from os import pread
from struct import Struct
from sys import byteorder

from faultinject.counts.filelock import FileLock
from faultinject.counts.memory import next_free
from faultinject.counts.per_process import PerProcess
from faultinject.counts.shared_counts import SharedCounts, key_of
from faultinject.counts.table import (
    COUNTED,
    COUNTER,
    COUNTERS,
    HEADER,
    IDENTITIES,
    MOST_COUNTERS,
    MOST_RULES,
    NUMBER,
    REQUESTS,
    ROW,
    SCOPES,
    Table,
    rule_row,
)
from faultinject.engine.counting import MatchKey, Number, Take
from faultinject.exceptions import StoreUnavailableError
from faultinject.locks import Lock

MATCHED, INJECTED, FAILED = range(3)
_COUNTERS = Struct("=qqqq")
"""1 + the rule's number, and one process's counts for it; `_VALUES` are only the counts."""
_VALUES = Struct("=qqq")
_TAKES_AT = 8
"""The offset, in a row, of the number of takes."""
_ENTRY_START = Struct("=16sqqq")
"""The beginning of an entry: key, last use, matches, takes."""
_REMEMBERED = 4_096
"""The most scopes whose offsets are remembered."""
_LONGEST = 128
"""The most characters of a scope whose offset is remembered."""
_NO_COUNTS = (0, 0, 0)
_NO_RULE = MOST_RULES
"""Stands for a rule's number in rows that count passed requests by reason."""
_ANY_RULE = MOST_RULES + 1
"""Stands for a rule's number in rows that count the requests that matched any rule."""
_CHECK_EVERY = 16
"""After so many matches a process checks again that the lock's file is still at its path."""


class ProcessCounters(PerProcess):
    """The values that each process counts in rows of its own, without the store's lock.

    A row is made under the lock, for which a request waits as usual. While the lock is unavailable, only this process
    knows the values.

    Args:
        table: the file of counts.
        lock: the lock of the store.
    """

    def __init__(self, table: Table, lock: FileLock) -> None:
        self._table = table
        self._lock = lock
        self._begin_once()

    @property
    def process(self) -> int:
        """The unique number of this process in the store, from 1; its process id until it has a row."""
        return self._number or self._pid

    def add(self, rule: int, column: int, by: int = 1) -> None:
        """Count one more request, or with -1 one less."""
        self._begin_once()  # a child must not add to its parent's counts
        with self._threads:
            counts = self._own_counts.setdefault(rule, [0, 0, 0])
            counts[column] += by
            try:
                row = self._rows.get(rule) or self._new_row(rule)
                self._table.check()
                self._table.write(_VALUES.pack(*counts), row + 8)
            except (StoreUnavailableError, OSError):
                return

    def sums(self) -> dict[int, list[int]]:
        """The requests of all processes that each rule matched, injected and failed.

        They include values that only this process knows.
        """
        table = self._table
        self._begin_once()
        with self._threads:
            sums = {rule: [*counts] for rule, counts in self._own_counts.items()}
            try:
                rows = table.read(table.number(HEADER + 8) * COUNTER, COUNTERS)
                table.check()
            except (StoreUnavailableError, OSError):
                return sums
            own_rows = {*self._rows.values()}
            for at, (number, *values) in enumerate(_COUNTERS.iter_unpack(rows)):
                if COUNTERS + at * COUNTER not in own_rows:
                    sums[number - 1] = [*map(add, sums.get(number - 1, _NO_COUNTS), values)]
        return sums

    def _begin(self) -> None:
        self._threads = Lock()
        self._number = 0
        # The counts of this process by rule, and the offsets of their rows.
        self._own_counts: dict[int, list[int]] = {}
        self._rows: dict[int, int] = {}

    def _new_row(self, rule: int) -> int:
        """Make the row of a rule's counters, and return its offset."""
        table = self._table
        processes: int
        counters: int
        with self._lock:
            processes, counters = COUNTED.unpack(table.read(COUNTED.size, HEADER))
            table.check()
            if counters == MOST_COUNTERS:
                raise StoreUnavailableError("no counter is left")
            self._number = self._number or processes + 1
            row = COUNTERS + counters * COUNTER
            table.write(NUMBER.pack(rule + 1) + _VALUES.pack(0, 0, 0), row)
            table.write(COUNTED.pack(max(processes, self._number), counters + 1), HEADER)
        self._rows[rule] = row
        return row


class FileCounts(SharedCounts):
    """The counts of one scenario, for all processes that open its file.

    Args:
        path: the file, made by `make_table`.
        lock: the lock of the store.
        directory: a descriptor of the directory with the file.

    Attributes:
        path: the file.
        lock: the lock.

    Raises:
        StoreUnavailableError: the file is not one of ours.
        OSError: it cannot be opened.
    """

    def __init__(self, path: str, lock: FileLock, *, directory: int) -> None:
        super().__init__()
        self.path, self.lock = path, lock
        self._table = Table(path, directory=directory)
        self._counters = ProcessCounters(self._table, lock)
        self._matches = 0
        # The last known offset of each scope's entry; another entry may be there by now.
        self._offsets: dict[tuple[int, str], tuple[bytes, int]] = {}

    def release(self) -> None:
        """End the hold that `match` began."""
        self.lock.release()

    def _match(self, keys: Sequence[MatchKey], now: float, hold: bool) -> list[Number]:
        digests = [(key, key_of(key[0], key[2]), key_of(key[0], key[1]) if key[1] else b"") for key in keys]
        self.lock.acquire()
        try:
            if not self._matches % _CHECK_EVERY:
                self.lock.check()
            self._matches += 1
            numbers = [self._count(*key, now) for key in digests]
            self._table.write(NUMBER.pack(self._table.number(REQUESTS) + 1), REQUESTS)
        except BaseException:
            self.release()
            raise
        if not hold:
            self.release()
        return numbers

    def _take(self, ask: Take, held: bool) -> bool:
        if held:
            return self._add(ask, 1, ask.times)
        # A rule that has no takes left is refused without the lock.
        if self._is_spent(ask.rule, ask.scope, ask.times):
            return False
        with self.lock:
            return self._add(ask, 1, ask.times)

    def _give_back(self, ask: Take) -> None:
        with self.lock:
            self._add(ask, -1)

    def note_injected(self, rule: int, by: int = 1) -> None:
        """Note that a request got the rule's fault; -1: that it got none after all."""
        self._counters.add(rule, INJECTED, by)

    def note_failed(self, rule: int) -> None:
        """Note that a request met the rule's conditions and was left undecided."""
        self._counters.add(rule, FAILED)

    def note_passed(self, reason: int) -> None:
        """Note that a request passed for one of the reasons `PASSED`."""
        self._counters.add(_NO_RULE, reason)

    def passed(self) -> tuple[int, ...]:
        """The number of requests that passed for each reason; of this process if the file was cut."""
        return tuple(self._counters.sums().get(_NO_RULE, _NO_COUNTS))

    def requests(self) -> int:
        """The number of requests that matched a rule; of this process if the file was cut."""
        number = self._counters.sums().get(_ANY_RULE, _NO_COUNTS)[MATCHED]
        with suppress(StoreUnavailableError, OSError):
            number += self._table.number(REQUESTS)
        return number

    def injected(self) -> int:
        """The number of requests that got a fault; of this process if the file was cut."""
        return sum(counts[INJECTED] for rule, counts in self._counters.sums().items() if rule < MOST_RULES)

    def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
        """The requests of each rule that matched it, got its fault, or were undecided.

        If the file was cut, they are those of this process.
        """
        sums = self._counters.sums()
        totals = []
        for rule in rules:
            matched, injected, failed = sums.get(rule, _NO_COUNTS)
            with suppress(StoreUnavailableError, OSError):
                matched += NUMBER.unpack_from(self._table.rule(rule)[1])[0]
            totals.append((matched, injected, failed))
        return totals

    def match_without_lock(
        self, keys: Sequence[MatchKey], lock_free_after: Sequence[int]
    ) -> list[Number] | None:
        """See `SharedCounts.match_without_lock`."""
        for (rule, scope, _, _), takes in zip(keys, lock_free_after):  # noqa: B905 - one number for each key
            if takes and not self._is_spent(rule, scope, takes):
                return None
        self._table.check()
        self._counters.add(_ANY_RULE, MATCHED)
        for rule, scope, _, _ in keys:
            self._counters.add(rule, MATCHED)
            if scope and (place := self._offsets.get((rule, scope))) is not None:
                # The scope counts as used now, so that it is not the first to be replaced.
                self._table.use(place[1])
        return [(0, -self._counters.process, True)] * len(keys)

    def _count(self, key: MatchKey, identity_key: bytes, scope_key: bytes, now: float) -> Number:
        """Count one request for one rule; call it under the lock."""
        rule, scope, _, above = key
        table = self._table
        identity_at, identity_row = table.find(IDENTITIES, identity_key)
        scope_at, scope_row = table.find(SCOPES, scope_key) if scope else (0, b"")
        at, row = table.rule(rule)
        n_in_scope, takes, rated, due = ROW.unpack_from(scope_row or row)
        exceeds = True
        if above is not None:
            free = next_free(due if rated else None, above, now)
            exceeds = free is None
            rated, due = True, due if free is None else free
        counted = ROW.pack(n_in_scope + 1, takes, rated, due)
        if scope:
            table.put(scope_key, scope_at, counted)
            self._remember(rule, scope, scope_key, scope_at)
            matches, *rest = ROW.unpack_from(row)
            counted = ROW.pack(matches + 1, *rest)
        table.write(counted, at)
        n: int = NUMBER.unpack(identity_row)[0]
        table.put(identity_key, identity_at, NUMBER.pack(n + 1))
        return n_in_scope, n, exceeds

    def _add(self, ask: Take, by: int, times: int | None = None) -> bool:
        """Add to the takes of a scope, unless the limit is reached; call it under the lock."""
        table, scope = self._table, ask.scope
        if scope:
            key = key_of(ask.rule, scope)
            at, row = table.find(SCOPES, key)
            table.check()
        else:
            at, row = table.rule(ask.rule)
        matches, takes, *rest = ROW.unpack_from(row)
        if times is not None and takes >= times:
            return False
        row = ROW.pack(matches, takes + by, *rest)
        if scope:
            table.put(key, at, row)
            self._remember(ask.rule, scope, key, at)
        else:
            table.write(row, at)
        return True

    def _is_spent(self, rule: int, scope: str, times: int) -> bool:
        """Whether the limit is reached, read without the lock; false if the row's place is unknown."""
        file = self._table.file
        if not scope:
            return int.from_bytes(pread(file, 8, rule_row(rule) + _TAKES_AT), byteorder, signed=True) >= times
        remembered = self._offsets.get((rule, scope))
        if remembered is None:
            return False
        key, at = remembered
        entry = pread(file, _ENTRY_START.size, at)
        if len(entry) < _ENTRY_START.size:
            return False
        key_there, _, _, takes = _ENTRY_START.unpack(entry)
        return bool(key_there == key and takes >= times)

    def _remember(self, rule: int, scope: str, key: bytes, at: int) -> None:
        if len(scope) <= _LONGEST:
            if len(self._offsets) >= _REMEMBERED:
                self._offsets.clear()
            self._offsets[rule, scope] = key, at

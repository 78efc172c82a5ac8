"""Counts in a file: exact over threads and processes, also when one of them is stopped or killed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from os import pread
from struct import Struct
from sys import byteorder

from faultinject.counts.filelock import FileLock
from faultinject.counts.memory import next_free
from faultinject.counts.process_counters import FAILED, INJECTED, MATCHED, ProcessCounters
from faultinject.counts.shared_counts import SharedCounts, key_of
from faultinject.counts.table import IDENTITIES, NUMBER, ROW, SCOPES, Table, rule_row
from faultinject.engine.counting import MatchKey, Number, Take
from faultinject.exceptions import StoreUnavailable

_OUT = 8
"""Where a row has its takes."""
_KEY_TO_OUT = Struct("=16sqqq")
"""The beginning of an entry: key, last use, matches, takes."""
_REMEMBERED = 4_096
_LONGEST = 128
_NOTHING = (0, 0, 0)
_NOW_AND_THEN = 16
"""Of the matches of a process every sixteenth looks whether the store is still where others find it."""


class FileCounts(SharedCounts):
    """The counts of one scenario for all processes that open its file.

    Args:
        path: the file, made by `make_table`.
        lock: the lock of its store.
        directory: a descriptor of the directory that holds the file.

    Attributes:
        path: the file.
        lock: the lock.

    Raises:
        StoreUnavailable: the file is not one of ours.
        OSError: it cannot be opened.
    """

    def __init__(self, path: str, lock: FileLock, *, directory: int) -> None:
        super().__init__()
        self.path, self.lock = path, lock
        self._acquire = lock.acquire
        self._table = Table(path, directory=directory)
        self._counters = ProcessCounters(self._table, lock)
        self._asked = 0
        # Where the entry of a scope was; it may be another's by now.
        self._places: dict[tuple[int, str], tuple[bytes, int]] = {}

    def release(self) -> None:
        """The end of a hold that `match` began."""
        self.lock.release()

    def _match(self, keys: Sequence[MatchKey], now: float, hold: bool) -> list[Number]:
        known = [(key, key_of(key[0], key[2]), key_of(key[0], key[1]) if key[1] else b"") for key in keys]
        self._acquire()
        try:
            if not self._asked % _NOW_AND_THEN:
                self.lock.check()
            self._asked += 1
            numbers = [self._count(*each, now) for each in known]
        except BaseException:
            self.release()
            raise
        if not hold:
            self.release()
        return numbers

    def _take(self, ask: Take, held: bool) -> bool:
        if held:
            return self._add(ask, 1, ask.times)
        # A `no` once and for all is read without the lock.
        if self._is_spent(ask.rule, ask.scope, ask.times):
            return False
        with self.lock:
            return self._add(ask, 1, ask.times)

    def _give_back(self, ask: Take) -> None:
        with self.lock:
            self._add(ask, -1)

    def note_injected(self, rule: int, by: int = 1) -> None:
        """A request got the rule's fault; with -1 one that was noted did not get it after all."""
        self._counters.add(rule, INJECTED, by)

    def note_failed(self, rule: int) -> None:
        """A request that met the rule's conditions could not be decided."""
        self._counters.add(rule, FAILED)

    def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
        """For each rule how many requests met its conditions, got its fault, and could not be decided.

        Where the file was cut, those of this process alone.
        """
        sums = self._counters.sums()
        found = []
        for rule in rules:
            matched, injected, failed = sums.get(rule, _NOTHING)
            with suppress(StoreUnavailable, OSError):
                matched += NUMBER.unpack_from(self._table.rule(rule)[1])[0]
            found.append((matched, injected, failed))
        return found

    def match_without_lock(
        self, keys: Sequence[MatchKey], lock_free_after: Sequence[int]
    ) -> list[Number] | None:
        """See `SharedCounts.match_without_lock`."""
        for (rule, scope, _, _), most in zip(keys, lock_free_after):  # noqa: B905 - one each
            if most and not self._is_spent(rule, scope, most):
                return None
        self._table.check()
        for rule, scope, _, _ in keys:
            self._counters.add(rule, MATCHED)
            if scope and (found := self._places.get((rule, scope))) is not None:
                # It is one of those that were matched last.
                self._table.use(found[1])
        return [(0, -self._counters.process, True)] * len(keys)

    def _count(self, key: MatchKey, own: bytes, part: bytes, now: float) -> Number:
        """Count one request against one rule; under the lock."""
        rule, scope, _, above = key
        table = self._table
        own_at, own_row = table.find(IDENTITIES, own)
        part_at, part_row = table.find(SCOPES, part) if scope else (0, b"")
        at, row = table.rule(rule)
        place, out, rated, due = ROW.unpack_from(part_row or row)
        exceeds = True
        if above is not None:
            free = next_free(due if rated else None, above, now)
            exceeds = free is None
            rated, due = True, due if free is None else free
        counted = ROW.pack(place + 1, out, rated, due)
        if scope:
            table.put(part, part_at, counted)
            self._remember(rule, scope, part, part_at)
            matches, *rest = ROW.unpack_from(row)
            counted = ROW.pack(matches + 1, *rest)
        table.write(counted, at)
        n: int = NUMBER.unpack(own_row)[0]
        table.put(own, own_at, NUMBER.pack(n + 1))
        return place, n, exceeds

    def _add(self, ask: Take, by: int, times: int | None = None) -> bool:
        """Add to the takes of a scope, unless so many are out; under the lock."""
        table, scope = self._table, ask.scope
        if scope:
            key = key_of(ask.rule, scope)
            at, row = table.find(SCOPES, key)
            table.check()
        else:
            at, row = table.rule(ask.rule)
        matches, out, *rest = ROW.unpack_from(row)
        if times is not None and out >= times:
            return False
        row = ROW.pack(matches, out + by, *rest)
        if scope:
            table.put(key, at, row)
            self._remember(ask.rule, scope, key, at)
        else:
            table.write(row, at)
        return True

    def _is_spent(self, rule: int, scope: str, times: int) -> bool:
        """Whether so many takes are out, read without the lock; no where that takes more than reading."""
        file = self._table.file
        if not scope:
            return int.from_bytes(pread(file, 8, rule_row(rule) + _OUT), byteorder, signed=True) >= times
        known = self._places.get((rule, scope))
        if known is None:
            return False
        key, at = known
        found = pread(file, _KEY_TO_OUT.size, at)
        if len(found) < _KEY_TO_OUT.size:
            return False
        there, _, _, out = _KEY_TO_OUT.unpack(found)
        return bool(there == key and out >= times)

    def _remember(self, rule: int, scope: str, key: bytes, at: int) -> None:
        if len(scope) <= _LONGEST:
            if len(self._places) >= _REMEMBERED:
                self._places.clear()
            self._places[rule, scope] = key, at

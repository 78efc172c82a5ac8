"""Counts in a mapped file: exact over threads and processes, also when one of them is stopped or killed."""

from __future__ import annotations

from faultinject.core.draw import blake2b
from faultinject.stores.table import (
    BEGAN,
    BEGUN,
    DUE,
    FIRST_RULE,
    INJECTED,
    MATCHES,
    OUT,
    PAGE_OF_WORD,
    RATED,
    RULE_WORDS,
    SEQUENCE,
    Table,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.core.actions import MatchKey, Number, Take
    from faultinject.stores.filelock import FileLock

_REMEMBERED = 4_096
_LONGEST = 128


class FileCounts:
    """The counts of one scenario for all processes that open its file.

    Args:
        path: the file, made by `make_table`.
        lock: the lock of its store.
        directory: a descriptor of the directory that holds the file.

    Raises:
        StoreUnavailable: the file is not one of ours.
        OSError: it cannot be opened.
    """

    def __init__(self, path: str, lock: FileLock, *, directory: int | None = None) -> None:
        self._lock = lock
        self._table = table = Table(path, directory=directory)
        self._words = table.pages.words
        self._seconds = table.pages.seconds
        self._ready = table.pages.ready
        self._map = table.pages.map
        # Where scopes stand: key, byte of the key, word of the row.
        self._places: dict[tuple[int, str], tuple[bytes, int, int]] = {}

    def match(self, keys: Sequence[MatchKey], now: float) -> list[Number]:
        """Count one request against each of these rules, all in one step.

        Args:
            keys: rule, scope (empty for the rule as a whole), identity and rate of each.
            now: the injector's clock in seconds, for rates.

        Raises:
            StoreUnavailable: the lock is held by others.
            OSError: no space left; nothing is counted.
        """
        wanted = [
            (rule, self._scope_key(rule, scope) if scope else None, _key(rule, identity), above)
            for rule, scope, identity, above in keys
        ]
        table, words = self._table, self._words
        identities, scopes = table.identities, table.scopes
        numbers = []
        lock = self._lock
        lock.acquire()
        try:
            sequence = words[SEQUENCE] + 1
            words[SEQUENCE] = sequence
            rows = [
                (
                    table.rule(rule),
                    0 if scope is None else scopes.row(scope, sequence),
                    identities.row(identity, sequence),
                    above,
                )
                for rule, scope, identity, above in wanted
            ]
            for whole, part, own, above in rows:
                place = words[whole]
                words[whole] = place + 1
                if part:
                    place = words[part]
                    words[part] = place + 1
                n = words[own]
                words[own] = n + 1
                numbers.append((place, n, above is None or self._exceeds(part or whole, above, now)))
        finally:
            lock.release()
        return numbers

    def take(self, ask: Take) -> bool:
        """Whether the rule may inject once more in this scope; a `no` once and for all is read without the lock.

        Raises:
            StoreUnavailable: the lock is held by others.
            OSError: no space left.
        """
        rule, scope, times = ask.rule, ask.scope, ask.times
        words = self._words
        if not scope:
            row = FIRST_RULE + rule * RULE_WORDS
            if self._ready[row >> PAGE_OF_WORD] and words[row + OUT] >= times:
                return False
        elif (found := self._places.get((rule, scope))) is not None:
            key, place, row = found
            map_ = self._map
            # What is read is this scope's only if the place was not another's before or after.
            if (
                map_[place : place + 16] == key
                and words[row + OUT] >= times
                and map_[place : place + 16] == key
            ):
                return False
        lock = self._lock
        lock.acquire()
        try:
            row = self._row(rule, scope) + OUT
            out = words[row]
            if out >= times:
                return False
            words[row] = out + 1
            return True
        finally:
            lock.release()

    def give_back(self, ask: Take) -> None:
        """Undo a take.

        Raises:
            StoreUnavailable: the lock is held by others; the take stays.
            OSError: no space left.
        """
        with self._lock:
            self._words[self._row(ask.rule, ask.scope) + OUT] -= 1

    def matched(self, rule: int) -> int:
        """How many requests a rule's conditions met."""
        return self._read(rule, MATCHES)

    def note_injected(self, rule: int) -> None:
        """A request got the rule's fault.

        Raises:
            StoreUnavailable: the lock is held by others.
            OSError: no space left.
        """
        with self._lock:
            self._words[self._table.rule(rule) + INJECTED] += 1

    def note_undone(self, rule: int) -> None:
        """A request that was noted as injected did not get the fault after all.

        Raises:
            StoreUnavailable: the lock is held by others.
            OSError: no space left.
        """
        with self._lock:
            self._words[self._table.rule(rule) + INJECTED] -= 1

    def injected(self, rule: int) -> int:
        """How many requests got the rule's fault, in all processes."""
        return self._read(rule, INJECTED)

    def _read(self, rule: int, word: int) -> int:
        row = FIRST_RULE + rule * RULE_WORDS
        if not self._ready[row >> PAGE_OF_WORD]:
            with self._lock:
                self._table.pages.prepare(row)
        return self._words[row + word]

    def _row(self, rule: int, scope: str) -> int:
        if not scope:
            return self._table.rule(rule)
        words, scopes = self._words, self._table.scopes
        key = self._scope_key(rule, scope)
        words[SEQUENCE] += 1
        row = scopes.row(key, words[SEQUENCE])
        if len(scope) <= _LONGEST:
            if len(self._places) >= _REMEMBERED:
                self._places.clear()
            self._places[rule, scope] = key, scopes.place(key, row), row
        return row

    def _exceeds(self, row: int, above: tuple[int, float], now: float) -> bool:
        """As `MemoryCounts` does it."""
        limit, period = above
        gap = period / limit
        words, seconds = self._words, self._seconds
        if not words[BEGUN]:
            seconds[BEGAN] = now
            words[BEGUN] = 1
        now -= seconds[BEGAN]
        due = max(seconds[row + DUE] if words[row + RATED] else float("-inf"), now) + gap
        if due - now > period + gap / 1000:
            return True
        seconds[row + DUE] = due
        words[row + RATED] = 1
        return False

    def _scope_key(self, rule: int, scope: str) -> bytes:
        found = self._places.get((rule, scope))
        return _key(rule, scope) if found is None else found[0]


def _key(rule: int, text: str) -> bytes:
    return blake2b(f"{rule}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()

"""Counts in a mapped file: exact over threads and processes, also when one of them is stopped or killed."""

from __future__ import annotations

from hashlib import blake2b

from faultinject.counts.mapping import WHOLE
from faultinject.counts.memory import SET_BACK
from faultinject.counts.table import (
    BEGAN,
    BEGUN,
    CHUNK_OF_WORD,
    DUE,
    FAILED,
    INJECTED,
    LAST,
    MATCHED,
    MATCHES,
    NOTED,
    OUT,
    RATED,
    SEQUENCE,
    Table,
)
from faultinject.counts.tallies import Tallies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faultinject.counts.filelock import FileLock
    from faultinject.engine.counting import MatchKey, Number, Take

    # Where a scope stands: its key, that key's bytes in the file, the words of its row and of its last use.
    Place = tuple[bytes, slice, int, int]
    # Where a match counts: the rule's row, the identity's place in other order, the scope's.
    Rows = tuple[int, bytes, slice, int, int, Place | None]

_NOWHERE = slice(0, 0)
"""No place has a key there."""
_NOTHING = (0, 0, 0, 0)
_REMEMBERED = 4_096
_LONGEST = 128
_NOW_AND_THEN = 15
"""A bit mask: of the matches of a store every sixteenth looks whether it is still where others find it, which takes 2 µs."""


class FileCounts:
    """The counts of one scenario for all processes that open its file.

    Args:
        path: the file, made by `make_table`.
        lock: the lock of its store.
        directory: a descriptor of the directory that holds the file.
        check: raises `StoreUnavailable` where other processes would not find it any more; by default only its lock is
            looked after.

    Raises:
        StoreUnavailable: the file is not one of ours.
        OSError: it cannot be opened.
    """

    def __init__(
        self,
        path: str,
        lock: FileLock,
        *,
        directory: int | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.file: object = None
        """What tells this file from any other."""
        self.joined: list[int] = [0]
        """The generation that this process counts by here."""
        self._lock = lock
        self._acquire = lock.acquire
        self.release = lock.release
        """The end of a hold that `match` began."""
        self._table = table = Table(path, directory=directory)
        self._words = table.pages.words
        self._seconds = table.pages.seconds
        self._ready = table.pages.ready
        self._map = table.pages.map
        self._check = table.pages.check
        self._check_files = check or lock.check
        self._tallies = Tallies(table, lock)
        # What stands where, as far as this process remembers it; it may be another's place by now.
        self._places: dict[tuple[int, str], Place] = {}
        self._rows: dict[MatchKey, Rows] = {}
        # By rule the word that counts its takes, once that has its room.
        self._outs: dict[int, int] = {}
        self._guarded = table.pages.guarded

    def match(self, keys: Sequence[MatchKey], now: float, hold: bool = False) -> list[Number]:
        """Count one request against each of these rules, all in one step.

        Args:
            keys: rule, scope (empty for the rule as a whole), identity and rate of each.
            now: the injector's clock in seconds, for rates.
            hold: keep the lock for the takes of the same request, until `release`.

        Raises:
            StoreBusy: another process held the lock.
            StoreUnavailable: the lock cannot be had.
            OSError: no space left; nothing is counted.
        """
        remembered = self._rows
        known = [remembered.get(key) or self._digests(key) for key in keys]
        words, map_ = self._words, self._map
        numbers: list[Number] = []
        if not self._guarded:
            self._check()
        self._acquire()
        try:
            sequence = words[SEQUENCE] + 1
            if not sequence & _NOW_AND_THEN:
                self._check_files()
            words[SEQUENCE] = sequence
            for at, rows in enumerate(known):
                _, own_key, own_place, _, own_use, scope = rows
                # What is remembered holds as long as the place was not given to another.
                if map_[own_place] == own_key and (scope is None or map_[scope[1]] == scope[0]):
                    words[own_use] = sequence
                    if scope is not None:
                        words[scope[3]] = sequence
                else:
                    known[at] = self._look_up(keys[at], own_key, scope, sequence)
            # Nothing is counted before there is space for all.
            for at, (row, _, _, own, _, scope) in enumerate(known):
                place = words[row]
                words[row] = place + 1
                if scope is not None:
                    part = scope[2]
                    place = words[part]
                    words[part] = place + 1
                n = words[own]
                words[own] = n + 1
                above = keys[at][3]
                exceeds = above is None or self._exceeds(row if scope is None else scope[2], above, now)
                numbers.append((place, n, exceeds))
            if words[LAST] != WHOLE:
                raise self._table.pages.lost()
        except BaseException:
            self.release()
            raise
        if not hold:
            self.release()
        return numbers

    def take(self, ask: Take, held: bool = False) -> bool:
        """Whether the rule may inject once more in this scope; a `no` once and for all is read without the lock.

        Args:
            ask: rule, scope and how often.
            held: whether this thread has the lock, from `match`.

        Raises:
            StoreBusy: another process held the lock.
            StoreUnavailable: the lock cannot be had.
            OSError: no space left.
        """
        rule, scope, times = ask.rule, ask.scope, ask.times
        words = self._words
        if not held and not self._guarded:
            self._check()
        row = 0
        if not scope:
            row = self._outs.get(rule) or self._out(rule)
            if row and words[row] >= times:
                return False
        elif not held and (found := self._places.get((rule, scope))) is not None:
            key, place, start, _ = found
            map_ = self._map
            # What is read is this scope's only if the place was not another's before or after.
            if map_[place] == key and words[start + OUT] >= times and map_[place] == key:
                return False
        if not held:
            self._acquire()
        try:
            if scope:
                row = self._row(rule, scope) + OUT
            elif not row:
                row = self._table.rule(rule) + OUT
            out = words[row]
            if out >= times:
                return False
            words[row] = out + 1
            if words[LAST] != WHOLE:
                raise self._table.pages.lost()
            return True
        finally:
            if not held:
                self.release()

    def give_back(self, ask: Take) -> None:
        """Undo a take.

        Raises:
            StoreBusy: another process held the lock; the take stays.
            StoreUnavailable: the lock cannot be had; the take stays.
            OSError: no space left.
        """
        with self._lock:
            self._check()
            row = self._row(ask.rule, ask.scope) if ask.scope else self._table.rule(ask.rule)
            self._words[row + OUT] -= 1

    def note_injected(self, rule: int) -> None:
        """A request got the rule's fault."""
        self._tallies.note(rule, INJECTED)

    def note_undone(self, rule: int) -> None:
        """A request that was noted as injected did not get the fault after all."""
        self._tallies.note(rule, INJECTED, -1)

    def note_failed(self, rule: int) -> None:
        """A request that met the rule's conditions could not be decided."""
        self._tallies.note(rule, FAILED)

    def matched(self, rule: int) -> int:
        """How many requests a rule's conditions met, in all processes."""
        return self.totals([rule])[0][0]

    def injected(self, rule: int) -> int:
        """How many requests got the rule's fault, in all processes."""
        return self.totals([rule])[0][1]

    def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
        """For each rule how many requests met its conditions, got its fault, and could not be decided.

        Where the file was cut, those of this process alone.
        """
        table, words, ready = self._table, self._words, self._ready
        noted = self._tallies.sums()
        found = []
        cut = table.pages.cut
        for rule in rules:
            row = table.row(rule)
            _, matched, injected, failed = noted.get(rule, _NOTHING)
            if not cut and ready[row >> CHUNK_OF_WORD]:
                matched += words[row + MATCHES] + words[row + NOTED + MATCHED]
                injected += words[row + NOTED + INJECTED]
                failed += words[row + NOTED + FAILED]
            found.append((matched, injected, failed))
        return found

    def match_without_lock(self, keys: Sequence[MatchKey], enough: Sequence[int]) -> list[Number] | None:
        """Note one request for each of these rules where no decision depends on its numbers; None where one does.

        Args:
            keys: as for `match`.
            enough: for each rule, after how many takes none of its decisions depends on a number.

        Returns:
            Numbers of which the second is below 0: no identity was counted, it only tells this process from others.

        Raises:
            StoreUnavailable: the file was cut.
        """
        self._check()
        for (rule, scope, _, _), most in zip(keys, enough):  # noqa: B905 - one each
            if most and not self._is_spent(rule, scope, most):
                return None
        tallies = self._tallies
        for rule, scope, _, _ in keys:
            tallies.note(rule, MATCHED)
            if scope and (found := self._places.get((rule, scope))) is not None:
                # It is one of those that were matched last.
                self._words[found[3]] = self._words[SEQUENCE]
        return [(0, -tallies.process, True)] * len(keys)

    def _is_spent(self, rule: int, scope: str, times: int) -> bool:
        """Whether so many takes are out, read without the lock, as `take` does it; no where that takes more than reading."""
        words = self._words
        if not scope:
            row = self._outs.get(rule) or self._out(rule)
            return bool(row) and words[row] >= times
        found = self._places.get((rule, scope))
        if found is None:
            return False
        key, place, row, _ = found
        map_ = self._map
        # What is read is this scope's only if the place was not another's before or after.
        return map_[place] == key and words[row + OUT] >= times and map_[place] == key

    def _out(self, rule: int) -> int:
        """The word that counts a rule's takes; 0 as long as it has no room."""
        row = self._table.row(rule)
        if not self._ready[row >> CHUNK_OF_WORD]:
            return 0
        found = self._outs[rule] = row + OUT
        return found

    def _row(self, rule: int, scope: str) -> int:
        """The first word of a scope's row; under the lock."""
        words = self._words
        sequence = words[SEQUENCE] = words[SEQUENCE] + 1
        found = self._places.get((rule, scope))
        if found is None:
            return self._scope(rule, scope, _key(rule, scope), sequence)[2]
        key, place, row, use = found
        if self._map[place] != key:
            return self._scope(rule, scope, key, sequence)[2]
        words[use] = sequence
        return row

    def _digests(self, key: MatchKey) -> Rows:
        """What a match looks for that this process does not remember; before the lock is taken."""
        rule, scope, identity, _ = key
        place: Place | None = None
        if scope:
            place = self._places.get((rule, scope)) or (_key(rule, scope), _NOWHERE, 0, 0)
        return 0, _key(rule, identity), _NOWHERE, 0, 0, place

    def _look_up(self, key: MatchKey, own_key: bytes, scope: Place | None, sequence: int) -> Rows:
        """Where a match counts, made if it is not there; remembered from an identity's second match on."""
        rule, name, identity, _ = key
        table = self._table
        whole = table.rule(rule)
        if scope is not None:
            scope = self._scope(rule, name, scope[0], sequence)
        own = table.identities.row(own_key, sequence)
        if not self._words[own] or len(identity) > _LONGEST or len(name) > _LONGEST:
            return whole, own_key, _NOWHERE, own, 0, scope
        if len(self._rows) >= _REMEMBERED:
            self._rows.clear()
        place, use = table.identities.place(own_key, own)
        found = self._rows[key] = whole, own_key, place, own, use, scope
        return found

    def _scope(self, rule: int, scope: str, key: bytes, sequence: int) -> Place:
        """Where a scope stands, made if it is not there; under the lock."""
        scopes = self._table.scopes
        row = scopes.row(key, sequence)
        place, use = scopes.place(key, row)
        found = key, place, row, use
        if len(scope) <= _LONGEST:
            if len(self._places) >= _REMEMBERED:
                self._places.clear()
            self._places[rule, scope] = found
        return found

    def _exceeds(self, row: int, above: tuple[int, float], now: float) -> bool:
        """As `MemoryCounts` does it."""
        limit, period = above
        gap = period / limit
        words, seconds = self._words, self._seconds
        if not words[BEGUN]:
            seconds[BEGAN] = now
            words[BEGUN] = 1
        now -= seconds[BEGAN]
        due = seconds[row + DUE] if words[row + RATED] else now
        if due - now > period + gap + SET_BACK:
            due = now  # as `MemoryCounts` does it
        due = max(due, now) + gap
        if due - now > period + gap / 1000:
            return True
        seconds[row + DUE] = due
        words[row + RATED] = 1
        return False


def _key(rule: int, text: str) -> bytes:
    return blake2b(f"{rule}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()

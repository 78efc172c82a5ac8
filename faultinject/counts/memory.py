"""Counts in the memory of one process: exact under threads, without a lock while the interpreter has its own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from threading import Lock
from typing import TypeVar

from faultinject.engine.counting import Counter, MatchKey, Number, Take

T = TypeVar("T")

SET_BACK = 60.0
"""Seconds beyond the period of a rate by which the clock must have been set back for the rate to be counted anew."""
KEPT = 65_536
"""Pairs of (rule, scope) and of (rule, identity) that are remembered, those matched last."""
LONGEST = 128
"""Characters of a scope or identity that are kept; a longer one is known by its digest, so memory stays bounded."""


class Scope:
    """What is counted for one rule in one scope: matches, injections, and the rate's next free moment."""

    __slots__ = ("_back", "_taken", "free", "match", "matches")

    def __init__(self) -> None:
        self.matches = Counter()
        self.match = self.matches.next
        self.free: float | None = None
        self._taken = Counter()
        self._back: list[None] = []

    def take(self, times: int) -> bool:
        """One more injection, if fewer than `times` are out."""
        if self._back:
            try:
                self._back.pop()
            except IndexError:  # pragma: no cover - another thread was faster
                pass
            else:
                return True
        return self._taken.next() < times

    def give_back(self) -> None:
        """A take that was not carried out."""
        self._back.append(None)


class MemoryCounts:
    """The counts of one plan; they begin at zero."""

    holds = False
    """Nothing is kept from anybody: a count is one step."""
    shared = None
    """No other process counts here."""

    def __init__(self) -> None:
        self._lock = Lock()  # nobody waits under it: `faultinject.locks`
        self._rules: dict[int, Scope] = {}
        self._scopes: OrderedDict[tuple[int, str], Scope] = OrderedDict()
        self._identities: OrderedDict[tuple[int, str], Callable[[], int]] = OrderedDict()

    def match(
        self,
        keys: Sequence[MatchKey],
        now: float,
        hold: bool = False,  # noqa: ARG002 - of counts that are shared
        lock_free_after: Sequence[int] | None = None,  # noqa: ARG002 - of counts that are shared
    ) -> list[Number]:
        """Count one request against each of these rules.

        Args:
            keys: rule, scope (empty for the rule as a whole), identity and rate of each.
            now: seconds since the scenario took effect, for rates: sums of short gaps would lose their digits behind
                unix time's.
            hold: of no interest: nobody waits here.
            lock_free_after: of no interest: everything is counted here.
        """
        numbers = []
        rules, identities = self._rules, self._identities
        for rule, name, identity, above in keys:
            scope = rules.get(rule) or self._whole(rule)
            place = scope.match()
            if name:
                scope = self._part(rule, name)
                place = scope.match()
            key = rule, identity if len(identity) <= LONGEST else _short(identity)
            try:
                identities.move_to_end(key)
                count = identities[key]
            except KeyError:
                count = _recent(identities, key, _numbers)
            numbers.append((place, count(), above is None or self._exceeds(scope, above, now)))
        return numbers

    def take(self, ask: Take, held: bool = False) -> bool:  # noqa: ARG002 - of counts that are shared
        """Whether the rule may inject once more in this scope."""
        return self._scope(ask).take(ask.times)

    def release(self) -> None:
        """Nothing is held here."""

    def give_back(self, ask: Take) -> None:
        """Undo a take."""
        self._scope(ask).give_back()

    def matched(self, rule: int) -> int:
        """How many requests a rule's conditions met."""
        scope = self._rules.get(rule)
        return 0 if scope is None else scope.matches.value

    def _whole(self, rule: int) -> Scope:
        return self._rules.get(rule) or self._rules.setdefault(rule, Scope())

    def _part(self, rule: int, name: str) -> Scope:
        return _recent(self._scopes, (rule, name if len(name) <= LONGEST else _short(name)), Scope)

    def _scope(self, ask: Take) -> Scope:
        return self._part(ask.rule, ask.scope) if ask.scope else self._whole(ask.rule)

    def _exceeds(self, scope: Scope, above: tuple[int, float], now: float) -> bool:
        with self._lock:
            free = next_free(scope.free, above, now)
            if free is not None:
                scope.free = free
            return free is None


def next_free(free: float | None, above: tuple[int, float], now: float) -> float | None:
    """When a rate allows the next request after one that comes now; None: this one exceeds it, and does not count towards it.

    Args:
        free: what this gave for the last one that did not exceed it, or None.
        above: requests, and the seconds in which there may be so many.
        now: seconds.
    """
    limit, period = above
    gap = period / limit
    if free is None or free - now > period + gap + SET_BACK:
        free = now  # nothing is later than a period and a gap after its request
    free = max(free, now) + gap
    # Some slack for the rounding of many additions.
    return None if free - now > period + gap / 1000 else free


def _numbers() -> Callable[[], int]:
    return Counter().next


def _short(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def _recent(table: OrderedDict[tuple[int, str], T], key: tuple[int, str], make: Callable[[], T]) -> T:
    """The entry of a key, made when missing, moved to the young end; the oldest beyond `KEPT` goes.

    Each step is one C call over keys of C types, so threads need no lock of ours to get the same entry.
    """
    try:
        table.move_to_end(key)
        return table[key]
    except KeyError:
        entry = table.setdefault(key, make())
    while len(table) > KEPT:
        table.popitem(last=False)
    return entry

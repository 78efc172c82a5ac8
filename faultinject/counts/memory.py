"""Counts in the memory of one process: plain numbers, under one lock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock

from faultinject.engine.counting import MatchKey, Number, Take

SET_BACK = 60.0
"""Seconds that the clock must jump back, beyond a rate's period, for the rate to count anew."""
KEPT = 65_536
"""Pairs of (rule, scope) and of (rule, identity) that are remembered, those matched last."""
LONGEST = 128
"""Characters of a scope or identity that are kept.

A longer one is known by its digest, so memory stays bounded.
"""


@dataclass(slots=True, eq=False)
class Scope:
    """The counts of one rule in one scope.

    Attributes:
        matches: requests that met the rule's conditions.
        taken: injections that were counted and not returned.
        free: the time at which the rate allows the next request, or None.
    """

    matches: int = 0
    taken: int = 0
    free: float | None = None

    def match(self) -> int:
        """Count one more match, and return its number, from 0."""
        self.matches += 1
        return self.matches - 1


class MemoryCounts:
    """The counts of one plan; they begin at zero."""

    holds = False
    """Whether a match keeps these counts from others until its takes."""
    shared = None
    """None: no other process counts here."""

    def __init__(self) -> None:
        self._lock = Lock()  # nobody waits under it: `faultinject.locks`
        self._requests = 0
        self._rules: dict[int, Scope] = {}
        # Those of the latest requests are at the end.
        self._scopes: OrderedDict[tuple[int, str], Scope] = OrderedDict()
        self._identities: OrderedDict[tuple[int, str], int] = OrderedDict()

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
            now: seconds since the scenario took effect, for rates: unix time would leave too few digits for the sums
                of short gaps.
            hold: not used, as no other process counts here.
            lock_free_after: not used, as no other process counts here.
        """
        numbers: list[Number] = []
        identities = self._identities
        with self._lock:
            self._requests += 1
            for rule, name, identity, above in keys:
                scope = self._whole(rule)
                place = scope.match()
                if name:
                    scope = self._part(rule, name)
                    place = scope.match()
                key = rule, identity if len(identity) <= LONGEST else _short(identity)
                number = identities.pop(key, 0)
                identities[key] = number + 1
                numbers.append((place, number, above is None or _exceeds(scope, above, now)))
            while len(identities) > KEPT:
                identities.popitem(last=False)
        return numbers

    def take(self, ask: Take, held: bool = False) -> bool:  # noqa: ARG002 - of counts that are shared
        """Whether the rule may inject once more in this scope."""
        with self._lock:
            scope = self._scope(ask)
            if scope.taken >= ask.times:
                return False
            scope.taken += 1
            return True

    def release(self) -> None:
        """Do nothing, as nothing is held here."""

    def give_back(self, ask: Take) -> None:
        """Undo a take."""
        with self._lock:
            self._scope(ask).taken -= 1

    def matched(self, rule: int) -> int:
        """The requests that matched a rule's conditions."""
        scope = self._rules.get(rule)
        return 0 if scope is None else scope.matches

    def requests(self) -> int:
        """Requests that matched a rule."""
        return self._requests

    def _whole(self, rule: int) -> Scope:
        return self._rules.get(rule) or self._rules.setdefault(rule, Scope())

    def _part(self, rule: int, name: str) -> Scope:
        key = rule, name if len(name) <= LONGEST else _short(name)
        scope = self._scopes.pop(key) if key in self._scopes else Scope()
        self._scopes[key] = scope
        while len(self._scopes) > KEPT:
            self._scopes.popitem(last=False)
        return scope

    def _scope(self, ask: Take) -> Scope:
        return self._part(ask.rule, ask.scope) if ask.scope else self._whole(ask.rule)


def _exceeds(scope: Scope, above: tuple[int, float], now: float) -> bool:
    next_time = next_free(scope.free, above, now)
    if next_time is not None:
        scope.free = next_time
    return next_time is None


def next_free(free: float | None, above: tuple[int, float], now: float) -> float | None:
    """The time at which a rate allows the next request after one that comes now.

    None: this request exceeds the rate, and does not count towards it.

    Args:
        free: the result for the last request that did not exceed it, or None.
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


def _short(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()

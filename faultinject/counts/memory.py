"""Counts in the memory of one process: plain numbers, under one lock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock

from faultinject.engine.counting import MatchKey, Number, Take

SET_BACK = 60.0
"""If the clock jumps back so many seconds beyond a rate's period, the rate starts again."""
MOST_PAIRS = 65_536
"""The most pairs of (rule, scope), and of (rule, identity), that are kept."""
LONGEST = 128
"""The most characters of a scope or identity that are kept.

A longer one is replaced by its digest, so that memory stays bounded.
"""


@dataclass(slots=True, eq=False)
class Scope:
    """The counts of one rule in one scope.

    Attributes:
        matches: requests that met the rule's conditions.
        takes: takes that were not returned.
        free: the time at which the requests within the rate would end if each took an equal share of the period; None
            before the first request.
    """

    matches: int = 0
    takes: int = 0
    free: float | None = None

    def match(self) -> int:
        """Count one more match, and return its number, from 0."""
        self.matches += 1
        return self.matches - 1


class MemoryCounts:
    """The counts of one plan, which begin at zero."""

    holds = False
    """Whether a request may hold these counts between its match and its takes."""
    shared = None
    """None, as no other process counts here."""

    def __init__(self) -> None:
        self._lock = Lock()  # its holder never waits: see `faultinject.locks`
        self._requests = 0
        self._rules: dict[int, Scope] = {}
        # The scopes of the latest requests are at the end.
        self._scopes: OrderedDict[tuple[int, str], Scope] = OrderedDict()
        self._identities: OrderedDict[tuple[int, str], int] = OrderedDict()

    def match(
        self,
        keys: Sequence[MatchKey],
        now: float,
        hold: bool = False,  # noqa: ARG002 - only shared counts use it
        lock_free_after: Sequence[int] | None = None,  # noqa: ARG002 - only shared counts use it
    ) -> list[Number]:
        """Count one request for each of these rules.

        Args:
            keys: for each rule its number, scope (empty for the rule as a whole), identity and rate.
            now: seconds since the scenario took effect, for rates. Unix time would leave too few digits for the sums of
                short gaps.
            hold: not used, as no other process counts here.
            lock_free_after: not used, as no other process counts here.
        """
        numbers: list[Number] = []
        identities = self._identities
        with self._lock:
            self._requests += 1
            for rule, name, identity, above in keys:
                scope = self._rule_scope(rule)
                place = scope.match()
                if name:
                    scope = self._part(rule, name)
                    place = scope.match()
                key = rule, identity if len(identity) <= LONGEST else _short(identity)
                number = identities.pop(key, 0)
                identities[key] = number + 1
                numbers.append((place, number, above is None or _exceeds(scope, above, now)))
            while len(identities) > MOST_PAIRS:
                identities.popitem(last=False)
        return numbers

    def take(self, ask: Take, held: bool = False) -> bool:  # noqa: ARG002 - only shared counts use it
        """Take one injection of the rule in this scope, and return whether there was one left."""
        with self._lock:
            scope = self._scope(ask)
            if scope.takes >= ask.times:
                return False
            scope.takes += 1
            return True

    def release(self) -> None:
        """Do nothing, as nothing is held here."""

    def give_back(self, ask: Take) -> None:
        """Undo a take."""
        with self._lock:
            self._scope(ask).takes -= 1

    def matched(self, rule: int) -> int:
        """The number of requests that matched a rule's conditions."""
        scope = self._rules.get(rule)
        return 0 if scope is None else scope.matches

    def requests(self) -> int:
        """The number of requests that matched any rule."""
        return self._requests

    def _rule_scope(self, rule: int) -> Scope:
        return self._rules.get(rule) or self._rules.setdefault(rule, Scope())

    def _part(self, rule: int, name: str) -> Scope:
        key = rule, name if len(name) <= LONGEST else _short(name)
        scope = self._scopes.pop(key) if key in self._scopes else Scope()
        self._scopes[key] = scope
        while len(self._scopes) > MOST_PAIRS:
            self._scopes.popitem(last=False)
        return scope

    def _scope(self, ask: Take) -> Scope:
        return self._part(ask.rule, ask.scope) if ask.scope else self._rule_scope(ask.rule)


def _exceeds(scope: Scope, above: tuple[int, float], now: float) -> bool:
    next_time = next_free(scope.free, above, now)
    if next_time is not None:
        scope.free = next_time
    return next_time is None


def next_free(free: float | None, above: tuple[int, float], now: float) -> float | None:
    """Compute the new `Scope.free` after a request now; None if the request exceeds the rate.

    A request that exceeds the rate does not count towards it.

    Args:
        free: the result for the last request that did not exceed it, or None.
        above: the number of requests that the rate allows, and the seconds of its period.
        now: the present time in seconds.
    """
    limit, period = above
    gap = period / limit
    if free is None or free - now > period + gap + SET_BACK:
        free = now  # the clock was set back: a request sets `free` to at most one period after its own time
    free = max(free, now) + gap
    # Some tolerance for the rounding of many additions.
    return None if free - now > period + gap / 1000 else free


def _short(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()

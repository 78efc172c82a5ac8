"""Counts of a store, which may fail: after each failure it is left alone for a while, so that requests do not wait for it.

A lock that another process has for too long is no failure: one request goes on without, and the next one asks again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any, NoReturn, Self, TypeVar

from faultinject.counts import per_process
from faultinject.counts.patience import LONGEST_PAUSE, PAUSE, monotonic
from faultinject.engine.counting import PASSED, Counter, MatchKey, Number, Take
from faultinject.exceptions import StoreBusy, StoreUnavailable
from faultinject.journal import log

T = TypeVar("T")

BUSY_TOLD_EVERY = 10.0
"""Seconds between two lines of the log on requests that got no decision because another process had the lock."""


class SharedCounts(ABC):
    """Counts of several processes.

    A store's own class asks it in `_match`, `_take` and `_give_back`, which may raise `StoreUnavailable` or `OSError`; its other
    methods fail at worst in silence.

    Attributes:
        waits: whether a match and a take wait for a server, so that an event loop is to go on meanwhile.
    """

    holds = True
    """Whether a request may keep them from others for its takes."""
    waits = False

    def __init__(self) -> None:
        # How many asks got no answer, and of how many the log knows.
        self._missed = Counter()
        self._told = 0
        # How many requests passed because another process had the lock, of how many the log knows, and when it may be told again.
        self._busy = Counter()
        self._busy_told = 0
        self._tell_busy = 0.0
        # How long the store is left alone since its last failure, 0 where it is there, and until when.
        self._pause = self._until = 0.0
        self._here_passed = [Counter() for _ in PASSED]

    @abstractmethod
    def _match(self, keys: Sequence[MatchKey], now: float, hold: bool) -> list[Number]:
        """Count a request against these rules."""

    @abstractmethod
    def _take(self, ask: Take, held: bool) -> bool:
        """Whether the rule may inject once more."""

    @abstractmethod
    def _give_back(self, ask: Take) -> None:
        """Undo a take."""

    @abstractmethod
    def match_without_lock(
        self, keys: Sequence[MatchKey], lock_free_after: Sequence[int]
    ) -> list[Number] | None:
        """Note one request for each of these rules where no decision depends on its numbers; None where one does.

        Args:
            keys: as for `match`.
            lock_free_after: for each rule, after how many takes none of its decisions depends on a number.

        Returns:
            Numbers of which the second is below 0: no identity was counted, it only tells this process from others.

        Raises:
            StoreUnavailable: the store failed.
        """

    def release(self) -> None:  # noqa: B027 - most keep nothing
        """Let others have what `match` has kept from them; nothing where it keeps nothing."""

    @abstractmethod
    def note_injected(self, rule: int, by: int = 1) -> None:
        """A request got the rule's fault; with -1 one that was noted did not get it after all."""

    @abstractmethod
    def note_failed(self, rule: int) -> None:
        """A request that met the rule's conditions could not be decided."""

    @abstractmethod
    def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
        """For each rule how many requests met its conditions, got its fault, and could not be decided, in all processes.

        Where the store does not say so, what this process alone knows.
        """

    def note_passed(self, why: int) -> None:
        """A request passed for one of the reasons of `PASSED`."""
        self._here_passed[why].next()

    def passed(self) -> tuple[int, ...]:
        """How many requests passed for each reason, in all processes; in this one where the store does not count them."""
        return tuple(each.value for each in self._here_passed)

    def matched(self, rule: int) -> int:
        """How many requests a rule's conditions met, in all processes."""
        return self.totals([rule])[0][0]

    @property
    def shared(self) -> Self:
        """Other processes may count here, too."""
        return self

    def match(
        self,
        keys: Sequence[MatchKey],
        now: float,
        hold: bool = False,
        lock_free_after: Sequence[int] | None = None,
    ) -> list[Number]:
        """Count one request against each of these rules, all in one step.

        Args:
            keys: rule, scope (empty for the rule as a whole), identity and rate of each.
            now: seconds since the scenario took effect, for rates.
            hold: keep the store for the takes of the same request, until `release`.
            lock_free_after: as for `match_without_lock`, which is asked first; None: each decision depends on a number.

        Raises:
            StoreBusy: another process has the lock.
            StoreUnavailable: the store failed, or is being left alone.
        """
        without_lock = (
            None if lock_free_after is None else lambda: self.match_without_lock(keys, lock_free_after)
        )
        rules = (rule for rule, _, _, _ in keys)
        return self._ask_store(lambda: self._match(keys, now, hold), rules, without_lock)

    def take(self, ask: Take, held: bool = False) -> bool:
        """Whether the rule may inject once more in this scope.

        Args:
            ask: rule, scope and how often.
            held: whether this thread keeps the store, from `match`.

        Raises:
            StoreBusy: another process has the lock.
            StoreUnavailable: the store failed, or is being left alone; it may have counted a take before.
        """
        # As `_ask_store` does, whose own call would be a third of a take that is spent.
        pause = self._pause
        try:
            if pause:
                self._ask_again()
            taken = self._take(ask, held)
        except (StoreUnavailable, OSError) as error:
            self.note_failed(ask.rule)
            raise self._failed(pause, error) from error
        if pause:
            self._answered(pause)
        return taken

    def give_back(self, ask: Take) -> None:
        """Undo a take; a count that cannot be returned stays taken."""
        with suppress(StoreUnavailable):
            self._ask_store(lambda: self._give_back(ask))

    def replaced(self) -> None:
        """Other counts answer in place of these: where these did not, the store is available again."""
        if pause := self._pause:
            self._answered(pause)

    def _ask_store(
        self,
        ask: Callable[[], T],
        rules: Iterable[int] = (),
        without_lock: Callable[[], T | None] | None = None,
    ) -> T:
        """What the store answers, unless it is being left alone.

        Args:
            ask: asks it.
            rules: those of the request, which is not decided where there is no answer.
            without_lock: tried first, also where the store is being left alone; None: it must be asked.

        Raises:
            StoreBusy: another process has the lock.
            StoreUnavailable: the store failed, or is being left alone.
        """
        pause = self._pause
        try:
            if without_lock is not None and (found := without_lock()) is not None:
                return found
            if pause:
                self._ask_again()
            answer = ask()
        except (StoreUnavailable, OSError) as error:
            for rule in rules:
                self.note_failed(rule)
            raise self._failed(pause, error) from error
        if pause:
            self._answered(pause)
        return answer

    def _ask_again(self) -> None:
        """When the pause is over one tries, and the others wait for what it finds."""
        now = monotonic()
        with per_process.lock:
            if now < self._until:
                raise _LeftAlone(
                    "the store failed a moment ago; faultinject pauses before it uses the store again"
                )
            self._until = now + self._pause

    def _answered(self, pause: float) -> None:
        """The store answered somebody who began to ask when it was left alone for so long."""
        with per_process.lock:
            first = self._pause == pause
            if first:
                self._pause = 0.0
        if first:
            missed = self._missed.value
            log.store_back(missed - self._told)
            self._told = missed

    def _failed(self, pause: float, error: Exception) -> StoreUnavailable:
        """Note a failure, of which each that is seen by several threads is one: for them the pause was the same."""
        self._missed.next()
        if isinstance(error, StoreBusy):
            self._busy.next()
            now = monotonic()
            with per_process.lock:
                told, busy = self._busy_told, self._busy.value
                first = now >= self._tell_busy
                if first:
                    self._tell_busy, self._busy_told = now + BUSY_TOLD_EVERY, busy
            if first:
                log.store_busy(busy - told)
            return StoreBusy(str(error))
        if not isinstance(error, _LeftAlone):
            with per_process.lock:
                first = self._pause == pause
                if first:
                    self._pause = min(2 * pause, LONGEST_PAUSE) or PAUSE
                    self._until = monotonic() + self._pause
            if first and not pause:
                log.store_away(error)
        return StoreUnavailable(str(error))


class _LeftAlone(StoreUnavailable):
    """Nobody has asked."""


class UnavailableCounts(SharedCounts):
    """Counts of a store that did not answer when this process began: nothing is decided, and what fails is counted.

    Args:
        why: what the log says of it.
    """

    def __init__(self, why: str) -> None:
        super().__init__()
        self._why = why
        self._undecided: dict[int, Counter] = {}
        with suppress(StoreUnavailable):
            self.match([], 0.0)  # which the log then says

    def _answer(self, *_: Any, **__: Any) -> NoReturn:
        raise StoreUnavailable(self._why)

    match_without_lock = _match = _take = _give_back = _answer

    def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
        """For each rule how many requests could not be decided."""
        return [(0, 0, self._undecided[rule].value if rule in self._undecided else 0) for rule in rules]

    def note_injected(self, rule: int, by: int = 1) -> None:
        """Nothing is injected."""

    def note_failed(self, rule: int) -> None:
        """A request that met the rule's conditions could not be decided."""
        self._undecided.setdefault(rule, Counter()).next()


def key_of(rule: int, text: str) -> bytes:
    """What stands in a store for a scope or an identity of a rule."""
    return blake2b(f"{rule}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()

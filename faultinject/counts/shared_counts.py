"""Counts of a store that may fail: after a failure the store is not asked for a while.

So no request waits for an unavailable store. A lock that another process holds for too long is not a failure of the
store: the request is undecided, and the next one asks again.
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
from faultinject.exceptions import StoreBusyError, StoreUnavailableError
from faultinject.journal import log

T = TypeVar("T")

BUSY_LOGGED_EVERY = 10.0
"""Seconds between two log lines about requests that were undecided because of the lock."""


class SharedCounts(ABC):
    """Counts of several processes.

    The class of a store asks it in `_match`, `_take` and `_give_back`, which may raise `StoreUnavailableError` or
    `OSError`. The other methods raise no errors.

    Attributes:
        waits: whether a match and a take wait for a server, so that an event loop must run them on a thread.
    """

    holds = True
    """Whether a request may hold the counts' lock between its match and its takes."""
    waits = False

    def __init__(self) -> None:
        # The number of questions without an answer, and how many of them are in the log.
        self._missed = Counter()
        self._missed_logged = 0
        # Requests that passed because another process had the lock: their number, how many of them are in the log, and
        # the earliest time of the next line about them.
        self._busy = Counter()
        self._busy_logged = 0
        self._next_busy_line = 0.0
        # The length of the pause after the last failure (0 if the store answers), and its end.
        self._pause = self._until = 0.0
        self._passed_here = [Counter() for _ in PASSED]

    @abstractmethod
    def _match(self, keys: Sequence[MatchKey], now: float, hold: bool) -> list[Number]:
        """Count a request for these rules."""

    @abstractmethod
    def _take(self, ask: Take, held: bool) -> bool:
        """Take one injection of the rule, and return whether there was one left."""

    @abstractmethod
    def _give_back(self, ask: Take) -> None:
        """Undo a take."""

    @abstractmethod
    def match_without_lock(
        self, keys: Sequence[MatchKey], lock_free_after: Sequence[int]
    ) -> list[Number] | None:
        """Note a request for each rule, or return None if a decision depends on its numbers.

        Args:
            keys: as for `match`.
            lock_free_after: for each rule, the number of takes after which its decisions need no number.

        Returns:
            Numbers whose second part is below 0, as the identities' matches were not counted. That part is the same for
            all requests of this process.

        Raises:
            StoreUnavailableError: the store failed.
        """

    def release(self) -> None:  # noqa: B027 - most stores hold nothing
        """End the hold of `match`, if there is one."""

    @abstractmethod
    def note_injected(self, rule: int, by: int = 1) -> None:
        """Note that a request got the rule's fault; -1: that it got none after all."""

    @abstractmethod
    def note_failed(self, rule: int) -> None:
        """Note that a request met the rule's conditions and was left undecided."""

    @abstractmethod
    def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
        """The requests of each rule that matched it, got its fault, or were undecided.

        They are those of all processes, or of this process if the store does not count them.
        """

    @abstractmethod
    def requests(self) -> int:
        """The number of requests that matched a rule, in all processes."""

    @abstractmethod
    def injected(self) -> int:
        """The number of requests that got a fault, in all processes; removed rules count, too."""

    def note_passed(self, reason: int) -> None:
        """Note that a request passed for one of the reasons `PASSED`."""
        self._passed_here[reason].next()

    def passed(self) -> tuple[int, ...]:
        """The number of requests that passed for each reason, in all processes.

        They are those of this process if the store does not count them.
        """
        return tuple(counter.value for counter in self._passed_here)

    def matched(self, rule: int) -> int:
        """The number of requests that matched a rule's conditions, in all processes."""
        return self.totals([rule])[0][0]

    @property
    def shared(self) -> Self:
        """These counts themselves, since other processes may use them, too."""
        return self

    def match(
        self,
        keys: Sequence[MatchKey],
        now: float,
        hold: bool = False,
        lock_free_after: Sequence[int] | None = None,
    ) -> list[Number]:
        """Count one request for all of these rules, in one step.

        Args:
            keys: for each rule its number, scope (empty for the rule as a whole), identity and rate.
            now: seconds since the scenario took effect, for rates.
            hold: whether to hold the lock for the takes of the same request, until `release`.
            lock_free_after: as for `match_without_lock`, which is tried first; None: each decision needs a number.

        Raises:
            StoreBusyError: another process has the lock.
            StoreUnavailableError: the store failed, or is in a pause.
        """
        without_lock = (
            None if lock_free_after is None else lambda: self.match_without_lock(keys, lock_free_after)
        )
        rules = (rule for rule, _, _, _ in keys)
        return self._ask_store(lambda: self._match(keys, now, hold), rules, without_lock)

    def take(self, ask: Take, held: bool = False) -> bool:
        """Take one injection of the rule in this scope, and return whether there was one left.

        Args:
            ask: rule, scope and limit.
            held: whether this thread holds the lock since its match.

        Raises:
            StoreBusyError: another process has the lock.
            StoreUnavailableError: the store failed, and may have counted the take, or is in a pause.
        """
        # The steps of `_ask_store`, written out: with a call of it, the take of a rule that has none left would be a
        # third slower.
        pause = self._pause
        try:
            if pause:
                self._ask_again()
            granted = self._take(ask, held)
        except (StoreUnavailableError, OSError) as error:
            self.note_failed(ask.rule)
            raise self._note_failure(pause, error) from error
        if pause:
            self._end_pause(pause)
        return granted

    def give_back(self, ask: Take) -> None:
        """Undo a take; if the store fails, it stays taken."""
        with suppress(StoreUnavailableError):
            self._ask_store(lambda: self._give_back(ask))

    def replaced(self) -> None:
        """Note that other counts replace these: if these had failed, the pause ends."""
        if pause := self._pause:
            self._end_pause(pause)

    def _ask_store(
        self,
        ask: Callable[[], T],
        rules: Iterable[int] = (),
        without_lock: Callable[[], T | None] | None = None,
    ) -> T:
        """Ask the store, unless it is in a pause.

        Args:
            ask: asks the store.
            rules: the rules for which the request is undecided if there is no answer.
            without_lock: tried first, even during a pause; None: the store must be asked.

        Raises:
            StoreBusyError: another process has the lock.
            StoreUnavailableError: the store failed, or is in a pause.
        """
        pause = self._pause
        try:
            if without_lock is not None and (answer := without_lock()) is not None:
                return answer
            if pause:
                self._ask_again()
            answer = ask()
        except (StoreUnavailableError, OSError) as error:
            for rule in rules:
                self.note_failed(rule)
            raise self._note_failure(pause, error) from error
        if pause:
            self._end_pause(pause)
        return answer

    def _ask_again(self) -> None:
        """Let one thread ask when the pause is over; for the others the pause goes on meanwhile."""
        now = monotonic()
        with per_process.lock:
            if now < self._until:
                raise _PausedError(
                    "the store failed a moment ago; faultinject pauses before it uses the store again"
                )
            self._until = now + self._pause

    def _end_pause(self, pause: float) -> None:
        """End a pause of that length, as the store has answered."""
        with per_process.lock:
            first = self._pause == pause
            if first:
                self._pause = 0.0
        if first:
            missed = self._missed.value
            # The store is available again.
            log.warning(
                "faultinject: the store is available again; %s requests passed without a decision",
                missed - self._missed_logged,
            )
            self._missed_logged = missed

    def _note_failure(self, pause: float, error: Exception) -> StoreUnavailableError:
        """Note a failure, and begin a pause or double it.

        Of the threads that fail at the same time only the first does that. The others find another pause than the one
        with which they began.
        """
        self._missed.next()
        if isinstance(error, StoreBusyError):
            self._busy.next()
            now = monotonic()
            with per_process.lock:
                logged, busy = self._busy_logged, self._busy.value
                first = now >= self._next_busy_line
                if first:
                    self._next_busy_line, self._busy_logged = now + BUSY_LOGGED_EVERY, busy
            if first:
                number = busy - logged
                # Requests got no decision because another process had the lock of the store.
                log.warning(
                    "faultinject: another process held the store's lock for too long: %s %s passed without a"
                    " decision",
                    number,
                    "request" if number == 1 else "requests",
                )
            return StoreBusyError(str(error))
        if not isinstance(error, _PausedError):
            with per_process.lock:
                first = self._pause == pause
                if first:
                    self._pause = min(2 * pause, LONGEST_PAUSE) or PAUSE
                    self._until = monotonic() + self._pause
            if first and not pause:
                # The shared store is unavailable: nothing is injected until it is back.
                log.error("faultinject: nothing is injected while the store is unavailable: %s", error)
        return StoreUnavailableError(str(error))


class _PausedError(StoreUnavailableError):
    """The store was not asked, as it is in a pause."""


class UnavailableCounts(SharedCounts):
    """The counts of a store that did not answer when this process began.

    Nothing is decided, and each request counts as a failure.

    Args:
        reason: the reason, for the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__()
        self._reason = reason
        self._undecided: dict[int, Counter] = {}
        with suppress(StoreUnavailableError):
            self.match([], 0.0)  # it logs the line

    def _answer(self, *_: Any, **__: Any) -> NoReturn:
        raise StoreUnavailableError(self._reason)

    match_without_lock = _match = _take = _give_back = _answer

    def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
        """The requests of each rule that were left undecided."""
        return [(0, 0, self._undecided[rule].value if rule in self._undecided else 0) for rule in rules]

    def requests(self) -> int:
        """No request was counted."""
        return 0

    injected = requests

    def note_injected(self, rule: int, by: int = 1) -> None:
        """Do nothing, as no fault is injected."""

    def note_failed(self, rule: int) -> None:
        """Note that a request met the rule's conditions and was left undecided."""
        self._undecided.setdefault(rule, Counter()).next()


def key_of(rule: int, text: str) -> bytes:
    """The key, in a store, of a scope or an identity of a rule."""
    return blake2b(f"{rule}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()

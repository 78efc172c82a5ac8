"""Counts of a store that may fail: after a failure it is not asked for a while.

So no request waits for a store that is away. A lock that another process holds for too long is no such failure: one
request is undecided, and the next one asks again.
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
"""Seconds between two lines of the log on requests undecided because others had the lock."""


class SharedCounts(ABC):
    """Counts of several processes.

    A store's own class asks it in `_match`, `_take` and `_give_back`, which may raise `StoreUnavailableError` or
    `OSError`; its other methods fail at worst in silence.

    Attributes:
        waits: whether a match and a take wait for a server, so that an event loop is to go on meanwhile.
    """

    holds = True
    """Whether a request may keep them from others for its takes."""
    waits = False

    def __init__(self) -> None:
        # The number of questions without an answer, and the number of those in the log.
        self._missed = Counter()
        self._missed_logged = 0
        # Requests passed because another process had the lock: their number, the number of those in the log, and the
        # earliest time of the next line about them.
        self._busy = Counter()
        self._busy_logged = 0
        self._next_busy_line = 0.0
        # The length of the pause after the last failure, 0 if the store answers, and its end.
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
        """Note one request for each of these rules if no decision depends on its numbers; else None.

        Args:
            keys: as for `match`.
            lock_free_after: for each rule, the number of takes after which none of its decisions needs a number.

        Returns:
            Numbers, the second of them below 0: it is the number of this process, as no identity was counted.

        Raises:
            StoreUnavailableError: the store failed.
        """

    def release(self) -> None:  # noqa: B027 - most stores hold nothing
        """End the hold of `match`, if there is one."""

    @abstractmethod
    def note_injected(self, rule: int, by: int = 1) -> None:
        """Note that a request got the rule's fault; with -1, that a noted one did not get it."""

    @abstractmethod
    def note_failed(self, rule: int) -> None:
        """Note that a request met the rule's conditions and was left undecided."""

    @abstractmethod
    def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
        """For each rule the requests that met its conditions, got its fault, or were undecided.

        They are of all processes, or of this process alone if the store does not count them.
        """

    @abstractmethod
    def requests(self) -> int:
        """The requests that matched a rule, in all processes."""

    @abstractmethod
    def injected(self) -> int:
        """The requests that got a fault, in all processes, also from removed rules."""

    def note_passed(self, reason: int) -> None:
        """Note that a request passed for one of the reasons of `PASSED`."""
        self._here_passed[reason].next()

    def passed(self) -> tuple[int, ...]:
        """The requests that passed, for each reason, in all processes.

        They are those of this process if the store does not count them.
        """
        return tuple(counter.value for counter in self._here_passed)

    def matched(self, rule: int) -> int:
        """The requests that matched a rule's conditions, in all processes."""
        return self.totals([rule])[0][0]

    @property
    def shared(self) -> Self:
        """These counts: other processes may count here, too."""
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
            lock_free_after: as for `match_without_lock`, which is tried first; None: each decision needs a number.

        Raises:
            StoreBusyError: another process has the lock.
            StoreUnavailableError: the store failed, or is being left alone.
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
            StoreBusyError: another process has the lock.
            StoreUnavailableError: the store failed, or is being left alone; it may have counted a take before.
        """
        # As in `_ask_store`. A call of it would be a third of the time of a take that is spent.
        pause = self._pause
        try:
            if pause:
                self._ask_again()
            taken = self._take(ask, held)
        except (StoreUnavailableError, OSError) as error:
            self.note_failed(ask.rule)
            raise self._failed(pause, error) from error
        if pause:
            self._answered(pause)
        return taken

    def give_back(self, ask: Take) -> None:
        """Undo a take; a count that cannot be returned stays taken."""
        with suppress(StoreUnavailableError):
            self._ask_store(lambda: self._give_back(ask))

    def replaced(self) -> None:
        """Note that other counts replace these: if these failed, the store is available again."""
        if pause := self._pause:
            self._answered(pause)

    def _ask_store(
        self,
        ask: Callable[[], T],
        rules: Iterable[int] = (),
        without_lock: Callable[[], T | None] | None = None,
    ) -> T:
        """The store's answer, unless the store is being left alone.

        Args:
            ask: asks the store.
            rules: the rules for which the request is undecided if there is no answer.
            without_lock: tried first, also during a pause; None: the store must be asked.

        Raises:
            StoreBusyError: another process has the lock.
            StoreUnavailableError: the store failed, or is being left alone.
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
            raise self._failed(pause, error) from error
        if pause:
            self._answered(pause)
        return answer

    def _ask_again(self) -> None:
        """Let one thread ask when the pause is over; the others go on pausing meanwhile."""
        now = monotonic()
        with per_process.lock:
            if now < self._until:
                raise _LeftAlone(
                    "the store failed a moment ago; faultinject pauses before it uses the store again"
                )
            self._until = now + self._pause

    def _answered(self, pause: float) -> None:
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

    def _failed(self, pause: float, error: Exception) -> StoreUnavailableError:
        """Note a failure; several threads that meet the same failure count as one.

        Such threads began with the same length of the pause.
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
        if not isinstance(error, _LeftAlone):
            with per_process.lock:
                first = self._pause == pause
                if first:
                    self._pause = min(2 * pause, LONGEST_PAUSE) or PAUSE
                    self._until = monotonic() + self._pause
            if first and not pause:
                # The shared store is unavailable: nothing is injected until it is back.
                log.error("faultinject: nothing is injected while the store is unavailable: %s", error)
        return StoreUnavailableError(str(error))


class _LeftAlone(StoreUnavailableError):
    """The store was not asked."""


class UnavailableCounts(SharedCounts):
    """Counts of a store that did not answer when this process began.

    Nothing is decided, and failures are counted.

    Args:
        reason: the reason, for the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__()
        self._reason = reason
        self._undecided: dict[int, Counter] = {}
        with suppress(StoreUnavailableError):
            self.match([], 0.0)  # for the line in the log

    def _answer(self, *_: Any, **__: Any) -> NoReturn:
        raise StoreUnavailableError(self._reason)

    match_without_lock = _match = _take = _give_back = _answer

    def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
        """For each rule the requests that were left undecided."""
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
    """The key of a scope or an identity of a rule in a store."""
    return blake2b(f"{rule}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()

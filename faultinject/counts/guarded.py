"""A store that may fail: after each failure it is left alone for a while, so that requests do not wait for it.

A lock that another process has for too long is no failure: one request goes on without, and the next one asks again.
"""

from __future__ import annotations

from faultinject.counts.patience import monotonic as _monotonic
from faultinject.engine.counting import Counter
from faultinject.exceptions import StoreBusy, StoreUnavailable
from faultinject.journal import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from faultinject.engine.counting import MatchKey, Number, Take

    class SharedCounts(Protocol):
        """Counts of several processes."""

        def match(self, keys: Sequence[MatchKey], now: float, hold: bool = False) -> list[Number]:
            """Count a request against these rules."""

        def take(self, ask: Take, held: bool = False) -> bool:
            """Whether the rule may inject once more."""

        def give_back(self, ask: Take) -> None:
            """Undo a take."""

        def matched(self, rule: int) -> int:
            """How many requests the rule's conditions met."""

        @property
        def release(self) -> Callable[[], None]:
            """Let others have what `match` has kept from them."""
            ...

        def match_without_lock(self, keys: Sequence[MatchKey], enough: Sequence[int]) -> list[Number] | None:
            """Count a request where no decision depends on a number; None where one does."""

        def injected(self, rule: int) -> int:
            """How many requests got the rule's fault."""

        def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
            """For each rule how many requests met its conditions, got its fault, and could not be decided."""

        def note_injected(self, rule: int) -> None:
            """A request got the rule's fault."""

        def note_undone(self, rule: int) -> None:
            """It did not get it after all."""

        def note_failed(self, rule: int) -> None:
            """A request that met the rule's conditions could not be decided."""


FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds in which a store is left alone after its first failure, and at most."""


class Guarded:
    """The counts of a store, with pauses.

    Args:
        counts: what may raise `StoreUnavailable` or `OSError`.
        monotonic: the clock of the pauses.
    """

    def __init__(self, counts: SharedCounts, *, monotonic: Callable[[], float] = _monotonic) -> None:
        self.counts = counts
        self._match = counts.match
        self._match_without_lock = counts.match_without_lock
        self._take = counts.take
        # What fails at worst in silence.
        self.release = counts.release
        self.matched = counts.matched
        self.injected = counts.injected
        self.totals = counts.totals
        self.note_injected = counts.note_injected
        self.note_undone = counts.note_undone
        self.note_failed = counts.note_failed
        self.waits: bool = getattr(counts, "waits", False)
        """Whether a match and a take wait for a server, so that an event loop is to go on meanwhile."""
        self._monotonic = monotonic
        self._missed = Counter()
        self._told = 0
        self._busy = log.Busy(monotonic)
        self._state = _State(0.0, 0.0)

    holds = True
    """Whether a request may keep them from others for its takes."""

    @property
    def shared(self) -> Guarded:
        """Other processes may count here, too."""
        return self

    @property
    def missed(self) -> int:
        """How many asks got no answer."""
        return self._missed.value

    @property
    def away(self) -> bool:
        """Whether the store failed and has not been heard of since."""
        return self._state.pause > 0

    def match(
        self, keys: Sequence[MatchKey], now: float, hold: bool = False, enough: Sequence[int] | None = None
    ) -> list[Number]:
        """As the store does; without its lock where no decision depends on a number.

        Raises:
            StoreBusy: another process has the lock.
            StoreUnavailable: the store failed, or is being left alone.
        """
        state = self._state
        try:
            if enough is not None and (found := self._match_without_lock(keys, enough)) is not None:
                return found
            if state.pause:
                self._ask_again(state)
            found = self._match(keys, now, hold)
        except (StoreUnavailable, OSError) as error:
            for rule, _, _, _ in keys:
                self.note_failed(rule)
            raise self._failed(state, error) from error
        if state.pause or self._busy.unsaid:
            self._answered(state)
        return found

    def take(self, ask: Take, held: bool = False) -> bool:
        """As the store does.

        Raises:
            StoreBusy: another process has the lock.
            StoreUnavailable: the store failed, or is being left alone.
        """
        state = self._state
        pause = state.pause
        try:
            if pause:
                self._ask_again(state)
            taken = self._take(ask, held)
        except (StoreUnavailable, OSError) as error:
            self.note_failed(ask.rule)
            raise self._failed(state, error) from error
        if pause:
            self._answered(state)
        return taken

    def give_back(self, ask: Take) -> None:
        """As the store does; what cannot be given back counts as taken."""
        state = self._state
        try:
            if state.pause:
                self._ask_again(state)
            self.counts.give_back(ask)
        except (StoreUnavailable, OSError) as error:
            self._failed(state, error)
            return
        if state.pause:
            self._answered(state)

    def _ask_again(self, state: _State) -> None:
        if not state.over(self._monotonic()):
            raise _LeftAlone(
                "the store failed a moment ago; faultinject pauses before it uses the store again"
            )

    def _answered(self, state: _State) -> None:
        if self._busy.unsaid:
            self._busy.say()
        if state.pause and state.changes():
            self._state = _State(0.0, 0.0)
            self._tell_back()

    def replaced(self) -> None:
        """Other counts answer in place of these: where these did not, the store is available again."""
        if self.away:
            self._tell_back()

    def _tell_back(self) -> None:
        missed = self.missed
        log.store_back(missed - self._told)
        self._told = missed

    def _failed(self, state: _State, error: Exception) -> StoreUnavailable:
        self._missed.next()
        if isinstance(error, StoreBusy):
            self._busy.note()
            return StoreBusy(str(error))
        if not isinstance(error, _LeftAlone) and state.changes():
            pause = min(2 * state.pause, LONGEST_PAUSE) or FIRST_PAUSE
            self._state = _State(pause, self._monotonic() + pause)
            if not state.pause:
                log.store_away(error)
        return StoreUnavailable(str(error))


class _LeftAlone(StoreUnavailable):
    """Nobody has asked."""


class _State:
    """How the store is: there, or left alone; replaced by the first thread that finds it otherwise."""

    __slots__ = ("_unchanged", "_until", "pause")

    def __init__(self, pause: float, until: float) -> None:
        self.pause = pause
        self._until = until
        self._unchanged = [None]

    def over(self, now: float) -> bool:
        """Whether to try again: one tries, the others wait for what it finds."""
        if now < self._until:
            return False
        self._until = now + self.pause
        return True

    def changes(self) -> bool:
        """Whether the caller is the first to find it changed."""
        try:
            self._unchanged.pop()
        except IndexError:
            return False
        return True

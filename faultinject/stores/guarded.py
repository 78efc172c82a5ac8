"""A store that may fail: after each failure it is left alone for a while, so that requests do not wait for it."""

from __future__ import annotations

from time import monotonic as _monotonic

from faultinject import announcement
from faultinject.core.counter import Counter
from faultinject.exceptions import StoreUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol, TypeVar

    from faultinject.core.actions import MatchKey, Number, Take
    from faultinject.core.plan import Counts

    T = TypeVar("T")
    U = TypeVar("U")

    class SharedCounts(Counts, Protocol):
        """Counts of several processes, which also know what all of them injected."""

        def injected(self, rule: int) -> int:
            """How many requests got the rule's fault."""

        def note_injected(self, rule: int) -> None:
            """A request got the rule's fault."""

        def note_undone(self, rule: int) -> None:
            """It did not get it after all."""


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
        self._take = counts.take
        self._monotonic = monotonic
        self._missed = Counter()
        self._told = 0
        self._state = _State(0.0, 0.0)

    @property
    def missed(self) -> int:
        """How many asks got no answer."""
        return self._missed.value

    @property
    def away(self) -> bool:
        """Whether the store failed and has not been heard of since."""
        return self._state.pause > 0

    def match(self, keys: Sequence[MatchKey], now: float) -> list[Number]:
        """As the store does.

        Raises:
            StoreUnavailable: it failed, or is being left alone.
        """
        match = self.counts.match
        return self._ask(lambda keys: match(keys, now), keys)

    def take(self, ask: Take) -> bool:
        """As the store does.

        Raises:
            StoreUnavailable: it failed, or is being left alone.
        """
        # What is spent costs little, and shall go on to do so.
        state = self._state
        if state.pause:
            return self._ask(self._take, ask)
        try:
            return self._take(ask)
        except (StoreUnavailable, OSError) as error:
            raise self._failed(state, error) from error

    def give_back(self, ask: Take) -> None:
        """As the store does; what cannot be given back counts as taken."""
        self._tell(self.counts.give_back, ask)

    def matched(self, rule: int) -> int:
        """As the store does."""
        return self.counts.matched(rule)

    def injected(self, rule: int) -> int:
        """As the store does."""
        return self.counts.injected(rule)

    def note_injected(self, rule: int) -> None:
        """As the store does, if it can."""
        self._tell(self.counts.note_injected, rule)

    def note_undone(self, rule: int) -> None:
        """As the store does, if it can."""
        self._tell(self.counts.note_undone, rule)

    def _tell(self, call: Callable[[T], None], value: T) -> None:
        try:
            self._ask(call, value)
        except StoreUnavailable:
            return

    def _ask(self, call: Callable[[T], U], value: T) -> U:
        state = self._state
        if state.pause and not state.over(self._monotonic()):
            self._missed.next()
            raise StoreUnavailable("the store failed a moment ago and is left alone")
        try:
            answer = call(value)
        except (StoreUnavailable, OSError) as error:
            raise self._failed(state, error) from error
        if state.pause and state.changes():
            self._state = _State(0.0, 0.0)
            missed = self.missed
            announcement.store_back(missed - self._told)
            self._told = missed
        return answer

    def _failed(self, state: _State, error: Exception) -> StoreUnavailable:
        self._missed.next()
        if state.changes():
            pause = min(2 * state.pause, LONGEST_PAUSE) or FIRST_PAUSE
            self._state = _State(pause, self._monotonic() + pause)
            if not state.pause:
                announcement.store_away(error)
        return StoreUnavailable(str(error))


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

"""What a test counts in: its memory, until the processes that it has started take part."""

from __future__ import annotations

from faultinject.counts.memory import MemoryCounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faultinject.engine.counting import Counts, MatchKey, Number, Take


class SessionCounts:
    """What this process counts in: its memory, and once other processes take part, what they all count in."""

    holds = True
    """Whether a request may keep them from others for its takes."""
    shared = None
    """What other processes do is told by their journals."""

    def __init__(self) -> None:
        self._counts: Counts = MemoryCounts()
        self._used = False

    def share(self, counts: Callable[[], Counts | None]) -> None:
        """Count with the others, if nothing was counted yet."""
        if not self._used:
            self._counts = counts() or self._counts

    def match(
        self, keys: Sequence[MatchKey], now: float, hold: bool = False, enough: Sequence[int] | None = None
    ) -> list[Number]:
        """As the counts do."""
        self._used = True
        return self._counts.match(keys, now, hold, enough)

    def take(self, ask: Take, held: bool = False) -> bool:
        """As the counts do."""
        return self._counts.take(ask, held)

    def release(self) -> None:
        """As the counts do."""
        self._counts.release()

    def give_back(self, ask: Take) -> None:
        """As the counts do."""
        self._counts.give_back(ask)

    def matched(self, rule: int) -> int:
        """As the counts do."""
        return self._counts.matched(rule)

"""How fast a client sends its next request when it does not wait."""

from __future__ import annotations

from faultinject.audit.evidence import Turnaround

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.journal.attempts import Attempt

LONGEST = 0.05
"""Seconds; a longer gap holds something else than a turn-around."""
FEWEST = 20
"""How many it takes to say anything."""
MOST = 5_000
"""How many are kept of a client."""
CLIENTS = 1_000
"""Of how many clients they are kept."""


class Meter:
    """Measures turn-arounds: from a success to the next request on its connection, with nobody else under way.

    Args:
        of: the client that an attempt is of.
        driven: whether a driver asks for one thing after the other, so that the next request answers the last success
            on whatever connection it comes: some clients keep none.
    """

    def __init__(self, of: Callable[[Attempt], str], *, driven: bool = False) -> None:
        self._of = of
        self._driven = driven
        self._gaps: dict[str, list[float]] = {}
        self._last: Attempt | None = None
        self._busy = float("-inf")

    def add(self, attempt: Attempt) -> None:
        """Take the next attempt, in order of arrival."""
        last, self._last = self._last, attempt
        if last is None or last.answered is None:
            return
        gap = attempt.arrived - last.answered
        # What was under way when the last one was answered may have slowed it, or the client.
        alone = self._busy <= last.answered
        self._busy = max(self._busy, last.answered)
        if not (alone and 0 <= gap < LONGEST) or last.injected or last.failed or last.status is None:
            return
        if last.clock != attempt.clock or not (self._driven or _connection(last) == _connection(attempt)):
            return
        client = self._of(attempt)
        if client in self._gaps or len(self._gaps) < CLIENTS:
            gaps = self._gaps.setdefault(client, [])
            if len(gaps) < MOST:
                gaps.append(gap)

    def turnaround(self, client: str) -> Turnaround:
        """What was seen of a client."""
        gaps = sorted(self._gaps.get(client, ()))
        if len(gaps) < FEWEST:
            return Turnaround(n=len(gaps))
        return Turnaround(gaps[len(gaps) // 2], gaps[(len(gaps) * 95 + 99) // 100 - 1], len(gaps))


def _connection(attempt: Attempt) -> tuple[str | None, int | None]:
    return attempt.client, attempt.connection

"""Which told call an attempt belongs to, while attempts come in order of arrival."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultinject.journal.attempts import Attempt
    from faultinject.journal.call_window import CallWindow


class Windows:
    """Told calls, looked up by attempt.

    Args:
        told: in any order. Those with a key hold the attempts that have it in their path, from their beginning on;
            the others hold what arrives between their beginning and their end.
    """

    def __init__(self, told: Iterable[CallWindow]) -> None:
        self._by_key: dict[str, list[CallWindow]] = {}
        coming = []
        for each in sorted(told, key=lambda each: each.began):
            if each.key is None:
                coming.append(each)
            else:
                self._by_key.setdefault(each.key, []).append(each)
        coming.reverse()
        self._coming = coming
        self._begun: list[CallWindow] = []

    def of(self, attempt: Attempt) -> tuple[CallWindow, ...]:
        """The told calls that it may be of: of nested ones the inner; several where they overlap."""
        if self._by_key:
            for segment in attempt.path.split("/"):
                for each in reversed(self._by_key.get(segment, ())):
                    if each.began <= attempt.arrived and each.test in (None, attempt.test):
                        return (each,)
        now = attempt.arrived
        while self._coming and self._coming[-1].began <= now:
            self._begun.append(self._coming.pop())
        if not self._begun:
            return ()
        self._begun = [each for each in self._begun if each.ended is None or each.ended >= now]
        found = [each for each in self._begun if each.began <= now and each.test in (None, attempt.test)]
        return tuple(each for each in found if not any(_inside(other, each) for other in found))


def _inside(inner: CallWindow, outer: CallWindow) -> bool:
    """Whether a call was made inside another one; of a test whatever lies in its time is inside."""
    if outer.name is not None:
        return outer.began in inner.within
    last = float("inf")
    ends, end = (last if each.ended is None else each.ended for each in (inner, outer))
    return outer.began <= inner.began and ends <= end and (inner.began, ends) != (outer.began, end)

"""A package that adds a store of counts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from faultinject.exceptions import ConflictError
from faultinject.plugins import Counts, MatchKey, MemoryCounts, Number, Store, Take


class Ledger:
    """The scenario in force in one process, and its counts."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._version = 0
        self._data: dict[str, Any] = {}
        self._counts: Counts = MemoryCounts()

    @property
    def version(self) -> int:
        return self._version

    def begin(self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str] = ()) -> None:
        if not self._version:
            self.publish(data, after=0, anew=True)

    def publish(self, data: dict[str, Any], *, after: Hashable, anew: bool) -> None:
        if after != self._version:
            raise ConflictError("another version is in force")
        if anew:
            self._counts = Audited()
        self._data = data
        self._version += 1

    def counts(self) -> tuple[int, dict[str, Any], Counts]:
        return self._version, self._data, self._counts


class Audited(MemoryCounts):
    """Counts that say what they were asked."""

    def match(
        self,
        keys: Sequence[MatchKey],
        now: float,
        hold: bool = False,
        lock_free_after: Sequence[int] | None = None,
    ) -> list[Number]:
        print(len(keys))
        return super().match(keys, now, hold, lock_free_after)

    def take(self, ask: Take, held: bool = False) -> bool:
        print(ask.rule)
        return super().take(ask, held)


def open_ledger(url: str) -> Store:
    return Ledger(url)

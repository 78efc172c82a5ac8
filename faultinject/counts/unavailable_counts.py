"""Counts of a store that did not answer when this process began: nothing is decided, and what fails is counted."""

from __future__ import annotations

from faultinject.engine.counting import Counter
from faultinject.exceptions import StoreUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


class UnavailableCounts:
    """Every call fails; requests that could not be decided are counted all the same.

    Args:
        why: what the log says of it.
    """

    def __init__(self, why: str) -> None:
        self._why = why
        self._failed: dict[int, Counter] = {}

    def _answer(self, *_: object) -> NoReturn:
        """Nothing can be answered.

        Raises:
            StoreUnavailable: always.
        """
        raise StoreUnavailable(self._why)

    match = match_without_lock = take = give_back = _answer

    def release(self) -> None:
        """Nothing is held."""

    def _none(self, _: int) -> int:
        """None of which anything is known."""
        return 0

    def _note_nothing(self, _: int) -> None:
        """Nothing is injected."""

    matched = injected = _none
    note_injected = note_undone = _note_nothing

    def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
        """For each rule how many requests could not be decided."""
        return [(0, 0, self._failed[rule].value if rule in self._failed else 0) for rule in rules]

    def note_failed(self, rule: int) -> None:
        """A request that met the rule's conditions could not be decided."""
        self._failed.setdefault(rule, Counter()).next()

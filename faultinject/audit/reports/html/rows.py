"""Which calls the timeline draws: of each sort some, first those that findings point at."""

from __future__ import annotations

from typing import NamedTuple

from faultinject.audit.reports import sentences
from faultinject.audit.statistics import grouped
from faultinject.rules.values import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from faultinject.journal.calls import Call

SORTS = 8
"""Sorts of calls that have rows of their own."""
SOME = 4
"""Calls of one sort that are drawn."""
ALL = 20
"""So few calls are all drawn, whatever their sorts."""


class Sort(NamedTuple):
    """Calls that look alike from outside.

    Attributes:
        label: what they have in common, in words.
        calls: all of them.
        drawn: those that are drawn.
    """

    label: str
    calls: Sequence[Call]
    drawn: Sequence[Call]

    @property
    def numbers(self) -> str:
        """How many calls, and how many attempts they had: `5 calls, 3 attempts each`, `5 calls, 2 to 4 attempts`."""
        attempts = {len(each.attempts) for each in self.calls}
        low, high = min(attempts), max(attempts)
        said = sentences.counted(low, "attempt") if low == high else f"{low:,} to {high:,} attempts"
        each = " each" if low == high and len(self.calls) > 1 else ""
        return f"{sentences.counted(len(self.calls), 'call')}, {said}{each}"


def sorts(calls: Sequence[Call], telling: Collection[int], *, named: bool) -> list[Sort]:
    """The calls by sort, what is left over as one; those that findings point at come first.

    Args:
        calls: all calls.
        telling: ids of calls that findings point at.
        named: whether names of calls mean something; many names mean that each call has its own.
    """
    named = named and len({each.name for each in calls}) <= SORTS
    first = sorted(calls, key=lambda each: id(each) not in telling)
    found = grouped(first, lambda each: _label(each, named=named))

    def interest(alike: Sequence[Call]) -> tuple[bool, int]:
        return id(alike[0]) in telling, sum(each.retries for each in alike)

    ordered = sorted(found, key=lambda label: interest(found[label]), reverse=True)
    most = ALL if len(calls) <= ALL else SOME
    kept = [Sort(label, found[label], found[label][:most]) for label in ordered[:SORTS]]
    if dropped := ordered[SORTS:]:
        together = [each for label in dropped for each in found[label]]
        kept.append(Sort(f"{sentences.counted(len(dropped), 'further sort')} of calls", together, ()))
    return kept


def _label(call: Call, *, named: bool) -> str:
    first = call.first
    ended = f", {'then success' if call.succeeded else 'given up'}" if first.failed else ""
    name = f"{call.name}: " if named and call.name else ""
    return shown(f"{name}{first.answer}{ended} · {first.method}", 80)

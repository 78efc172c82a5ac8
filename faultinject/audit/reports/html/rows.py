"""Which calls the timeline draws one by one: the telling ones of each sort, the rest of a sort as one row."""

from __future__ import annotations

from faultinject.audit.checks.words import seconds
from faultinject.audit.reports import sentences
from faultinject.audit.reports.html.scales import spread_over
from faultinject.rules.values import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from faultinject.journal.calls import Call

SORTS = 8
"""Sorts of calls that have rows of their own."""
MOST, SOME, FEW = 8, 4, 2
"""Calls of one sort that are drawn one by one: of the sort with the most retries, of those that findings point at, of others."""
ALL = 20
"""So few calls are drawn one by one, whatever their sorts."""


ASKS = {"date": "asks for a wait until a date", "unreadable": "asks unreadably for a wait"}
"""How an answer asks for a wait, where its length is not the same for all calls."""


class Sort:
    """Calls that look alike from outside.

    Args:
        label: what they have in common, in words.
        calls: all of them.
    """

    def __init__(self, label: str, calls: Sequence[Call]) -> None:
        self.label = label
        self.calls = calls
        self.drawn: Sequence[Call] = ()
        self.rest: Sequence[Call] = calls

    def draw(self, count: int, telling: Collection[int]) -> None:
        """Choose about `count` calls to be drawn one by one, first those whose id is in `telling`."""
        if len(self.calls) <= count + 2:
            count = len(self.calls)
        first = [each for each in self.calls if id(each) in telling][:count]
        chosen = {id(each) for each in first}
        others = [each for each in self.calls if id(each) not in chosen]
        chosen.update(id(others[each]) for each in spread_over(count - len(first), others))
        self.drawn = [each for each in self.calls if id(each) in chosen]
        self.rest = [each for each in self.calls if id(each) not in chosen]

    @property
    def attempts(self) -> str:
        """How many attempts the calls had: `3 attempts each`, `2 to 4 attempts`."""
        numbers = {len(each.attempts) for each in self.calls}
        low, high = min(numbers), max(numbers)
        if low != high:
            return f"{low:,} to {high:,} attempts"
        return sentences.counted(low, "attempt") + (" each" if len(self.calls) > 1 else "")


def sorts(calls: Sequence[Call], telling: Collection[int], *, named: bool) -> list[Sort]:
    """The calls by sort, what is left over as one; those that findings or hints make interesting come first.

    Args:
        calls: all calls.
        telling: ids of calls that findings point at.
        named: whether names of calls mean something; many names mean that each call has its own.
    """
    named = named and len({each.name for each in calls}) <= SORTS
    found: dict[str, list[Call]] = {}
    for each in calls:
        found.setdefault(_label(each, named=named), []).append(each)
    told = {label: any(id(each) in telling for each in alike) for label, alike in found.items()}
    asked = {label: any(each.first.hint for each in alike) for label, alike in found.items()}
    ordered = sorted(found, key=lambda label: (-told[label], -asked[label], -_retries(found[label])))
    most = max(ordered, key=lambda label: _retries(found[label]))
    kept = []
    for label in ordered[:SORTS]:
        sort = Sort(label, found[label])
        tried = _retries(sort.calls) > 0
        count = MOST if label == most else SOME if told[label] and tried else FEW if tried else 1
        sort.draw(ALL if len(calls) <= ALL else count, telling)
        kept.append(sort)
    if dropped := ordered[SORTS:]:
        together = [each for label in dropped for each in found[label]]
        kept.append(Sort(f"{sentences.counted(len(dropped), 'further sort')} of calls", together))
    return kept


def _retries(calls: Sequence[Call]) -> int:
    return sum(each.retries for each in calls)


def _label(call: Call, *, named: bool) -> str:
    first = call.first
    parts = [first.answer]
    if first.failed and first.applied and first.kind == "transport":
        parts = ["answer lost"]
    if first.hint_form in ASKS:
        parts.append(ASKS[first.hint_form])
    elif first.hint is not None:
        parts.append(f"asks for {seconds(first.hint)}")
        if first.hint_form not in (None, "seconds"):
            parts[-1] += f" by {first.hint_form}"
    if first.failed:
        parts.append("then success" if call.succeeded else "given up")
    label = f"{', '.join(parts)} · {first.method}"
    if named and call.name:
        label = f"{call.name}: {label}"
    return shown(label, 80)

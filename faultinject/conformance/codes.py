"""First answers, whether they were tried again, and what the vendor's document says of that."""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultinject.journal.calls import Call

UNSAFE = frozenset({"POST", "PATCH"})
"""Methods whose repetition may do a thing twice: clients try them again less often."""
WORDS = {"yes": "try again", "no": "do not", "unstated": "not stated"}
FIRST = {
    "after-authorize": "authorize first",
    "after-refresh": "renew the token first",
    "with-care": "with care",
    "new-session": "start anew",
    "query-first": "ask for the state first",
    "after-signing": "sign it anew with the right time",
}
"""What a document asks for before another try; to make none is no contradiction."""


@dataclass
class Row:
    """Calls with the same first answer.

    Attributes:
        answer: `503 SlowDown`, `reset`; `(POST)` behind it where the method makes a difference.
        documented: what the vendor's document says, in words; `–` where there is none.
        calls: how many.
        again: how many of them had a second attempt.
    """

    answer: str
    documented: str
    calls: int = 0
    again: int = 0


def codes(calls: Iterable[Call]) -> list[Row]:
    """One row for each first answer that was a failure, the most frequent first."""
    found: dict[str, Row] = {}
    for call in calls:
        first = call.first
        if not first.failed:
            continue
        answer = f"{first.answer} ({first.method})" if first.method in UNSAFE else first.answer
        documented = first.documented
        says = "–"
        if documented is not None:
            says = FIRST.get(documented.again) or WORDS.get(documented.retryable, says)
        row = found.setdefault(answer, Row(answer, says))
        row.calls += 1
        row.again += bool(call.retries)
    return sorted(found.values(), key=lambda row: -row.calls)

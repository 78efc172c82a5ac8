"""First answers, whether they were tried again, and what the vendor's document says of that."""

from __future__ import annotations

from msgspec import Struct

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


class FirstAnswer(Struct):
    """Calls with the same first answer.

    Attributes:
        answer: Status and code, such as `503 SlowDown`, or `reset`; the method in brackets where it makes a difference.
        documented: What the vendor's document says of a retry, in words; – where it says nothing.
        calls: How many calls.
        retried: How many of them were retried.
    """

    answer: str
    documented: str
    calls: int
    retried: int


def codes(calls: Iterable[Call]) -> list[FirstAnswer]:
    """One row for each first answer that was a failure, the most frequent first."""
    found: dict[str, FirstAnswer] = {}
    for call in calls:
        first = call.first
        if not first.failed:
            continue
        answer = f"{first.answer} ({first.method})" if first.method in UNSAFE else first.answer
        documented = first.documented
        says = "–"
        if documented is not None:
            says = FIRST.get(documented.again) or WORDS.get(documented.retryable, says)
        row = found.setdefault(answer, FirstAnswer(answer, says, 0, 0))
        row.calls += 1
        row.retried += bool(call.retries)
    return sorted(found.values(), key=lambda row: -row.calls)

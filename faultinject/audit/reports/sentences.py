"""Words that all reports share; a request's own text is escaped (`engine.shown.quoted`)."""

from __future__ import annotations

from collections.abc import Iterable

from faultinject.audit.checks.words import counted as counted
from faultinject.audit.checks.words import seconds
from faultinject.audit.findings import Finding
from faultinject.engine.shown import quoted
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import Call

SHOWN = 8
"""Attempts of a call that its story tells; of more, the first and the last ones."""
LONGEST = 80
"""Characters of a path or a user agent that are shown."""


def names(findings: Iterable[Finding], verdict: str) -> str:
    """The checks with this verdict, and their subjects: `retries (500, 503 SlowDown), gives up`.

    Of several clients, each client's checks stand behind its name.
    """
    clients: dict[str | None, dict[str, list[str]]] = {}
    for finding in findings:
        if finding.verdict == verdict:
            about = clients.setdefault(finding.client, {}).setdefault(finding.check, [])
            about += [] if finding.subject is None else [finding.subject]
    told = []
    for client, checks in clients.items():
        words = [f"{check} ({', '.join(about)})" if about else check for check, about in checks.items()]
        told.append(f"{'' if client is None else f'{client}: '}{', '.join(words)}")
    return quoted("; ".join(told))


def story(call: Call) -> str:
    """A call in one line: `PUT /cat.jpg: 503 SlowDown (asked for 3.00 s), 0.50 s later 200`."""
    first = call.first
    target = f"{first.path}?{first.query}" if first.query else first.path
    head = f"{quoted(first.method)} {shortened(quoted(target))}"
    if call.name:
        head = f"{quoted(call.name)}: {head}"
    sizes = call.same_bytes is False
    told = [_answer(first, sizes=sizes)]
    for attempt, gap in zip(call.attempts[1:], call.gaps, strict=True):
        told.append(f"{_when(gap)} {_answer(attempt, sizes=sizes)}")
    if len(told) > SHOWN:
        told = [*told[: SHOWN - 2], f"… {len(told) - SHOWN:,} more …", *told[-2:]]
    ended = ""
    if call.returned is not None:
        ended = "; its caller saw success" if call.returned else "; its caller saw an error"
    if call.error:
        ended += f": {shortened(quoted(call.error))}"
    return f"{head}: {', '.join(told)}{ended}"


def place(call: Call) -> str:
    """The place of a call in its journal: `seq 17 18`, or `pid 12 seq 17, pid 13 seq 4`."""
    pids: dict[int, list[str]] = {}
    for attempt in call.attempts[:SHOWN]:
        pids.setdefault(attempt.pid, []).append(str(attempt.seq))
    more = " …" if len(call.attempts) > SHOWN else ""
    if len(pids) == 1:
        [numbers] = pids.values()
        return f"seq {' '.join(numbers)}{more}"
    return ", ".join(f"pid {pid} seq {' '.join(numbers)}" for pid, numbers in pids.items()) + more


def shortened(text: str) -> str:
    """The text, its middle left out where it is longer than `LONGEST`."""
    if len(text) <= LONGEST:
        return text
    half = (LONGEST - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _when(gap: float | None) -> str:
    if gap is None:
        return "later"
    return f"{seconds(gap)} later" if gap >= 0 else f"{seconds(-gap)} before that answer"


def _answer(attempt: Attempt, *, sizes: bool) -> str:
    notes = []
    if attempt.hint is not None:
        notes.append(f"asked for {seconds(attempt.hint)}")
    elif attempt.hint_form == "unreadable":
        notes.append("malformed Retry-After")
    if sizes and attempt.request_bytes is not None:
        notes.append(f"{counted(attempt.request_bytes, 'byte')} sent")
    return quoted(attempt.answer) + (f" ({', '.join(notes)})" if notes else "")

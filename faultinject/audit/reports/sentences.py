"""The words that all reports share. Whatever a request said comes escaped (`engine.journal_entry.quoted`)."""

from __future__ import annotations

from faultinject.audit.checks.words import seconds
from faultinject.audit.conclusion import faults_not_given
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, VERDICTS, WARN, Finding
from faultinject.engine.journal_entry import quoted
from faultinject.journal.calls import TOLD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from faultinject.audit.judge import Judgement
    from faultinject.journal.attempts import Attempt
    from faultinject.journal.calls import Call

SHOWN = 8
"""Attempts of a call that its story tells; of more, the first and the last ones."""
RULES, FAULTS = 10, 3
"""Rules whose faults are told, and the faults of each that are named."""
LONGEST = 80
"""Characters of a path or a user agent that are shown."""
SIGNALS = {TOLD: "test label"}
"""What grouped attempts into calls, in words where its name alone would not tell."""
REASONS = {
    "shared": "that ran at the same time as another for the same object, which mixes their attempts",
    "open": "that may still have been running when the journal was read",
    "followed": "right before a similar but changed request, which may be a retry",
    "repeated": "that recurred as they also do without faults",
    "begun earlier": "whose first attempt is not in the journal, or may belong to the previous call",
    "too many": "beyond the number that is kept",
}
"""Why calls are left out, in words."""


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """The findings for people: what another check says as well is the second sentence of that one's finding."""
    said: dict[tuple[str | None, str | None], Finding] = {}
    said.update(((each.client, each.check), each) for each in findings if each.said_by is None)
    kept = list(findings)
    for each in findings:
        key = (each.client, each.said_by)
        if key not in said:
            continue
        first = said[key]
        said[key] = Finding(
            first.check,
            first.verdict,
            first.n,
            f"{first.message}; {each.message}",
            first.reference,
            first.calls,
            subject=first.subject,
            client=first.client,
        )
        kept[kept.index(first)] = said[key]
        kept.remove(each)
    return kept


def tally(findings: Iterable[Finding]) -> list[tuple[str, int, str]]:
    """How many findings there are of each verdict, the worst first: `("FAIL", 2, "fail")`."""
    found = [each.verdict for each in findings]
    words = {FAIL: "fail", WARN: "warning", INCONCLUSIVE: "not decided", PASS: "pass"}
    counts = [(verdict, found.count(verdict), words[verdict]) for verdict in VERDICTS]
    return [(verdict, n, f"{word}s" if word == "warning" and n != 1 else word) for verdict, n, word in counts]


def result(judgement: Judgement) -> str:
    """What it comes to: `FAIL: 1 check failed: jitter`, `Nothing could be judged: no call met a fault`."""
    return quoted(judgement.conclusion.sentence)


def title(judgement: Judgement) -> str:
    """The client, as it names itself, and how many others there were."""
    client = shortened(quoted(judgement.client)) or "a client without a User-Agent"
    return f"{client} and {counted(len(judgement.others), 'other client')}" if judgement.others else client


def subject_of(finding: Finding) -> str:
    """The check, and what it was about: `retries: 503 SlowDown`, `gives up of curl/8.1`."""
    return quoted(finding.name if finding.client is None else f"{finding.name} of {finding.client}")


def measured(finding: Finding) -> str:
    """The message, without what it is about where it begins with that."""
    return quoted(finding.message.removeprefix(f"{finding.subject}: "))


def provenance(judgement: Judgement) -> list[str]:
    """What the verdicts rest on, in sentences: how much was seen, what grouped it into calls, what counts for nothing."""
    calls, attempts = counted(judgement.calls, "call"), counted(judgement.attempts, "attempt")
    told = [f"{calls}, {attempts} in {seconds(judgement.seconds)}."]
    if judgement.signal:
        signals = {SIGNALS.get(signal, signal): n for signal, n in judgement.signal.items()}
        told.append(f"Attempts were grouped into calls by {_numbered(signals)}.")
    for reason, n in judgement.left_out.items():
        told.append(f"Left out: {counted(n, 'call')} {REASONS.get(reason, f'({quoted(reason)})')}.")
    if judgement.not_given:
        told.append(f"{quoted(faults_not_given(judgement.not_given))}.")
    if judgement.skipped:
        told.append(f"Skipped lines: {_numbered(judgement.skipped)}.")
    turnaround = judgement.turnaround
    if turnaround.median is None or turnaround.p95 is None:
        told.append(
            "The client's turnaround without backoff is unknown: too few requests followed each other at once."
        )
    else:
        told.append(
            f"Without backoff the next request comes after {seconds(turnaround.median)}"
            f" (median; 95 % within {seconds(turnaround.p95)}; n = {turnaround.n})."
        )
    told.append(f"Profile: {judgement.profile.name} ({judgement.profile.title}).")
    return told


def faults_by_rule(judgement: Judgement) -> list[str]:
    """What became of the faults of each rule: `rule-1 (cos:SlowDown): 5 given, 0 refused, 0 failed`."""
    told = []
    for name, each in list(judgement.rules.items())[:RULES]:
        faults = ", ".join(each.faults[:FAULTS])
        more = f" and {len(each.faults) - FAULTS} more" if len(each.faults) > FAULTS else ""
        numbers = f"{each.given:,} given, {each.refused:,} refused, {each.failed:,} failed"
        told.append(f"{shortened(quoted(name))} ({quoted(faults)}{more}): {numbers}")
    if len(judgement.rules) > RULES:
        told.append(f"{counted(len(judgement.rules) - RULES, 'more rule')}")
    return told


def passed(findings: Iterable[Finding]) -> str:
    """The checks that passed: `retries (500, 503 SlowDown), gives up`; nothing where none did."""
    return names(findings, PASS)


def names(findings: Iterable[Finding], verdict: str) -> str:
    """The checks with this verdict in a row; of several clients, each client's in a row."""
    return _together(each for each in findings if each.verdict == verdict)


def undecided(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """What could not be told, and why: checks with the same reason as one."""
    reasons: dict[str, list[Finding]] = {}
    for each in findings:
        if each.verdict == INCONCLUSIVE:
            reasons.setdefault(measured(each), []).append(each)
    return [(_together(found), reason) for reason, found in reasons.items()]


def story(call: Call) -> str:
    """A call in one line: `PUT /photos/cat.jpg: 503 SlowDown (asked for 3.00 s), 0.50 s later 200`."""
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
    """Where a call stands in its journal: `seq 17 18` of one process, else `pid 12 seq 17, pid 13 seq 4`."""
    pids: dict[int, list[str]] = {}
    for each in call.attempts[:SHOWN]:
        pids.setdefault(each.pid, []).append(str(each.seq))
    more = " …" if len(call.attempts) > SHOWN else ""
    if len(pids) == 1:
        [numbers] = pids.values()
        return f"seq {' '.join(numbers)}{more}"
    return ", ".join(f"pid {pid} seq {' '.join(numbers)}" for pid, numbers in pids.items()) + more


def counted(n: int, word: str) -> str:
    """`1 call`, `2,000 calls`."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def shortened(text: str, width: int = LONGEST) -> str:
    """The text, its middle left out where it is longer than that."""
    if len(text) <= width:
        return text
    half = (width - 1) // 2
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
    if sizes:
        notes.append(f"{counted(attempt.request_bytes or 0, 'byte')} sent")
    return quoted(attempt.answer) + (f" ({', '.join(notes)})" if notes else "")


def _together(findings: Iterable[Finding]) -> str:
    """The checks, each once, with what it was about in brackets; of several clients, each on its own."""
    clients: dict[str | None, dict[str, list[str]]] = {}
    for each in findings:
        about = clients.setdefault(each.client, {}).setdefault(each.check, [])
        if each.subject is not None:
            about.append(each.subject)
    told = []
    for client, checks in clients.items():
        words = [f"{check} ({', '.join(about)})" if about else check for check, about in checks.items()]
        told.append(f"{'' if client is None else f'{client}: '}{', '.join(words)}")
    return quoted("; ".join(told))


def _numbered(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{quoted(what)} ({n:,})" for what, n in counts.items())

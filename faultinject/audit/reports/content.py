"""The content of a report, whatever its format: one value, in the order of the page.

Texts from requests are escaped (`engine.shown.quoted`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import NamedTuple

from faultinject.audit.checks.words import NONE_DOCUMENTED, counted, seconds
from faultinject.audit.conclusion import LEFT_OUT, faults_not_given, why_undecided
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN, Finding, standing
from faultinject.audit.judging import NO_FAULT, Judgement
from faultinject.audit.statistics import grouped
from faultinject.engine.shown import quoted
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import TOLD, Call

EXAMPLES = 3
"""The most calls that are shown for each finding."""
RULES, FAULTS = 10, 3
"""The most rules that are shown, and the most faults that are named in one line."""
SHOWN = 8
"""The most attempts of a call that are shown, the first and the last ones."""
LONGEST = 80
"""Characters of a path or a user agent that are shown."""
ADDRESS = re.compile(r"(https://[^\s()<>\"]+)")
"""The addresses in an action that become links."""
NOT_SEEN = "nothing of the kind was seen. Add -v to see what each check needs."
"""The reason given for undecided checks that saw nothing."""


class FindingText(NamedTuple):
    """A finding in words: what was observed, the requests that show it, and what to do.

    Attributes:
        verdict: its verdict.
        name: the check and its subject: `retries: 503 SlowDown`, `gives up of curl/8.1`.
        message: what was observed.
        n: the number of calls, waits or requests that were judged.
        calls: the line about each call that shows it, and the call's place in the journal.
        action: the advice, and the documents that give it.
        evidence: the kinds of its evidence, and the clients that each document binds.
    """

    verdict: str
    name: str
    message: str
    n: int
    calls: list[tuple[str, str]]
    action: str
    evidence: str

    @property
    def line(self) -> str:
        """The observation, in one line."""
        return f"{self.name}: {self.message} (n = {self.n:,})"


class Content(NamedTuple):
    """A whole report.

    Attributes:
        result: its first line: the worst finding, or the reason why nothing could be judged, with advice.
        look: `fail`, `warn`, `pass` or `undecided`.
        title: the client.
        facts: the numbers of calls and attempts, the calls that failed in the end, and those left out.
        wrong: the failures, then the warnings.
        passed: the names of the checks that passed; empty if none did.
        undecided: the undecided checks with reason and advice, one line for each reason.
        measured: the signals that grouped the calls, the turnaround, and the results of each rule's faults.
    """

    result: str
    look: str
    title: str
    facts: list[str]
    wrong: list[FindingText]
    passed: str
    undecided: list[str]
    measured: list[str]


def content(judgement: Judgement, *, verbose: bool = True) -> Content:
    """The content of the report on a judgement.

    Args:
        judgement: what was found.
        verbose: whether each check that saw nothing says what it needs; otherwise these checks are only named. If
            requests were seen and the result is undecided, the needs are always given.
    """
    findings = merged(judgement.findings)
    every = verbose or (judgement.conclusion.result == "undecided" and judgement.attempts > 0)
    return Content(
        quoted(judgement.conclusion.sentence),
        judgement.conclusion.result,
        title(judgement),
        list(_facts(judgement)),
        [
            finding_text(finding)
            for verdict in (FAIL, WARN)
            for finding in findings
            if finding.verdict == verdict
        ],
        names(findings, PASS),
        undecided(findings, every=every),
        list(_measured(judgement)),
    )


def finding_text(finding: Finding) -> FindingText:
    """One finding in words."""
    return FindingText(
        finding.verdict,
        quoted(finding.full_name),
        quoted(finding.measured),
        finding.n,
        [(story(call), place(call)) for call in finding.calls[:EXAMPLES]],
        quoted(f"{finding.action} See {finding.reference}".lstrip()),
        quoted(
            "; ".join(
                [
                    *finding.evidence,
                    *(f"{document.name} binds {document.bound}" for document in finding.documents),
                ]
            )
        ),
    )


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """Merge findings for people: one that repeats another check's is appended to it."""
    own = standing(findings)
    kept = [copy(finding) for finding in own]
    for finding in findings:
        if finding not in own:
            first = next(one for one in kept if (one.client, one.check) == (finding.client, finding.said_by))
            _, bracket, grouped = finding.message.partition(" (grouped by")
            first.message = f"{first.message.removesuffix(bracket + grouped)}; {finding.message}"
            first.action = first.action or finding.action
    return kept


def undecided(findings: Sequence[Finding], *, every: bool = True) -> list[str]:
    """Put the undecided checks in words, with reason and advice: one line for each reason.

    Args:
        findings: of any verdict.
        every: whether each check that saw nothing has its own reason; one that cannot see more always has.
    """
    reasons = grouped(
        (finding for finding in findings if finding.verdict == INCONCLUSIVE),
        lambda finding: (
            why_undecided(finding) if every or finding.n or NONE_DOCUMENTED in finding.message else NOT_SEEN
        ),
    )
    return [
        f"{names(undecided_findings, INCONCLUSIVE)}: {quoted(why)}"
        for why, undecided_findings in reasons.items()
    ]


def title(judgement: Judgement) -> str:
    """The client's name, from its driver or its user agent, and the number of other clients."""
    client = shortened(quoted(judgement.title or judgement.client))
    return f"{client} and {counted(len(judgement.others), 'other client')}" if judgement.others else client


def _facts(judgement: Judgement) -> Iterator[str]:
    clock = ""
    if judgement.began is not None and judgement.ended is not None:
        clock = f", {_clock(judgement.began)} to {_clock(judgement.ended)} UTC"
    calls, attempts = counted(judgement.calls, "call"), counted(judgement.attempts, "attempt")
    yield f"{calls}, {attempts} in {seconds(judgement.seconds)}{clock}."
    if judgement.calls:
        yield failed_for_good(judgement)
    silence = judgement.evidence.silence
    if silence.silent:
        yield f"{silence.silent:,} of {counted(silence.calls, 'call')} made no request and failed."
    for reason, n in judgement.left_out.items():
        yield f"Left out: {counted(n, 'call')} that {LEFT_OUT[reason][0]}."
    if judgement.not_given:
        yield f"{quoted(faults_not_given(judgement.not_given))}."
    if judgement.skipped:
        yield f"Skipped lines: {_numbered(judgement.skipped)}."


def failed_for_good(judgement: Judgement) -> str:
    """The calls that failed in the end: `3 of 12 calls failed for good: 3 after 503 SlowDown.`."""
    heard = any(
        call.returned and call.last.failed
        for own in (judgement.evidence, *judgement.others.values())
        for call in own.named_calls
    )
    uncounted = "; calls whose callers heard of success do not count" if heard else ""
    if not judgement.failed_calls:
        return f"No call failed for good{uncounted}."
    faults = sorted(judgement.failed_after.items(), key=lambda pair: -pair[1])
    others = "others", sum(n for _, n in faults[FAULTS:])
    after = [
        f"{n:,} without a fault" if fault == NO_FAULT else f"{n:,} after {quoted(fault)}"
        for fault, n in (*faults[:FAULTS], others)
        if n
    ]
    return (
        f"{judgement.failed_calls:,} of {counted(judgement.calls, 'call')} failed for good:"
        f" {', '.join(after)}{uncounted}."
    )


def _measured(judgement: Judgement) -> Iterator[str]:
    if judgement.title and judgement.client:
        yield f"User agent: {shortened(quoted(judgement.client))}."
    if judgement.signal:
        signals = {"test label" if signal == TOLD else signal: n for signal, n in judgement.signal.items()}
        yield f"Attempts were grouped into calls by {_numbered(signals)}."
    turnaround, profile = judgement.evidence.turnaround, judgement.evidence.profile
    if turnaround.median is None or turnaround.p95 is None:
        yield (
            "The client's turnaround without backoff is unknown: too few requests followed each"
            " other at once."
        )
    else:
        yield (
            f"Without backoff the next request comes after {seconds(turnaround.median)}"
            f" (median; 95 % within {seconds(turnaround.p95)}; n = {turnaround.n})."
        )
    yield f"Profile: {profile.name} ({profile.title})."
    for name, results in list(judgement.rules.items())[:RULES]:
        faults = ", ".join(results.faults[:FAULTS])
        more = f" and {len(results.faults) - FAULTS} more" if len(results.faults) > FAULTS else ""
        numbers = f"{results.given:,} injected, {results.refused:,} refused, {results.failed:,} failed"
        yield f"Faults of {shortened(quoted(name))} ({quoted(faults)}{more}): {numbers}."
    if len(judgement.rules) > RULES:
        yield f"Faults of {counted(len(judgement.rules) - RULES, 'more rule')}."


def _clock(time: float) -> str:
    """A unix time in UTC: `2026-11-25 14:02:00`; a number that is no time is shown as it is."""
    from datetime import UTC, datetime

    try:
        return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return f"{time:g}"


def _numbered(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{quoted(what)} ({n:,})" for what, n in counts.items())


def names(findings: Iterable[Finding], verdict: str) -> str:
    """The checks with this verdict, and their subjects: `retries (500, 503 SlowDown), gives up`.

    With several clients, each client's name comes before its checks.
    """
    clients: dict[str | None, dict[str, list[str]]] = {}
    for finding in findings:
        if finding.verdict == verdict:
            about = clients.setdefault(finding.client, {}).setdefault(finding.check, [])
            about += [] if finding.subject is None else [finding.subject]
    lists = []
    for client, checks in clients.items():
        words = [f"{check} ({', '.join(about)})" if about else check for check, about in checks.items()]
        lists.append(f"{'' if client is None else f'{client}: '}{', '.join(words)}")
    return quoted("; ".join(lists))


def story(call: Call) -> str:
    """A call in one line: `PUT /cat.jpg: 503 SlowDown (asked for 3.00 s), 0.50 s later 200`."""
    first = call.first
    target = f"{first.path}?{first.query}" if first.query else first.path
    head = f"{quoted(first.method)} {shortened(quoted(target))}"
    if call.name:
        head = f"{quoted(call.name)}: {head}"
    sizes = call.same_bytes is False
    answers = [
        _answer(first, sizes=sizes),
        *(
            f"{_when(gap)} {_answer(attempt, sizes=sizes)}"
            for attempt, gap in zip(call.attempts[1:], call.gaps, strict=True)
        ),
    ]
    if len(answers) > SHOWN:
        answers = [*answers[: SHOWN - 2], f"… {len(answers) - SHOWN:,} more …", *answers[-2:]]
    ended = ""
    if call.returned is not None:
        ended = "; its caller saw success" if call.returned else "; its caller saw an error"
    if call.error:
        ended += f": {shortened(quoted(call.error))}"
    return f"{head}: {', '.join(answers)}{ended}"


def place(call: Call) -> str:
    """The place of a call in its journal: `seq 17 18`, or `pid 12 seq 17, pid 13 seq 4`."""
    pids = grouped(call.attempts[:SHOWN], lambda attempt: attempt.pid)
    rows = {pid: f"seq {' '.join(str(attempt.seq) for attempt in own)}" for pid, own in pids.items()}
    places = [f"pid {pid} {seqs}" if len(rows) > 1 else seqs for pid, seqs in rows.items()]
    return f"{', '.join(places)}{' …' if len(call.attempts) > SHOWN else ''}"


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

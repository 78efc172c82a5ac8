"""The content of a report, whatever its format: one value, in the order of the page.

Whatever a request said comes escaped (`engine.shown.quoted`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import NamedTuple

from faultinject.audit.checks.words import seconds
from faultinject.audit.conclusion import LEFT_OUT, faults_not_given, why_undecided
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN, Finding, standing
from faultinject.audit.judging import NO_FAULT, Judgement
from faultinject.audit.reports import sentences
from faultinject.audit.reports.sentences import counted, shortened
from faultinject.audit.statistics import grouped
from faultinject.engine.shown import quoted
from faultinject.journal.calls import TOLD

EXAMPLES = 3
"""Calls that are told of each finding."""
RULES, FAULTS = 10, 3
"""The most rules that are told, and the most faults that are named of a rule or of failures."""
SIGNALS = {TOLD: "test label"}
"""Words for the signals that group attempts, if the name alone would not tell."""
NOT_SEEN = "nothing of the kind was seen. Add -v to see what each check needs."
"""The reason given for undecided checks that saw nothing."""


class FindingText(NamedTuple):
    """A finding in words: what was observed, the requests that show it, and what to do.

    Attributes:
        verdict: its verdict.
        name: the check, and what it was about: `retries: 503 SlowDown`, `gives up of curl/8.1`.
        message: what was observed.
        n: how many calls, waits or requests it rests on.
        calls: the story of each call that shows it, and where it stands in the journal.
        action: what to do, and the documents that say so.
        evidence: the kinds of its evidence, and whom each document binds.
    """

    verdict: str
    name: str
    message: str
    n: int
    calls: list[tuple[str, str]]
    action: str
    evidence: str

    @property
    def so(self) -> str:
        """The observation, in one line."""
        return f"{self.name}: {self.message} (n = {self.n:,})"


class Content(NamedTuple):
    """A whole report.

    Attributes:
        result: its first line: the worst finding, or why nothing could be judged and what to do.
        look: `fail`, `warn`, `pass` or `undecided`.
        title: the client.
        facts: how much was seen, what failed in the end, and what does not count.
        wrong: what is wrong, failures first.
        passed: the checks that passed in a row; empty where none did.
        undecided: the undecided checks, why, and what to do: one line for each reason.
        measured: how the calls were found and the waits measured, and the results of each rule's faults.
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
    """All that is said of a judgement.

    Args:
        judgement: what was found.
        verbose: whether it says what each check needs of which nothing was seen; else it names these. It also does
            where nothing was decided, or not what is required, of requests that came.
    """
    findings = merged(judgement.findings)
    every = verbose or (judgement.conclusion.result == "undecided" and judgement.attempts > 0)
    return Content(
        quoted(judgement.conclusion.sentence),
        judgement.conclusion.result,
        title(judgement),
        list(_facts(judgement)),
        [told(finding) for verdict in (FAIL, WARN) for finding in findings if finding.verdict == verdict],
        sentences.names(findings, PASS),
        undecided(findings, every=every),
        list(_measured(judgement)),
    )


def told(finding: Finding) -> FindingText:
    """One finding in words."""
    return FindingText(
        finding.verdict,
        quoted(finding.full_name),
        quoted(finding.measured),
        finding.n,
        [(sentences.story(call), sentences.place(call)) for call in finding.calls[:EXAMPLES]],
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
    """Findings for people: one that repeats another check's becomes its second sentence."""
    own = standing(findings)
    kept = [copy(each) for each in own]
    for each in findings:
        if each not in own:
            first = next(one for one in kept if (one.client, one.check) == (each.client, each.said_by))
            _, bracket, grouped = each.message.partition(" (grouped by")
            first.message = f"{first.message.removesuffix(bracket + grouped)}; {each.message}"
            first.action = first.action or each.action
    return kept


def undecided(findings: Sequence[Finding], *, every: bool = True) -> list[str]:
    """Put the undecided checks in words, with reason and advice: one line for each reason.

    Args:
        findings: of any verdict.
        every: whether checks of which nothing was seen have a reason each.
    """
    reasons = grouped(
        (finding for finding in findings if finding.verdict == INCONCLUSIVE),
        lambda finding: why_undecided(finding) if every or finding.n else NOT_SEEN,
    )
    return [f"{sentences.names(found, INCONCLUSIVE)}: {quoted(why)}" for why, found in reasons.items()]


def title(judgement: Judgement) -> str:
    """The client, as its driver or it itself names it, and how many others there were."""
    client = shortened(quoted(judgement.title or judgement.client)) or "a client without a User-Agent"
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
    if not judgement.failed_calls:
        return "No call failed for good."
    faults = sorted(judgement.failed_after.items(), key=lambda each: -each[1])
    after = [
        f"{n:,} without a fault" if fault == NO_FAULT else f"{n:,} after {quoted(fault)}"
        for fault, n in faults[:FAULTS]
    ]
    if rest := sum(n for _, n in faults[FAULTS:]):
        after.append(f"{rest:,} after others")
    return (
        f"{judgement.failed_calls:,} of {counted(judgement.calls, 'call')} failed for good:"
        f" {', '.join(after)}."
    )


def _measured(judgement: Judgement) -> Iterator[str]:
    if judgement.title and judgement.client:
        yield f"User agent: {shortened(quoted(judgement.client))}."
    if judgement.signal:
        signals = {SIGNALS.get(signal, signal): n for signal, n in judgement.signal.items()}
        yield f"Attempts were grouped into calls by {_numbered(signals)}."
    turnaround = judgement.turnaround
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
    yield f"Profile: {judgement.profile.name} ({judgement.profile.title})."
    for name, each in list(judgement.rules.items())[:RULES]:
        faults = ", ".join(each.faults[:FAULTS])
        more = f" and {len(each.faults) - FAULTS} more" if len(each.faults) > FAULTS else ""
        numbers = f"{each.given:,} given, {each.refused:,} refused, {each.failed:,} failed"
        yield f"Faults of {shortened(quoted(name))} ({quoted(faults)}{more}): {numbers}."
    if len(judgement.rules) > RULES:
        yield f"Faults of {counted(len(judgement.rules) - RULES, 'more rule')}."


def _clock(time: float) -> str:
    """A unix time in UTC: `2026-11-25 14:02:00`; a number that is no time as it is."""
    from datetime import UTC, datetime

    try:
        return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return f"{time:g}"


def _numbered(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{quoted(what)} ({n:,})" for what, n in counts.items())

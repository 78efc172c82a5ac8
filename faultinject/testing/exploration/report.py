"""The results of an exploration as text and as data, with one failure for each cause."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from msgspec import Struct, structs

from faultinject.audit.checks import lost_answers
from faultinject.audit.checks.words import READ_BODY, REWIND, SEND_KEY
from faultinject.audit.documents import EvidenceKind
from faultinject.audit.findings import SIGNS, WARN, Finding, ReportedFinding
from faultinject.engine.shown import quoted
from faultinject.exceptions import ProgramFailedError
from faultinject.journal.attempts import BROKEN
from faultinject.journal.outcome import Outcome
from faultinject.journal.reading import of_outcomes
from faultinject.rules import spelling
from faultinject.rules.descriptions import count
from faultinject.rules.rule import Rule
from faultinject.testing.exploration import judge, store_comparison
from faultinject.testing.exploration.bounds import in_one_line
from faultinject.testing.exploration.causes import FinishedRun
from faultinject.testing.exploration.choices import READS
from faultinject.testing.exploration.points import name_of
from faultinject.testing.exploration.sweep import Sweep

REPEAT = "Repeat the request that was cut or refused, or report the failure."
ACTIONS = {
    **lost_answers.ACTIONS,
    judge.SAME_BYTES: REWIND,
    judge.ERROR_IN_200: READ_BODY,
    judge.NON_IDEMPOTENT_RETRY: SEND_KEY,
    judge.OPEN_UPLOADS: (
        "Abort an upload that fails, and let a lifecycle rule of the bucket remove the rest:"
        " SDKs repeat a lost CreateMultipartUpload by themselves."
    ),
    judge.MIXED_VERSIONS: (
        "Send the first answer's ETag as If-Match or If-Range with each further part,"
        " and compare the checksum and the Content-Range of an answer."
    ),
    judge.OTHER_OUTPUT: REPEAT,
    store_comparison.LOST: (
        "Send a request again when it fails, or report the failure, and remove nothing because of it."
    ),
    store_comparison.HALF_WRITTEN: REPEAT,
    store_comparison.WRITTEN_TWICE: lost_answers.ACTIONS[lost_answers.TWICE],
    store_comparison.PERHAPS_TWICE: lost_answers.ACTIONS[lost_answers.TWICE],
    store_comparison.OTHER_CONTENT: "Report the failure, and read what is there before you write again.",
    store_comparison.OTHER_METADATA: "Send the metadata again when that fails, or report the failure.",
    store_comparison.NOT_REMOVED: "Send the removal again when it fails, or report the failure.",
    store_comparison.LEFT_BEHIND: "Remove it when the work fails, or leave it out with `ignore`.",
}
"""The advice, by check, or by subject for the check of lost answers."""
AFTER_A_CRASH = "Let the second run look at what the store holds, and go on from there."
"""The advice about the contents of a store after a program was killed."""


def groups(finished: Sequence[FinishedRun]) -> list[list[FinishedRun]]:
    """Group the failures by cause.

    Failures have one cause if the same exception comes from the same line of the user's code, after a fault at the same
    operation. In a group, the run with the fewest rules and the shortest text comes first.
    """
    by_cause: dict[tuple[object, ...], list[FinishedRun]] = {}
    for run in finished:
        if run.failed:
            by_cause.setdefault(run.cause, []).append(run)
    return [sorted(runs, key=lambda run: run.size) for runs in by_cause.values()]


def summary(sweep: Sweep, seconds: float) -> str:
    """One line: the runs, their time, their results, and the omissions."""
    parts = [_numbers(sweep, seconds)]
    for head in dict.fromkeys(left_out.head for left_out in sweep.left_out):
        omissions = [left_out for left_out in sweep.left_out if left_out.head == head]
        parts.append(f"{head}: {quoted(in_one_line(omissions, sweep.exhaustive_argument))}")
    return "; ".join(parts)


def _numbers(sweep: Sweep, seconds: float) -> str:
    finished = sweep.finished
    parts = [
        (
            f"{sweep.run.subject(count(len(sweep.requests), 'request'))};"
            f" {count(len(finished), 'run')} in {seconds:.2f} s (backoff {_backoff(sweep):.0%})"
        ),
        f"{sum(run.failed for run in finished)} failed",
    ]
    others = {
        "gave up cleanly": sum(run.gave_up for run in finished),
        "not reached": len(sweep.unreached),
        "pruned": sweep.pruned,
    }
    parts += [f"{number} {name}" for name, number in others.items() if number]
    if sweep.not_run:
        parts.append(f"{sweep.not_run} NOT RUN (max_runs={sweep.bounds.max_runs})")
    if warned := sum(bool(warnings(run)) for run in finished):
        parts.append(f"{warned} with a warning")
    return ", ".join(parts)


def warned(sweep: Sweep) -> Iterator[tuple[str, Finding]]:
    """The warnings of all runs: one of each kind, as a line with the smallest scenario.

    A kind of warning that only failed runs have is left out if one of these runs is shown, because the lines about that
    run have it already.
    """
    by_kind: dict[tuple[str, str], list[tuple[FinishedRun, Finding]]] = {}
    for run in sweep.finished:
        for finding in warnings(run):
            by_kind.setdefault((finding.name, run.points[-1].operation), []).append((run, finding))
    shown = {id(run) for run, *_ in groups(sweep.finished)}
    for similar in by_kind.values():
        if all(run.failed for run, _ in similar) and any(id(run) in shown for run, _ in similar):
            continue
        smallest, finding = min(similar, key=lambda pair: pair[0].size)
        more = f", and {count(len(similar) - 1, 'similar run')}" if similar[1:] else ""
        yield quoted(f"{finding.check}: {finding.message} ({smallest.text}{more})"), finding


def action_of(finding: Finding, sweep: Sweep) -> str:
    """The advice about a finding, one imperative sentence."""
    of_store = finding.check in store_comparison.CHECKS
    if of_store and sweep.run.kills:
        return AFTER_A_CRASH
    return finding.action or ACTIONS[finding.subject or finding.check]


def reported(findings: Iterable[Finding], sweep: Sweep) -> list[ReportedFinding]:
    """Prepare findings for printing, each with advice."""
    return [structs.replace(finding.reported(), action=action_of(finding, sweep)) for finding in findings]


def actions_of(run: FinishedRun, sweep: Sweep) -> list[str]:
    """The advice about all findings of a run, each once."""
    actions = [*dict.fromkeys(action_of(finding, sweep) for finding in run.findings)]
    return actions or [*_advice_for_final(run)]


def _advice_for_final(run: FinishedRun) -> Iterator[str]:
    """The advice for code that gives up on a 4xx that the vendor's document says to retry.

    Many clients do not retry any 4xx.
    """
    for row in dict.fromkeys(attempt.documented for attempt in of_outcomes(run.outcomes)):
        if row is not None and row.retryable == "yes" and 400 <= (row.status or 0) < 500:
            yield (
                f"Send the request again: {row.vendor} documents {row.label} as retryable, in spite of its"
                f" status {row.status} (faultinject vendors {row.address})."
                " Or leave it out with `without`."
            )


def warnings(finished: FinishedRun) -> list[Finding]:
    """The findings of a run with the verdict WARN."""
    return [finding for finding in finished.findings if finding.verdict == WARN]


def warning_lines(text: str, finding: Finding, sweep: Sweep) -> list[str]:
    """A warning and its advice."""
    return [f"warning: {text}", f"  → {action_of(finding, sweep)}"]


def report(sweep: Sweep, seconds: float) -> str:
    """The whole report; text from requests is escaped.

    Args:
        sweep: the exploration.
        seconds: the time that it took.
    """
    return "\n".join(_lines(sweep, seconds))


def incomplete(sweep: Sweep) -> list[str]:
    """The reasons why an exploration proves nothing about some faults.

    It was cut off, or a fault of the user was injected at no request.
    """
    if sweep.stopped:
        return [f"stopped after {len(sweep.finished)} of {count(sweep.planned, 'run')}: {sweep.stopped}"]
    reasons = []
    if sweep.not_run:
        reasons.append(
            f"{count(sweep.not_run, 'run')} {sweep.run.deeper} not made: max_runs is {sweep.bounds.max_runs}"
        )
    for source in dict.fromkeys(choice.source for choice in sweep.run.asked_for):
        of_source = [choice for choice in sweep.run.asked_for if choice.source == source]
        if sweep.covered.isdisjoint(of_source):
            asked = of_source[0].within or of_source[0].rule
            reasons.append(f"{source} was injected in no run{_nearest(asked, sweep.requests, sweep)}")
    return reasons


class PrintedFailure(Struct, omit_defaults=True):
    """Failures of one cause.

    Attributes:
        error: The error of the run.
        audit: The findings about the requests and the store.
        actions: The advice against them.
        scenario: The smallest rules that show it.
        marker: The same as a pytest marker.
        alike: Other runs that fail alike.
        requests: The requests of that run.
        killed_after: The number of requests before the command was killed; null if it was not.
        failed_after: The number of requests before the command failed; null if it was not run again.
        evidence: The kinds of evidence that the error rests on.
        checks: These findings, with their evidence and documents.
    """

    error: str
    audit: list[str]
    scenario: list[str]
    marker: str
    alike: list[str]
    requests: list[str]
    killed_after: int | None = None
    failed_after: int | None = None
    actions: list[str] = []
    evidence: list[EvidenceKind] = []
    checks: list[ReportedFinding] = []


class PrintedExploration(Struct):
    """The result of every fault at every request of a command.

    Attributes:
        v: The version of the format.
        requests: The requests of a run without faults.
        faults: The faults that were tried.
        depth: The most faults in one run.
        runs: The number of runs that were made.
        seconds: The time that all of it took.
        backoff: The share of the time in which the client waited after a fault.
        failed: The number of runs that failed.
        gave_up: The number of runs in which the command gave up cleanly.
        pruned: The number of runs that were left out because another one shows the same.
        not_run: The number of runs that were not made because of max_runs.
        left_out: Everything that was not tried or not judged, with the reason, and the option that tries it.
        not_reached: Faults whose request did not come.
        incomplete: The reasons why the sweep is no proof.
        warnings: Signs of a mistake that are no failure.
        findings: Failures, those alike as one.
        warned: The warnings, with their evidence and documents.
    """

    v: int
    requests: list[str]
    faults: list[str]
    depth: int
    runs: int
    seconds: float
    backoff: float
    failed: int
    gave_up: int
    pruned: int
    not_run: int
    left_out: list[str]
    not_reached: list[str]
    incomplete: list[str]
    warnings: list[str]
    findings: list[PrintedFailure]
    warned: list[ReportedFinding]


def printed(sweep: Sweep, seconds: float) -> PrintedExploration:
    """The result as it is printed as JSON."""
    return PrintedExploration(
        v=1,
        requests=[quoted(name_of(request)) for request in sweep.requests],
        faults=[str(choice.rule) for choice in sweep.run.asked_for],
        depth=sweep.bounds.depth,
        runs=len(sweep.finished),
        seconds=round(seconds, 3),
        backoff=round(_backoff(sweep), 3),
        failed=sum(run.failed for run in sweep.finished),
        gave_up=sum(run.gave_up for run in sweep.finished),
        pruned=sweep.pruned,
        not_run=sweep.not_run,
        left_out=[quoted(left_out.text(sweep.exhaustive_argument)) for left_out in sweep.left_out],
        not_reached=[run.text for run in sweep.unreached],
        incomplete=[quoted(reason) for reason in incomplete(sweep)],
        warnings=[text for text, _ in warned(sweep)],
        findings=[
            PrintedFailure(
                error=quoted(smallest.failure),
                audit=[quoted(f"{finding.check}: {finding.message}") for finding in smallest.findings],
                scenario=[str(rule) for rule in smallest.scenario.rules],
                marker=sweep.run.replay_line(smallest),
                alike=[other.text for other in others],
                requests=[quoted(f"{outcome.method} {outcome.path}") for outcome in smallest.outcomes],
                killed_after=smallest.first if sweep.run.kills else None,
                failed_after=None if sweep.run.kills else smallest.first,
                actions=actions_of(smallest, sweep),
                evidence=[*smallest.evidence],
                checks=reported(smallest.findings, sweep),
            )
            for smallest, *others in groups(sweep.finished)
        ],
        warned=reported((finding for _, finding in warned(sweep)), sweep),
    )


def _lines(sweep: Sweep, seconds: float) -> Iterator[str]:
    omissions = Counter(left_out.head for left_out in sweep.left_out)
    yield ", ".join([_numbers(sweep, seconds), *(f"{number} {head}" for head, number in omissions.items())])
    for group in groups(sweep.finished):
        yield ""
        yield from group_lines(group, sweep)
    notes = [line for text, finding in warned(sweep) for line in warning_lines(text, finding, sweep)]
    notes += [
        f"{left_out.head}: {quoted(left_out.text(sweep.exhaustive_argument))}" for left_out in sweep.left_out
    ]
    for run in sweep.unreached:
        near = _nearest(run.missed[0], run.outcomes, sweep)
        notes.append(f"not reached: {quoted(run.text)}{near}")
    notes += [f"incomplete: {quoted(reason)}" for reason in incomplete(sweep)]
    if sum(run.seconds for run in sweep.finished) > 1 and _backoff(sweep) > 0.5:
        notes.append(
            "more than half of the time was the client's own backoff: configure a shorter one in tests"
        )
    if notes:
        yield ""
        yield from notes


def group_lines(group: Sequence[FinishedRun], sweep: Sweep) -> Iterator[str]:
    """The lines about failures of one cause: smallest scenario, its requests, and the replay."""
    run, *others = group
    yield quoted(run.failure)
    for number, (point, rule) in enumerate(zip(run.points, run.rules, strict=True)):
        word = "when" if number == 0 else "and"
        where = f"request {point.number} ({quoted(name_of(run.request_at(number)))})"
        if sweep.run.kills and run.first is None:
            yield f"  at {where} the program was to be killed, and failed before"
            break
        if description := run.chosen[number].description(rule):
            yield f"  {word} at {where} {description}"
            continue
        again = " of the second run" if sweep.run.kills else ""
        yield f"  {word} {where}{again} gets: {quoted(_fault_text(rule, point.outcome.method))}"
    yield from rows(run.outcomes[: run.first], killed=sweep.run.kills and run.first is not None)
    if run.first is not None:
        yield f"    {'killed' if sweep.run.kills else 'failed'}, and run again:"
        yield from rows(run.outcomes[run.first :])
    for finding in run.findings:
        if (text := f"{finding.check}: {finding.message}") != run.failure:
            yield f"  {SIGNS[finding.verdict]} {quoted(text)}"
    if isinstance(run.error, ProgramFailedError):
        yield from (f"    | {quoted(line)}" for line in run.error.output.splitlines())
    yield from (f"  → {advice}" for advice in actions_of(run, sweep))
    yield f"  replay: {sweep.replay_line(run)}"
    if others:
        more = " …" if others[1:] else ""
        yield f"  and {len(others)} similar: {quoted(others[0].text)}{more}"


def _fault_text(rule: Rule, method: str) -> str:
    shown = {
        key: text for key, text in rule.options.items() if key not in ("skip", "times", "when", "status")
    }
    fault = f"{rule.fault}{spelling.options(shown)}"
    if "status" in rule.options:
        fault += f" with status {rule.options['status']}"
    if rule.value("when") != "after":
        return fault
    if method in READS:
        cut = f"the answer is cut after {count(rule.value('after_bytes') or 0, 'byte')} ({fault})"
        return cut if rule.resolved.breaks else fault
    done = "after the request was carried out"
    return f"the answer is lost ({fault}) {done}" if rule.resolved.breaks else f"{fault} {done}"


def _nearest(rule: Rule, outcomes: Sequence[Outcome], sweep: Sweep) -> str:
    nearest = min(
        (sweep.compare(rule, outcome) for outcome in outcomes),
        key=lambda comparison: comparison.distance,
        default=None,
    )
    if nearest is None:
        return " (no request was seen)"
    return quoted(f" (nearest: {nearest.outcome.method} {nearest.outcome.path})")


def _backoff(sweep: Sweep) -> float:
    """The share of the time in which the client waited after faults."""
    spent = sum(run.seconds for run in sweep.finished)
    return min(1.0, sum(run.backoff for run in sweep.finished) / spent) if spent else 0.0


# Ids of uploads, and ids like these.
_LONG = re.compile(r"[0-9A-Za-z]{25,}")
LONGEST = 90
"""The most characters of a request that are shown."""
ENDS, AROUND = 8, 4
"""The rows of a long run that are shown at its beginning and end, and around each fault."""


def _row(outcome: Outcome, *, killed: bool) -> tuple[str, str, bool, str]:
    """The operation of a request, its line, whether it got a fault, and its whole target.

    A long target is cut in the line; the whole target distinguishes such lines.
    """
    target = f"{outcome.path}{'?' if outcome.query else ''}{outcome.query}"
    line = _LONG.sub(lambda match: f"{match[0][:8]}…", f"{outcome.method} {target}")
    line = quoted(line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…")
    headers = (
        outcome.range and f"Range: {outcome.range}",
        outcome.if_range and "If-Range",
        outcome.if_match and "If-Match",
    )
    shown_headers = ", ".join(filter(None, headers))
    fault = "killed" if killed else outcome.fault
    parts = (
        f"{outcome.status} " if outcome.status else "",
        line,
        f" ({quoted(shown_headers)})" if shown_headers else "",
        f"  <- {fault}{_after(outcome, killed=killed)}" if outcome.injected else "",
    )
    return outcome.operation or "-", "".join(parts), outcome.injected, target


def _after(outcome: Outcome, *, killed: bool) -> str:
    """The progress before a fault: the write was carried out, or the answer had begun."""
    if outcome.method in READS and outcome.did in BROKEN and not killed:
        return f", cut after {count(outcome.response_bytes or 0, 'byte')}" if outcome.applied else ""
    return " after it was carried out" if outcome.when == "after" and outcome.method not in READS else ""


def rows(outcomes: Sequence[Outcome], *, killed: bool = False) -> Iterator[str]:
    """A line for each request; equal requests in a row are one line.

    Args:
        outcomes: the requests.
        killed: whether the injected fault killed the program.
    """
    same_rows = groupby(enumerate(outcomes, 1), key=lambda numbered: _row(numbered[1], killed=killed))
    lines = [(row, [number for number, _ in same]) for row, same in same_rows]
    injected = [has_fault for (_, _, has_fault, _), _ in lines]
    number_width = len(str(len(outcomes)))
    operation_width = max((len(operation) for (operation, *_), _ in lines), default=0)
    hidden = 0
    for place, ((operation, text, *_), numbers) in enumerate(lines):
        if not _is_shown(injected, place):
            hidden += 1
            continue
        if hidden:
            yield f"    … {hidden} more …"
            hidden = 0
        repeats = len(numbers) - 1
        times = "once" if repeats == 1 else f"{repeats} times"
        more = f"  and {times} more, to {numbers[-1]}" if repeats else ""
        yield f"    {numbers[0]:>{number_width}} {operation:<{operation_width}}  {text}{more}"


def _is_shown(injected: Sequence[bool], place: int) -> bool:
    if len(injected) <= 2 * ENDS + AROUND or place < ENDS or place >= len(injected) - ENDS:
        return True
    return any(injected[place - AROUND : place + AROUND + 1])

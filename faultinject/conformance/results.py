"""The results of a conformance run: measurements, verdicts, and changes between two results."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles
from typing import Literal, NamedTuple

from msgspec import MsgspecError, Struct
from msgspec.json import decode
from msgspec.structs import asdict

from faultinject.audit.checks import CHECKS
from faultinject.audit.checks.retry_after import SLACK
from faultinject.audit.conclusion import Conclusion
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, VERDICTS, WARN, Report
from faultinject.audit.statistics import variation
from faultinject.conformance import plan
from faultinject.conformance.driving import SEED, ConformanceRun
from faultinject.conformance.sdks import SDKS, Sdk
from faultinject.exceptions import ConfigurationError
from faultinject.journal.call_window import CallWindow
from faultinject.journal.calls import Call
from faultinject.rules.files import read_bytes

KINDS = {"throttle": {"throttled", "throttled-read"}, "server": {"server-error"}}
"""The phases in which every attempt fails, by kind of failure: they show the backoff."""
SHORT = 0.05
"""Seconds below which waits differ only by the machine's noise."""
NOTHING = 0.02
"""Seconds below which a gap is not a wait."""
UNSAFE = frozenset({"POST", "PATCH"})
"""The methods that are not idempotent: clients retry them less often."""
WORDS = {"yes": "try again", "no": "do not", "unstated": "not stated"}
"""The words for the document's advice about a retry."""
FIRST = {
    "after-authorize": "authorize first",
    "after-refresh": "renew the token first",
    "with-care": "with care",
    "new-session": "start anew",
    "query-first": "ask for the state first",
    "after-signing": "sign it anew with the right time",
}
"""The actions that a document asks for before a retry; a client need not follow them."""


class Spread(Struct):
    """Several values, in seconds.

    Attributes:
        n: The number of values.
        median: The median, seconds.
        low: A quarter of the values are less than this.
        high: A quarter of the values are greater than this.
    """

    n: int
    median: float
    low: float
    high: float


class WaitsBeforeRetry(Spread):
    """The waits before a retry, in seconds.

    Attributes:
        n: The number of waits.
        median: The median, seconds.
        low: A quarter of the waits are shorter.
        high: A quarter of the waits are longer.
        retry: The number of the retry.
        waits: Every wait before it, the shortest first.
    """

    retry: int
    waits: list[float]


class Attempts(Struct):
    """Attempts of a call that always fails.

    Attributes:
        fewest: The fewest attempts of a call.
        most: The most attempts of a call.
    """

    fewest: int
    most: int


class HintNumbers(Struct):
    """The hints of answers in one form, and the client's reaction.

    Attributes:
        answers: Answers that asked for a wait.
        retried: The number of those answers that a retry followed.
        obeyed: Retries after the whole wait that was asked for; null if no length can be read.
        asked: The median of the waits that were asked for; null if no length can be read.
        waited: The median of the client's waits; null without a retry.
    """

    answers: int
    retried: int
    obeyed: int | None
    asked: float | None
    waited: float | None


class Outage(Struct):
    """The requests of the outage.

    Attributes:
        calls: The number of calls.
        requests: The number of requests.
        retries: The number of requests that are retries.
    """

    calls: int
    requests: int
    retries: int


class RetryNumbers(Struct):
    """Calls that had the same fault.

    Attributes:
        calls: The number of calls.
        retried: The number of calls that were retried.
    """

    calls: int
    retried: int


class NoticeNumbers(Struct):
    """Calls that got an error in an answer with status 200.

    Attributes:
        calls: The number of calls.
        retried: The number of calls that were retried.
        noticed: The number of calls that were retried, or whose caller got an error.
    """

    calls: int
    retried: int
    noticed: int


class BodyNumbers(Struct):
    """Bodies of uploads.

    Attributes:
        compared: Uploads that were retried.
        same: Retried uploads that sent the same body each time.
    """

    compared: int
    same: int


class Overlap(Struct):
    """Attempts of one call at the same time.

    Attributes:
        calls: Calls that were retried.
        overlapping: Calls in which an attempt came before the answer to the attempt before it.
    """

    calls: int
    overlapping: int


class FirstAnswer(Struct):
    """Calls with the same first answer.

    Attributes:
        answer: Status and code, such as `503 SlowDown`, or `reset`; with the method if that is not idempotent.
        documented: The vendor's advice about a retry; – if the document has none.
        calls: The number of calls.
        retried: The number of calls that were retried.
    """

    answer: str
    documented: str
    calls: int
    retried: int


class Numbers(Struct):
    """The measurements of a client; times are in seconds.

    A measurement without data is null or empty.

    Attributes:
        attempts: The attempts of a call that always fails; null without such a call.
        backoff: The waits before each retry, by kind of failure.
        jitter: The standard deviation of waits before the same retry, divided by their mean; null if all are short.
        hints: The hints, by form.
        retried: The results of each first answer.
        budget: The outage, in which every request fails.
        resets: Connections reset before the request was carried out.
        lost: Answers lost after the request was carried out.
        hidden: Errors in an answer with status 200.
        bytes: Bodies of uploads.
        overlap: Attempts of one call at the same time.
        gives_up: Seconds until the call ends, by kind of failure; null without such a call.
    """

    attempts: Attempts | None
    backoff: dict[str, list[WaitsBeforeRetry]]
    jitter: float | None
    hints: dict[str, HintNumbers]
    retried: list[FirstAnswer]
    budget: Outage
    resets: RetryNumbers
    lost: RetryNumbers
    hidden: NoticeNumbers
    bytes: BodyNumbers
    overlap: Overlap
    gives_up: dict[str, Spread | None]


def numbers_of(run: ConformanceRun) -> Numbers:
    """Measure a client by its calls."""
    evidence = run.judgement.evidence
    calls = evidence.everyone
    by_kind = {kind: [call for call in calls if call.name in phases] for kind, phases in KINDS.items()}
    attempts = [
        len(call.attempts)
        for failing in by_kind.values()
        for call in failing
        if call.closed and not call.succeeded
    ]
    backoff = {kind: _backoff(failing) for kind, failing in by_kind.items()}
    compared = [call.same_bytes for call in calls if call.retries and call.first.request_bytes]
    gaps = [[gap for gap in call.gaps if gap is not None] for call in calls]
    return Numbers(
        attempts=Attempts(min(attempts), max(attempts)) if attempts else None,
        backoff=backoff,
        jitter=_jitter(backoff),
        hints=_hints(calls),
        retried=codes(call for call in calls if call.name != plan.OUTAGE),
        budget=outage([call for call in calls if call.name == plan.OUTAGE]),
        resets=_count_retried(calls, lambda call: call.first.kind == "transport" and not call.first.applied),
        lost=_count_retried(calls, lambda call: call.first.kind == "transport" and call.first.applied),
        hidden=_hidden(
            [call for call in calls if any(attempt.kind == "hidden" for attempt in call.attempts)]
        ),
        bytes=BodyNumbers(sum(same is not None for same in compared), compared.count(True)),
        overlap=Overlap(sum(map(bool, gaps)), sum(min(gaps_of_call, default=0) < 0 for gaps_of_call in gaps)),
        gives_up={
            kind: _spread(_durations(window for window in run.windows if window.name in phases))
            for kind, phases in KINDS.items()
        },
    )


def _backoff(calls: Sequence[Call]) -> list[WaitsBeforeRetry]:
    """The waits before each retry, by its number."""
    by_number: list[list[float]] = []
    for call in calls:
        for number, gap in enumerate(call.gaps):
            if number == len(by_number):
                by_number.append([])
            if gap is not None and gap >= 0:
                by_number[number].append(gap)
    return [
        WaitsBeforeRetry(**asdict(spread), retry=number, waits=[round(wait, 4) for wait in sorted(waits)])
        for number, waits in enumerate(by_number, 1)
        if (spread := _spread(waits)) is not None
    ]


def _spread(values: Sequence[float]) -> Spread | None:
    """The number of values, their median and their quartiles; None without values."""
    if not values:
        return None
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    return Spread(len(values), round(median(values), 4), round(low, 4), round(high, 4))


def _jitter(backoff: dict[str, list[WaitsBeforeRetry]]) -> float | None:
    """The median variation of the waits before the same retry; None if all are too short."""
    variations = [
        variation(retry.waits)
        for retries in backoff.values()
        for retry in retries
        if retry.n > 2 and retry.median >= SHORT
    ]
    return round(median(variations), 3) if variations else None


def _hints(calls: Iterable[Call]) -> dict[str, HintNumbers]:
    """The hints and the client's reactions, by form."""
    seen: dict[str, list[tuple[float | None, float | None]]] = {}
    for call in calls:
        gaps: tuple[float | None, ...] = (*call.gaps, None)
        for attempt, gap in zip(call.attempts, gaps, strict=True):
            if attempt.hint_form is not None and attempt.failed:
                seen.setdefault(attempt.hint_form, []).append((attempt.hint, gap))
    numbers = {}
    for form, pairs in sorted(seen.items()):
        waits = [(wanted, gap) for wanted, gap in pairs if gap is not None]
        wanted_waits = [seconds for seconds, _ in pairs if seconds is not None]
        obeyed = [gap >= wanted - SLACK for wanted, gap in waits if wanted is not None]
        numbers[form] = HintNumbers(
            answers=len(pairs),
            retried=len(waits),
            obeyed=sum(obeyed) if wanted_waits else None,
            asked=round(median(wanted_waits), 3) if wanted_waits else None,
            waited=round(median(gap for _, gap in waits), 3) if waits else None,
        )
    return numbers


def outage(calls: Sequence[Call]) -> Outage:
    """The requests and retries of the outage's calls."""
    requests = sum(len(call.attempts) for call in calls)
    return Outage(len(calls), requests, requests - len(calls))


def _count_retried(calls: Iterable[Call], had_fault: Callable[[Call], bool]) -> RetryNumbers:
    with_fault = [call for call in calls if had_fault(call)]
    return RetryNumbers(len(with_fault), sum(call.retries > 0 for call in with_fault))


def _hidden(calls: Sequence[Call]) -> NoticeNumbers:
    """Count the calls with an error in a 200 that were retried or reported.

    A new request with another call id is a retry, too: AWS's SDK for Java 1 makes one at the end of an upload.
    """
    again = [call.retries > 0 or call.again is not None for call in calls]
    noticed = sum(
        retried or call.last.kind != "hidden" or call.returned is False
        for call, retried in zip(calls, again, strict=True)
    )
    return NoticeNumbers(len(calls), sum(again), noticed)


def _durations(windows: Iterable[CallWindow]) -> list[float]:
    return [
        window.ended - window.began
        for window in windows
        if window.ended is not None and window.returned is False
    ]


def codes(calls: Iterable[Call]) -> list[FirstAnswer]:
    """One row for each first answer that was a failure, the most frequent first."""
    rows: dict[str, FirstAnswer] = {}
    for call in calls:
        first = call.first
        if not first.failed:
            continue
        answer = f"{first.answer} ({first.method})" if first.method in UNSAFE else first.answer
        documented = first.documented
        advice = "–"
        if documented is not None:
            advice = FIRST.get(documented.again) or WORDS.get(documented.retryable, advice)
        row = rows.setdefault(answer, FirstAnswer(answer, advice, 0, 0))
        row.calls += 1
        row.retried += bool(call.retries)
    return sorted(rows.values(), key=lambda row: -row.calls)


class ClientResult(Struct):
    """The results of one client; times are seconds.

    Attributes:
        client: The name for `--client`.
        title: The name for people.
        note: The settings that are not its default, or empty.
        version: The version of the client; null if it is unknown.
        language: The language of its source, or empty.
        service: The vendor whose errors it got.
        seconds: The length of the run.
        deadline: The time limit of the run.
        late: The seconds by which calls began late, because the machine was busy.
        failure: The client's breach of the contract; null if there is none.
        numbers: The measurements.
        report: The verdict, as `faultinject report` prints it.
    """

    client: str
    title: str
    note: str
    version: str | None
    language: str
    service: str
    seconds: float
    deadline: float
    late: float
    failure: str | None
    numbers: Numbers
    report: Report

    @property
    def name(self) -> str:
        """Title, version and the settings that are not its default."""
        return " ".join(filter(None, (self.title, self.version, self.note and f"({self.note})")))

    @property
    def is_own(self) -> bool:
        """Whether it is a client of the user's own, so that `--client` names a command or a factory."""
        return self.title == self.client and self.client not in SDKS

    @property
    def called(self) -> str:
        """The name for a heading: the one that a user's own client reports; for an SDK `name`."""
        return self.version if self.is_own and self.version else self.name

    def worst(self, check: str) -> str | None:
        """The worst verdict of a check; None if it has no finding."""
        verdicts = [finding.verdict for finding in self.report.findings if finding.check == check]
        decided = [verdict for verdict in verdicts if verdict != INCONCLUSIVE]
        return min(decided or verdicts, key=VERDICTS.index, default=None)


def verdicts(clients: Sequence[ClientResult]) -> list[tuple[str, list[str | None]]]:
    """Each check's worst verdict for each client, None if it has no finding about a client.

    Checks without any finding are left out.
    """
    rows = [(check, [client.worst(check) for client in clients]) for check in CHECKS]
    return [(check, worst) for check, worst in rows if any(worst)]


class Machine(Struct):
    """A computer.

    Attributes:
        cores: The number of its processors; null if that is unknown.
        processor: Its kind.
        release: The release of the operating system.
    """

    cores: int | None
    processor: str
    release: str


class SkippedClient(Struct):
    """A client that has a driver and is not installed.

    Attributes:
        client: The name for `--client`.
        title: The name for people.
        install: The command that installs it.
    """

    client: str
    title: str
    install: str


class FailedClient(Struct):
    """A client that could not be started.

    Attributes:
        client: The name for `--client`.
        reason: The reason why it could not be started.
    """

    client: str
    reason: str


class Results(Struct, kw_only=True, omit_defaults=True):
    """The results of storage clients in a fixed plan of faults; times are seconds.

    Attributes:
        v: The version of the format.
        result: The conclusion.
        reason: The conclusion as a sentence.
        made: The day of the run, UTC, such as 2026-11-20.
        faultinject: The version of faultinject.
        python: The version of Python.
        system: The operating system.
        machine: The computer of the run.
        seed: The seed of every draw.
        deadline: The time limit of each client in seconds, unless it is known to need longer.
        complete: Whether all clients were run, without an interruption.
        all: Whether every installed client was run; then findings come without their calls.
        command: The command that repeats the run.
        skipped: Clients that have a driver and are not installed.
        failed: Clients that could not be started.
        clients: Each client's results.
    """

    v: Literal[1]
    result: str
    reason: str
    made: str
    faultinject: str
    python: str
    system: str
    machine: Machine
    seed: str
    deadline: float
    complete: bool
    all: bool
    command: str = ""
    skipped: list[SkippedClient]
    failed: list[FailedClient]
    clients: list[ClientResult]


class MeasuredRun(NamedTuple):
    """A client's run and its result.

    Attributes:
        result: the printed part.
        run: the calls, the requests and the judgement.
    """

    result: ClientResult
    run: ConformanceRun


def measure_client(sdk: Sdk, run: ConformanceRun) -> MeasuredRun:
    """The result of a client's run."""
    result = ClientResult(
        client=sdk.name,
        title=sdk.title,
        note=sdk.note,
        version=sdk.version or run.title,
        language=sdk.language,
        service=sdk.vendor,
        seconds=round(run.seconds, 2),
        deadline=run.deadline,
        late=round(run.late, 3),
        failure=run.failure or None,
        numbers=numbers_of(run),
        report=run.judgement.reported(),
    )
    return MeasuredRun(result, replace(run, judgement=replace(run.judgement, title=result.called)))


BUSY = 0.03
"""Seconds: calls that begin later than this show that the machine is busy."""


def conclusion(results: Sequence[MeasuredRun]) -> Conclusion:
    """The conclusion of all clients: a failure overrides undecided, which overrides a warning."""
    if len(results) == 1:
        return results[0].run.judgement.conclusion
    conclusions = {client.result.client: client.run.judgement.conclusion for client in results}
    reached = {conclusion.result for conclusion in conclusions.values()}
    worst = next(result for result in ("fail", "undecided", "warn", "pass") if result in reached)
    named = [name for name, conclusion in conclusions.items() if conclusion.result == worst]
    share = f"{len(named)} of {len(conclusions)} clients"
    if worst == "undecided":
        reasons = "; ".join(f"{name}: {conclusions[name].sentence}" for name in named)
        return Conclusion(worst, "Not decided", f"{share}: {reasons}")
    if worst == "pass":
        return Conclusion(worst, PASS, f"all {len(conclusions)} clients pass")
    head, verb = (FAIL, "fail") if worst == "fail" else (WARN, "warn")
    return Conclusion(worst, head, f"{share} {verb}{'s' if len(named) == 1 else ''}: {', '.join(named)}")


def results_of(
    measured: Sequence[MeasuredRun],
    *,
    day: str,
    version: str,
    deadline: float,
    complete: bool,
    whole: bool,
    skipped: list[SkippedClient],
    failed: list[FailedClient],
    command: str,
) -> Results:
    """The results of all clients.

    Args:
        measured: the clients that ran.
        day: the day of the run, `2026-11-20`.
        version: the version of faultinject.
        deadline: the time limit of each client in seconds, unless it is known to need longer.
        complete: whether all clients were run.
        whole: whether every installed client was run; then findings come without their calls, which are nine tenths
            of the document.
        skipped: clients that are not installed.
        failed: clients that could not be started.
        command: the command that repeats the run.
    """
    concluded = conclusion(measured)
    for client in measured if whole else ():
        for finding in client.result.report.findings:
            finding.calls = []
    return Results(
        v=1,
        result=concluded.result,
        reason=concluded.reason,
        made=day,
        faultinject=version,
        python=platform.python_version(),
        system=platform.system(),
        machine=Machine(os.cpu_count(), platform.machine(), platform.release()),
        seed=SEED,
        deadline=deadline,
        complete=complete,
        all=whole,
        command=command,
        skipped=skipped,
        failed=failed,
        clients=[client.result for client in measured],
    )


def read(path: str) -> Results:
    """Results of an earlier run.

    Raises:
        OSError: the file cannot be read.
        ConfigurationError: it has no such results.
    """
    try:
        return decode(read_bytes(path), type=Results)
    except (ValueError, MsgspecError, RecursionError):
        raise ConfigurationError(
            f"{path}: these are no results of `faultinject conformance -o FILE.json`"
        ) from None


SEVERITY = {FAIL: 2, WARN: 1}
"""The verdicts that count as a problem; a greater number is worse."""


@dataclass(frozen=True, slots=True)
class ResultChange:
    """A difference between two results.

    Attributes:
        client: its name.
        subject: the check with its subject, or the fact.
        before: the old verdict or fact; empty if there was none.
        after: the new verdict or fact; empty if there is none.
        message: the new measurement; empty for a fact.
        worse: whether a check newly fails or warns.
    """

    client: str
    subject: str
    before: str
    after: str
    message: str = ""
    worse: bool = False


def pairs(old: Results, new: Results) -> dict[str, ClientResult]:
    """Find the old result of each new client; the key is the new client's name for `--client`.

    The command of a user's own client may differ between the two results. Then two clients belong together if they
    report the same name, or if each of the results has no other client.
    """
    known = {client.client: client for client in old.clients}
    compared = {client.client: known.pop(client.client) for client in new.clients if client.client in known}
    alone = len(old.clients) == len(new.clients) == 1
    for client in new.clients:
        if client.is_own and client.client not in compared:
            for other in known.values():
                if other.is_own and (alone or other.called == client.called):
                    compared[client.client] = known.pop(other.client)
                    break
    return compared


def changes(old: Results, new: Results) -> Iterator[ResultChange]:
    """The changes of the clients that both results have, then the clients that are new or gone.

    They come in the order of the new results. A client can be gone only if every installed client was run.

    Args:
        old: the results before.
        new: the results now.
    """
    compared = pairs(old, new)
    for client in new.clients:
        name = client.client
        if name in compared:
            yield from _facts(name, compared[name], client)
            yield from _verdicts(name, compared[name], client)
        else:
            yield ResultChange(name, "client", "", f"new: {client.version or 'version unknown'}")
    if new.all and new.complete:
        kept = {client.client for client in compared.values()}
        for client in old.clients:
            if client.client not in kept:
                yield ResultChange(client.client, "client", client.version or "version unknown", "gone")


def _facts(name: str, old: ClientResult, new: ClientResult) -> Iterator[ResultChange]:
    if old.client != name:
        yield ResultChange(name, "client", old.client, name)
    if old.version != new.version:
        yield ResultChange(name, "version", old.version or "", new.version or "")
    before, now = attempts_text(old.numbers.attempts), attempts_text(new.numbers.attempts)
    if before != now and not _both_vary(old, new):
        yield ResultChange(name, "attempts", before, now)


def _both_vary(old: ClientResult, new: ClientResult) -> bool:
    """Whether the numbers of attempts vary by chance in both results, and overlap."""
    before, now = old.numbers.attempts, new.numbers.attempts
    if before is None or now is None or before.fewest == before.most or now.fewest == now.most:
        return False
    return max(before.fewest, now.fewest) <= min(before.most, now.most)


def attempts_text(attempts: Attempts | None) -> str:
    """The numbers of attempts as text: `3`, `9 to 12`, or empty."""
    if attempts is None:
        return ""
    fewest, most = attempts.fewest, attempts.most
    return f"{fewest}" if fewest == most else f"{fewest} to {most}"


def _verdicts(name: str, old: ClientResult, new: ClientResult) -> Iterator[ResultChange]:
    before = {finding.name: finding.verdict for finding in old.report.findings}
    for finding in new.report.findings:
        key, verdict = finding.name, finding.verdict
        old_verdict = before.pop(key, "")
        # A check that is undecided in one of the results proves no change, unless it newly fails or warns.
        if old_verdict == verdict or (INCONCLUSIVE in (old_verdict, verdict) and verdict not in SEVERITY):
            continue
        worse = SEVERITY.get(verdict, 0) > SEVERITY.get(old_verdict, 0)
        yield ResultChange(name, key, old_verdict, verdict, finding.measured, worse)
    for key, old_verdict in before.items():
        if old_verdict in SEVERITY:
            yield ResultChange(name, key, old_verdict, "")

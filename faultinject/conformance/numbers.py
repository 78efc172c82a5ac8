"""What a client did in one run as numbers: what the league compares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median, quantiles

from msgspec import Struct
from msgspec.structs import asdict

from faultinject.audit.checks.retry_after import SLACK
from faultinject.audit.statistics import variation
from faultinject.conformance import plan
from faultinject.conformance.driving import Run
from faultinject.journal.call_window import CallWindow
from faultinject.journal.calls import Call

KINDS = {"throttle": "throttled", "server": "server-error"}
"""The kinds of failure that never end in one phase each, and that phase: whose waits are the backoff curve."""
SHORT = 0.05
"""Seconds; how shorter waits vary is the machine's doing."""
NOTHING = 0.02
"""Seconds; a shorter gap is not a wait."""
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


class Spread(Struct):
    """Several values, in seconds.

    Attributes:
        n: How many.
        median: Seconds.
        low: A quarter of them are shorter.
        high: A quarter of them are longer.
    """

    n: int
    median: float
    low: float
    high: float


class WaitsBeforeRetry(Spread):
    """The waits before a retry, in seconds.

    Attributes:
        n: How many.
        median: Seconds.
        low: A quarter of them are shorter.
        high: A quarter of them are longer.
        retry: The number of the retry.
        waits: Every wait before it, the shortest first.
    """

    retry: int
    waits: list[float]


class Attempts(Struct):
    """Attempts of a call that always fails.

    Attributes:
        fewest: The fewest.
        most: The most.
    """

    fewest: int
    most: int


class HintNumbers(Struct):
    """What answers asked for in one form, and the client's reaction.

    Attributes:
        answers: Answers that asked for a wait.
        retried: How many of them were followed by a retry.
        obeyed: Retries that came no earlier; null where no length can be read.
        asked: The median of what was asked for; null where no length can be read.
        waited: The median of the waits; null without a retry.
    """

    answers: int
    retried: int
    obeyed: int | None
    asked: float | None
    waited: float | None


class Outage(Struct):
    """The requests of the outage.

    Attributes:
        calls: How many calls were made while nothing worked.
        requests: How many requests.
        retries: How many of them are retries.
    """

    calls: int
    requests: int
    retries: int


class Retried(Struct):
    """Calls that had the same fault.

    Attributes:
        calls: How many calls.
        retried: How many of them were retried.
    """

    calls: int
    retried: int


class Noticed(Struct):
    """Calls that got an error in an answer with status 200.

    Attributes:
        calls: How many calls.
        retried: How many of them were retried.
        noticed: Retried, or the caller got an error.
    """

    calls: int
    retried: int
    noticed: int


class Compared(Struct):
    """Bodies of uploads.

    Attributes:
        compared: Uploads that were retried.
        same: Those that sent the same body each time.
    """

    compared: int
    same: int


class Overlap(Struct):
    """Attempts of one call at the same time.

    Attributes:
        calls: Calls that were retried.
        overlapping: Those whose next attempt came before the last one's answer.
    """

    calls: int
    overlapping: int


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


class Numbers(Struct):
    """Everything that is measured of a client. Times are seconds; what was not seen is null or empty.

    Attributes:
        attempts: Of a call that always fails; null without such a call.
        backoff: The waits before each retry, by kind of failure.
        jitter: The deviation of waits before the same retry by their mean; null where they are too short.
        hints: By form of the hint.
        retried: The results of each first answer.
        budget: The outage, in which every request fails.
        resets: Connections reset before the request was carried out.
        lost: Answers lost after it was.
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
    resets: Retried
    lost: Retried
    hidden: Noticed
    bytes: Compared
    overlap: Overlap
    gives_up: dict[str, Spread | None]


def numbers_of(run: Run) -> Numbers:
    """Everything that is measured of a client."""
    evidence = run.judgement.evidence
    calls = evidence.everyone
    of = {kind: [each for each in calls if each.name == phase] for kind, phase in KINDS.items()}
    made = [
        len(each.attempts) for found in of.values() for each in found if each.closed and not each.succeeded
    ]
    backoff = {kind: _backoff(found) for kind, found in of.items()}
    compared = [each.same_bytes for each in calls if each.retries and each.first.request_bytes]
    gaps = [[gap for gap in each.gaps if gap is not None] for each in calls]
    return Numbers(
        attempts=Attempts(min(made), max(made)) if made else None,
        backoff=backoff,
        jitter=_jitter(backoff),
        hints=_hints(calls),
        retried=codes(each for each in calls if each.name != plan.OUTAGE),
        budget=outage([each for each in calls if each.name == plan.OUTAGE]),
        resets=_again(calls, lambda call: call.first.kind == "transport" and not call.first.applied),
        lost=_again(calls, lambda call: call.first.kind == "transport" and call.first.applied),
        hidden=_hidden([each for each in calls if any(one.kind == "hidden" for one in each.attempts)]),
        bytes=Compared(sum(each is not None for each in compared), compared.count(True)),
        overlap=Overlap(sum(map(bool, gaps)), sum(min(each, default=0) < 0 for each in gaps)),
        gives_up={
            kind: _spread(_durations(each for each in run.windows if each.name == phase))
            for kind, phase in KINDS.items()
        },
    )


def _backoff(calls: Sequence[Call]) -> list[WaitsBeforeRetry]:
    """The waits before each retry, by its number."""
    found: list[list[float]] = []
    for call in calls:
        for number, gap in enumerate(call.gaps):
            if number == len(found):
                found.append([])
            if gap is not None and gap >= 0:
                found[number].append(gap)
    return [
        WaitsBeforeRetry(**asdict(spread), retry=number, waits=[round(each, 4) for each in sorted(waits)])
        for number, waits in enumerate(found, 1)
        if (spread := _spread(waits)) is not None
    ]


def _spread(values: Sequence[float]) -> Spread | None:
    """How many, their median, and between which two values half of them are; None of none."""
    if not values:
        return None
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    return Spread(len(values), round(median(values), 4), round(low, 4), round(high, 4))


def _jitter(backoff: dict[str, list[WaitsBeforeRetry]]) -> float | None:
    """The median variation of the waits before the same retry; None where there are none that are long enough."""
    found = [
        variation(each.waits)
        for retries in backoff.values()
        for each in retries
        if each.n > 2 and each.median >= SHORT
    ]
    return round(median(found), 3) if found else None


def _hints(calls: Iterable[Call]) -> dict[str, HintNumbers]:
    """By form what was asked for, and what came of it."""
    seen: dict[str, list[tuple[float | None, float | None]]] = {}
    for call in calls:
        gaps: tuple[float | None, ...] = (*call.gaps, None)
        for attempt, gap in zip(call.attempts, gaps, strict=True):
            if attempt.hint_form is not None and attempt.failed:
                seen.setdefault(attempt.hint_form, []).append((attempt.hint, gap))
    found = {}
    for form, pairs in sorted(seen.items()):
        waits = [(asked, gap) for asked, gap in pairs if gap is not None]
        asked = [each for each, _ in pairs if each is not None]
        obeyed = [gap >= wanted - SLACK for wanted, gap in waits if wanted is not None]
        found[form] = HintNumbers(
            answers=len(pairs),
            retried=len(waits),
            obeyed=sum(obeyed) if asked else None,
            asked=round(median(asked), 3) if asked else None,
            waited=round(median(gap for _, gap in waits), 3) if waits else None,
        )
    return found


def outage(calls: Sequence[Call]) -> Outage:
    """The requests and retries of the outage's calls."""
    requests = sum(len(each.attempts) for each in calls)
    return Outage(len(calls), requests, requests - len(calls))


def _again(calls: Iterable[Call], met: Callable[[Call], bool]) -> Retried:
    found = [each for each in calls if met(each)]
    return Retried(len(found), sum(each.retries > 0 for each in found))


def _hidden(calls: Sequence[Call]) -> Noticed:
    """Of calls that got an error in a 200: how many were retried, or reported.

    An SDK that asks again under another id of its own retries too, as AWS's for Java 1 does at the end of an upload.
    """
    again = [each.retries > 0 or each.again is not None for each in calls]
    noticed = sum(
        retried or each.last.kind != "hidden" or each.returned is False
        for each, retried in zip(calls, again, strict=True)
    )
    return Noticed(len(calls), sum(again), noticed)


def _durations(windows: Iterable[CallWindow]) -> list[float]:
    return [each.ended - each.began for each in windows if each.ended is not None and each.returned is False]


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

"""What a client did in one run as numbers: what the league compares."""

from __future__ import annotations

from statistics import median, quantiles

from faultinject.audit.checks.retry_after import SLACK
from faultinject.audit.statistics import variation
from faultinject.conformance import plan
from faultinject.conformance.codes import codes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from faultinject.conformance.driving import Run
    from faultinject.journal.call_window import CallWindow
    from faultinject.journal.calls import Call

KINDS = {"throttle": "thr", "server": "srv"}
"""The kinds of failure that never end in one phase each, and that phase: whose waits are the backoff curve."""
SHORT = 0.05
"""Seconds; how shorter waits vary is the machine's doing."""
NOTHING = 0.02
"""Seconds; a shorter gap is not a wait."""


def numbers_of(run: Run) -> dict[str, Any]:
    """Everything that is measured of a client, as plain data; times are seconds, what was not seen is None or empty.

    `attempts`: of a call that always fails, `fewest` and `most`. `backoff`: by kind of failure and retry the waits.
    `jitter`: how much waits before the same retry vary, their standard deviation by their mean. `hints`: by form, how
    many answers asked for a wait, and how many retries came no earlier. `retried`: first answers, and how many of their
    calls were retried. `budget`: the requests of the outage. `resets`, `lost`,
    `hidden`: connections that were reset, answers lost after the store had done the work, errors in a 200. `bytes`:
    retries whose body could be compared. `overlap`: calls whose next attempt came before the answer to the last one.
    `gives_up`: seconds from the beginning of a call that always fails to its end.
    """
    evidence = run.judgement.evidence
    calls = evidence.everyone
    of = {kind: [each for each in calls if each.name == phase] for kind, phase in KINDS.items()}
    made = [
        len(each.attempts) for found in of.values() for each in found if each.closed and not each.succeeded
    ]
    backoff = {kind: _backoff(found) for kind, found in of.items()}
    sized = [each for each in calls if each.retries and each.first.request_bytes]
    compared = [each.same_bytes for each in sized]
    gaps = [[gap for gap in each.gaps if gap is not None] for each in calls]
    return {
        "attempts": {"fewest": min(made), "most": max(made)} if made else None,
        "backoff": backoff,
        "jitter": _jitter(backoff),
        "hints": _hints(calls),
        "retried": [
            {"answer": each.answer, "documented": each.documented, "calls": each.calls, "retried": each.again}
            for each in codes(each for each in calls if each.name != plan.OUTAGE)
        ],
        "budget": _budget([each for each in calls if each.name == plan.OUTAGE]),
        "resets": _again(calls, lambda call: call.first.kind == "transport" and not call.first.applied),
        "lost": _again(calls, lambda call: call.first.kind == "transport" and call.first.applied),
        "hidden": _hidden([each for each in calls if any(attempt.kind == "hidden" for attempt in each.attempts)]),
        "bytes": {"compared": sum(each is not None for each in compared), "same": compared.count(True)},
        "overlap": {"calls": sum(map(bool, gaps)), "overlapping": sum(min(each, default=0) < 0 for each in gaps)},
        "gives_up": {
            kind: _spread(_durations(each for each in run.windows if each.name == phase))
            for kind, phase in KINDS.items()
        },
    }  # fmt: skip


def _backoff(calls: Sequence[Call]) -> list[dict[str, Any]]:
    """The waits before each retry, by its number."""
    found: list[list[float]] = []
    for call in calls:
        for number, gap in enumerate(call.gaps):
            if number == len(found):
                found.append([])
            if gap is not None and gap >= 0:
                found[number].append(gap)
    return [
        {"retry": number, **spread, "waits": [round(each, 4) for each in sorted(waits)]}
        for number, waits in enumerate(found, 1)
        if (spread := _spread(waits)) is not None
    ]


def _spread(values: Sequence[float]) -> dict[str, Any] | None:
    """How many, their median, and between which two values half of them are; None of none."""
    if not values:
        return None
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    told = {"median": median(values), "low": low, "high": high}
    return {"n": len(values), **{name: round(each, 4) for name, each in told.items()}}


def _jitter(backoff: dict[str, list[dict[str, Any]]]) -> float | None:
    """The median variation of the waits before the same retry; None where there are none that are long enough."""
    found = [
        variation(each["waits"])
        for retries in backoff.values()
        for each in retries
        if each["n"] > 2 and each["median"] >= SHORT
    ]
    return round(median(found), 3) if found else None


def _hints(calls: Iterable[Call]) -> dict[str, dict[str, Any]]:
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
        found[form] = {
            "answers": len(pairs),
            "retried": len(waits),
            "obeyed": sum(obeyed) if asked else None,
            "asked": round(median(asked), 3) if asked else None,
            "waited": round(median(gap for _, gap in waits), 3) if waits else None,
        }
    return found


def _budget(calls: Sequence[Call]) -> dict[str, int]:
    """What the outage got: its requests and retries."""
    requests = sum(len(each.attempts) for each in calls)
    return {"calls": len(calls), "requests": requests, "retries": requests - len(calls)}


def _again(calls: Iterable[Call], met: Callable[[Call], bool]) -> dict[str, int]:
    found = [each for each in calls if met(each)]
    return {"calls": len(found), "retried": sum(each.retries > 0 for each in found)}


def _hidden(calls: Sequence[Call]) -> dict[str, int]:
    """Of calls that got an error in a 200: how many were retried, or reported.

    An SDK that asks again under another id of its own retries too, as AWS's for Java 1 does at the end of an upload.
    """
    again = [each.retries > 0 or each.again is not None for each in calls]
    noticed = sum(
        retried or each.last.kind != "hidden" or each.returned is False
        for each, retried in zip(calls, again, strict=True)
    )
    return {"calls": len(calls), "retried": sum(again), "noticed": noticed}


def _durations(windows: Iterable[CallWindow]) -> list[float]:
    return [each.ended - each.began for each in windows if each.ended is not None and each.returned is False]

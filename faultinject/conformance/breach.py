"""Finds clients that report success for calls that they did not make, or that fall silent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from faultinject.audit.calls_by_client import REPLACED
from faultinject.audit.evidence import answered_at, opening
from faultinject.audit.grouping import SHORTEST, UNSEEN
from faultinject.conformance.plan import BUCKET, CALIBRATION, PlannedCall
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow

NOT_FOUND = 404


def find_breach(
    planned: Iterable[PlannedCall], windows: Sequence[CallWindow], attempts: Sequence[Attempt]
) -> str:
    """The breach of the contract in one line, or an empty text.

    Args:
        planned: the calls of the plan.
        windows: the calls that were begun.
        attempts: the requests, in order of arrival.
    """
    kinds = {call.key: call.kind for call in planned}
    calls = {window.key: window for window in windows if window.key is not None}
    requests = requests_by_key(windows, attempts)
    for key, call in calls.items():
        if call.returned and not requests[key]:
            return (
                f"it answered that {_call(kinds[key], key)} had succeeded, and sent no request whose path"
                f" has the segment {key}"
            )
        last = requests[key][-1] if requests[key] else None
        if call.name == CALIBRATION and call.returned is False and last and last.failed and not last.injected:
            request = f"{last.method} {last.host}{last.path}: {last.answer}"
            return (
                f"{_call(kinds[key], key)} met no fault and failed ({request}):"
                f" its object is in the bucket {BUCKET}"
            )
    for kind in dict.fromkeys(kinds[key] for key in calls):
        keys = [key for key in calls if kinds[key] == kind]
        idle = not any(requests[key] or calls[key].ended is None for key in keys)
        if attempts and idle and not all(_cut_off_by_breaker(calls[key], calls, requests) for key in keys):
            error = calls[keys[0]].error
            answered = f"; it answered {error!r}" if error else ""
            return (
                f"it sent no request for its {kind} calls, such as {_call(kind, keys[0])}, although it says"
                f" that it can do {kind}{answered}"
            )
    for key in calls:
        if kinds[key] == "complete" and (strange := _unknown_upload(requests[key])):
            query = f"?{strange.query}" if strange.query else ""
            request = f"{strange.method} {strange.path}{query}: {strange.answer}"
            return (
                f"{_call('complete', key)} asked for an upload that is not there ({request}):"
                f" the id of the upload is {key}, and so is the key of its object"
            )
    return ""


def _cut_off_by_breaker(
    silent: CallWindow, calls: Mapping[str, CallWindow], requests: Mapping[str, Sequence[Attempt]]
) -> bool:
    """Whether a circuit breaker prevented a call that sent no request."""
    beside = [key for key, call in calls.items() if call.name == silent.name and requests[key]]
    answered = sorted((attempt for key in beside for attempt in requests[key]), key=answered_at)
    # A breaker gives the same error to all calls that it prevents.
    same = any(calls[key].returned is False and calls[key].error == silent.error for key in beside)
    return same and opening(silent, answered) is not None


def _unknown_upload(attempts: Sequence[Attempt]) -> Attempt | None:
    """The first request that the store itself answered with 404, if the whole call failed."""
    own = [attempt for attempt in attempts if not attempt.injected]
    if any(not attempt.failed for attempt in own):
        return None
    return next((attempt for attempt in own if attempt.status == NOT_FOUND), None)


def _call(kind: str, key: str) -> str:
    return f"the call {kind} {key}"


FOR_EVER = float("inf")


class ClientSilence(NamedTuple):
    """A client that stopped sending requests although calls were open.

    Attributes:
        calls: the open calls.
        seconds: the length of the silence.
    """

    calls: Sequence[CallWindow]
    seconds: float


def find_silence(
    windows: Sequence[CallWindow], attempts: Sequence[Attempt], *, until: float, deadline: float
) -> ClientSilence | None:
    """Find the silence at the end of a run; None if every open call may still be waiting.

    Two seconds are enough for a call that has nothing to wait for: one that sent no request, or whose last answer was
    not a failure. While another call may still be waiting for its retry, the silence must last twice the longest wait
    seen, or ten seconds if none was seen. If every open call may be waiting, and no wait was seen, the client does not
    count as silent. A call whose object was replaced does not count, as some clients wait for ever for the rest of a
    cut download.

    Args:
        windows: the calls that were begun.
        attempts: the requests, in order of arrival.
        until: the end of the run, in seconds of the journal's clock.
        deadline: the time limit of the run in seconds.
    """
    open_calls = [window for window in windows if window.ended is None and window.name != REPLACED]
    if not open_calls:
        return None
    signs = [window.began if window.ended is None else window.ended for window in windows]
    signs += [attempt.arrived if attempt.answered is None else attempt.answered for attempt in attempts]
    quiet = until - max(signs)
    by_key = requests_by_key(windows, attempts)
    idle = [
        window for window in open_calls if not (seen := by_key.get(window.key or "")) or not seen[-1].failed
    ]
    waits = [
        after.arrived - before.answered
        for seen in by_key.values()
        for before, after in pairwise(seen)
        if before.answered is not None
    ]
    if len(idle) == len(open_calls):
        needed = SHORTEST
    elif waits:
        needed = max(SHORTEST, 2 * max(waits))
    else:
        needed = UNSEEN if idle else FOR_EVER
    if idle:
        needed = min(needed, deadline / 2)
    return ClientSilence(open_calls, quiet) if quiet >= needed else None


def requests_by_key(windows: Sequence[CallWindow], attempts: Sequence[Attempt]) -> dict[str, list[Attempt]]:
    """The requests of each call, whose key is a segment of their path."""
    requests: dict[str, list[Attempt]] = {window.key: [] for window in windows if window.key is not None}
    for attempt in attempts:
        for segment in requests.keys() & {*attempt.path.split("/")}:
            requests[segment].append(attempt)
    return requests

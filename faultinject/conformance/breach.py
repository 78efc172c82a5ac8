"""Whether a client did not do the calls that it was asked for, although it answered them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from faultinject.audit.calls_by_client import REPLACED
from faultinject.audit.checks.words import counted
from faultinject.audit.evidence import answered_at, opening
from faultinject.audit.grouping import SHORTEST, UNSEEN
from faultinject.audit.waits import KINDS
from faultinject.conformance.plan import PlannedCall
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow

NOT_FOUND = 404


def breach(asked: Iterable[PlannedCall], windows: Sequence[CallWindow], attempts: Sequence[Attempt]) -> str:
    """How its calls break the contract, in one line; empty where they do not.

    Args:
        asked: the calls of the plan.
        windows: the calls that were begun.
        attempts: the requests, in order of arrival.
    """
    kinds = {each.key: each.kind for each in asked}
    calls = {each.key: each for each in windows if each.key is not None}
    made = requests_by_key(windows, attempts)
    for key, call in calls.items():
        if call.returned and not made[key]:
            return (
                f"it answered that {_call(kinds[key], key)} had succeeded, and sent no request whose path has the"
                f" segment {key}"
            )
    vain = [key for key, call in calls.items() if call.returned and all(map(_is_in_vain, made[key]))]
    if vain:
        example = f"{_call(kinds[vain[0]], vain[0])} ({made[vain[0]][-1].answer})"
        return f"it answered that {counted(len(vain), 'call')} had succeeded although every request had failed, such as {example}"
    for kind in dict.fromkeys(kinds[key] for key in calls):
        mine = [key for key in calls if kinds[key] == kind]
        idle = not any(made[key] or calls[key].ended is None for key in mine)
        if attempts and idle and not all(_meets_breaker(calls[key], calls, made) for key in mine):
            error = calls[mine[0]].error
            answered = f"; it answered {error!r}" if error else ""
            return (
                f"it sent no request for its {kind} calls, such as {_call(kind, mine[0])}, although it says that it can do"
                f" {kind}{answered}"
            )
    for key in calls:
        if kinds[key] == "complete" and (strange := _unknown_upload(made[key])):
            query = f"?{strange.query}" if strange.query else ""
            return (
                f"{_call('complete', key)} asked for an upload that is not there ({strange.method} {strange.path}{query}:"
                f" {strange.answer}): the id of the upload is {key}, and so is the key of its object"
            )
    return ""


def _meets_breaker(
    silent: CallWindow, calls: Mapping[str, CallWindow], made: Mapping[str, Sequence[Attempt]]
) -> bool:
    """Whether a circuit breaker had opened before a call without a request: one that was cut off by it ended with the same error."""
    beside = [key for key, call in calls.items() if call.name == silent.name and made[key]]
    answered = sorted((each for key in beside for each in made[key]), key=answered_at)
    same = any(calls[key].returned is False and calls[key].error == silent.error for key in beside)
    return same and opening(silent, answered) is not None


def _unknown_upload(attempts: Sequence[Attempt]) -> Attempt | None:
    """The first request of a call that the store itself did not find, where it carried out none of them."""
    own = [each for each in attempts if not each.injected]
    if any(not each.failed for each in own):
        return None
    return next((each for each in own if each.status == NOT_FOUND), None)


def _is_in_vain(attempt: Attempt) -> bool:
    """Whether it got a failure that may pass, and nothing was carried out."""
    return attempt.kind in KINDS and not attempt.applied


def _call(kind: str, key: str) -> str:
    return f"the call {kind} {key}"


FOR_EVER = float("inf")


class Silence(NamedTuple):
    """Nothing came of a client any more, though calls were open.

    Attributes:
        calls: the calls.
        seconds: for how long.
    """

    calls: Sequence[CallWindow]
    seconds: float


def fallen_silent(
    windows: Sequence[CallWindow], attempts: Sequence[Attempt], *, until: float, deadline: float
) -> Silence | None:
    """The silence at the end of a run; None where every call has ended, or those that have not may be waited out.

    A call that was never begun, or whose last answer was no failure, has nothing to wait for: two seconds without a sign
    are enough. As long as another call may be waiting before it tries again, it takes twice the longest wait that was
    seen, ten seconds where none was; and where no call has nothing to wait for, a wait that was seen. A call whose object was
    replaced says nothing here: some clients wait for ever for the rest of a cut download.

    Args:
        windows: the calls that were begun.
        attempts: the requests, in order of arrival.
        until: when the run ended, seconds of the journal's clock.
        deadline: how long it was given, seconds.
    """
    left = [each for each in windows if each.ended is None and each.name != REPLACED]
    if not left:
        return None
    signs = [each.began if each.ended is None else each.ended for each in windows]
    signs += [each.arrived if each.answered is None else each.answered for each in attempts]
    quiet = until - max(signs)
    by_key = requests_by_key(windows, attempts)
    idle = [each for each in left if not (seen := by_key.get(each.key or "")) or not seen[-1].failed]
    waits = [
        after.arrived - before.answered
        for seen in by_key.values()
        for before, after in pairwise(seen)
        if before.answered is not None
    ]
    if len(idle) == len(left):
        needed = SHORTEST
    elif waits:
        needed = max(SHORTEST, 2 * max(waits))
    else:
        needed = UNSEEN if idle else FOR_EVER
    if idle:
        needed = min(needed, deadline / 2)
    return Silence(left, quiet) if quiet >= needed else None


def requests_by_key(windows: Sequence[CallWindow], attempts: Sequence[Attempt]) -> dict[str, list[Attempt]]:
    """The requests of each call: those whose path has its key as a segment."""
    found: dict[str, list[Attempt]] = {each.key: [] for each in windows if each.key is not None}
    for attempt in attempts:
        for segment in found.keys() & {*attempt.path.split("/")}:
            found[segment].append(attempt)
    return found

"""Whether a client did not do the calls that it was asked for, although it answered them."""

from __future__ import annotations

from faultinject.conformance.silence import requests_by_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from faultinject.conformance.plan import Phase
    from faultinject.journal.attempts import Attempt
    from faultinject.journal.call_window import CallWindow

NOT_FOUND = 404


def breach(phases: Iterable[Phase], windows: Sequence[CallWindow], attempts: Sequence[Attempt]) -> str:
    """How its calls break the contract, in one line; empty where they do not.

    Args:
        phases: the plan's.
        windows: the calls that were begun.
        attempts: the requests, in order of arrival.
    """
    kinds = {asked.key: asked.kind for phase in phases for asked in phase.asked()}
    calls = {each.key: each for each in windows if each.key is not None}
    made = requests_by_key(windows, attempts)
    for key, call in calls.items():
        if call.returned and not made[key]:
            return (
                f"it answered that {_call(kinds[key], key)} had succeeded, and sent no request whose path has the"
                f" segment {key}"
            )
    for kind in dict.fromkeys(kinds[key] for key in calls):
        mine = [key for key in calls if kinds[key] == kind]
        if attempts and not any(made[key] or calls[key].ended is None for key in mine):
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


def _unknown_upload(attempts: Sequence[Attempt]) -> Attempt | None:
    """The first request of a call that the store itself did not find, where it carried out none of them."""
    own = [each for each in attempts if not each.injected]
    if any(not each.failed for each in own):
        return None
    return next((each for each in own if each.status == NOT_FOUND), None)


def _call(kind: str, key: str) -> str:
    return f"the call {kind} {key}"

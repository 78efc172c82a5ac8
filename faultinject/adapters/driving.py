"""What both adapters do with a plan: answer its asks, and undo what could not be carried out."""

from __future__ import annotations

from faultinject.engine.actions import Disconnect, Respond, unreachable
from faultinject.engine.asks import GiveBack, Match, Release, Take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from typing import Any

    from faultinject.engine.actions import Action
    from faultinject.engine.journal_entry import Entry
    from faultinject.engine.plan import Flow, Plan
    from faultinject.engine.request import Request

DECIDED = "faultinject.decided"
"""In environ or scope: an outer middleware has decided this request."""
NOTED = "faultinject.noted"
"""In environ or scope: the journals that have noted this request though no rule matched."""


def drive(plan: Plan, flow: Flow) -> Action | None:
    """Run a plan's flow to its action; counts that a match keeps from others are kept no longer than for its takes."""
    counts = plan.counts
    answer: object = None
    taken: Take | None = None
    held = False
    try:
        while True:
            ask = flow.send(answer)
            if isinstance(ask, Match):
                answer = numbers = counts.match(ask.keys, ask.now, ask.hold, ask.enough)
                held = ask.hold and numbers[0][1] >= 0
            elif isinstance(ask, Take):
                answer = counts.take(ask, held)
                if answer:
                    taken = ask
                    if held:
                        held = False
                        counts.release()
            elif isinstance(ask, Release):
                answer = None
                if held:
                    held = False
                    counts.release()
            elif isinstance(ask, GiveBack):
                counts.give_back(ask.take)
                answer = taken = None
            else:
                unreachable(ask)
    except StopIteration as end:
        action: Action | None = end.value
        return action
    except Exception:
        if taken is not None:
            counts.give_back(taken)
        raise
    finally:
        if held:
            counts.release()
        flow.close()


class ClientGone(Exception):
    """The client left before it had sent its whole request."""


def undo(plan: Plan, entry: Entry, did: str, *, applied: bool = False, status: int | None = None) -> None:
    """A fault that was decided on is not carried out: its take goes back, and the journal says why.

    The status of the app's own answer is told only where every request is noted, as with requests that pass.
    """
    if entry.take is not None:
        plan.counts.give_back(entry.take)
        entry.take = None
    entry.cancel(did, applied=applied, status=status if plan.services.everything else None)


def delay_before(action: Respond, end: Disconnect | None) -> float:
    """Seconds to wait before an answer or the end of the connection begins.

    A late answer waits behind its head, and a hang is one wait from its beginning to its end.
    """
    if action.answer.late or (end is not None and end.held is not None):
        return 0.0
    return action.delay


def runs_app(action: Action) -> bool:
    """Whether the app gets to read the request, also where its answer is dropped."""
    if isinstance(action, Disconnect):
        action = action.instead
    return not isinstance(action, Respond) or action.answer.after


def skipped(plan: Plan, request: Request | None, candidates: Sequence[int], error: Exception) -> None:
    """Deciding failed, the request passes: tell which rule it was, and note the request."""
    from contextlib import suppress

    from faultinject.exceptions import StoreUnavailable

    name = ""
    if request is not None and not isinstance(error, StoreUnavailable):
        for number in candidates:
            try:
                plan.ready(number).matches(request)
            except Exception:
                name = plan.names[number]
                break
    plan.services.failed(error, name)
    if request is not None:
        with suppress(Exception):  # one error a request is enough to tell
            entry = plan.note(request)
            entry.rule = name or None
            entry.cancel("failed", applied=True)


def first_to_note(place: MutableMapping[str, Any], plan: Plan) -> bool:
    """Whether no outer middleware of the same journal has noted this request; `place` is environ or scope."""
    noted: tuple[object, ...] = place.get(NOTED, ())
    if plan.services in noted:
        return False
    place[NOTED] = (*noted, plan.services)
    return True

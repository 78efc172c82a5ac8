"""What both adapters look at before a fault is given, and who is told that deciding failed."""

from __future__ import annotations

from faultinject.engine.actions import Disconnect, Respond

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from typing import Any

    from faultinject.engine.actions import Action
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import Request

DECIDED = "faultinject.decided"
"""In environ or scope: an outer middleware has decided this request."""
NOTED = "faultinject.noted"
"""In environ or scope: the journals that have noted this request though no rule matched."""


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

"""What both adapters do with what a plan has decided, and how what could not be carried out is undone."""

from __future__ import annotations

from faultinject.engine.actions import Disconnect, Respond
from faultinject.engine.answers import marked
from faultinject.engine.exchange import undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping, Sequence
    from typing import Any

    from faultinject.engine.actions import Action
    from faultinject.engine.alterations import Alteration
    from faultinject.engine.journal_entry import Entry
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import Request
    from faultinject.http.types import Headers

DECIDED = "faultinject.decided"
"""In environ or scope: an outer middleware has decided this request."""
SOONEST = 0.05
"""Seconds within which no client loses its patience."""
NOTED = "faultinject.noted"
"""In environ or scope: the journals that have noted this request though no rule matched."""


def settle(
    plan: Plan, entry: Entry, alteration: Alteration, status: int, headers: Iterable[tuple[str, str]]
) -> Headers:
    """The headers of the app's own answer as they go out; the journal is told whether anything was done.

    Args:
        plan: the plan that decided.
        entry: of the request.
        alteration: what is done.
        status: of the app's answer, which starts now.
        headers: of the app's answer.
    """
    found = alteration.edit(status, headers)
    if not alteration.done:
        undo(plan, entry, alteration.undone, applied=True, status=status)
        return found
    entry.saw(status, found)
    entry.write(alteration.did, applied=True)
    return marked(found, entry.rule or "") if plan.services.marked else found


def may_have_left(entry: Entry) -> bool:
    """Whether it is worth a look if the client still waits for an answer that starts now.

    Nobody gives up so soon, unless it breaks off in the middle of its upload.
    """
    late = entry.services.monotonic() - entry.arrived >= SOONEST
    return not entry.left and (late or (entry.seen is not None and entry.seen.body is None))


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

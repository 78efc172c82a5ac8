"""An answer whose body is changed on its way, the app's own or a documented error: the steps of that part of an exchange."""

from __future__ import annotations

from faultinject.engine.answers import marked
from faultinject.engine.body_transforms import slices
from faultinject.engine.steps import (
    AppAnswer,
    AppEnded,
    Begin,
    ClientGone,
    Cut,
    NextPiece,
    Part,
    Reach,
    RunApp,
    Send,
    Wait,
)
from faultinject.http.wire import has_no_body, length_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.engine.actions import Forward, Respond
    from faultinject.engine.body_digest import Body
    from faultinject.engine.body_transforms import BodyTransform
    from faultinject.engine.exchange import Injection
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import Request
    from faultinject.engine.steps import Steps
    from faultinject.http.types import Headers


def change_body(
    plan: Plan, request: Request, action: Forward, transform: BodyTransform, injection: Injection
) -> Steps:
    """What is done to the app's own answer.

    Args:
        plan: the plan that decided.
        request: the view of the request.
        action: what it decided.
        transform: what is done to the body.
        injection: the fault under way.
    """
    try:
        found: AppAnswer = yield RunApp(transform=transform)
        headers, first, known = found.headers, None, length_of(found.headers) is not None
        takes = _takes(request, action, transform, found)
        # Marked is what something will be done to, which only its first piece shows where no length does.
        if takes and plan.services.marked and not known:
            first = yield NextPiece()
            takes = first is not None
    except ClientGone:
        injection.undo("failed", left=True)
        return
    if not takes:
        injection.undo("nothing_to_cut", status=action.entry.status)
        return
    if plan.services.marked and (known or (first is not None and transform.begins_with(first[0]))):
        headers = marked(headers, action.entry.rule or "")
    yield from _send(plan, action, transform, Begin(transform, headers), injection, None, first)


def change_own_body(
    plan: Plan,
    request: Request,
    action: Respond,
    transform: BodyTransform,
    injection: Injection,
    headers: Headers,
    body: Body | None,
    *,
    unread: bool,
) -> Steps:
    """What is done to an answer of ours.

    Args:
        plan: the plan that decided.
        request: the view of the request.
        action: what it decided.
        transform: what is done to the body.
        injection: the fault under way.
        headers: of the answer, at its start.
        body: what was read of the request's.
        unread: whether something of the request's body is left.
    """
    broken = body is not None
    if not _takes(request, action, transform, AppAnswer(action.answer.status, headers)):
        injection.give("answered", body)
        yield Send(action, headers, unread, broken)
        return
    if not action.entry.written:
        action.entry.write(transform.did, applied=injection.applied, body=body, last=False)
    begin = Begin(transform, headers, action, unread, broken)
    yield from _send(plan, action, transform, begin, injection, body, (action.body, False))


def _takes(request: Request, action: Forward | Respond, transform: BodyTransform, found: AppAnswer) -> bool:
    """Whether anything can be done to an answer's body; the journal notes what the answer says."""
    entry = action.entry
    size = entry.response_bytes  # how many went out is known at the end
    entry.saw(found.status, found.headers)
    entry.response_bytes = size
    bodyless = has_no_body(request.method, found.status, found.headers)
    return not bodyless and transform.fits(length_of(found.headers))


def _send(
    plan: Plan,
    action: Forward | Respond,
    transform: BodyTransform,
    begin: Begin,
    injection: Injection,
    body: Body | None,
    piece: tuple[bytes, bool] | None,
) -> Steps:
    """Send the answer, each part of its body when it is due, and tell the journal how it ended."""
    entry = action.entry
    did, rate = transform.did, transform.rate
    sent, more, began = 0, True, None

    def settle(otherwise: str) -> None:
        entry.left = entry.left or otherwise == "failed"
        if transform.touched:
            entry.response_bytes = sent
            injection.give(did, body)
        else:
            injection.undo(otherwise, status=entry.status)

    try:
        reach: Reach = yield begin
        inside = reach is Reach.IN_PROCESS
        if transform.how is not None and reach is not Reach.CONNECTION:
            did = "raised" if inside else "closed"
        # A client of this process that would lose its patience loses it at once.
        quiet = 0.0 if inside and transform.hangs else transform.quiet
        while more and not transform.done:
            if piece is None and (piece := (yield NextPiece())) is None:
                break
            data, more = piece
            piece = None
            kept = transform.feed(data) if data else b""
            if rate is not None:
                for part in slices(kept, rate):
                    now = plan.services.monotonic()
                    began = now if began is None else began
                    sent += len(part)
                    yield from _wait(began + sent / rate - now)
                    yield Part(part)
                if not more:
                    yield Part(b"", more=False)
                continue
            sent += len(kept)
            held = transform.held_back()
            if held or (quiet and transform.touched):
                if kept:
                    yield Part(kept)
                yield from _wait(quiet)
                quiet = 0.0
                if held:
                    sent += len(held)
                    yield Part(held, more)
            elif kept or transform.done or not more:
                # granian sends a head with the first piece, also of nothing.
                yield Part(kept, more or transform.done)
    except AppEnded:
        raise
    except BaseException as error:
        settle("failed")
        if not isinstance(error, ClientGone):
            raise
        return
    settle("nothing_to_cut")
    if transform.done:
        ended = yield Cut(transform.how == "reset", transform.hangs, sent, length_of(begin.headers))
        # A reset that could not be, or one where none was asked for.
        if (ended == "reset") is not (entry.did == "reset"):
            entry.write(ended, applied=injection.applied, body=body)


def _wait(seconds: float) -> Steps:
    """Wait while the client does."""
    if not (yield Wait(seconds)):
        raise ClientGone

"""One exchange: the steps for a request that gets a fault, the same for WSGI and ASGI.

`steps_of` is a generator without I/O: it yields steps, and an adapter carries each out, blocking or by awaiting it.
This module has the faults that replace the app's answer: error answers and ended connections. The faults that change
the app's own answer are in `own_answer`.
"""

from __future__ import annotations

from collections.abc import Generator, MutableMapping, Sequence
from typing import Any

from faultinject.engine.actions import Action, Disconnect, Forward, Pass
from faultinject.engine.answers import Respond, answer_keys, at_its_start, taken_over
from faultinject.engine.entry import Entry, Injection
from faultinject.engine.own_answer import (
    FilteredAnswer,
    ForwardedAnswer,
    NotedAnswer,
    UndoneAnswer,
    can_filter,
    look,
)
from faultinject.engine.plan import Plan
from faultinject.engine.request import BodySummary, Request, SeenBody
from faultinject.engine.steps import (
    AppAnswer,
    AppEnded,
    ClientLeft,
    Cut,
    Dropped,
    Hold,
    LostPatience,
    Part,
    Pause,
    Reach,
    ReadBody,
    Send,
    Step,
    Steps,
    Wait,
)
from faultinject.http.wire import BLANK_EVERY, Headers, late_start

DECIDED = "faultinject.decided"
"""Key of environ or scope: an outer middleware has decided this request."""
NOTED = "faultinject.noted"
"""Key of environ or scope: the journals that have noted this request, which no rule matches."""
BESIDE_MOCK = "faultinject.beside_mock"
"""Key of environ or scope: the request is to the app, while a mock of its storage is active."""


def error_answer() -> Send:
    """The answer if the request's body could not be read, or after an error inside faultinject.

    Each call makes a new one, as middleware and servers add to its headers.
    """
    return Send(
        500,
        "500 Internal Server Error",
        [("Content-Length", "0"), ("x-faultinject", "error")],
        b"",
        unread=True,
        closes=False,
    )


def note_undecided(
    plan: Plan,
    request: Request | None,
    candidates: Sequence[int],
    error: Exception,
    raw_request: MutableMapping[str, Any],
) -> None:
    """Report an error in a decision with the name of its rule, and note that the request passes.

    Args:
        plan: the plan that should have decided.
        request: the view of the request, or None if that could not be made.
        candidates: the numbers of the rules that may match.
        error: the error.
        raw_request: environ or scope; no inner middleware decides after this.
    """
    from contextlib import suppress

    from faultinject.exceptions import StoreUnavailableError

    raw_request[DECIDED] = True
    name = ""
    if request is not None and not isinstance(error, StoreUnavailableError):
        for number in candidates:
            try:
                plan.ready(number).matches(request)
            except Exception:
                name = plan.names[number]
                break
    plan.services.failed(error, name)
    if request is not None:
        with suppress(Exception):  # one error for a request is enough
            entry = plan.note(request)
            entry.rule = name or None
            entry.cancel("failed", applied=True)


def for_the_app(
    plan: Plan, candidates: Sequence[int], raw_request: MutableMapping[str, Any]
) -> Sequence[int]:
    """Leave out the rules for the storage if the request is to the app beside a mock.

    Rules for the app have a path or a host.

    Args:
        plan: the plan that decides.
        candidates: the numbers of the rules that may match.
        raw_request: environ or scope.
    """
    if BESIDE_MOCK not in raw_request:
        return candidates
    return [number for number in candidates if {"path", "host"} & plan.rules[number].conditions.keys()]


def claimed(
    plan: Plan, request: Request, action: Action | None, raw_request: MutableMapping[str, Any]
) -> Action | None:
    """Claim a request for its plan: no inner middleware decides or notes it again.

    Args:
        plan: the plan that decided.
        request: the view of the request.
        action: the decision; None: no rule matched.
        raw_request: environ or scope.

    Returns:
        The action to carry out; None: the app answers, and nothing further is noted.
    """
    if action is not None:
        raw_request[DECIDED] = True
        if not isinstance(action, Pass) or plan.services.record_all:
            return action
        action.entry.cancel(action.did, applied=True)
        return None
    if BESIDE_MOCK in raw_request:
        return None  # the journal is about requests to the storage
    noted: tuple[object, ...] = raw_request.get(NOTED, ())
    if not plan.services.record_all or plan.services in noted:
        return None
    raw_request[NOTED] = (*noted, plan.services)
    return Pass(plan.note(request))


def steps_of(plan: Plan, request: Request, action: Action) -> Steps:
    """The steps for a request that gets a fault, or that passes and is noted.

    Args:
        plan: the plan that decided.
        request: the view of the request.
        action: the decision.
    """
    entry = action.entry
    # `instead` is the error answer in case the connection cannot be ended.
    end, action = (action, action.instead) if isinstance(action, Disconnect) else (None, action)
    before = isinstance(action, Respond) and not action.answer.after
    if plan.services.record_all and not before and request.has_body:
        entry.seen = SeenBody(request.body_digest(plan.origin[2]), request.content_length)
    if isinstance(action, Pass):
        return _pass(entry, action.did)
    injection = Injection(plan.services, plan.counts, entry)
    if isinstance(action, Forward):
        return _forward(plan, request, action, injection)
    return (_before if before else _after)(plan, request, action, end, injection)


def listens(action: Action) -> bool:
    """Whether the adapter must notice a client that leaves before the fault or during it."""
    if isinstance(action, Disconnect):
        return True
    if not isinstance(action, Pass) and action.filter is not None and action.filter.slow:
        return True
    if isinstance(action, Respond):
        answer = action.answer
        return answer.after or answer.takes_time or action.delay > 0
    return isinstance(action, Forward) and action.delay > 0 and action.upload is None


def _pass(entry: Entry, did: str) -> Steps:
    """Let the app answer, and note its status and time when the answer begins."""
    entry.forget()
    answer = NotedAnswer(entry, did)
    try:
        yield answer
    except AppEnded:
        if not answer.begun:
            yield from look(entry)
            entry.write(did, answered=False, applied=True)


def _before(
    plan: Plan, request: Request, action: Respond, end: Disconnect | None, injection: Injection
) -> Steps:
    """Read the request's body, wait, and give the fault; the app does not see the request."""
    with injection:
        entry, answer = action.entry, action.answer
        did = "answered" if end is None else end.how
        body: BodySummary | None = None
        has_body, up_to = request.has_body, answer.read_at_most
        delay = delay_before(action, end)
        drains = has_body and (up_to is not None or (answer.drain and not request.expects_continue))
        too_short = False
        if drains or delay:
            injection.begin(did)
            try:
                if drains:
                    body = yield ReadBody(up_to, action.listing)
                    too_short = up_to is not None and ended_before(body, up_to)
                    answer_keys(action)
                may_listen = up_to is None and (drains or not has_body)
                if delay and not too_short and not (yield Wait(delay, listens=may_listen)):
                    raise ClientLeft
            except ClientLeft:
                injection.undo("failed", left=True)
                return
            except Exception as error:
                # The body is half read: neither the app nor the vendor could answer such a request.
                plan.services.failed(error, entry.rule or "")
                injection.undo("failed")
                yield error_answer()
                return
            if too_short:
                injection.run_app()
                yield UndoneAnswer(injection, "nothing_to_cut")
                return
        unread = has_body and (body is None or not body[2])
        if unread and body is not None and end is None and body[0] != up_to:
            did = "drain_cut"
        headers = at_its_start(action, plan.services.clock())
        yield from _give(plan, request, action, end, injection, did, headers, body, unread=unread)


def _after(
    plan: Plan, request: Request, action: Respond, end: Disconnect | None, injection: Injection
) -> Steps:
    """Run the app, whose effects stay, and give the fault in place of its answer."""
    with injection:
        did = "answered" if end is None else end.how
        injection.begin(did)
        injection.run_app()
        dropped = Dropped(plan.services.monotonic, action.listing)
        yield dropped
        app_answer = dropped.answer
        if app_answer.failed:
            injection.undo("app_failed", status=app_answer.status)
            return
        injection.outcome_if_broken_off = "failed"
        action.entry.app_status = app_answer.status or None
        answer_keys(action)
        if not (yield Wait(delay_before(action, end))):
            injection.undo("failed", left=True)
            return
        if dropped.cut and end is None:
            did = "app_cut"
        headers = at_its_start(action, plan.services.clock())
        if action.answer.cors:
            headers = taken_over(headers, app_answer.headers)
        yield from _give(plan, request, action, end, injection, did, headers, None, unread=dropped.unread)


def _forward(plan: Plan, request: Request, action: Forward, injection: Injection) -> Steps:
    """Let the app answer, with a delay or with a change to the request or the answer."""
    with injection:
        entry, change = action.entry, action.filter
        pause = None if action.upload is None else Pause(action.upload, action.delay, injection.finish)
        did = action.did
        injection.applied = True
        injection.begin(did)
        if action.delay and pause is None and not action.after:
            injection.applied = False
            try:
                # If the client leaves during the delay, the app still runs, as a slow service would.
                entry.left = not (
                    yield Wait(action.delay, listens=not request.expects_continue, is_fault=True)
                )
            except LostPatience as lost:
                if did == "delayed":
                    injection.give(did)
                raise lost.args[0] from None
        injection.run_app()
        if change is not None and change.of_body:
            filtered = FilteredAnswer(plan, request, action, injection)
            try:
                yield filtered
            except AppEnded:
                filtered.app_ended()
                raise
            except BaseException as error:
                filtered.leave(error)
                if not isinstance(error, ClientLeft):
                    raise
            return
        noted = plan.services.record_all and change is None and pause is None
        if change is None and pause is None:
            if not noted:
                # The fault was the delay, which is over: the first line stays as it is.
                injection.keep()
            if not action.after:
                injection.finish()
        answer = ForwardedAnswer(plan, action, injection, pause)
        try:
            yield answer
        except BaseException as ended:
            # The client may have left in the pause: even so the fault was given.
            if not injection.settled and (noted or (pause is not None and pause.done)):
                if noted and not isinstance(ended, GeneratorExit):
                    yield from look(entry)
                injection.give(did, answered=False)
            raise


def _give(
    plan: Plan,
    request: Request,
    action: Respond,
    end: Disconnect | None,
    injection: Injection,
    did: str,
    headers: Headers,
    body: BodySummary | None,
    *,
    unread: bool,
) -> Steps:
    """Send the answer, or end the connection."""
    answer = action.answer
    harmless = action.listing is not None and action.listing.harmless
    if end is not None:
        if (yield from _end(request, action, end, injection, body)):
            return
        end.entry.status, end.entry.response_bytes = answer.status, len(action.body)
        did = "answered"
    elif action.filter is not None and can_filter(
        request, action, action.filter, AppAnswer(answer.status, headers)
    ):
        action.entry.write(action.filter.did, applied=injection.applied, body=body, last=False)
        filtered = FilteredAnswer(plan, request, action, injection, body)
        yield from filtered.hold(headers)
        try:
            # Look now: a client that leaves after it has read the status has got the fault.
            yield from filtered.look()
        except ClientLeft as gone:
            filtered.leave(gone)
            return
        yield Send(answer.status, answer.status_line, headers, None, unread, answer.closes)
        yield from filtered.feed(action.body, more=False)
        return
    elif answer.error_after_head and action.body and not harmless:
        began = plan.services.monotonic()
        action.entry.write(did, answered=began, applied=injection.applied, body=body, last=False)
        try:
            yield Send(answer.status, answer.status_line, headers, None, unread, answer.closes)
            last = yield from _delay_after_head(plan, request, action)
        finally:
            injection.give(did, body, answered=began)
        if last is not None:
            yield Part(last, more=False)
        return
    if harmless:
        injection.undo("nothing_to_cut", status=answer.status)
    else:
        injection.give(did, body)
    yield Send(answer.status, answer.status_line, headers, action.body, unread, answer.closes)


def _end(
    request: Request, action: Respond, end: Disconnect, injection: Injection, body: BodySummary | None
) -> Generator[Step, Any, bool]:
    """End the connection; return False if the server gives no access to it."""
    hangs, stays = end.held is not None, True
    cut = Cut(end.how == "reset", hangs)
    reach: Reach = yield Hold(hangs=hangs)
    if reach is Reach.IN_PROCESS:
        injection.give("raised", body)
        yield cut
        return True
    if end.held is not None:
        end.entry.write(end.how, answered=False, applied=injection.applied, body=body, last=False)
        injection.keep()
        stays = yield Wait(action.delay + end.held, listens=not request.expects_continue)
    if reach is Reach.SERVER and stays:
        return False
    # Write the line first: a test reads the journal as soon as its client sees the end.
    injection.give(end.how, body)
    if reach is Reach.CONNECTION and (did := (yield cut)) != end.how:
        injection.give(did, body)
    return True


def _delay_after_head(plan: Plan, request: Request, action: Respond) -> Generator[Step, Any, bytes | None]:
    """Send blanks after the head during the delay.

    Returns:
        The rest of the body; None if the client has left.
    """
    body, clock, entry = action.body, plan.services.monotonic, action.entry
    if not action.delay:
        # Send the body as two pieces: from a single one some servers would make a Content-Length.
        yield Part(body)
        return b""
    start = late_start(body)
    end, endings = clock() + action.delay, plan.endings
    first = body[:start] or b" "
    entry.response_bytes = len(first)
    yield Part(first)
    while (remaining := end - (now := clock())) > 0 and not plan.over(endings):
        seconds = min(remaining, BLANK_EVERY)
        if not (yield Wait(seconds, listens=not request.expects_continue)):
            return None
        if clock() < now + seconds:
            # The wait was cut short: the server is shutting down.
            break
        entry.response_bytes += 1
        yield Part(b" ")
    entry.response_bytes += len(body) - start
    return body[start:]


def delay_before(action: Respond, end: Disconnect | None) -> float:
    """The seconds to wait before an answer or the end of the connection.

    The result is 0 in two cases: an error after the head waits after the head, and a hang waits in `_end`.
    """
    if action.answer.error_after_head or (end is not None and end.held is not None):
        return 0.0
    return action.delay


def ended_before(body: BodySummary | None, size: int) -> bool:
    """Whether a request's body ended before `size` bytes; True for a body without a known end."""
    return body is None or (body[2] and (body[0] < size or not body[0]))

"""The ASGI adapter: reads a scope, lets the plan decide, carries its action out by awaiting."""

from __future__ import annotations

from faultinject.adapters.asgi_answer import respond
from faultinject.adapters.driving import (
    DECIDED,
    first_to_note,
    may_have_left,
    runs_app,
    settle,
    skipped,
    undo,
)
from faultinject.adapters.mounting import mounted
from faultinject.engine.actions import PASSED, Disconnect, Forward, Pass, Respond, unreachable
from faultinject.engine.answers import at_its_start, marked_bytes
from faultinject.engine.body_digest import SeenBody
from faultinject.engine.plan import Plan
from faultinject.engine.request import ASGIRequest
from faultinject.exceptions import FaultInjectError
from faultinject.injector.lookup import injector_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from faultinject.adapters.types import ASGIApp, Message, Receive, Scope, Send
    from faultinject.engine.actions import Action
    from faultinject.engine.alterations import Alteration
    from faultinject.engine.journal_entry import Entry
    from faultinject.injector.injector import Injector
    from faultinject.rules.scenario import Rules


def ASGIFaultMiddleware(  # noqa: N802 - called like a class, so that add_middleware works
    app: ASGIApp,
    rules: Rules | None = None,
    *,
    seed: str | int | None = None,
    injector: Injector | None = None,
) -> ASGIApp:
    """Put faults around an ASGI app.

    Frameworks construct middleware late, so wrong rules are not raised here: they are logged and answer
    `lifespan.startup.failed`; without a lifespan requests pass untouched.

    Args:
        app: the app.
        rules: text, `Rule`, a list of either, or a `Scenario`; None for the rules of the environment.
        seed: the seed; by default the scenario's or the environment's, otherwise a new one, which is logged.
        injector: an injector of your own, instead of rules.

    Returns:
        A plain `async` function with the attributes `app` and `injector` and a copy of the app's own attributes.
    """
    try:
        found = injector_for(rules, seed=seed, injector=injector)
        around: ASGIApp = mounted(wrap(app, found), found, "asgi")
    except FaultInjectError as error:
        from faultinject.adapters.asgi_refusal import refusing

        return refusing(app, error)
    found.announce()
    return around


def wrap(app: ASGIApp, injector: Injector) -> ASGIApp:
    """`app` with the injector around it."""

    async def faultinject(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan" and injector.journal.path is not None:
                from faultinject.adapters.asgi_lifespan import heeding

                send = heeding(send)
            await app(scope, receive, send)
            return
        if injector.follows:
            injector.catch_up()
        plan = injector.plan
        own = app
        if plan.special and isinstance(plan, Plan):
            from faultinject.adapters.asgi_special import prepare

            own, send, asked = prepare(app, scope, send, plan)
            if asked is not None:
                await exchange(own, scope, receive, send, *asked)
                return
        try:
            find = plan.scope.get(scope["method"], plan.scope_default)
            candidates = None if find is None else find(scope)
        except Exception as error:
            if isinstance(plan, Plan):
                plan.services.failed(error, "")
            candidates = None
        if candidates is None or not isinstance(plan, Plan):
            await own(scope, receive, send)
            return
        await exchange(own, scope, receive, send, plan, candidates)

    def use_injector(other: Injector) -> None:
        nonlocal injector
        injector = vars(faultinject)["injector"] = other

    vars(faultinject).update(
        getattr(app, "__dict__", {}), app=app, injector=injector, use_injector=use_injector
    )
    return faultinject


async def exchange(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, plan: Plan, candidates: Sequence[int]
) -> None:
    """One request that some rule may match."""
    action: Action | None = None
    request = None
    if DECIDED not in scope:
        try:
            request = ASGIRequest(scope)
            if plan.waits and candidates and plan.asks(request, candidates):
                from faultinject.adapters.asgi_thread import decide

                action = await decide(plan, request, candidates)
            else:
                action = plan.decide(request, candidates) if candidates else None
            if action is not None:
                scope[DECIDED] = True
            elif plan.services.record_all and first_to_note(scope, plan):
                action = Pass(plan.note(request))
        except Exception as error:
            action = None
            scope[DECIDED] = True
            skipped(plan, request, candidates, error)
    if action is None or action is PASSED:
        await app(scope, receive, send)
        return
    assert request is not None
    if plan.services.record_all and action.entry is not None and request.has_body and runs_app(action):
        action.entry.seen = SeenBody(request.body_digest(plan.origin[2]), request.content_length)
        receive = _overheard(receive, action.entry.seen, action.entry)
    if isinstance(action, Pass):
        await _pass(app, scope, receive, send, plan, action)
        return
    try:
        if isinstance(action, Respond):
            await _respond(app, scope, receive, send, plan, action, request)
        elif isinstance(action, Forward):
            await _forward(app, scope, receive, send, plan, action, request)
        elif isinstance(action, Disconnect):
            await _respond(app, scope, receive, send, plan, action.instead, request, action)
        else:
            unreachable(action)
    finally:
        plan.services.finish()


def _overheard(receive: Receive, seen: SeenBody, entry: Entry) -> Receive:
    """`receive` with the request's body noted as the app reads it, and a client that breaks off its upload."""

    async def overhear() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            seen.feed(message.get("body", b""))
            if not message.get("more_body"):
                seen.feed(b"")
        elif seen.body is None and entry.answered is None:
            entry.left = True
        return message

    # Who watches the exchange for its end looks at the server's object behind `receive`.
    vars(overhear)["__self__"] = getattr(receive, "__self__", None)
    return overhear


async def _pass(app: ASGIApp, scope: Scope, receive: Receive, send: Send, plan: Plan, action: Pass) -> None:
    entry, did = action.entry, action.did
    assert entry is not None
    if plan.services.record_all:
        entry.forget()
        await _watched(app, scope, receive, send, entry, did)
        return
    entry.cancel(did, applied=True)
    await app(scope, receive, send)


async def _watched(app: ASGIApp, scope: Scope, receive: Receive, send: Send, entry: Entry, did: str) -> None:
    """The app's answer untouched, with its status and time noted when it starts."""
    started = False

    def look() -> None:
        if may_have_left(entry):
            from faultinject.adapters.asgi_wait import has_left

            entry.left = has_left(scope, receive, send)

    async def watch(message: Message) -> None:
        nonlocal started
        if message["type"] == "http.response.start" and not started:
            started = True
            headers = message.get("headers", ())
            # What can be looked at once only is the server's.
            entry.saw(message["status"], headers if isinstance(headers, list | tuple) else ())
            look()
            entry.write(did, applied=True)
        await send(message)

    # An app that knows its client's own `send` need send it no more than the start.
    vars(watch)["passes_to"] = send
    # Who looks for the connection finds it by the server's object behind `send`.
    vars(watch)["__self__"] = getattr(send, "__self__", None)
    try:
        await app(scope, receive, watch)
    finally:
        if not started:
            look()
            entry.write(did, answered=False, applied=True)


async def _forward(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    plan: Plan,
    action: Forward,
    request: ASGIRequest,
) -> None:
    entry, transform = action.entry, action.transform
    if action.upload is not None:
        from faultinject.adapters.asgi_middle import forward_with_a_pause

        await forward_with_a_pause(app, scope, receive, send, plan, action, request, action.upload)
        return
    entry.write(action.did, answered=False, applied=True, last=False)
    if action.did == "delayed" and plan.services.marked:
        app = _marked(app, entry)
    if action.after:
        app = _late(app, plan, action.delay)
    if transform is not None:
        from faultinject.adapters.asgi_transform import transform_body

        app = transform_body(app, plan, entry, transform, request)
    elif action.alteration is not None:
        app = _altered(app, plan, entry, action.alteration)
    elif plan.services.record_all:
        app = _counted(app, entry)
    if action.after or not action.delay:
        await app(scope, receive, send)
        return
    from faultinject.adapters.asgi_wait import Listener, in_tasks

    async def later(tasks: TaskGroup) -> None:
        listener = Listener(receive, tasks)
        try:
            # A client that loses its patience has met the fault; what it asked for takes place all the same.
            entry.left = not await listener.wait(plan, action.delay, listens=not request.expects_continue)
        except BaseException as error:
            if action.did == "delayed" and _is_impatient(error, scope):
                entry.write("delayed")
            else:
                undo(plan, entry, "failed")
            raise
        await app(scope, listener.receive, send)

    await in_tasks(later)


def _is_impatient(error: BaseException, scope: Scope) -> bool:
    """Whether a client of this process has ended a wait by its own time-out; a server that cancels is about to end itself."""
    from anyio import get_cancelled_exc_class

    from faultinject.adapters.client_errors import in_process_scope

    return isinstance(error, get_cancelled_exc_class()) and in_process_scope(scope)


def _altered(app: ASGIApp, plan: Plan, entry: Entry, alteration: Alteration) -> ASGIApp:
    """`app` with other headers in its answer, and without some of the request's."""
    hidden = {name.encode() for name in alteration.hidden}

    async def altered(scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def edit(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = [
                    (name.decode("latin-1"), text.decode("latin-1"))
                    for name, text in message.get("headers", ())
                ]
                headers = settle(plan, entry, alteration, message["status"], headers)
                encoded = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in headers]
                message = {**message, "headers": encoded}
            await send(message)

        kept = [each for each in scope["headers"] if each[0] not in hidden]
        try:
            await app({**scope, "headers": kept}, receive, edit)
        finally:
            if not started:
                undo(plan, entry, "app_failed", applied=True)

    return altered


def _marked(app: ASGIApp, entry: Entry) -> ASGIApp:
    """`app` with the mark of a fault in its answer."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = marked_bytes(message.get("headers", ()), entry.rule or "")
                message = {**message, "headers": headers}
            await send(message)

        await app(scope, receive, mark)

    return marked


def _counted(app: ASGIApp, entry: Entry) -> ASGIApp:
    """`app` with its delayed answer noted."""

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        await _watched(app, scope, receive, send, entry, "delayed")

    return counted


def _late(app: ASGIApp, plan: Plan, seconds: float) -> ASGIApp:
    """`app` with its answer held back."""

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        waited = False

        async def hold(message: Message) -> None:
            nonlocal waited
            if not waited:
                from contextlib import nullcontext

                from faultinject.adapters.asgi_wait import Ends, pause
                from faultinject.adapters.connection import of_scope

                waited = True
                # The app may be listening for the client itself: here only its connection tells.
                with of_scope(scope, send) or nullcontext() as connection:
                    await pause(plan, seconds, Ends(receive), connection)
            await send(message)

        await app(scope, receive, hold)

    return late


async def _respond(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    plan: Plan,
    action: Respond,
    request: ASGIRequest,
    end: Disconnect | None = None,
) -> None:
    """Answer instead of the app, or with `end` break the connection."""
    entry, answer = action.entry, action.answer
    if answer.after:
        from faultinject.adapters.asgi_after import respond_after

        await respond_after(app, scope, receive, send, plan, action, request, end)
        return
    if answer.upto is not None:
        from faultinject.adapters.asgi_middle import respond_in_the_middle

        await respond_in_the_middle(app, scope, receive, send, plan, action, request, end, answer.upto)
        return
    has_body = request.has_body
    drains = has_body and answer.drain and not request.expects_continue
    if end is not None or answer.needs_socket or answer.beyond or action.delay:
        from faultinject.adapters.asgi_socket import SocketResponder

        await SocketResponder(scope, receive, send, plan, action, request, end).run(drains=drains)
        return
    body = None
    if drains:
        from faultinject.adapters.asgi_ending import drain_or_fail

        entry.write("answered", answered=False, last=False)
        body = await drain_or_fail(scope, receive, send, plan, action, request)
        if body is None:
            return
    entry.write("answered" if body is None or body[2] else "drain_cut", body=body)
    headers = at_its_start(action, plan.services.clock())
    unread = has_body and (body is None or not body[2])
    if unread or answer.closes:
        from faultinject.adapters.asgi_ending import respond_and_end

        broken = body is not None
        await respond_and_end(scope, receive, send, request, action, headers, unread=unread, broken=broken)
    else:
        await respond(send, action, headers)

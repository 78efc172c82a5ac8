"""The ASGI adapter: reads a scope, lets the plan decide, carries its action out by awaiting."""

from __future__ import annotations

from faultinject.adapters.driving import DECIDED, ClientGone, drive, first_to_note, skipped, undo
from faultinject.core.actions import PASSED, Forward, Pass, Respond, unreachable
from faultinject.core.answers import at_its_start
from faultinject.core.bodies import LONGEST, MOST, BodyDigest
from faultinject.core.plan import Plan
from faultinject.core.request import ASGIRequest
from faultinject.exceptions import FaultInjectError
from faultinject.injectors import injector_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping, Sequence
    from typing import Any

    from faultinject.core.actions import Headers
    from faultinject.core.outcome import Body, Entry
    from faultinject.injector import Injector, Rules

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


_NAMES_REMEMBERED = 1024
_names: dict[str, bytes] = {}


def ASGIFaultMiddleware(  # noqa: N802 - called like a class, so that add_middleware works
    app: ASGIApp,
    rules: Rules | None = None,
    *,
    seed: str | int | None = None,
    injector: Injector | None = None,
) -> ASGIApp:
    """Put faults around an ASGI app.

    Frameworks construct middleware late, so wrong rules are not raised here: they are logged, answer
    `lifespan.startup.failed`, and where there is no lifespan requests pass untouched.

    Args:
        app: the app.
        rules: text, `Rule`, a list of either, or a `Scenario`; None for the rules of the environment.
        seed: the seed; by default the scenario's or the environment's, else one is chosen and logged.
        injector: an injector of your own, instead of rules.

    Returns:
        A plain `async` function with the attributes `app` and `injector` and a copy of the app's own attributes.
    """
    try:
        found = injector_for(rules, seed=seed, injector=injector)
    except FaultInjectError as error:
        from faultinject.adapters.asgi_refusal import refusing

        return refusing(app, error)
    found.announce()
    return wrap(app, found)


def wrap(app: ASGIApp, injector: Injector) -> ASGIApp:
    """`app` with the injector around it."""

    async def faultinject(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        plan = injector.plan
        try:
            find = plan.scope.get(scope["method"], plan.scope_default)
            candidates = None if find is None else find(scope)
        except Exception as error:
            if isinstance(plan, Plan):
                plan.surroundings.failed(error, "")
            candidates = None
        if candidates is None or not isinstance(plan, Plan):
            await app(scope, receive, send)
            return
        await exchange(app, scope, receive, send, plan, candidates)

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
    action = request = None
    if DECIDED not in scope:
        try:
            request = ASGIRequest(scope)
            action = drive(plan, plan.run(request, candidates)) if candidates else None
            if action is not None:
                scope[DECIDED] = True
            elif plan.surroundings.everything and first_to_note(scope, plan):
                action = Pass(plan.note(request))
        except Exception as error:
            action = None
            scope[DECIDED] = True
            skipped(plan, request, candidates, error)
    if action is None or action is PASSED:
        await app(scope, receive, send)
        return
    if isinstance(action, Pass):
        await _pass(app, scope, receive, send, plan, action)
        return
    try:
        if isinstance(action, Forward):
            await _forward(app, scope, receive, send, plan, action)
        elif isinstance(action, Respond):
            if action.answer.after:
                from faultinject.adapters.asgi_after import respond_after

                await respond_after(app, scope, receive, send, plan, action)
            else:
                assert request is not None
                await _respond(receive, send, plan, action, request)
        else:
            unreachable(action)
    finally:
        plan.surroundings.finish()


async def _pass(app: ASGIApp, scope: Scope, receive: Receive, send: Send, plan: Plan, action: Pass) -> None:
    entry, did = action.entry, action.did
    assert entry is not None
    if plan.surroundings.everything:
        entry.forget()
        await _watched(app, scope, receive, send, entry, did)
        return
    entry.withdraw(did, applied=True)
    await app(scope, receive, send)


async def _watched(app: ASGIApp, scope: Scope, receive: Receive, send: Send, entry: Entry, did: str) -> None:
    """The app's answer untouched, with its status and time noted when it starts."""
    started = False

    async def watch(message: Message) -> None:
        nonlocal started
        if message["type"] == "http.response.start" and not started:
            started = True
            headers = message.get("headers", ())
            if isinstance(headers, list | tuple):  # what can be looked at once only is the server's
                lengths = (
                    value.decode("latin-1") for name, value in headers if name.lower() == b"content-length"
                )
                entry.saw(message["status"], lengths)
            else:
                entry.saw(message["status"], ())
            entry.write(did, applied=True)
        await send(message)

    try:
        await app(scope, receive, watch)
    finally:
        if not started:
            entry.write(did, answered=False, applied=True)


async def _forward(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, plan: Plan, action: Forward
) -> None:
    entry = action.entry
    entry.write("delayed", answered=False, applied=True, last=False)
    if action.after:
        app = _late(app, plan, action.delay)
    else:
        from faultinject.adapters.asgi_wait import Listener

        listener = Listener(receive)
        receive = listener.receive
        try:
            # A client that loses its patience has met the fault; what it asked for takes place all the same.
            await listener.wait(plan, action.delay, listens=not ASGIRequest(scope).expects_continue)
        except BaseException:
            undo(plan, entry, "failed")
            raise
    if plan.surroundings.everything:
        await _watched(app, scope, receive, send, entry, "delayed")
    else:
        await app(scope, receive, send)


def _late(app: ASGIApp, plan: Plan, seconds: float) -> ASGIApp:
    """`app` with its answer held back."""

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        waited = False

        async def hold(message: Message) -> None:
            nonlocal waited
            if not waited:
                from faultinject.adapters.asgi_wait import pause

                waited = True
                await pause(plan, seconds, receive)
            await send(message)

        await app(scope, receive, hold)

    return late


async def _respond(receive: Receive, send: Send, plan: Plan, action: Respond, request: ASGIRequest) -> None:
    entry = action.entry
    drains = action.answer.drain and request.has_body and not request.expects_continue
    if not drains and not action.delay:
        entry.write("answered")
        await respond(send, action, at_its_start(action, plan.surroundings.clock()))
        return
    entry.write("answered", answered=False, last=False)
    try:
        body = await drain(receive, plan, request) if drains else None
        if action.delay:
            from faultinject.adapters.asgi_wait import Listener

            listens = drains or not request.has_body
            if not await Listener(receive).wait(plan, action.delay, listens=listens):
                raise ClientGone
    except ClientGone:
        undo(plan, entry, "failed")
        return
    except Exception as error:
        # The body is half read: neither the app nor the vendor's answer makes sense any more.
        plan.surroundings.failed(error, entry.rule or "")
        undo(plan, entry, "failed")
        headers = [(b"content-length", b"0"), (b"x-faultinject", b"error")]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body"})
        return
    except BaseException:
        undo(plan, entry, "failed")
        raise
    entry.write("answered" if body is None or body[2] else "drain_cut", body=body)
    await respond(send, action, at_its_start(action, plan.surroundings.clock()))


async def respond(send: Send, action: Respond, headers: Headers) -> None:
    """Send an injected answer."""
    names = _names
    encoded = [(names.get(name) or _encode(name), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": action.answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": action.body})


def _encode(name: str) -> bytes:
    """A header's name as ASGI wants it, remembered: answers use few names, and use them always."""
    if len(_names) >= _NAMES_REMEMBERED:
        _names.clear()
    found = _names[name] = name.lower().encode("latin-1")
    return found


async def drain(receive: Receive, plan: Plan, request: ASGIRequest) -> Body:
    """Read the request body and drop it, within bounds of bytes and seconds.

    Returns:
        Bytes read, their digest, whether that was all.

    Raises:
        ClientGone: it left, or the server cannot read its body.
    """
    import anyio

    digest = BodyDigest(plan.origin[2], next(iter(request.header("content-type")), ""))
    whole = False
    with anyio.move_on_after(LONGEST):
        while digest.size < MOST and not whole:
            try:
                message = await receive()
            except Exception as error:
                raise ClientGone from error
            if message["type"] == "http.disconnect":
                raise ClientGone
            digest.update(message.get("body", b""))
            whole = not message.get("more_body")
    return digest.size, digest.hexdigest(), whole

"""The WSGI adapter: reads an environ, lets the plan decide, carries its action out by blocking."""

from __future__ import annotations

from sys import modules

from faultinject.adapters.driving import (
    DECIDED,
    ClientGone,
    delay_before,
    ended_before,
    first_to_note,
    may_have_left,
    runs_app,
    settle,
    skipped,
    undo,
)
from faultinject.adapters.mounting import mounted
from faultinject.engine.actions import PASSED, Disconnect, Forward, Pass, Respond, unreachable
from faultinject.engine.alterations import STORE
from faultinject.engine.answers import at_its_start, marked
from faultinject.engine.body_digest import SeenBody
from faultinject.engine.plan import Plan
from faultinject.engine.request import WSGIRequest
from faultinject.injector.lookup import injector_for, refuse_eventlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from faultinject.adapters.types import Environ, Start, WSGIApp
    from faultinject.engine.alterations import Alteration
    from faultinject.engine.journal_entry import Entry
    from faultinject.http.types import Headers
    from faultinject.injector.injector import Injector
    from faultinject.rules.scenario import Rules


def WSGIFaultMiddleware(  # noqa: N802 - called like a class, so that every framework's way of adding works
    app: WSGIApp,
    rules: Rules | None = None,
    *,
    seed: str | int | None = None,
    injector: Injector | None = None,
) -> WSGIApp:
    """Put faults around a WSGI app.

    Args:
        app: the app.
        rules: text, `Rule`, a list of either, or a `Scenario`; None for the rules of the environment.
        seed: the seed; by default the scenario's or the environment's, otherwise a new one, which is logged.
        injector: an injector of your own, instead of rules.

    Returns:
        A plain function with the attributes `app` and `injector` and a copy of the app's own attributes.

    Raises:
        ConfigurationError: rules or variables are wrong.
        UnsupportedServer: this process runs under eventlet.
    """
    found = injector_for(rules, seed=seed, injector=injector)
    found.announce()
    around: WSGIApp = mounted(wrap(app, found), found, "wsgi")
    return around


def wrap(app: WSGIApp, injector: Injector) -> WSGIApp:
    """`app` with the injector around it."""

    def faultinject(environ: Environ, start_response: Start) -> Iterable[bytes]:
        if injector.follows:
            injector.catch_up()
        plan = injector.plan
        own = app
        if plan.special and isinstance(plan, Plan):
            from faultinject.adapters.wsgi_special import prepare

            own, start_response, asked = prepare(app, environ, start_response, plan)
            if asked is not None:
                return exchange(own, environ, start_response, *asked)
        try:
            find = plan.environ.get(environ["REQUEST_METHOD"], plan.environ_default)
            candidates = None if find is None else find(environ)
        except Exception as error:
            if isinstance(plan, Plan):
                plan.services.failed(error, "")
            candidates = None
        if candidates is None or not isinstance(plan, Plan):
            return own(environ, start_response)
        if environ.get("wsgi.multiprocess") and plan is injector.own_plan:
            plan = injector.detach()
        return exchange(own, environ, start_response, plan, candidates)

    def use_injector(other: Injector) -> None:
        nonlocal injector
        injector = vars(faultinject)["injector"] = other

    vars(faultinject).update(
        getattr(app, "__dict__", {}), app=app, injector=injector, use_injector=use_injector
    )
    return faultinject


def exchange(
    app: WSGIApp, environ: Environ, start_response: Start, plan: Plan, candidates: Sequence[int]
) -> Iterable[bytes]:
    """One request that some rule may match."""
    if DECIDED in environ:
        return app(environ, start_response)
    request = None
    try:
        request = WSGIRequest(environ)
        if "eventlet.patcher" in modules or "eventlet.posthooks" in environ:
            refuse_eventlet(environ)
        action = plan.decide(request, candidates) if candidates else None
        if action is not None:
            environ[DECIDED] = True
        elif plan.services.record_all and first_to_note(environ, plan):
            action = Pass(plan.note(request))
    except Exception as error:
        environ[DECIDED] = True
        skipped(plan, request, candidates, error)
        return app(environ, start_response)
    if action is None or action is PASSED:
        return app(environ, start_response)
    if plan.services.record_all and action.entry is not None and request.has_body and runs_app(action):
        length = request.content_length
        seen = action.entry.seen = SeenBody(request.body_digest(plan.origin[2]), length)
        if (source := environ.get("wsgi.input")) is not None:
            from faultinject.adapters.wsgi_wait import Overheard

            environ["wsgi.input"] = Overheard(source, length, seen.feed)
    if isinstance(action, Pass):
        return _pass(app, environ, start_response, plan, action)
    try:
        if isinstance(action, Respond):
            return _respond(app, environ, start_response, plan, action, request)
        if isinstance(action, Forward):
            return _forward(app, environ, start_response, plan, action, request)
        if isinstance(action, Disconnect):
            return _respond(app, environ, start_response, plan, action.instead, request, action)
        unreachable(action)
    finally:
        if not action.entry.held:
            plan.services.finish()


def _pass(app: WSGIApp, environ: Environ, start_response: Start, plan: Plan, action: Pass) -> Iterable[bytes]:
    entry, did = action.entry, action.did
    assert entry is not None
    if plan.services.record_all:
        entry.forget()
        return _watched(app, environ, start_response, entry, did)
    entry.cancel(did, applied=True)
    return app(environ, start_response)


def _watched(
    app: WSGIApp, environ: Environ, start_response: Start, entry: Entry, did: str
) -> Iterable[bytes]:
    """The app's answer untouched, with its status and time noted when it starts."""
    started = False

    def look() -> None:
        if may_have_left(entry):
            from faultinject.adapters.wsgi_wait import has_left

            entry.left = has_left(environ)

    def watch(status: str, headers: Headers, *more: Any, **named: Any) -> Callable[[bytes], object]:
        nonlocal started
        write = start_response(status, headers, *more, **named)
        started = True
        entry.saw(status[:3], headers)
        look()
        entry.write(did, applied=True)
        return write

    try:
        result = app(environ, watch)
    except Exception:
        if not started:
            look()
            entry.write(did, answered=False, applied=True)
        raise
    if not entry.written:
        # A generator starts its answer when the server asks for the first piece.
        entry.write(did, answered=False, applied=True, last=False)
    return result


def _forward(
    app: WSGIApp, environ: Environ, start_response: Start, plan: Plan, action: Forward, request: WSGIRequest
) -> Iterable[bytes]:
    entry, transform = action.entry, action.transform
    if action.upload is not None:
        from faultinject.adapters.wsgi_middle import forward_with_a_pause

        return forward_with_a_pause(app, environ, start_response, plan, action, request, action.upload)
    entry.write(action.did, answered=False, applied=True, last=False)
    start = start_response
    if action.did == "delayed" and plan.services.marked:
        start = start_response = _marking(start_response, entry)
    if action.after:
        waited = False

        def start(*answer: Any, **named: Any) -> Callable[[bytes], object]:
            nonlocal waited
            if not waited:
                from faultinject.adapters.wsgi_wait import wait_for_client

                waited = True
                wait_for_client(environ, plan, action.delay)
            return start_response(*answer, **named)

    else:
        from faultinject.adapters.wsgi_wait import hold

        # A client that loses its patience has met the fault; what it asked for takes place all the same.
        entry.left = not hold(
            environ, plan, entry, action.delay, met=action.did if action.did == "delayed" else ""
        )
    if transform is not None:
        from faultinject.adapters.wsgi_transform import transform_body

        return transform_body(app, environ, start_response, plan, entry, transform, request)
    if action.alteration is not None:
        return _altered(app, environ, start_response, plan, entry, action.alteration)
    if plan.services.record_all:
        return _watched(app, environ, start, entry, "delayed")
    return app(environ, start)


def _altered(
    app: WSGIApp, environ: Environ, start_response: Start, plan: Plan, entry: Entry, alteration: Alteration
) -> Iterable[bytes]:
    """The app's answer with other headers, to a request without some of its own."""
    hidden = {f"HTTP_{name.upper().replace('-', '_')}" for name in alteration.hidden}
    environ = {name: each for name, each in environ.items() if name not in hidden}
    environ[STORE] = alteration
    started = False

    def start(status: str, headers: Headers, *more: Any, **named: Any) -> Callable[[bytes], object]:
        nonlocal started
        started = True
        headers = settle(plan, entry, alteration, int(status[:3]), headers)
        return start_response(status, headers, *more, **named)

    try:
        return app(environ, start)
    except BaseException:
        if not started:
            undo(plan, entry, "app_failed", applied=True)
        raise


def _marking(start_response: Start, entry: Entry) -> Start:
    """The server's `start_response`, which gets the mark of a fault with the app's headers."""

    def start(status: str, headers: Headers, *more: Any, **named: Any) -> Callable[[bytes], object]:
        return start_response(status, marked(headers, entry.rule or ""), *more, **named)

    return start


def _respond(
    app: WSGIApp,
    environ: Environ,
    start_response: Start,
    plan: Plan,
    action: Respond,
    request: WSGIRequest,
    end: Disconnect | None = None,
) -> Iterable[bytes]:
    """Answer instead of the app, or with `end` break the connection."""
    entry, answer = action.entry, action.answer
    did = "answered" if end is None else end.how
    if answer.after:
        from faultinject.adapters.wsgi_after import respond_after

        return respond_after(app, environ, start_response, plan, action, request, end)
    body = None
    left = False
    has_body = request.has_body
    upto = answer.upto
    drains = (answer.drain or upto is not None) and has_body
    delay = delay_before(action, end)
    if drains or delay:
        from faultinject.adapters.wsgi_wait import drain, hold

        entry.write(did, answered=False, last=False)
        try:
            body = drain(environ, plan, request, action.listing, upto) if drains else None
            ended = upto is not None and ended_before(body, upto)
            if not ended:
                action.answer_keys()
                left = not hold(environ, plan, entry, delay)
        except Exception as error:
            # The body is half read: neither the app nor the vendor's answer makes sense any more.
            if not isinstance(error, ClientGone):
                plan.services.failed(error, entry.rule or "")
            undo(plan, entry, "failed", left=isinstance(error, ClientGone))
            from faultinject.adapters.wsgi_ending import fail

            return fail(environ, start_response, request)
        except BaseException:
            undo(plan, entry, "failed")
            raise
        if ended:
            from faultinject.adapters.wsgi_middle import forward_untouched

            return forward_untouched(app, environ, start_response, plan, entry)
    if left:
        from faultinject.adapters.wsgi_past_server import dead

        undo(plan, entry, "failed", left=True)
        return dead(environ, start_response)
    unread = has_body and (body is None or not body[2])
    if unread and body is not None and end is None and body[0] != upto:
        did = "drain_cut"
    headers = at_its_start(action, plan.services.clock())
    if end is not None or answer.needs_socket:
        from faultinject.adapters.wsgi_socket import respond_past_server

        return respond_past_server(
            environ, start_response, plan, action, headers, request, end, did, unread=unread, body=body
        )
    entry.write(did, body=body)
    if unread or answer.closes:
        from faultinject.adapters.wsgi_ending import respond_and_end

        broken = body is not None
        return respond_and_end(
            environ, start_response, request, action, headers, unread=unread, broken=broken
        )
    start_response(answer.status_line, headers)
    return [action.body] if action.body else []

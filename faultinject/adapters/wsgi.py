"""The WSGI adapter: reads an environ, lets the plan decide, carries its action out by blocking."""

from __future__ import annotations

import time

from faultinject.adapters.driving import DECIDED, ClientGone, drive, first_to_note, skipped, undo
from faultinject.core.actions import PASSED, Forward, Pass, Respond, unreachable
from faultinject.core.answers import at_its_start
from faultinject.core.bodies import LONGEST, MOST, PIECE, BodyDigest
from faultinject.core.plan import Plan
from faultinject.core.request import WSGIRequest
from faultinject.injectors import injector_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from socket import socket
    from typing import Any

    from faultinject.core.actions import Headers
    from faultinject.core.outcome import Body, Entry
    from faultinject.injector import Injector, Rules

    Environ = dict[str, Any]
    Start = Callable[..., Callable[[bytes], object]]
    WSGIApp = Callable[[Environ, Start], Iterable[bytes]]

_SLICE = 0.05


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
        seed: the seed; by default the scenario's or the environment's, else one is chosen and logged.
        injector: an injector of your own, instead of rules.

    Returns:
        A plain function with the attributes `app` and `injector` and a copy of the app's own attributes.

    Raises:
        ConfigurationError: rules or variables are wrong.
    """
    found = injector_for(rules, seed=seed, injector=injector)
    found.announce()
    return wrap(app, found)


def wrap(app: WSGIApp, injector: Injector) -> WSGIApp:
    """`app` with the injector around it."""

    def faultinject(environ: Environ, start_response: Start) -> Iterable[bytes]:
        plan = injector.plan
        try:
            find = plan.environ.get(environ["REQUEST_METHOD"], plan.environ_default)
            candidates = None if find is None else find(environ)
        except Exception as error:
            if isinstance(plan, Plan):
                plan.surroundings.failed(error, "")
            candidates = None
        if candidates is None or not isinstance(plan, Plan):
            return app(environ, start_response)
        if environ.get("wsgi.multiprocess") and plan is injector.own_plan:
            plan = injector.separate()
        return exchange(app, environ, start_response, plan, candidates)

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
        action = drive(plan, plan.run(request, candidates)) if candidates else None
        if action is not None:
            environ[DECIDED] = True
        elif plan.surroundings.everything and first_to_note(environ, plan):
            action = Pass(plan.note(request))
    except Exception as error:
        environ[DECIDED] = True
        skipped(plan, request, candidates, error)
        return app(environ, start_response)
    if action is None or action is PASSED:
        return app(environ, start_response)
    if isinstance(action, Pass):
        return _pass(app, environ, start_response, plan, action)
    try:
        if isinstance(action, Forward):
            return _forward(app, environ, start_response, plan, action)
        if isinstance(action, Respond):
            if action.answer.after:
                from faultinject.adapters.wsgi_after import respond_after

                return respond_after(app, environ, start_response, plan, action)
            return _respond(environ, start_response, plan, action, request)
        unreachable(action)
    finally:
        plan.surroundings.finish()


def _pass(app: WSGIApp, environ: Environ, start_response: Start, plan: Plan, action: Pass) -> Iterable[bytes]:
    entry, did = action.entry, action.did
    assert entry is not None
    if plan.surroundings.everything:
        entry.forget()
        return _watched(app, environ, start_response, entry, did)
    entry.withdraw(did, applied=True)
    return app(environ, start_response)


def _watched(
    app: WSGIApp, environ: Environ, start_response: Start, entry: Entry, did: str
) -> Iterable[bytes]:
    """The app's answer untouched, with its status and time noted when it starts."""
    started = False

    def watch(status: str, headers: Headers, *more: Any, **named: Any) -> Callable[[bytes], object]:
        nonlocal started
        write = start_response(status, headers, *more, **named)
        started = True
        entry.saw(status[:3], (value for name, value in headers if name.lower() == "content-length"))
        entry.write(did, applied=True)
        return write

    try:
        result = app(environ, watch)
    except Exception:
        if not started:
            entry.write(did, answered=False, applied=True)
        raise
    if not entry.written:
        # A generator starts its answer when the server asks for the first piece.
        entry.write(did, answered=False, applied=True, last=False)
    return result


def _forward(
    app: WSGIApp, environ: Environ, start_response: Start, plan: Plan, action: Forward
) -> Iterable[bytes]:
    entry = action.entry
    entry.write("delayed", answered=False, applied=True, last=False)
    start = start_response
    if action.after:
        waited = False

        def start(*answer: Any, **named: Any) -> Callable[[bytes], object]:
            nonlocal waited
            if not waited:
                waited = True
                wait(plan, action.delay)
            return start_response(*answer, **named)

    else:
        hold(plan, entry, action.delay)
    if plan.surroundings.everything:
        return _watched(app, environ, start, entry, "delayed")
    return app(environ, start)


def _respond(
    environ: Environ, start_response: Start, plan: Plan, action: Respond, request: WSGIRequest
) -> Iterable[bytes]:
    entry = action.entry
    drains = action.answer.drain and request.has_body
    if not drains and not action.delay:
        entry.write("answered")
    else:
        entry.write("answered", answered=False, last=False)
        try:
            body = drain(environ, plan, request) if drains else None
        except Exception as error:
            # The body is half read: neither the app nor the vendor's answer makes sense any more.
            if not isinstance(error, ClientGone):
                plan.surroundings.failed(error, entry.rule or "")
            undo(plan, entry, "failed")
            start_response("500 Internal Server Error", [("Content-Length", "0"), ("x-faultinject", "error")])
            return []
        except BaseException:
            undo(plan, entry, "failed")
            raise
        hold(plan, entry, action.delay)
        entry.write("answered" if body is None or body[2] else "drain_cut", body=body)
    start_response(action.answer.status_line, at_its_start(action, plan.surroundings.clock()))
    return [action.body] if action.body else []


def drain(environ: Environ, plan: Plan, request: WSGIRequest) -> Body | None:
    """Read the request body and drop it, within bounds of bytes and seconds.

    Returns:
        Bytes read, their digest, whether that was all; None when the body has no end that a server shows.

    Raises:
        ClientGone: the body ends too early, or the server cannot read it.
    """
    length = request.content_length
    if length is None and not environ.get("wsgi.input_terminated"):
        return None
    # A client that stalls can be let go of where the server shows its connection.
    connection = environ.get("werkzeug.socket") or environ.get("gunicorn.socket")
    patience = None if connection is None else connection.gettimeout()
    try:
        return _read(environ, plan, length, connection)
    finally:
        if connection is not None:
            connection.settimeout(patience)


def _read(environ: Environ, plan: Plan, length: int | None, connection: socket | None) -> Body:
    source = environ["wsgi.input"]
    # What has come so far, where the server can say: a slow client must not hold us for a whole piece.
    read = getattr(source, "read1", source.read)
    digest = BodyDigest(plan.origin[2], environ.get("CONTENT_TYPE", ""))
    clock = plan.surroundings.monotonic
    end = clock() + LONGEST
    while length is None or digest.size < length:
        left = end - clock()
        if digest.size >= MOST or left <= 0:
            return digest.size, digest.hexdigest(), False
        if connection is not None:
            connection.settimeout(left)
        try:
            piece = read(PIECE if length is None else min(PIECE, length - digest.size))
        except TimeoutError:
            return digest.size, digest.hexdigest(), False
        except Exception as error:
            raise ClientGone from error
        if not piece:
            if length is None:
                break
            raise ClientGone
        digest.update(piece)
    return digest.size, digest.hexdigest(), True


def hold(plan: Plan, entry: Entry, seconds: float, *, applied: bool = False) -> None:
    """Wait before a fault is given; when the server stops us meanwhile, it is not."""
    try:
        wait(plan, seconds)
    except BaseException:
        undo(plan, entry, "failed", applied=applied)
        raise


def wait(plan: Plan, seconds: float) -> None:
    """Block, never shorter than asked, unless the plan is over or the program ends."""
    if not seconds:
        return
    from threading import main_thread

    clock = plan.surroundings.monotonic
    end, endings = clock() + seconds, plan.endings
    while (left := end - clock()) > 0 and not plan.over(endings) and main_thread().is_alive():
        time.sleep(min(left, _SLICE))

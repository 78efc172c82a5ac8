"""Prepares a request, before its fault is chosen, for features that few scenarios use.

It notes the app's own failures, and reads the rules in the request's own header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from faultinject.adapters.servers import is_file
from faultinject.adapters.types import ASGIApp, Environ, Message, Receive, Scope, Send, Start, WSGIApp
from faultinject.engine.answers import MARKS
from faultinject.engine.index import ENVIRON, SCOPE, Interface
from faultinject.engine.plan import Plan, Watch
from faultinject.engine.request import environ_key, header_name
from faultinject.http.wire import Headers

HEADER = "x-faultinject-rules"
"""The header by which a request asks for faults of its own, if that is allowed."""
_HEADER_KEY = environ_key(HEADER)
REFUSED = "x-faultinject-refused"
"""The header, in an answer, with the reason why the request's own rules are refused."""
WATCHED = "faultinject.watched"
"""A key of environ or scope: the notes of the watch nearest to the app."""
LEFT = ("ClientDisconnect", "ClientDisconnected")
"""Errors that frameworks raise in an app when its client has left: no failures of the app."""


def asked_by(
    plan: Plan, text: str | None, interface: Interface, raw_request: Mapping[str, Any]
) -> tuple[tuple[Plan, Sequence[int]] | None, str]:
    """Compile the rules in the request's own header, and match them.

    Args:
        plan: the plan in force.
        text: the request's header; None if it has none.
        interface: makes the view of the request.
        raw_request: environ or scope.

    Returns:
        The rules' plan and its candidates, None if none matches; the reason for a refusal, else an empty text.
    """
    if plan.requested_rules is None or text is None:
        return None, ""
    try:
        requested = plan.requested_rules.plan(text)
        if isinstance(requested, str):
            return None, requested
        if plan.ended:
            # The plan in force ended before this plan was registered to end with it, so end it here.
            requested.end()
        candidates = range(len(requested.rules))
        return (
            (requested, candidates) if requested.matches(interface.view(raw_request), candidates) else None
        ), ""
    except Exception as error:
        plan.services.failed(error, "")
        return None, ""


class Seen:
    """The notes of one request: whether its answer has begun, and whether the app failed.

    Args:
        raw_request: environ or scope. If it has several notes for one watch, only those nearest to the app count.
        watch: counts answers and failures.

    Attributes:
        begun: whether the app has begun its answer.
    """

    def __init__(self, raw_request: MutableMapping[str, Any], watch: Watch) -> None:
        self.begun = self._failed = self._counted_inside = False
        self._watch = watch
        outer: Seen | None = raw_request.get(WATCHED)
        if outer is not None:
            outer.leave_to(watch)
        raw_request[WATCHED] = self

    def leave_to(self, watch: Watch) -> None:
        """Stop counting if notes nearer to the app count for the same watch."""
        self._counted_inside = self._counted_inside or watch is self._watch

    def answer(self, headers: Iterable[tuple[Any, Any]], *, failed: bool) -> None:
        """Note that the app begins its answer, or another in its place."""
        if failed and not self._counted_inside and _injected(headers):
            self._counted_inside = True
        again, self.begun = self.begun, True
        # An answer that replaces another counts only if it turns a success into a failure.
        if self._counted_inside or (again and (self._failed or not failed)):
            return
        self._failed = failed
        self._watch.note(failed=failed, again=again)

    def fail(self, error: Exception) -> None:
        """Note that the app raises an error."""
        if not self._counted_inside and not self._failed and type(error).__name__ not in LEFT:
            self._failed = True
            self._watch.note(failed=True, again=self.begun)


def _injected(headers: Iterable[tuple[Any, Any]]) -> bool:
    """Whether another injector, nearer to the app, has made the answer."""
    names = (name.decode("latin-1") if isinstance(name, bytes) else name for name, _ in headers)
    return any(name.lower() == MARKS[0] for name in names)


def prepare_wsgi(
    app: WSGIApp, environ: Environ, start_response: Start, plan: Plan
) -> tuple[WSGIApp, Start, tuple[Plan, Sequence[int]] | None]:
    """Wrap the app and `start_response` for one request, and read its own rules.

    Returns:
        The app; `start_response`; the plan and candidates of the rules in the request's own header, or None.
    """
    own = app if plan.watch is None else watched_wsgi(app, plan.watch)
    requested, why = asked_by(plan, environ.get(_HEADER_KEY), ENVIRON, environ)
    return own, _refusing_wsgi(start_response, why) if why else start_response, requested


def _refusing_wsgi(start_response: Start, why: str) -> Start:
    """Wrap `start_response`: the answer says why the request's own rules are refused."""

    def start(status: str, headers: Headers, *more: Any, **named: Any) -> Callable[[bytes], object]:
        return start_response(status, [*headers, (REFUSED, why)], *more, **named)

    return start


def watched_wsgi(app: WSGIApp, watch: Watch) -> WSGIApp:
    """Wrap an app: note when it begins an answer, and when it fails."""

    def serve(environ: Environ, start_response: Start) -> Iterable[bytes]:
        seen = Seen(environ, watch)

        def start(status: str, headers: Headers, *more: Any, **named: Any) -> Callable[[bytes], object]:
            write = start_response(status, headers, *more, **named)
            seen.answer(headers, failed=status[:1] == "5")
            return write

        try:
            result = app(environ, start)
        except Exception as error:
            seen.fail(error)
            raise
        return WatchedAnswer(result, seen) if _runs(result, environ) or not seen.begun else result

    return serve


def _runs(result: Iterable[bytes], environ: Environ) -> bool:
    """Whether the app runs on while its answer is read: the answer is no list and no file."""
    return hasattr(result, "__iter__") and not (hasattr(result, "__len__") or is_file(environ, result))


class WatchedAnswer:
    """An app's answer that may still fail: in its middle or, as a generator, at its start."""

    def __init__(self, result: Iterable[bytes], seen: Seen) -> None:
        self._result = result
        self._seen = seen

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._result
        except Exception as error:
            self._seen.fail(error)
            raise

    def close(self) -> None:
        """Close what the app returned."""
        getattr(self._result, "close", lambda: None)()


def prepare_asgi(
    app: ASGIApp, scope: Scope, send: Send, plan: Plan
) -> tuple[ASGIApp, Send, tuple[Plan, Sequence[int]] | None]:
    """Wrap the app and `send` for one request, and read its own rules.

    Returns:
        The app; `send`; the plan and candidates of the rules in the request's own header, or None.
    """
    own = app if plan.watch is None else watched_asgi(app, plan.watch)
    text = None if plan.requested_rules is None else _text(scope)
    requested, why = asked_by(plan, text, SCOPE, scope)
    return own, _refusing_asgi(send, why) if why else send, requested


def _text(scope: Scope) -> str | None:
    """Get the request's header of rules as a WSGI server would give it."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if header_name(name) == HEADER]
    return ",".join(values) if values else None


def _refusing_asgi(send: Send, why: str) -> Send:
    """Wrap `send`: the answer says why the request's own rules are refused."""
    header = (REFUSED.encode(), why.encode())

    async def refuse(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), header]}
        await send(message)

    return refuse


def watched_asgi(app: ASGIApp, watch: Watch) -> ASGIApp:
    """Wrap an app: note when it begins an answer, and when it fails."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        seen = Seen(scope, watch)

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                # Headers that can be read only once are left to the server.
                known = headers if isinstance(headers, list | tuple) else ()
                seen.answer(known, failed=message["status"] >= 500)
            await send(message)

        # `django_client` looks for its own `send` here: it needs no more than the start of the answer.
        vars(note)["passes_to"] = send
        try:
            await app(scope, receive, note)
        except Exception as error:
            seen.fail(error)
            raise

    return serve

"""What few scenarios ask for before an ASGI request is decided: to watch the app's own answers, and to read its own rules."""

from __future__ import annotations

from faultinject.adapters.special import HEADER, REFUSED, Seen, asked_by
from faultinject.engine.facets import SCOPE
from faultinject.engine.request import header_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.adapters.types import ASGIApp, Message, Receive, Scope, Send
    from faultinject.engine.plan import Plan
    from faultinject.injector.failure_watch import FailureWatch


def prepare(
    app: ASGIApp, scope: Scope, send: Send, plan: Plan
) -> tuple[ASGIApp, Send, tuple[Plan, Sequence[int]] | None]:
    """The app and `send` as the request is to have them, and the plan and candidates that it asks for itself."""
    own = app if plan.watch is None else watched(app, plan.watch)
    text = None if plan.asked is None else _text(scope)
    if text is None:
        return own, send, None
    asked, why = asked_by(plan, text, SCOPE, scope)
    if why:
        send = _refusing(send, why)
    return own, send, asked


def _text(scope: Scope) -> str | None:
    """The header, as a WSGI server would give it."""
    found = [value.decode("latin-1") for name, value in scope["headers"] if header_name(name) == HEADER]
    return ",".join(found) if found else None


def _refusing(send: Send, why: str) -> Send:
    """`send` that says in the answer what is wrong with the rules that were asked for."""
    told = (REFUSED.encode(), why.encode())

    async def refuse(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), told]}
        await send(message)

    return refuse


def watched(app: ASGIApp, watch: FailureWatch) -> ASGIApp:
    """The app, each answer of which is noted when it begins."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        seen = Seen(scope, watch)

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                # What can be looked at once only is the server's.
                known = headers if isinstance(headers, list | tuple) else ()
                seen.answer(known, failed=message["status"] >= 500)
            await send(message)

        # An app that knows its client's own `send` need send it no more than the start.
        vars(note)["passes_to"] = send
        try:
            await app(scope, receive, note)
        except Exception as error:
            seen.fail(error)
            raise

    return serve

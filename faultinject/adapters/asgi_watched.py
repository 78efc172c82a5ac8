"""An ASGI app whose own answers are watched; bodies pass untouched."""

from __future__ import annotations

from faultinject.adapters.watched import Seen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.types import ASGIApp, Message, Receive, Scope, Send
    from faultinject.engine.services import Watch


def watched(app: ASGIApp, watch: Watch) -> ASGIApp:
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

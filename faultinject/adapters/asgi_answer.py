"""ASGI: how an injected answer leaves."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.types import Send
    from faultinject.engine.actions import Respond
    from faultinject.http.types import Headers


async def respond(
    send: Send, action: Respond, headers: Headers, body: bytes | None = None, *, more: bool = False
) -> None:
    """Send an injected answer; of its body another beginning, when more is to follow."""
    encoded = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in headers]
    await send({"type": "http.response.start", "status": action.answer.status, "headers": encoded})
    if body is None:
        await send({"type": "http.response.body", "body": action.body})
    else:
        await send({"type": "http.response.body", "body": body, "more_body": more})

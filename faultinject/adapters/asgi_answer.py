"""ASGI: how an injected answer leaves."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.types import Send
    from faultinject.engine.actions import Respond
    from faultinject.http.types import Headers


_NAMES_REMEMBERED = 1024
_names: dict[str, bytes] = {}


async def respond(
    send: Send, action: Respond, headers: Headers, body: bytes | None = None, *, more: bool = False
) -> None:
    """Send an injected answer; of its body another beginning, when more is to follow."""
    names = _names
    encoded = [(names.get(name) or _encode(name), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": action.answer.status, "headers": encoded})
    if body is None:
        await send({"type": "http.response.body", "body": action.body})
    else:
        await send({"type": "http.response.body", "body": body, "more_body": more})


def _encode(name: str) -> bytes:
    """A header's name as ASGI wants it, remembered: answers use few names, and use them always."""
    if len(_names) >= _NAMES_REMEMBERED:
        _names.clear()
    found = _names[name] = name.lower().encode("latin-1")
    return found

"""ASGI: how an injected answer leaves."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.types import Send
    from faultinject.engine.actions import Respond
    from faultinject.http.types import Headers


_REMEMBERED = 1024
NAMES: dict[str, bytes] = {}
"""Names of headers as ASGI has them, remembered."""


async def respond(
    send: Send, action: Respond, headers: Headers, body: bytes | None = None, *, more: bool = False
) -> None:
    """Send an injected answer; of its body another beginning, when more is to follow."""
    known, names = action.answer.encoded, NAMES
    encoded = [
        known.get(each) or (names.get(each[0]) or encode_name(each[0]), each[1].encode("latin-1"))
        for each in headers
    ]
    await send({"type": "http.response.start", "status": action.answer.status, "headers": encoded})
    if body is None:
        await send({"type": "http.response.body", "body": action.body})
    else:
        await send({"type": "http.response.body", "body": body, "more_body": more})


def encode_name(name: str) -> bytes:
    """A header's name as ASGI wants it, remembered: answers use few names, and use them always."""
    if len(NAMES) >= _REMEMBERED:
        NAMES.clear()
    found = NAMES[name] = name.lower().encode("latin-1")
    return found

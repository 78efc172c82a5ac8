"""ASGI with wrong configuration: a server that speaks lifespan is told why it cannot start."""

from __future__ import annotations

from faultinject.journal import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.types import ASGIApp, Receive, Scope, Send
    from faultinject.exceptions import FaultInjectError


def refusing(app: ASGIApp, error: FaultInjectError) -> ASGIApp:
    """`app` with no faults; a server that speaks lifespan is told why it cannot start."""
    log.refused(error)

    async def faultinject(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.failed", "message": f"faultinject: {error}"})

    vars(faultinject).update(getattr(app, "__dict__", {}), app=app)
    return faultinject

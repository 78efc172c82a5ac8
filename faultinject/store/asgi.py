"""Makes an ASGI app of a store, for the package's own servers."""

from __future__ import annotations

from io import BytesIO

from faultinject.adapters.types import ASGIApp, Receive, Scope, Send
from faultinject.engine.filters import DELETE
from faultinject.server.threads import LARGE, THREADS, Body, ClientGone, Threads
from faultinject.store.doors import Doors, of_scope


def asgi(store: Doors) -> ASGIApp:
    """Make an ASGI app that answers on the event loop, or on a thread if the body is large."""

    async def faultinject(scope: Scope, receive: Receive, send: Send) -> None:
        body = Body(receive)
        threads: Threads | None = scope.get(THREADS)
        while not body.whole and (threads is None or len(body.data) < LARGE):
            await body.more()
        if body.whole or threads is None:
            answer = store.answer(of_scope(scope, body))
        else:
            try:
                answer = await threads.run(lambda: store.answer(of_scope(scope, body)), body)
            except ClientGone:
                return
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.head()]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        pieces = () if scope["method"] == "HEAD" else answer.pieces
        for piece in pieces[:-1]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": pieces[-1] if pieces else b""})

    return faultinject


def beneath(app: ASGIApp, store: Doors) -> ASGIApp:
    """Let an app's faults delete from the store the keys that they report as deleted.

    Args:
        app: the store's app, with faults around it.
        store: the store itself.
    """

    async def faultinject(scope: Scope, receive: Receive, send: Send) -> None:
        scope[DELETE] = lambda keys: store.delete(of_scope(scope, BytesIO()), keys)
        await app(scope, receive, send)

    return faultinject

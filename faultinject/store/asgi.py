"""Makes an ASGI app of a store, for the package's own servers."""

from __future__ import annotations

from io import BytesIO

from anyio import CapacityLimiter, from_thread, to_thread

from faultinject.adapters.mounting import as_own
from faultinject.adapters.types import ASGIApp, Receive, Scope, Send
from faultinject.engine.filters import DELETE
from faultinject.server.body import LARGE, RequestBody
from faultinject.store.app import StoreApp, of_scope


class ThreadBody(RequestBody):
    """The body of a request that a thread of anyio's reads."""

    def wait(self) -> None:
        """Wait on the thread for more of the body."""
        from_thread.run(self.receive_more)


def asgi(store: StoreApp) -> ASGIApp:
    """Make an ASGI app that answers on the event loop, or on a thread if the body is large."""

    async def faultinject(scope: Scope, receive: Receive, send: Send) -> None:
        body = ThreadBody(receive)
        while not body.complete and len(body.data) < LARGE:
            await body.receive_more()
        if body.client_left:
            return
        request = of_scope(scope, body)
        if body.complete:
            answer = store.answer(request)
        else:
            # A limiter of its own: without one all requests share 40 threads, and silent clients would hold them all.
            answer = await to_thread.run_sync(store.answer, request, limiter=CapacityLimiter(1))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.head()]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        pieces = () if scope["method"] == "HEAD" else answer.pieces
        for piece in pieces[:-1]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": pieces[-1] if pieces else b""})

    return faultinject


def beneath(app: ASGIApp, store: StoreApp) -> ASGIApp:
    """Let a fault delete, in the store, the keys that its answer reports as deleted.

    Args:
        app: the store's app, with faults around it.
        store: the store itself.
    """

    async def faultinject(scope: Scope, receive: Receive, send: Send) -> None:
        scope[DELETE] = lambda keys: store.delete(of_scope(scope, BytesIO()), keys)
        await app(scope, receive, send)

    marked: ASGIApp = as_own(faultinject)
    return marked

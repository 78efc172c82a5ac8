"""Makes an ASGI app of a store, for the package's own servers."""

from __future__ import annotations

from io import BytesIO

from anyio import CapacityLimiter, from_thread, to_thread
from werkzeug.exceptions import ClientDisconnected

from faultinject.adapters.types import ASGIApp, Receive, Scope, Send
from faultinject.engine.filters import DELETE
from faultinject.store.doors import Doors, of_scope

LARGE = 65_536
"""Bytes of a body that are awaited without a thread."""


class Body:
    """The body of a request, which a thread awaits if it is large.

    Args:
        receive: the server's.

    Attributes:
        data: the bytes that have come and were not read yet.
        more: whether more may come.
        gone: whether the client has left before its end.
    """

    def __init__(self, receive: Receive) -> None:
        self.data = bytearray()
        self.more, self.gone = True, False
        self._receive = receive

    async def take(self) -> None:
        """Wait for more of it."""
        message = await self._receive()
        self.gone = message["type"] == "http.disconnect"
        self.data += message.get("body", b"")
        self.more = not self.gone and message.get("more_body", False)

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes, or all that come; empty at the end.

        Raises:
            ClientDisconnected: the client left before the end.
        """
        while self.more and (size < 0 or not self.data):
            from_thread.run(self.take)
        if self.gone:
            raise ClientDisconnected
        end = len(self.data) if size < 0 else size
        piece = bytes(self.data[:end])
        del self.data[:end]
        return piece


def asgi(store: Doors) -> ASGIApp:
    """Make an ASGI app that answers on the event loop, or on a thread if the body is large."""

    async def faultinject(scope: Scope, receive: Receive, send: Send) -> None:
        body = Body(receive)
        while body.more and len(body.data) < LARGE:
            await body.take()
        if body.gone:
            return
        request = of_scope(scope, body)
        if body.more:
            # Not one of the 40 threads that all requests would share: clients that send nothing would keep them.
            answer = await to_thread.run_sync(store.answer, request, limiter=CapacityLimiter(1))
        else:
            answer = store.answer(request)
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

    vars(faultinject)["never_faulted"] = True  # by `run`: its faults are its own
    return faultinject

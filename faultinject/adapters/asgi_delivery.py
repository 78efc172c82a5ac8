"""ASGI: what the server alone cannot give: an answer that goes out part by part, the end of the connection.

A cut goes past the server, on the connection itself: there it is exact whatever the server buffers. Where that
cannot be, the server sends what is let through.
"""

from __future__ import annotations

from contextlib import suppress

import anyio
from anyio.lowlevel import checkpoint

from faultinject.adapters.asgi_body import noticed
from faultinject.adapters.asgi_ending import Ending
from faultinject.adapters.asgi_wait import delivered, pause, send_all
from faultinject.adapters.client_errors import cut_of
from faultinject.adapters.connection import of_send
from faultinject.adapters.lingering import end
from faultinject.adapters.servers import in_process_scope
from faultinject.engine.steps import AppAnswer, ClientGone, NextPiece, Reach
from faultinject.http.wire import FLUSH, Framing, can_be_written, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from faultinject.adapters.asgi_wait import ExchangeEnd
    from faultinject.adapters.connection import Connection
    from faultinject.adapters.types import ASGIApp, Message, Receive, Scope, Send
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import ASGIRequest
    from faultinject.engine.steps import Begin, Cut, Hold, Part, RunApp, Write

# A body that the server reads from a file by itself could not be changed.
_PAST_US = frozenset(("http.response.pathsend", "http.response.zerocopysend"))

TO_THE_END = "faultinject.to_the_end"
"""A key of the message that begins an answer whose end is that of the connection, by which nobody can tell a cut."""


class Delivery:
    """One answer that the server alone cannot give, or the end of the connection instead.

    Args:
        advance: carries out what is neither of the app nor to be sent, with what came of the step before.
        throw: tells that the app has ended, or the client has left.
        scope: of the request.
        receive: the server's.
        app_receive: what the app receives by.
        send: the server's.
        plan: the plan that decided.
        request: the view of the request.
        rule: what the rule is called.
        exchange_end: sees the exchange's end.

    Attributes:
        changes: whether the body is changed on its way.
        connection: the client's, where it is held, or None.
    """

    def __init__(
        self,
        advance: Callable[[Any], Awaitable[RunApp | NextPiece | None]],
        throw: Callable[[Exception], Awaitable[None]],
        scope: Scope,
        receive: Receive,
        app_receive: Receive,
        send: Send,
        plan: Plan,
        request: ASGIRequest,
        rule: str,
        exchange_end: ExchangeEnd,
    ) -> None:
        self._advance = advance
        self._throw = throw
        self._scope = scope
        self._server_receive = receive
        self._receive = app_receive
        self._server = self._send = send
        self._plan = plan
        self._request = request
        self._exchange_end = exchange_end
        self._inside = in_process_scope(scope)
        self._rule = rule
        self.changes = False
        self._step: RunApp | NextPiece | None = None
        self._start: Message | None = None
        self._begun = self._untouched = self._unread = self._broken = False
        self._framing: Framing | None = None
        self.connection: Connection | None = None
        self._ending: Ending | None = None
        self._error: Exception | None = None

    async def run(self, app: ASGIApp, step: RunApp) -> None:
        """Run the app to its end, as that step says."""
        self._step, scope = step, self._scope
        if not _PAST_US.isdisjoint(scope.get("extensions") or ()):
            kept = {name: each for name, each in scope["extensions"].items() if name not in _PAST_US}
            scope = {**scope, "extensions": kept}
        try:
            await app(scope, self._receive, self._hand_on)
        except anyio.get_cancelled_exc_class():
            await self._throw(ClientGone())
            raise
        finally:
            if self._start is not None and not self._begun:
                await self._server(self._start)
        if isinstance(self._step, NextPiece):
            await self._advance(None)

    async def finish(self) -> None:
        """All has gone out: let the server and the client see the end of the connection."""
        if self._error is not None:
            raise self._error
        self.close()
        if self._broken:
            await noticed(self._server_receive, unread=self._unread)

    def close(self) -> None:
        """Let go of the connection; again is nothing."""
        if self.connection is not None:
            if self._framing is not None:
                self._close()
            self.connection.release()
        if self._ending is not None:
            self._ending.close()

    def hold(self, step: Hold) -> Reach:
        """Get hold of the client's connection, before an answer."""
        if self._inside:
            return Reach.IN_PROCESS
        self.connection = found = of_send(self._server)
        if found is not None and step.plain and found.encrypted:
            found.release()
            self.connection = found = None
        return Reach.SERVER if found is None else Reach.CONNECTION

    async def write(self, step: Write) -> None:
        """Write a whole answer on the connection, and end it."""
        self._unread = step.unread
        with suppress(ClientGone):
            await self._push(step.data)
        self._close()

    async def begin(self, step: Begin) -> Reach:
        """Begin it, through the server or past it."""
        self._begun = True
        transform = step.transform
        self.changes, self._unread = transform is not None, step.unread
        start = self._start
        if step.own is not None:
            self._ending = Ending(
                self._scope, self._receive, self._server, self._request,
                unread=step.unread, broken=step.broken, closes=step.own.answer.closes,
            )  # fmt: skip
            self._send = self._ending.send
            start = {"type": "http.response.start", "status": step.own.answer.status}
        assert start is not None
        status = start["status"]
        encoded = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in step.headers]
        start = {**start, "headers": encoded}
        if transform is not None and (transform.cuts or transform.slow) and not self._inside:
            self.connection = found = of_send(self._server)
            plain = found is not None and not found.encrypted and not self._request.http2
            if transform.cuts and plain and can_be_written("", step.headers):
                self._framing = Framing(
                    f"{status} {reason(status)}",
                    step.headers,
                    now=self._plan.services.clock(),
                    server="",
                    chunks=self._scope.get("http_version") != "1.0",
                )
                await self._push(self._framing.head)
                return Reach.CONNECTION
            if transform.cuts:
                start.pop(TO_THE_END, None)
        await self._exchange_end.begin(self._send, start)
        if self._inside:
            return Reach.IN_PROCESS
        return Reach.SERVER if self.connection is None else Reach.CONNECTION

    async def part(self, step: Part) -> None:
        """Send a part of the body."""
        if self._framing is None:
            await self._send({"type": "http.response.body", "body": step.data, "more_body": step.more})
            return
        if step.data:
            await self._push(self._framing.frame(step.data))
        if not step.more:
            await self._push(self._framing.end)
            self._close()

    async def wait(self, seconds: float) -> bool:
        """Wait while the client does; no when it has left."""
        await pause(self._plan, seconds, self._exchange_end, self.connection)
        return not (self._exchange_end.gone or (self.connection is not None and self.connection.left(0)))

    async def cut(self, step: Cut) -> str:
        """End the connection behind what has been let through."""
        if self._inside:
            self._error = cut_of(step, self._rule)
            return "raised"
        found = self.connection
        if not self._begun and found is not None:
            self._broken = True
            return found.reset() if step.resets else found.close()
        if self._framing is None:
            await anyio.sleep(FLUSH)
            if found is None or not await delivered(found, self._plan):
                # Most servers close the connection then, though they log it.
                self._error = ConnectionAbortedError("answer cut by faultinject")
                return "closed"
        if step.resets and found is not None and await delivered(found, self._plan):
            self._broken = True
            return found.reset()
        self._close()
        return "closed"

    async def _hand_on(self, message: Message) -> None:
        """Stands in for the server's `send`."""
        kind = message["type"]
        if self._untouched:
            await self._server(message)
        elif kind == "http.response.start":
            headers = message["headers"] = list(message.get("headers", ()))
            decoded = [(name.decode("latin-1"), text.decode("latin-1")) for name, text in headers]
            self._start = message
            self._step = await self._advance(AppAnswer(message["status"], decoded))
            if self._step is None and not self._begun:
                self._begun = self._untouched = True
                await self._server(message)
        elif self._step is None:
            # An app that goes on without end is to hear from others that nobody listens any more.
            await checkpoint()
        elif kind == "http.response.body":
            piece, more = message.get("body", b""), bool(message.get("more_body"))
            if piece or not more:
                self._step = await self._advance((piece, more))
        elif self._framing is None:
            await self._server(message)

    async def _push(self, data: bytes) -> None:
        assert self.connection is not None
        try:
            await send_all(self.connection, data)
        except OSError as error:
            raise ClientGone from error

    def _close(self) -> None:
        if not self._broken and self.connection is not None:
            self._broken = True
            end(self.connection, unread=self._unread)

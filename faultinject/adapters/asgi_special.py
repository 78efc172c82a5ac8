"""ASGI: what goes past the server: a broken connection, the vendor's own head, an answer that comes late."""

from __future__ import annotations

from contextlib import suppress

import anyio

from faultinject.adapters.asgi_answer import respond
from faultinject.adapters.asgi_wait import Listener
from faultinject.adapters.client_errors import closed_error, in_process_scope, reset_error, timeout_error
from faultinject.adapters.connection import of_scope
from faultinject.core.wire import BLANK_EVERY, late_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.asgi import Receive, Scope, Send
    from faultinject.adapters.connection import Connection
    from faultinject.core.actions import Disconnect, Headers, Respond
    from faultinject.core.outcome import Body
    from faultinject.core.plan import Plan
    from faultinject.core.request import ASGIRequest

PATIENCE = 10.0
"""Seconds after which a client that reads nothing is given up."""


class Special:
    """An answer that the server alone cannot give, or the end of the connection.

    Args:
        scope: of the request.
        receive: the server's.
        send: the server's.
        plan: the plan that decided.
        action: the answer, also where the connection cannot be broken.
        request: the view of the request.
        end: how the connection ends instead of an answer.

    Attributes:
        broken: whether the connection was ended beneath the server, which is to notice it.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        plan: Plan,
        action: Respond,
        request: ASGIRequest,
        end: Disconnect | None,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._plan = plan
        self._action = action
        self._request = request
        self._end = end
        self.broken = False

    async def give(
        self, headers: Headers, did: str, *, body: Body | None = None, applied: bool = False
    ) -> None:
        """Do it.

        Args:
            headers: the answer's headers.
            did: what the journal says of an answer.
            body: what was read of the request's body.
            applied: whether the app ran.
        """
        action, entry = self._action, self._action.entry
        if self._end is not None:
            if await self._break(self._end, body, applied=applied):
                return
            entry.status, entry.response_bytes = action.answer.status, len(action.body)
            did = "answered"
        elif action.shape is not None:
            from faultinject.adapters.asgi_shape import shaped

            async def error(_scope: Scope, _receive: Receive, send: Send) -> None:
                await respond(send, action, headers)

            await shaped(
                error, self._scope, self._receive, self._send, self._plan, entry, action.shape, self._request,
                applied=applied, body=body,
            )  # fmt: skip
            return
        elif await self._exact(headers, did, body, applied=applied):
            return
        entry.write(did, body=body, applied=applied)
        if action.answer.late and action.body:
            await self._late(headers)
        else:
            await respond(self._send, action, headers)

    async def _break(self, end: Disconnect, body: Body | None, *, applied: bool) -> bool:
        """End the connection; no where the server does not let us."""
        entry, rule = end.entry, end.entry.rule or ""
        if in_process_scope(self._scope):
            entry.write("raised", body=body, applied=applied)
            if end.held is not None:
                raise timeout_error(rule=rule)
            raise reset_error(rule=rule) if end.how == "reset" else closed_error(rule=rule)
        if end.held is not None:
            entry.write(end.how, answered=False, last=False, body=body, applied=applied)
            listens = not self._request.expects_continue
            listener = Listener(self._receive)
            await listener.wait(self._plan, self._action.delay + end.held, listens=listens)
        connection = of_scope(self._scope, self._send)
        if connection is None:
            if _module(self._send).startswith("gunicorn."):
                # It closes the connection then, and answers 500 to any other error.
                from asyncio import CancelledError

                entry.write("closed", body=body, applied=applied)
                raise CancelledError
            return False
        # The line stands before the client can know.
        entry.write(end.how, body=body, applied=applied)
        with connection:
            did = connection.reset() if end.how == "reset" else connection.close()
        if did != end.how:
            entry.write(did, body=body, applied=applied)
        self.broken = True
        return True

    async def _exact(self, headers: Headers, did: str, body: Body | None, *, applied: bool) -> bool:
        """Write the vendor's own head on the connection itself; no where that cannot be."""
        action = self._action
        exact = action.answer.exact
        if exact is None or action.answer.late or self._request.http2 or in_process_scope(self._scope):
            return False
        connection = of_scope(self._scope, self._send)
        if connection is None:
            return False
        with connection:
            if connection.encrypted:
                return False
            action.entry.write(did, body=body, applied=applied)
            head = exact.write(headers, self._plan.surroundings.clock())
            with suppress(OSError):
                await send_all(connection, head + action.body)
            connection.close()
        self.broken = True
        return True

    async def _late(self, headers: Headers) -> None:
        """The head at once, blanks while the client waits, then the body."""
        action, plan, send = self._action, self._plan, self._send
        body = action.body
        start = late_start(body)
        clock = plan.surroundings.monotonic
        end, endings = clock() + action.delay, plan.endings
        await respond(send, action, headers, body[:start] or b" ", more=True)
        listener = Listener(self._receive)
        while (left := end - clock()) > 0 and not plan.over(endings):
            if not await listener.wait(plan, min(left, BLANK_EVERY)):
                return
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await send({"type": "http.response.body", "body": body[start:]})


def _module(send: Send) -> str:
    return getattr(send, "__module__", None) or type(send).__module__


async def send_all(connection: Connection, data: bytes) -> None:
    """Write all of it; raises `OSError` when the client has left, or reads nothing for a while."""
    rest = memoryview(data)
    while rest:
        sent = connection.push(rest)
        rest = rest[sent:]
        if not sent:
            with anyio.fail_after(PATIENCE):
                await anyio.wait_writable(connection.fileno())

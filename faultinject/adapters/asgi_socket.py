"""ASGI: what goes past the server: a broken connection, the vendor's own head, an answer that comes late."""

from __future__ import annotations

from contextlib import nullcontext, suppress

from faultinject.adapters.asgi_answer import respond
from faultinject.adapters.asgi_ending import Ending, respond_and_end
from faultinject.adapters.asgi_wait import noticed, send_all
from faultinject.adapters.client_errors import closed_error, in_process_scope, reset_error, timeout_error
from faultinject.adapters.connection import of_send
from faultinject.adapters.lingering import end as end_connection
from faultinject.http.wire import BLANK_EVERY, late_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.asgi_wait import Listener
    from faultinject.adapters.types import Receive, Scope, Send
    from faultinject.engine.actions import Disconnect, Respond
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import ASGIRequest
    from faultinject.engine.types import Body
    from faultinject.http.types import Headers


class SocketResponder:
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
        end: how the connection ends instead of an answer, or None.
        error: what is to be raised in the end, where the client is in this process.
        broken: whether the connection was ended beneath the server, which is to notice it.
        unread: whether something of the request's body was left then.
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
        self.error: BaseException | None = None
        self.broken = self.unread = False
        self._scope = scope
        self._receive = receive
        self._send = send
        self._plan = plan
        self._action = action
        self._request = request
        self.end = end

    async def finish(self) -> None:
        """When the app is done, let the server and the client see the end of the connection."""
        if self.error is not None:
            raise self.error
        if self.broken:
            await noticed(self._receive, unread=self.unread and self.end is None)

    async def give(
        self,
        listener: Listener,
        headers: Headers,
        did: str,
        *,
        body: Body | None = None,
        applied: bool = False,
    ) -> None:
        """Do it.

        Args:
            listener: hears when the client leaves.
            headers: the answer's headers.
            did: what the journal says of an answer.
            body: what was read of the request's body.
            applied: whether the app ran.
        """
        action, entry = self._action, self._action.entry
        self.unread = unread = self._request.has_body and not listener.whole
        broken = body is not None
        if self.end is not None:
            if await self._break(listener, self.end, body, applied=applied):
                return
            entry.status, entry.response_bytes = action.answer.status, len(action.body)
            did = "answered"
        elif await self._exact(headers, did, body, applied=applied):
            return
        entry.write(did, body=body, applied=applied)
        if action.answer.late and action.body:
            with self._ending(broken=broken) as ending:
                await self._late(listener, ending.send, headers)
        else:
            await respond_and_end(
                self._scope,
                self._receive,
                self._send,
                self._request,
                action,
                headers,
                unread=unread,
                broken=broken,
            )

    def _ending(self, *, broken: bool) -> Ending:
        return Ending(
            self._scope,
            self._receive,
            self._send,
            self._request,
            unread=self.unread,
            broken=broken,
            closes=self._action.answer.closes,
        )

    async def _break(self, listener: Listener, end: Disconnect, body: Body | None, *, applied: bool) -> bool:
        """End the connection; no where the server does not let us."""
        entry, rule = end.entry, end.entry.rule or ""
        if in_process_scope(self._scope):
            entry.write("raised", body=body, applied=applied)
            if end.held is not None:
                self.error = timeout_error(rule=rule)
            else:
                self.error = reset_error(rule=rule) if end.how == "reset" else closed_error(rule=rule)
            return True
        # Looked for before a hang: behind it a client that has just left would look like one that is out of reach.
        connection = of_send(self._send)
        with connection or nullcontext():
            if end.held is not None:
                entry.write(end.how, answered=False, last=False, body=body, applied=applied)
                seconds = self._action.delay + end.held
                listens = not self._request.expects_continue
                if not await listener.wait(self._plan, seconds, listens=listens, connection=connection):
                    entry.write(end.how, body=body, applied=applied)
                    return True
            if connection is not None:
                # The line stands before the client can know.
                entry.write(end.how, body=body, applied=applied)
                did = connection.reset() if end.how == "reset" else connection.close()
                if did != end.how:
                    entry.write(did, body=body, applied=applied)
                self.broken = True
                return True
        return False

    async def _exact(self, headers: Headers, did: str, body: Body | None, *, applied: bool) -> bool:
        """Write the vendor's own head on the connection itself; no where that cannot be."""
        action = self._action
        exact = action.answer.exact
        if exact is None or action.answer.late or self._request.http2 or in_process_scope(self._scope):
            return False
        connection = of_send(self._send)
        if connection is None:
            return False
        with connection:
            if connection.encrypted:
                return False
            action.entry.write(did, body=body, applied=applied)
            head = exact.write(headers, self._plan.services.clock())
            with suppress(OSError):
                await send_all(connection, head + action.body)
            end_connection(connection, unread=self.unread)
        self.broken = True
        return True

    async def _late(self, listener: Listener, send: Send, headers: Headers) -> None:
        """The head at once, blanks while the client waits, then the body."""
        action, plan = self._action, self._plan
        body = action.body
        start = late_start(body)
        clock = plan.services.monotonic
        end, endings = clock() + action.delay, plan.endings
        await respond(send, action, headers, body[:start] or b" ", more=True)
        listens = not self._request.expects_continue
        while (left := end - clock()) > 0 and not (plan.over(endings) or listener.over):
            if not await listener.wait(plan, min(left, BLANK_EVERY), listens=listens):
                return
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await send({"type": "http.response.body", "body": body[start:]})

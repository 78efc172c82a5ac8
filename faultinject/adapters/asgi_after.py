"""ASGI, `when=after`: the app runs, its effects stay, its answer is dropped and the fault given instead."""

from __future__ import annotations

import anyio
from anyio.lowlevel import checkpoint

from faultinject.adapters.asgi_ending import respond_and_end
from faultinject.adapters.asgi_wait import Listener, in_tasks
from faultinject.engine.actions import Disconnect
from faultinject.engine.answers import at_its_start, taken_over
from faultinject.engine.body_digest import LONGEST, MOST
from faultinject.engine.exchange import delay_before, undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from faultinject.adapters.asgi_socket import SocketResponder
    from faultinject.adapters.types import ASGIApp, Message, Receive, Scope, Send
    from faultinject.engine.actions import Respond
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import ASGIRequest
    from faultinject.http.types import Headers


class AppAnswer:
    """The app's answer as it comes: dropped, or passed on when it turns out to be a failure."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        listener: Listener,
        plan: Plan,
        action: Respond,
        request: ASGIRequest,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._listener = listener
        self._plan = plan
        self._action = action
        self._request = request
        self._dropped = 0
        self._headers: Headers = []
        self._started = anyio.Event()
        self._listening: set[anyio.CancelScope] = set()
        self._given = False
        self.responder: SocketResponder | None = None
        """What gives an answer that the server alone cannot give, or ends the connection."""
        self.timer = anyio.CancelScope()
        """Cancelled when the app's answer is no longer waited for."""
        self.failed = False
        """Whether the app's answer is a failure of its own, which goes out."""
        self.cut = False
        """Whether the app was told that the client left."""
        self.settled = False
        """Whether the journal knows the end."""

    async def send(self, message: Message) -> None:
        """Stands in for the server's `send`."""
        if self.failed:
            await self._send(message)
            return
        if self.cut:
            raise OSError("the client has left")
        if self._given:
            return
        kind = message["type"]
        if kind == "http.response.start":
            if message["status"] >= 500:
                self.failed = True
                self.undo("app_failed", message["status"])
                await self._send(message)
                return
            headers = message.get("headers", ())
            self._action.entry.app_status = message["status"]
            self._headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
            self._started.set()
        elif kind in ("http.response.body", "http.response.pathsend", "http.response.zerocopysend"):
            self._dropped += len(message.get("body", b""))
            if not message.get("more_body"):
                await self.give()
            elif self._dropped > MOST:
                await self.cut_off()
            else:
                # An app that waits for nothing leaves no time to others, nor to the clock that ends it.
                await checkpoint()

    async def receive(self) -> Message:
        """Stands in for the server's `receive`."""
        scope = anyio.CancelScope()
        message: Message = {"type": "http.disconnect"}
        if self.cut:
            return message
        self._listening.add(scope)
        try:
            with scope:
                message = await self._listener.receive()
        finally:
            self._listening.discard(scope)
        if self._action.listing is not None and message["type"] == "http.request":
            self._action.listing.feed(message.get("body", b""))
        return message

    async def watch_clock(self) -> None:
        """Cut the app off when its answer takes too long."""
        with self.timer:
            await self._started.wait()
            await anyio.sleep(LONGEST)
        if not (self.timer.cancelled_caught or self.failed or self._given):
            await self.cut_off()

    async def cut_off(self) -> None:
        """The app takes too long or says too much: tell it that the client left, and give the fault."""
        self.cut = True
        for scope in self._listening:
            scope.cancel()
        await self.give()

    async def give(self) -> None:
        """Give the fault, once."""
        self._given = True
        self.timer.cancel()
        self._action.answer_keys()
        action, responder, listener = self._action, self.responder, self._listener
        delay = delay_before(action, None if responder is None else responder.end)
        if (delay and not await listener.wait(self._plan, delay)) or listener.gone:
            self._action.entry.left = True
            self.undo("failed")
            return
        self.settled = True
        headers = at_its_start(action, self._plan.services.clock())
        if action.answer.cors:
            headers = taken_over(headers, self._headers)
        did = "app_cut" if self.cut else "answered"
        if responder is not None:
            await responder.give(listener, headers, did, applied=True)
            return
        action.entry.write(did, applied=True)
        unread = self._request.has_body and not listener.whole
        await respond_and_end(
            self._scope, self._receive, self._send, self._request, action, headers, unread=unread
        )

    def undo(self, did: str, status: int | None = None) -> None:
        """The fault is not given, unless it was; `status` is the app's own."""
        if not self.settled:
            self.settled = True
            undo(self._plan, self._action.entry, did, applied=True, status=status)


async def respond_after(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    plan: Plan,
    action: Respond | Disconnect,
    request: ASGIRequest,
) -> None:
    """Run the app, drop its answer, give the fault; an app that fails keeps its own answer."""
    end, action = (action, action.instead) if isinstance(action, Disconnect) else (None, action)
    action.entry.write("answered" if end is None else end.how, answered=False, last=False)
    responder: SocketResponder | None = None
    if end is not None or action.answer.needs_socket or action.answer.beyond:
        from faultinject.adapters.asgi_socket import SocketResponder

        responder = SocketResponder(scope, receive, send, plan, action, request, end)

    async def run(listening: TaskGroup) -> None:
        answer = AppAnswer(scope, receive, send, Listener(receive, listening), plan, action, request)
        answer.responder = responder
        raised: BaseException | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(answer.watch_clock)
                try:
                    await app(scope, answer.receive, answer.send)
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as error:
                    raised = error
                answer.timer.cancel()
        finally:
            # Also an app that ends without an answer has failed.
            answer.undo("app_failed")
        if raised is not None and not (answer.cut and isinstance(raised, Exception)):
            raise raised

    await in_tasks(run)
    if responder is not None:
        await responder.finish()

"""ASGI, `when=after`: the app runs, its effects stay, its answer is dropped and the fault given instead."""

from __future__ import annotations

import anyio

from faultinject.adapters.asgi import respond
from faultinject.adapters.asgi_wait import pause
from faultinject.adapters.driving import undo
from faultinject.core.answers import taken_over
from faultinject.core.bodies import LONGEST, MOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.asgi import ASGIApp, Message, Receive, Scope, Send
    from faultinject.core.actions import Respond
    from faultinject.core.plan import Plan


class AppAnswer:
    """The app's answer as it comes: dropped, or passed on when it turns out to be a failure."""

    def __init__(self, send: Send, receive: Receive, plan: Plan, action: Respond) -> None:
        self._send = send
        self._receive = receive
        self._plan = plan
        self._action = action
        self._dropped = 0
        self._headers: list[tuple[str, str]] = []
        self.failed = False
        self.given = False
        """Whether the fault was given."""
        self.cut = False
        """Whether the app was told that the client left."""

    async def send(self, message: Message) -> None:
        """Stands in for the server's `send`."""
        if self.failed:
            await self._send(message)
            return
        kind = message["type"]
        if kind == "http.response.start":
            if message["status"] >= 500:
                self.failed = True
                undo(self._plan, self._action.entry, "app_failed", applied=True)
                await self._send(message)
                return
            self._headers = [
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())
            ]
        elif kind == "http.response.body":
            self._dropped += len(message.get("body", b""))
            if not message.get("more_body"):
                await self.give()
            elif self._dropped > MOST:
                await self.cut_off()
        elif kind == "http.response.pathsend":
            await self.give()

    async def receive(self) -> Message:
        """Stands in for the server's `receive`."""
        return {"type": "http.disconnect"} if self.cut else await self._receive()

    async def cut_off(self) -> None:
        """The app takes too long or says too much: tell it that the client left, and give the fault."""
        if not self.given:
            self.cut = True
            await self.give()

    async def give(self) -> None:
        """Give the fault, once."""
        if self.given:
            return
        self.given = True
        action = self._action
        if action.delay:
            await pause(self._plan, action.delay)
        action.entry.write("app_cut" if self.cut else "answered", applied=True)
        headers = taken_over(action.headers, self._headers) if action.answer.cors else action.headers
        await respond(self._send, action, headers)


async def respond_after(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, plan: Plan, action: Respond
) -> None:
    """Run the app, drop its answer, give the fault; an app that fails keeps its own answer."""
    action.entry.write("answered", answered=False, last=False)
    answer = AppAnswer(send, receive, plan, action)
    raised: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_watch_clock, answer)
        try:
            await app(scope, answer.receive, answer.send)
        except Exception as error:
            raised = error
        tasks.cancel_scope.cancel()
    if raised is not None and not answer.given and not answer.failed:
        undo(plan, action.entry, "app_failed", applied=True)
    if raised is not None and not answer.cut:
        raise raised


async def _watch_clock(answer: AppAnswer) -> None:
    await anyio.sleep(LONGEST)
    if not answer.failed:
        await answer.cut_off()

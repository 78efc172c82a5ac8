"""ASGI, `when=after`: how an app runs whose answer is dropped."""

from __future__ import annotations

import anyio
from anyio.lowlevel import checkpoint

from faultinject.engine.body_digest import LONGEST, MOST
from faultinject.engine.steps import AppAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faultinject.adapters.asgi_wait import Listener
    from faultinject.adapters.types import ASGIApp, Message, Scope, Send
    from faultinject.vendors.multi_delete import Listing

    Give = Callable[[AppAnswer], Awaitable[object]]


class Dropped:
    """The app's answer as it comes: dropped, or passed on when it turns out to be a failure.

    Args:
        send: the server's.
        listener: hears what the client sends.
        listing: gets each piece of the request's body, or None.
        give: called with the answer when all of it was dropped, or when a failure begins.
        has_body: whether the request announces a body.
    """

    def __init__(
        self, send: Send, listener: Listener, listing: Listing | None, give: Give, *, has_body: bool
    ) -> None:
        self._send = send
        self._listener = listener
        self._listing = listing
        self._give = give
        self._has_body = has_body
        self._dropped = 0
        self._found = AppAnswer(0, [])
        self._started = anyio.Event()
        self._listening: set[anyio.CancelScope] = set()
        self._given = False
        self.timer = anyio.CancelScope()
        """Cancelled when the app's answer is no longer waited for."""

    @property
    def cut(self) -> bool:
        """Whether the app was told that the client left."""
        return self._found.cut

    async def send(self, message: Message) -> None:
        """Stands in for the server's `send`."""
        if self._found.failed:
            await self._send(message)
            return
        if self.cut:
            raise OSError("the client has left")
        if self._given:
            return
        kind = message["type"]
        if kind == "http.response.start":
            self._found.status = message["status"]
            headers = message.get("headers", ())
            self._found.headers = [
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in headers
            ]
            if self._found.failed:
                await self.give()
                await self._send(message)
            else:
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
        if self._listing is not None and message["type"] == "http.request":
            self._listing.feed(message.get("body", b""))
        return message

    async def watch_clock(self) -> None:
        """Cut the app off when its answer takes too long."""
        with self.timer:
            await self._started.wait()
            await anyio.sleep(LONGEST)
        if not (self.timer.cancelled_caught or self._given):
            await self.cut_off()

    async def cut_off(self) -> None:
        """The app takes too long or says too much: tell it that the client left, and give the fault."""
        self._found.cut = True
        for scope in self._listening:
            scope.cancel()
        await self.give()

    async def give(self) -> None:
        """Give the fault, once."""
        self._given = True
        self.timer.cancel()
        self._found.unread = self._has_body and not self._listener.whole
        await self._give(self._found)


async def run_dropped(
    app: ASGIApp,
    scope: Scope,
    send: Send,
    listener: Listener,
    listing: Listing | None,
    give: Give,
    *,
    has_body: bool,
) -> None:
    """Run the app and drop its answer; `give` is called with what that was."""
    answer = Dropped(send, listener, listing, give, has_body=has_body)
    raised: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer.watch_clock)
        try:
            await app(scope, answer.receive, answer.send)
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:
            raised = error
        answer.timer.cancel()
    if raised is not None and not (answer.cut and isinstance(raised, Exception)):
        raise raised

"""ASGI: an upload in the middle of which nothing comes for a while, as the app receives it."""

from __future__ import annotations

from contextlib import nullcontext

from faultinject.adapters.asgi_wait import Ends, pause
from faultinject.adapters.connection import of_scope
from faultinject.engine.answers import marked_bytes
from faultinject.engine.exchange import undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faultinject.adapters.types import ASGIApp, Message, Receive, Scope, Send
    from faultinject.engine.actions import Forward
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import ASGIRequest


async def forward_with_a_pause(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    plan: Plan,
    action: Forward,
    request: ASGIRequest,
    after: int,
) -> None:
    """Run the app, whose reading of the request's body is interrupted after so many bytes.

    An app that begins its answer before it has read so much gets no pause.
    """
    entry = action.entry
    entry.write("stalled", answered=False, applied=True, last=False)

    async def wait() -> None:
        with of_scope(scope, send) or nullcontext() as connection:
            await pause(plan, action.delay, Ends(receive), connection)

    body = PausedBody(receive, after, wait, sized=request.content_length is not None)

    def settle(message: Message) -> Message:
        body.begin_answer()
        if not body.paused:
            undo(plan, entry, "nothing_to_cut", applied=True, status=message["status"])
            return message
        headers = list(message.get("headers", ()))
        entry.saw(message["status"], headers)
        entry.write("stalled", applied=True)
        if plan.services.marked:
            headers = marked_bytes(headers, entry.rule or "")
        return {**message, "headers": headers}

    def fail() -> None:
        if body.paused:
            # Its client may have lost patience: that is what the fault is for.
            entry.write("stalled", answered=False, applied=True)
        else:
            undo(plan, entry, "app_failed", applied=True)

    await _told(app, scope, _in_place_of(receive, body.receive), send, settle, fail)


async def _told(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    settle: Callable[[Message], Message],
    fail: Callable[[], None],
) -> None:
    """Run the app; `settle` tells the journal that its answer starts, and gives what is sent then, `fail` that none did."""
    started = False

    async def tell(message: Message) -> None:
        nonlocal started
        if message["type"] == "http.response.start" and not started:
            started = True
            message = settle(message)
        await send(message)

    try:
        await app(scope, receive, tell)
    finally:
        if not started:
            fail()


def _in_place_of(receive: Receive, other: Callable[[], Awaitable[Message]]) -> Receive:
    """What stands in for the server's `receive`: who watches the exchange for its end looks at the object behind that."""

    async def instead() -> Message:
        return await other()

    vars(instead)["__self__"] = getattr(receive, "__self__", None)
    return instead


def again(receive: Receive, body: bytes) -> Receive:
    """`receive` of a request whose whole body was read before."""
    told = False

    async def heard_again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return _in_place_of(receive, heard_again)


class PausedBody:
    """A request's body as the app receives it, with a pause in it.

    Args:
        receive: the server's.
        after: bytes that the app gets before the pause.
        wait: waits.
        sized: whether it is known that more follows.

    Attributes:
        paused: whether the pause has been.
    """

    def __init__(
        self, receive: Receive, after: int, wait: Callable[[], Awaitable[None]], *, sized: bool
    ) -> None:
        self._receive = receive
        self._left = after
        self._wait = wait
        self._sized = sized
        self._waits = True
        self._behind: Message | None = None
        self.paused = False

    def begin_answer(self) -> None:
        """From now on there is no pause any more."""
        self._waits = False

    async def receive(self) -> Message:
        """Stands in for the server's `receive`."""
        if self._waits and self._sized and not self._left:
            await self._pause()
        message, self._behind = self._behind, None
        if message is None:
            message = await self._receive()
        if not self._waits or message["type"] != "http.request":
            return message
        piece = message.get("body", b"")
        if len(piece) <= self._left:
            self._left -= len(piece)
            return message
        if not self._left:
            await self._pause()
            return message
        before, behind = piece[: self._left], piece[self._left :]
        self._left = 0
        self._behind = {**message, "body": behind}
        return {**message, "body": before, "more_body": True}

    async def _pause(self) -> None:
        self._waits = False
        self.paused = True
        await self._wait()

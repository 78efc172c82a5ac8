"""ASGI: an upload in the middle of which nothing comes for a while, as the app receives it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faultinject.adapters.types import Message, Receive
    from faultinject.engine.steps import Pause


def in_place_of(receive: Receive, other: Callable[[], Awaitable[Message]]) -> Receive:
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

    return in_place_of(receive, heard_again)


class PausedBody:
    """A request's body as the app receives it, with a pause in it.

    Args:
        receive: the server's.
        pause: where the wait is; told when it has been.
        wait: waits.
        sized: whether it is known that more follows.
    """

    def __init__(
        self, receive: Receive, pause: Pause, wait: Callable[[], Awaitable[object]], *, sized: bool
    ) -> None:
        self._receive = receive
        self._left = pause.after
        self._pause = pause
        self._wait = wait
        self._sized = sized
        self._behind: Message | None = None

    async def receive(self) -> Message:
        """Stands in for the server's `receive`."""
        if self._pause.due and self._sized and not self._left:
            await self._come_to_it()
        message, self._behind = self._behind, None
        if message is None:
            message = await self._receive()
        if not self._pause.due or message["type"] != "http.request":
            return message
        piece = message.get("body", b"")
        if len(piece) <= self._left:
            self._left -= len(piece)
            return message
        if not self._left:
            await self._come_to_it()
            return message
        before, behind = piece[: self._left], piece[self._left :]
        self._left = 0
        self._behind = {**message, "body": behind}
        return {**message, "body": before, "more_body": True}

    async def _come_to_it(self) -> None:
        self._pause.due = False
        self._pause.done = True
        await self._wait()

"""ASGI: a request's body, as it is received and dropped, and as the app receives it."""

from __future__ import annotations

from contextlib import suppress

import anyio
from anyio.lowlevel import checkpoint

from faultinject.engine.body_digest import LONGEST, MOST
from faultinject.engine.steps import ClientGone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faultinject.adapters.types import Message, Receive
    from faultinject.engine.body_digest import Body, SeenBody
    from faultinject.engine.journal_entry import Entry
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import ASGIRequest
    from faultinject.engine.steps import Pause
    from faultinject.vendors.multi_delete import Listing

MOST_MESSAGES = 1_000_000
"""Messages after which a server is no longer listened to."""
MOST_IDLE = 1_000
"""Messages in a row that bring nothing, after which a server is no longer listened to."""
_SLICE = 0.05
_NOTICED = 1.0


class BodyReader:
    """What a server says by `receive`, one message after the other.

    A `receive` need not block: middleware that replays a body answers at once, every time. So others run before each
    further message, and what brings nothing new is given up after a while. Nothing is kept.

    Args:
        receive: the server's, or what stands in for it.

    Attributes:
        gone: whether the client has left.
        whole: whether the request's body was heard to its end.
    """

    def __init__(self, receive: Receive) -> None:
        self.gone = self.whole = False
        self._receive = receive
        self._heard = self._idle = 0

    async def next(self) -> Message | None:
        """The next message; None when there is none to wait for any more."""
        if self._idle >= MOST_IDLE or self._heard >= MOST_MESSAGES:
            return None
        if self._heard:
            await checkpoint()
        message = await self._receive()
        self._heard += 1
        self._idle = self._idle + 1 if self.whole or not message.get("body") else 0
        self.note(message)
        return message

    def note(self, message: Message) -> None:
        """See what a message tells."""
        kind = message["type"]
        if kind == "http.disconnect":
            self.gone = True
        elif kind == "http.request" and not message.get("more_body"):
            self.whole = True

    async def until_gone(self) -> None:
        """Hear the rest, and drop it."""
        while not self.gone and await self.next() is not None:
            pass


async def drain(
    receive: Receive,
    plan: Plan,
    request: ASGIRequest,
    listing: Listing | None = None,
    upto: int | None = None,
    kept: list[bytes] | None = None,
) -> Body:
    """Read the request body and drop it, within bounds of bytes and seconds; `listing` gets each piece.

    Args:
        receive: the server's.
        plan: the plan that decided.
        request: the view of the request.
        listing: gets each piece.
        upto: so many bytes of it are read, and not more; None: all.
        kept: gets each piece, for whom the body may turn out to be shorter than `upto`.

    Returns:
        Bytes read, their digest, whether that was all.

    Raises:
        ClientGone: it left, or the server cannot read its body.
    """
    digest = request.body_digest(plan.origin[2])
    reader = BodyReader(receive)
    length = request.content_length
    # Where no length is told, a first byte shows that there is a body.
    most = MOST if upto is None else min(MOST, upto if length is not None else max(upto, 1))
    left = False
    with anyio.move_on_after(LONGEST):
        while digest.size < most and not (reader.whole or left):
            try:
                message = await reader.next()
            except Exception as error:
                raise ClientGone from error
            if message is None:
                break
            if reader.gone:
                raise ClientGone
            piece = message.get("body", b"")
            if upto is not None and len(piece) > upto - digest.size:
                piece = piece[: upto - digest.size]
                left = True
            digest.update(piece)
            if listing is not None:
                listing.feed(piece)
            if kept is not None:
                kept.append(piece)
    whole = (reader.whole and not left) or (upto is not None and digest.size == length)
    return digest.size, digest.hexdigest(), whole


async def noticed(receive: Receive, *, unread: bool = False) -> None:
    """Wait until the server has noticed that its connection is broken; else it would miss an answer, and say so.

    Args:
        receive: the server's.
        unread: what is left of the request's body is read until then, which may take longer.
    """
    with suppress(Exception), anyio.move_on_after(LONGEST if unread else _NOTICED):
        reader = BodyReader(receive)
        await reader.until_gone()
        if not reader.gone:  # nobody tells: the server has had its turns, and gets one more
            await anyio.sleep(_SLICE)


def in_place_of(receive: Receive, other: Callable[[], Awaitable[Message]]) -> Receive:
    """What stands in for the server's `receive`: who watches the exchange for its end looks at the object behind that."""

    async def instead() -> Message:
        return await other()

    vars(instead)["__self__"] = getattr(receive, "__self__", None)
    return instead


def overheard(receive: Receive, seen: SeenBody, entry: Entry) -> Receive:
    """`receive` with the request's body noted as the app reads it, and a client that breaks off its upload."""

    async def overhear() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            seen.feed(message.get("body", b""))
            if not message.get("more_body"):
                seen.feed(b"")
        elif seen.body is None and entry.answered is None:
            entry.left = True
        return message

    return in_place_of(receive, overhear)


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

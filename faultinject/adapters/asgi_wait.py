"""Waiting under ASGI, on any event loop: never shorter than asked, over as soon as nobody waits any more."""

from __future__ import annotations

from contextlib import suppress

import anyio

from faultinject.adapters.driving import ClientGone
from faultinject.core.bodies import LONGEST, MOST, BodyDigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.asgi import Message, Receive
    from faultinject.core.outcome import Body
    from faultinject.core.plan import Plan
    from faultinject.core.request import ASGIRequest

_SLICE = 0.05
_NOTICED = 1.0


async def pause(plan: Plan, seconds: float, receive: Receive) -> None:
    """Sleep, checking the deadline again (uvloop wakes early); the plan's end and the server's end it."""
    clock = plan.surroundings.monotonic
    end, endings = clock() + seconds, plan.endings
    # uvicorn waits without limit for what is under way when it shuts down, and does not tell it; but it lets go of
    # the connection (https://github.com/encode/uvicorn/blob/0.30.0/uvicorn/protocols/http/h11_impl.py, `shutdown`).
    exchange = getattr(receive, "__self__", None)
    kept = getattr(exchange, "keep_alive", False)
    while (
        (left := end - clock()) > 0
        and not plan.over(endings)
        and getattr(exchange, "keep_alive", False) is kept
    ):
        await anyio.sleep(min(left, _SLICE))


class Listener:
    """Listens for the client to leave during a wait, and hands on afterwards what it heard."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._heard: list[Message] = []

    async def receive(self) -> Message:
        """What the app receives: first what was heard, then the rest."""
        return self._heard.pop(0) if self._heard else await self._receive()

    async def wait(self, plan: Plan, seconds: float, *, listens: bool = True) -> bool:
        """Wait; no when the client left first.

        Args:
            plan: its end ends the wait.
            seconds: how long.
            listens: whether the client is listened for; not where reading would ask it to send its body.
        """
        if not listens:
            await pause(plan, seconds, self._receive)
            return True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, tasks.cancel_scope)
            await pause(plan, seconds, self._receive)
            tasks.cancel_scope.cancel()
        return not any(message["type"] == "http.disconnect" for message in self._heard)

    async def _listen(self, waiting: anyio.CancelScope) -> None:
        while True:
            try:
                message = await self._receive()
            except Exception:  # the app will meet it, if it asks
                return
            self._heard.append(message)
            if message["type"] == "http.disconnect":
                waiting.cancel()
                return
            if message.get("more_body"):
                # Of a body that is on its way no more is kept than this piece.
                return


async def drain(receive: Receive, plan: Plan, request: ASGIRequest) -> Body:
    """Read the request body and drop it, within bounds of bytes and seconds.

    Returns:
        Bytes read, their digest, whether that was all.

    Raises:
        ClientGone: it left, or the server cannot read its body.
    """
    digest = BodyDigest(plan.origin[2], next(iter(request.header("content-type")), ""))
    whole = False
    with anyio.move_on_after(LONGEST):
        while digest.size < MOST and not whole:
            try:
                message = await receive()
            except Exception as error:
                raise ClientGone from error
            if message["type"] == "http.disconnect":
                raise ClientGone
            digest.update(message.get("body", b""))
            whole = not message.get("more_body")
    return digest.size, digest.hexdigest(), whole


async def noticed(receive: Receive) -> None:
    """Wait until the server has noticed that its connection is broken; else it would miss an answer, and say so."""
    with suppress(Exception), anyio.move_on_after(_NOTICED):
        while (await receive())["type"] != "http.disconnect":
            pass

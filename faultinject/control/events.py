"""The journal as it is written: a stream of server-sent events, which a script reads by fetch, with the token in its head.

https://html.spec.whatwg.org/multipage/server-sent-events.html says how they are written.
"""

from __future__ import annotations

from time import monotonic

import anyio
import anyio.to_thread
from anyio import CapacityLimiter

from faultinject.adapters.asgi_wait import Ends
from faultinject.adapters.connection import of_scope
from faultinject.control.answers import Refusal, refusal_of
from faultinject.control.guard import reply
from faultinject.control.limits import LIMITS
from faultinject.control.reading import cursor_of, outcome_data
from faultinject.exceptions import FaultInjectError
from faultinject.rules.printed_json import json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.types import Message, Receive, Scope, Send
    from faultinject.injector.injector import Injector

MOST_AT_ONCE = 2
"""Looks at the journal at the same time, in threads."""
LOOK = 0.25
"""Seconds between two looks at the journal."""
UNREAD_AT_END = 1.0
"""Seconds that a client may leave what was sent to it unread when its server ends."""
LOOK_AT_END = 0.02
"""Seconds between two looks whether a connection has ended with its server."""


class Streams:
    """The streams of one process.

    Attributes:
        number: how many there are now.
        in_a_thread: whether each holds a thread of its server.
    """

    def __init__(self, *, in_a_thread: bool) -> None:
        self.number = 0
        self.in_a_thread = in_a_thread
        # The app's own calls have other threads.
        self._threads = CapacityLimiter(MOST_AT_ONCE)

    async def __call__(
        self, injector: Injector, after: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Send outcomes from a cursor on, until the client leaves or the server ends."""
        ends = Ends(receive)  # before anything is waited for: a server may end meanwhile
        environ = scope.get("wsgi_environ")
        if environ is not None and not environ.get("wsgi.multithread"):
            # A stream would hold the one thread that this worker has, and the app with it.
            alone = Refusal(
                503, "this server's workers have no threads for a stream; ask for /journal now and then"
            )
            await reply(scope, send, alone.answer)
            return
        if self.number >= LIMITS.streams:
            busy = Refusal(
                503,
                f"there are {LIMITS.streams} streams already; ask for /journal now and then",
                headers={"Retry-After": "5"},
            )
            await reply(scope, send, busy.answer)
            return
        self.number += 1
        try:
            await self._stream(injector, after, scope, receive, send, ends)
        finally:
            self.number -= 1

    async def _stream(
        self, injector: Injector, after: str, scope: Scope, receive: Receive, send: Send, ends: Ends
    ) -> None:
        try:
            found = await anyio.to_thread.run_sync(
                injector.events, cursor_of(after), LIMITS.piece, limiter=self._threads
            )
        except FaultInjectError as error:
            await reply(scope, send, refusal_of(error).answer)
            return
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        sending: float | None = None

        async def watched(message: Message) -> None:
            nonlocal sending
            sending = monotonic()
            await send(message)
            sending = None

        async with anyio.create_task_group() as tasks:

            async def until_gone() -> None:
                while (await receive())["type"] != "http.disconnect":
                    await anyio.sleep(LOOK)
                tasks.cancel_scope.cancel()

            async def until_unread() -> None:
                """A client that reads nothing holds its server, which waits without limit until all is sent."""
                while sending is None or monotonic() - sending < (
                    UNREAD_AT_END if ends.over else LIMITS.unread
                ):
                    await anyio.sleep(LOOK)
                _reset(scope, send)
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_gone)
            tasks.start_soon(until_unread)
            await self._tell(injector, found, ends, watched)
            tasks.cancel_scope.cancel()
        if ends.over:
            await _let_end(scope, send)

    async def _tell(self, injector: Injector, found: Found, ends: Ends, send: Send) -> None:
        begun = said = monotonic()
        lasts = LIMITS.lasts_in_a_thread if self.in_a_thread else LIMITS.lasts
        outcomes, cursor, dropped = found
        text = f"retry: 1000\n: cursor {cursor}\n\n"
        while not ends.over:
            if dropped:
                text += f"event: dropped\ndata: {dropped}\n\n"
            # The cursor of all of them stands behind the last: one that is read again after a break is told twice rather than never.
            last = len(outcomes) - 1
            for at, outcome in enumerate(outcomes):
                tag = f"id: {cursor}\n" if at == last else ""
                text += f"{tag}data: {json_text(outcome_data(outcome))}\n\n"
            now = monotonic()
            if not text and now - said >= LIMITS.heartbeat:
                text = ": alive\n\n"
            if text:
                said = now
                await send(
                    {"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True}
                )
            if now - begun >= lasts:
                break
            await anyio.sleep(0 if len(outcomes) == LIMITS.piece else LOOK)
            text = ""
            try:
                outcomes, cursor, dropped = await anyio.to_thread.run_sync(
                    injector.events, cursor, LIMITS.piece, limiter=self._threads
                )
            except FaultInjectError as error:
                # The store is away: the client sees it in the state, and the stream goes on when it is back.
                outcomes, dropped = [], 0
                text = f"event: problem\ndata: {json_text(str(error))}\n\n"
        await send({"type": "http.response.body", "body": b""})


async def _let_end(scope: Scope, send: Send) -> None:
    """The server ends and has taken all: it closes the connection when the client has read that, however long it takes.

    A connection of HTTP/2 carries requests of others as well, which end in their own time.
    """
    if not scope["http_version"].startswith("1"):
        return
    end = monotonic() + UNREAD_AT_END
    while (connection := of_scope(scope, send)) is not None:
        with connection:
            if monotonic() >= end:
                connection.reset()
                return
        await anyio.sleep(LOOK_AT_END)


def _reset(scope: Scope, send: Send) -> None:
    connection = of_scope(scope, send)
    if connection is not None:  # pragma: no branch - not every server shows it
        with connection:
            connection.reset()


if TYPE_CHECKING:
    from faultinject.engine.journal_entry import Outcome

    Found = tuple[list[Outcome], str, int]

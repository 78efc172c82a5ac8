"""ASGI: an answer whose body is changed on its way, the app's own or a documented error.

A cut goes past the server, on the connection itself: there it is exact whatever the server buffers. Where that
cannot be, the server sends what is let through.
"""

from __future__ import annotations

import anyio
from anyio.lowlevel import checkpoint

from faultinject.adapters.asgi_wait import delivered, ends_of, noticed, pause, send_all
from faultinject.adapters.client_errors import in_process_scope
from faultinject.adapters.connection import of_send
from faultinject.adapters.lingering import end
from faultinject.adapters.transforming import Shaping
from faultinject.engine.answers import marked, marked_bytes
from faultinject.engine.body_transforms import slices
from faultinject.engine.exchange import ClientGone
from faultinject.http.wire import FLUSH, Framing, length_of, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.types import ASGIApp, Message, Receive, Scope, Send
    from faultinject.engine.body_transforms import BodyTransform
    from faultinject.engine.journal_entry import Entry
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import ASGIRequest
    from faultinject.engine.types import Body

# A body that the server reads from a file by itself could not be changed.
_PAST_US = frozenset(("http.response.pathsend", "http.response.zerocopysend"))

TO_THE_END = "faultinject.to_the_end"
"""A key of the message that begins an answer whose end is that of the connection, by which nobody can tell a cut.

Its value is a function that has it framed.
"""


def transform_body(
    app: ASGIApp,
    plan: Plan,
    entry: Entry,
    transform: BodyTransform,
    request: ASGIRequest,
    *,
    applied: bool = True,
    body: Body | None = None,
    unread: bool = False,
) -> ASGIApp:
    """`app` with its answer's body changed.

    Args:
        app: the app, or what gives an answer instead of it.
        plan: the plan that decided.
        entry: what goes into the journal.
        transform: what is done to the body.
        request: the view of the request.
        applied: whether it is the app itself that runs.
        body: what was read of the request's body.
        unread: whether something of it is left, and the answer is not the app's.
    """

    async def changed(scope: Scope, receive: Receive, send: Send) -> None:
        if not _PAST_US.isdisjoint(scope.get("extensions") or ()):
            kept = {name: each for name, each in scope["extensions"].items() if name not in _PAST_US}
            scope = {**scope, "extensions": kept}
        answer = ShapedAnswer(
            scope, receive, send, plan, entry, transform, request, applied=applied, body=body, unread=unread
        )
        await answer.run(app)

    return changed


class ShapedAnswer(Shaping):
    """One answer on its way."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        plan: Plan,
        entry: Entry,
        transform: BodyTransform,
        request: ASGIRequest,
        *,
        applied: bool,
        body: Body | None,
        unread: bool,
    ) -> None:
        inside = in_process_scope(scope)
        super().__init__(
            plan, entry, transform, request, applied=applied, body=body, unread=unread, inside=inside
        )
        self._scope = scope
        self._receive = receive
        self._send = send
        self._ends = ends_of(receive)
        self._started = False
        self._unsent: Message | None = None
        self._over = False
        self._broken = False
        self._error: Exception | None = None

    async def run(self, app: ASGIApp) -> None:
        """Run the app to its end."""
        try:
            try:
                try:
                    await app(self._scope, self._receive, self._hand_on)
                finally:
                    if self._unsent is not None:
                        await self._send(self._unsent)
            except anyio.get_cancelled_exc_class():
                self._settle("failed")
                raise
            except BaseException:
                self._fail()
                raise
            if not self._started:
                self._fail()
            self._settle()
            if self._error is not None:
                raise self._error
        finally:
            if self._connection is not None:
                if self._framing is not None:
                    self._close()
                self._connection.release()
        if self._broken:
            await noticed(self._receive, unread=self._unread)

    async def _hand_on(self, message: Message) -> None:
        """Stands in for the server's `send`."""
        if self._over:
            # An app that goes on without end is to hear from others that nobody listens any more.
            await checkpoint()
            return
        try:
            if self._passes:
                await self._send(message)
            elif message["type"] == "http.response.start":
                await self._begin(message)
            elif message["type"] == "http.response.body":
                piece, more = message.get("body", b""), bool(message.get("more_body"))
                if self._unsent is not None:
                    if not piece and more:
                        return
                    start, self._unsent = self._unsent, None
                    await self._start(start, piece)
                await self._change(piece, more=more)
            elif self._framing is None:
                await self._send(message)
        except ClientGone:
            self._over = True
            self._settle("failed")

    async def _begin(self, message: Message) -> None:
        """Note how the answer begins; what cannot be marked before its body is known waits for its first piece."""
        self._started = True
        headers = message["headers"] = list(message.get("headers", ()))
        self._headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        if not self._takes(message["status"]):
            await self._send(message)
        elif self._may_be_marked and length_of(self._headers) is None:
            self._unsent = message
        else:
            await self._start(message, b"")

    async def _start(self, message: Message, piece: bytes) -> None:
        """Decide how an answer that begins with that piece goes: through the server, or past it."""
        transform, status = self._transform, message["status"]
        if self._is_marked(piece):
            self._headers = marked(self._headers, self._entry.rule or "")
            message = {**message, "headers": marked_bytes(message["headers"], self._entry.rule or "")}
        if (transform.cuts or transform.slow) and not self._inside:
            self._connection = of_send(self._send)
            past = self._goes_past("") if transform.cuts else None
            if past is not None:
                self._framing = Framing(
                    f"{status} {reason(status)}",
                    self._headers,
                    now=self._plan.services.clock(),
                    server="",
                    chunks=self._scope.get("http_version") != "1.0",
                )
                await self._past(self._framing.head)
                return
            if transform.cuts and (frame := message.get(TO_THE_END)) is not None:
                frame()
        await self._send(message)

    async def _change(self, piece: bytes, *, more: bool) -> None:
        transform, framing = self._transform, self._framing
        kept = transform.feed(piece) if piece else b""
        seconds, held = self._pause(), transform.held_back()
        if transform.rate is not None:
            await self._slowly(kept, transform.rate, more=more)
        elif seconds or held:
            await self._pausing(kept, seconds, held, more=more)
        elif framing is not None:
            if kept:
                await self._past(framing.frame(kept))
            if not more and not transform.done:
                await self._past(framing.end)
        elif kept or not more or transform.done:  # granian sends a head with the first piece, also of nothing
            await self._send(
                {"type": "http.response.body", "body": kept, "more_body": more or transform.done}
            )
        self._sent += len(kept) if transform.rate is None else 0
        if transform.done or not more:
            self._over = True
            self._settle()
            if transform.done:
                await self._cut()
            elif framing is not None:
                self._close()

    async def _slowly(self, kept: bytes, rate: int, *, more: bool) -> None:
        for part in slices(kept, rate):
            left = self._due_in(part, rate)
            await self._wait(left)
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
        if not more:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pausing(self, kept: bytes, seconds: float, held: bytes, *, more: bool) -> None:
        """What is let through, and behind the pause what was held back."""
        if kept and self._framing is not None:
            await self._past(self._framing.frame(kept))
        elif kept:
            await self._send({"type": "http.response.body", "body": kept, "more_body": True})
        await self._wait(seconds)
        if (
            held
        ):  # pragma: no branch - CPython 3.11 traces nothing behind a wait that ended by being cancelled
            self._sent += len(held)
            await self._send({"type": "http.response.body", "body": held, "more_body": more})

    async def _wait(self, seconds: float) -> None:
        """Wait while the client does.

        Raises:
            ClientGone: it has left.
        """
        await pause(self._plan, seconds, self._ends, self._connection)
        if self._ends.gone or (self._connection is not None and self._connection.left(0)):
            raise ClientGone

    async def _past(self, data: bytes) -> None:
        assert self._connection is not None
        try:
            await send_all(self._connection, data)
        except OSError as error:
            raise ClientGone from error

    async def _cut(self) -> None:
        """End the connection behind what has been let through."""
        if self._inside:
            self._error = self._cut_error()
            return
        if self._framing is None:
            await anyio.sleep(FLUSH)
            if self._connection is None or not await delivered(self._connection, self._plan):
                # Most servers close the connection then, though they log it.
                self._ended("closed")
                self._error = ConnectionAbortedError("answer cut by faultinject")
                return
        found = self._connection
        if self._transform.how != "reset" or found is None or not await delivered(found, self._plan):
            self._close()
            self._ended("closed")
        else:
            self._broken = True
            self._ended(found.reset())

    def _close(self) -> None:
        if not self._broken and self._connection is not None:
            self._broken = True
            end(self._connection, unread=self._unread)

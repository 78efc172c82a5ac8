"""Waiting under ASGI, on any event loop: never shorter than asked, over as soon as nobody waits any more."""

from __future__ import annotations

from contextlib import suppress

import anyio
from anyio.lowlevel import checkpoint

from faultinject.adapters.backlog import PATIENCE, until_delivered
from faultinject.engine.body_digest import LONGEST, MOST
from faultinject.engine.steps import ClientGone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from faultinject.adapters.connection import Connection
    from faultinject.adapters.types import Message, Receive, Send
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import ASGIRequest
    from faultinject.engine.types import Body
    from faultinject.vendors.multi_delete import Listing

MOST_MESSAGES = 1_000_000
"""Messages after which a server is no longer listened to."""
MOST_IDLE = 1_000
"""Messages in a row that bring nothing, after which a server is no longer listened to."""
_STEPS = 10
"""Steps of the event loop within which a server that has heard of the client's end tells of it."""
_SLICE = 0.05
_NOTICED = 1.0


class Hearing:
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


async def pause(plan: Plan, seconds: float, ends: Ends, connection: Connection | None = None) -> None:
    """Sleep, checking the deadline again (uvloop wakes early); the plan's end and the exchange's end it.

    Args:
        plan: the plan that decided.
        seconds: how long.
        ends: sees the exchange's end.
        connection: shows when the client leaves, where nobody listens for that.
    """
    if seconds <= 0:
        return
    from faultinject.adapters.loop_watch import Wait

    clock = plan.services.monotonic
    end, endings = clock() + seconds, plan.endings
    with Wait(plan, ends, connection) as wait:
        while (left := end - clock()) > 0 and not plan.over(endings) and not ends.over:
            if connection is not None and connection.left(0):
                return
            await wait.sleep(min(left, plan.until_expiry))


def has_left(receive: Receive, send: Send) -> bool:
    """Whether the client has left, as its server has noticed or its connection shows."""
    from contextlib import nullcontext

    from faultinject.adapters.connection import of_send

    # https://github.com/encode/uvicorn/blob/0.30.0/uvicorn/protocols/http/h11_impl.py, `RequestResponseCycle`
    if getattr(getattr(receive, "__self__", None), "disconnected", False):
        return True
    with of_send(send) or nullcontext() as connection:
        return connection is not None and connection.left(0)


class Ends:
    """Sees from its beginning when an exchange is over before its answer is.

    uvicorn waits without limit for what is under way when it shuts down, and does not tell it; but it lets go of the
    connection (https://github.com/encode/uvicorn/blob/0.30.0/uvicorn/protocols/http/h11_impl.py, `shutdown`). Nor does
    gunicorn's own ASGI worker, which is not `alive` any more.

    Args:
        receive: the server's.

    Attributes:
        gone: whether the client has left; only a `Listener` hears that.
        wakes: called when it has.
        silent: whether it has another end, which nobody is told of.
    """

    def __init__(self, receive: Receive) -> None:
        self.gone = False
        self.wakes: set[Callable[[], None]] = set()
        self._exchange = exchange = getattr(receive, "__self__", None)
        self._worker = getattr(getattr(exchange, "protocol", None), "worker", None)
        self._kept = self._keeps()
        self.silent = self._kept != (None, None)

    @property
    def over(self) -> bool:
        """Whether nobody waits for the answer any more, or the server is about to end."""
        return self.gone or self._keeps() != self._kept

    def _keeps(self) -> tuple[object, object]:
        return getattr(self._exchange, "keep_alive", None), getattr(self._worker, "alive", None)


def ends_of(receive: Receive) -> Ends:
    """What sees the end of that exchange: the listener that hands on what it heard, or a new one."""
    owner = getattr(receive, "__self__", None)
    return owner if isinstance(owner, Ends) else Ends(receive)


class Listener(Ends):
    """Hears when the client leaves, and hands on to the app what it heard before.

    A receive that has begun goes on until the exchange is over: gunicorn takes one that is cancelled for a client
    that has left. Kept are one piece of the body, and nothing behind its end.

    Args:
        receive: the server's.
        tasks: where to listen.
    """

    def __init__(self, receive: Receive, tasks: TaskGroup) -> None:
        super().__init__(receive)
        self._receive = receive
        self._hearing = Hearing(receive)
        self._tasks = tasks
        self._heard: Message | None = None
        self._news = anyio.Event()
        self._listens = False
        self._asked = 0

    @property
    def whole(self) -> bool:
        """Whether the request's body was heard to its end."""
        return self._hearing.whole

    async def receive(self) -> Message:
        """What the app receives: first what was heard, then the rest."""
        while self._heard is None and not self.gone:
            if not self._listens:
                self._asked += 1
                try:
                    message = await self._receive()
                    self._note(message)
                    return message
                finally:
                    self._asked -= 1
            await self._news.wait()
        heard, self._heard = self._heard, None
        return heard or {"type": "http.disconnect"}

    async def wait(
        self, plan: Plan, seconds: float, *, listens: bool = True, connection: Connection | None = None
    ) -> bool:
        """Wait; no when the client left first.

        Args:
            plan: its end ends the wait.
            seconds: how long.
            listens: whether the client is listened for; not where reading would ask it to send its body.
            connection: shows when it leaves, also where it is not listened for.
        """
        if listens and not self._listens and not self._asked and (self._heard is None or self.whole):
            self._listens = True
            self._tasks.start_soon(self._listen)
        await pause(plan, seconds, self, connection)
        # On a busy machine the client's end may be seen in the same step as the wait's.
        for _ in range(_STEPS):
            if self.gone or not self._listens:
                break
            await checkpoint()
        return not self.gone

    async def _listen(self) -> None:
        while self._listens:
            whole = self.whole
            try:
                message = await self._hearing.next()
            except Exception:  # the app will meet it, if it asks
                message = None
            if message is None:
                self._listens = False
            else:
                self._note(message)
                if not whole and not self.gone:
                    self._heard = message
                # Of a body that is on its way no more is kept than this piece.
                self._listens = not self.gone and self.whole
            news, self._news = self._news, anyio.Event()
            news.set()

    def _note(self, message: Message) -> None:
        self._hearing.note(message)
        if self._hearing.gone and not self.gone:
            self.gone = True
            for wake in list(self.wakes):
                wake()


async def delivered(connection: Connection, plan: Plan) -> bool:
    """Wait until the client has all that was sent to it before; no when it takes nothing of that for a while."""
    steps = until_delivered(connection, plan.services.monotonic)
    while True:
        try:
            seconds = next(steps)
        except StopIteration as end:
            return bool(end.value)
        await anyio.sleep(seconds)


async def in_tasks(work: Callable[[TaskGroup], Awaitable[None]]) -> None:
    """Do some work with a task group at hand, which ends with it; what is raised is raised as it is."""
    raised: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        try:
            await work(tasks)
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:
            raised = error
        tasks.cancel_scope.cancel()
    if raised is not None:
        raise raised


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
    hearing = Hearing(receive)
    length = request.content_length
    # Where no length is told, a first byte shows that there is a body.
    most = MOST if upto is None else min(MOST, upto if length is not None else max(upto, 1))
    left = False
    with anyio.move_on_after(LONGEST):
        while digest.size < most and not (hearing.whole or left):
            try:
                message = await hearing.next()
            except Exception as error:
                raise ClientGone from error
            if message is None:
                break
            if hearing.gone:
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
    whole = (hearing.whole and not left) or (upto is not None and digest.size == length)
    return digest.size, digest.hexdigest(), whole


async def noticed(receive: Receive, *, unread: bool = False) -> None:
    """Wait until the server has noticed that its connection is broken; else it would miss an answer, and say so.

    Args:
        receive: the server's.
        unread: what is left of the request's body is read until then, which may take longer.
    """
    with suppress(Exception), anyio.move_on_after(LONGEST if unread else _NOTICED):
        hearing = Hearing(receive)
        await hearing.until_gone()
        if not hearing.gone:  # nobody tells: the server has had its turns, and gets one more
            await anyio.sleep(_SLICE)


async def send_all(connection: Connection, data: bytes) -> None:
    """Write all of it; raises `OSError` when the client has left, or reads nothing for a while."""
    rest = memoryview(data)
    while rest:
        sent = connection.push(rest)
        rest = rest[sent:]
        if not sent:
            with anyio.fail_after(PATIENCE):
                await anyio.wait_writable(connection.fileno())

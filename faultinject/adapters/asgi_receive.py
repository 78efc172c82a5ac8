"""Wrappers of an ASGI server's `receive`: they read bodies, and see when the client leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from faultinject.adapters.connection import Connection
from faultinject.adapters.servers import layers_of
from faultinject.adapters.types import Message, Receive, Send
from faultinject.engine.entry import Entry
from faultinject.engine.plan import Plan
from faultinject.engine.request import SeenBody
from faultinject.engine.steps import Pause, Wait
from faultinject.vendors.multi_delete import Listing

MOST_IDLE = 1_000
"""Messages in a row without news after which we stop calling `receive`."""
_STEPS = 10
"""Steps of the event loop that a server may need to report an end that it has seen."""


class BodyReader:
    """A reader receives one message after the other, and keeps none.

    A `receive` need not block: one of middleware that replays a body may return at once every time. So other tasks run
    before each further message, and after `MOST_IDLE` messages without news the reader stops.

    Args:
        receive: the server's, or a replacement.

    Attributes:
        gone: whether the client has left.
        whole: whether the end of the request's body has come.
    """

    def __init__(self, receive: Receive) -> None:
        self.gone = self.whole = False
        self._receive = receive
        self._heard = False
        self._idle = 0

    async def next(self) -> Message | None:
        """Receive the next message; None after too many without news."""
        if self._idle >= MOST_IDLE:
            return None
        if self._heard:
            await checkpoint()
        message = await self._receive()
        self._heard = True
        self._idle = self._idle + 1 if self.whole or not message.get("body") else 0
        self.note(message)
        return message

    def note(self, message: Message) -> None:
        """Note whether a message ends the body, or says that the client has left."""
        kind = message["type"]
        if kind == "http.disconnect":
            self.gone = True
        elif kind == "http.request" and not message.get("more_body"):
            self.whole = True

    async def until_gone(self, *, or_whole: bool = False) -> None:
        """Receive messages until the client has left, and drop them.

        Args:
            or_whole: whether the end of the body is enough.
        """
        while not (self.gone or (or_whole and self.whole)) and await self.next() is not None:
            pass


class ClientListener(BodyReader):
    """A listener learns when the client leaves; it keeps a received message for the app.

    It never cancels a `receive`: gunicorn would take that for a client that has left. It keeps one piece of the body,
    and nothing after the body's end.

    It also learns that the server shuts down. uvicorn then waits without limit for answers that are under way and does
    not tell their apps, but it sets `keep_alive` to False
    (https://github.com/encode/uvicorn/blob/0.30.0/uvicorn/protocols/http/h11_impl.py, `shutdown`). gunicorn's own ASGI
    worker does not tell them either, but sets `alive` to False.

    Args:
        receive: the server's.

    Attributes:
        tasks: the task group in which to listen; None: do not listen.
    """

    def __init__(self, receive: Receive) -> None:
        super().__init__(receive)
        self.tasks: TaskGroup | None = None
        # The object whose method the server's `receive` is, also beneath other middleware.
        owners = (getattr(layer, "__self__", None) for layer in layers_of(receive))
        self._exchange = exchange = next((owner for owner in owners if owner is not None), None)
        self._worker = getattr(getattr(exchange, "protocol", None), "worker", None)
        self._kept = self._keeps()
        self._ahead: Message | None = None
        self._news = anyio.Event()
        self._listens = False
        self._asked = 0

    @property
    def over(self) -> bool:
        """Whether the client has left or the server has begun to shut down."""
        return self.gone or self._keeps() != self._kept

    @property
    def disconnected(self) -> bool:
        """Whether the server has noted that the client left."""
        # https://github.com/encode/uvicorn/blob/0.30.0/uvicorn/protocols/http/h11_impl.py, `RequestResponseCycle`
        return bool(getattr(self._exchange, "disconnected", False))

    async def begin(self, send: Send, start: Message) -> None:
        """Send the head of the answer.

        A head with `Connection: close` changes `keep_alive` too, but that is no shutdown.
        """
        over = self.over
        await send(start)
        if not over:
            self._kept = self._keeps()

    def _keeps(self) -> tuple[object, object]:
        """Read whether the server keeps the connection, and whether its worker runs on."""
        return getattr(self._exchange, "keep_alive", None), getattr(self._worker, "alive", None)

    def give_again(self, body: bytes) -> None:
        """Give the app a whole body that was read before."""
        self._ahead = {"type": "http.request", "body": body, "more_body": False}

    async def receive(self) -> Message:
        """Give the app the message that was kept, or the next one."""
        while self._ahead is None and not self.gone:
            if not self._listens:
                self._asked += 1
                try:
                    message = await self._receive()
                    self.note(message)
                    return message
                finally:
                    self._asked -= 1
            await self._news.wait()
        ahead, self._ahead = self._ahead, None
        return ahead or {"type": "http.disconnect"}

    async def wait(
        self, plan: Plan, seconds: float, *, listens: bool = True, connection: Connection | None = None
    ) -> bool:
        """Wait, and return whether the client is still there.

        The client's end also ends a pause. `plan.pauses` checks the time after each pause, as uvloop wakes early.

        Args:
            plan: the plan, whose end also ends the wait.
            seconds: how long.
            listens: whether to listen; not if a `receive` would make the server say `100 Continue`.
            connection: shows when the client leaves, also without listening.
        """
        free = not (self._listens or self._asked) and (self._ahead is None or self.whole)
        if listens and free and self.tasks is not None:
            self._listens = True
            self.tasks.start_soon(self._listen)
        for pause in plan.pauses(seconds):
            if self.over or (connection is not None and connection.client_left(0)):
                break
            with anyio.move_on_after(pause):
                while not self.gone:
                    await self._news.wait()
        # The client may have left just before the end of the wait: let the listening task report it.
        for _ in range(_STEPS):
            if self.gone or not self._listens:
                break
            await checkpoint()
        return not (self.gone or (connection is not None and connection.client_left(0)))

    async def _listen(self) -> None:
        while self._listens:
            whole = self.whole
            try:
                message = await self.next()
            except Exception:  # the app gets the error when it receives
                message = None
            if message is None:
                self._listens = False
            else:
                if not whole and not self.gone:
                    self._ahead = message
                # Only one piece of a body that is still arriving is kept: the listener stops until the app takes it.
                self._listens = not self.gone and self.whole
            self._wake()

    def note(self, message: Message) -> None:
        """Note whether a message ends the body, or says that the client has left."""
        super().note(message)
        if self.gone:
            self._wake()

    def _wake(self) -> None:
        """Wake the tasks that wait for a message, or for the client to leave."""
        news, self._news = self._news, anyio.Event()
        news.set()


async def in_tasks(work: Callable[[TaskGroup], Awaitable[None]]) -> None:
    """Run `work` with a task group, then cancel the group's tasks; raise its error bare."""
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


def overheard(receive: Receive, hears: SeenBody | Listing, entry: Entry) -> Receive:
    """Wrap `receive` of the app: pass the body's pieces on, and note a client that leaves.

    Args:
        receive: the server's.
        hears: gets each piece of the body, and an empty one at its end.
        entry: the journal's entry of the request.
    """

    async def overhear() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            hears.feed(message.get("body", b""))
            if not message.get("more_body"):
                hears.feed(b"")
        else:
            entry.broken_off()
        return message

    return overhear


def paused(
    receive: Receive, pause: Pause, wait: Callable[[Wait], Awaitable[object]], *, sized: bool
) -> Receive:
    """Wrap `receive` so that it waits once in the middle of the request's body.

    Args:
        receive: the server's.
        pause: the place of the wait, and whether it is still due.
        wait: carries out the wait.
        sized: whether a Content-Length says that more follows; else only the next piece shows it.
    """
    before_pause, held_back = pause.after, None

    async def wait_once() -> None:
        pause.due, pause.done = False, True
        await wait(Wait(pause.seconds))
        pause.finish()

    async def receive_paused() -> Message:
        nonlocal before_pause, held_back
        if pause.due and sized and not before_pause:
            await wait_once()
        message: Message = held_back or await receive()
        held_back = None
        piece = message.get("body", b"")
        if not pause.due or message["type"] != "http.request" or len(piece) <= before_pause:
            before_pause -= len(piece)
            return message
        if before_pause:
            held_back = {**message, "body": piece[before_pause:]}
            message = {**message, "body": piece[:before_pause], "more_body": True}
            before_pause = 0
        else:
            await wait_once()
        return message

    return receive_paused

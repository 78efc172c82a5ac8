"""Waiting under ASGI, for a time or for a request's body: never shorter than asked, over as soon as nobody waits.

It runs on any event loop.
One watch serves all waits of a loop. Their connections are in one `epoll`, which the loop hears. What only shows by an
attribute of a server's object is looked at by one timer, as long as such a wait lasts.
"""

from __future__ import annotations

import os
import select
from asyncio import AbstractEventLoop, TimerHandle, get_running_loop
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, Self

import anyio
from anyio.lowlevel import checkpoint

from faultinject.adapters.servers import PATIENCE, Connection, of_send, until_delivered
from faultinject.engine.request import LONGEST, MOST, ASGIRequest, Body
from faultinject.engine.steps import ClientGone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from faultinject.adapters.types import Message, Receive, Send
    from faultinject.engine.plan import Plan
    from faultinject.vendors.multi_delete import Listing

TICK = 0.2
"""Seconds between two looks at what tells nobody that it changes."""
MOST_IDLE = 1_000
"""Messages in a row that bring nothing, after which a server is no longer listened to."""
_watches: dict[object, Watch] = {}
_STEPS = 10
"""Steps of the event loop within which a server that has heard of the client's end tells of it."""


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
        self._heard = False
        self._idle = 0

    async def next(self) -> Message | None:
        """The next message; None when there is none to wait for any more."""
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
        """See what a message tells."""
        kind = message["type"]
        if kind == "http.disconnect":
            self.gone = True
        elif kind == "http.request" and not message.get("more_body"):
            self.whole = True

    async def until_gone(self, *, or_whole: bool = False) -> None:
        """Hear the rest, and drop it.

        Args:
            or_whole: the end of the body is enough.
        """
        while not (self.gone or (or_whole and self.whole)) and await self.next() is not None:
            pass


async def drain(
    receive: Receive,
    plan: Plan,
    request: ASGIRequest,
    listing: Listing | None = None,
    up_to: int | None = None,
    kept: list[bytes] | None = None,
) -> Body:
    """Read the request body and drop it, within bounds of bytes and seconds; `listing` gets each piece.

    Args:
        receive: the server's.
        plan: the plan that decided.
        request: the view of the request.
        listing: gets each piece.
        up_to: so many bytes of it are read, and not more; None: all.
        kept: gets each piece, for whom the body may turn out to be shorter than `up_to`.

    Returns:
        Bytes read, their digest, whether that was all.

    Raises:
        ClientGone: it left, or the server cannot read its body.
    """
    digest = request.body_digest(plan.origin[2])
    reader = BodyReader(receive)
    length = request.content_length
    # Where no length is told, a first byte shows that there is a body.
    most = MOST if up_to is None else min(MOST, up_to if length is not None else max(up_to, 1))
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
            if up_to is not None and len(piece) > up_to - digest.size:
                piece = piece[: up_to - digest.size]
                left = True
            digest.update(piece)
            if listing is not None:
                listing.feed(piece)
            if kept is not None:
                kept.append(piece)
    whole = (reader.whole and not left) or (up_to is not None and digest.size == length)
    return digest.size, digest.hexdigest(), whole


async def pause(
    plan: Plan, seconds: float, exchange: ExchangeEnd, connection: Connection | None = None
) -> None:
    """Sleep, checking the deadline again (uvloop wakes early); the plan's end and the exchange's end it.

    Args:
        plan: the plan that decided.
        seconds: how long.
        exchange: sees its end.
        connection: shows when the client leaves, where nobody listens for that.
    """
    if seconds <= 0:
        return
    clock = plan.services.monotonic
    end, endings = clock() + seconds, plan.endings
    with Wait(plan, exchange, connection) as wait:
        while (left := end - clock()) > 0 and not plan.over(endings) and not exchange.over:
            if connection is not None and connection.left(0):
                return
            await wait.sleep(min(left, plan.until_look))


def has_left(receive: Receive, send: Send) -> bool:
    """Whether the client has left, as its server has noticed or its connection shows."""
    # https://github.com/encode/uvicorn/blob/0.30.0/uvicorn/protocols/http/h11_impl.py, `RequestResponseCycle`
    if getattr(getattr(receive, "__self__", None), "disconnected", False):
        return True
    with of_send(send) or nullcontext() as connection:
        return connection is not None and connection.left(0)


class ExchangeEnd:
    """Sees from its beginning when an exchange is over before its answer is.

    uvicorn waits without limit for what is under way when it shuts down, and does not tell it; but it lets go of the
    connection (https://github.com/encode/uvicorn/blob/0.30.0/uvicorn/protocols/http/h11_impl.py, `shutdown`). Nor does
    gunicorn's own ASGI worker, which is not `alive` any more.

    Args:
        receive: the server's.

    Attributes:
        gone: whether the client has left; only a `Listener` hears that.
        wakes: called when it has.
        must_be_polled: whether it has another end, which nobody is told of.
    """

    def __init__(self, receive: Receive) -> None:
        self.gone = False
        self.wakes: set[Callable[[], None]] = set()
        self._exchange = exchange = getattr(receive, "__self__", None)
        self._worker = getattr(getattr(exchange, "protocol", None), "worker", None)
        self._kept = self._keeps()
        self.must_be_polled = self._kept != (None, None)

    @property
    def over(self) -> bool:
        """Whether nobody waits for the answer any more, or the server is about to end."""
        return self.gone or self._keeps() != self._kept

    async def begin(self, send: Send, start: Message) -> None:
        """Send the head of the answer. It may say that the connection ends behind it: that is not the exchange's end yet."""
        over = self.over
        await send(start)
        if not over:
            self._kept = self._keeps()

    def _keeps(self) -> tuple[object, object]:
        return getattr(self._exchange, "keep_alive", None), getattr(self._worker, "alive", None)


class Listener(ExchangeEnd):
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
        self._reader = BodyReader(receive)
        self._tasks = tasks
        self._heard: Message | None = None
        self._news = anyio.Event()
        self._listens = False
        self._asked = 0

    @property
    def whole(self) -> bool:
        """Whether the request's body was heard to its end."""
        return self._reader.whole

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
        return not (self.gone or (connection is not None and connection.left(0)))

    async def _listen(self) -> None:
        while self._listens:
            whole = self.whole
            try:
                message = await self._reader.next()
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
        self._reader.note(message)
        if self._reader.gone and not self.gone:
            self.gone = True
            for wake in list(self.wakes):
                wake()


async def delivered(connection: Connection, plan: Plan) -> bool:
    """Wait until the client has all that was sent to it before; no when it takes nothing of that for a while."""
    for seconds in until_delivered(connection, plan.services.monotonic):
        await anyio.sleep(seconds)
    return connection.delivered()


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


async def send_all(connection: Connection, data: bytes) -> None:
    """Write all of it; raises `OSError` when the client has left, or reads nothing for a while."""
    rest = memoryview(data)
    while rest:
        sent = connection.push(rest)
        rest = rest[sent:]
        if not sent:
            with anyio.fail_after(PATIENCE):
                await anyio.wait_writable(connection.fileno())


class Wait:
    """The wait of one task; a context manager.

    Args:
        plan: wakes it when it ends.
        exchange: wakes it by what stands in its `wakes`; where it `must_be_polled`, `over` is looked at now and then.
        connection: wakes it when the client leaves.

    Attributes:
        file: the descriptor by which its connection is watched, or -1.
    """

    def __init__(self, plan: Plan, exchange: ExchangeEnd, connection: Connection | None) -> None:
        self.exchange = exchange
        self.connection = connection
        self.file = -1
        self._plan = plan
        self._woken = anyio.Event()
        self._watch = _watch_of_loop()

    def __enter__(self) -> Self:
        self._plan.wait(self._wake_soon)
        self.exchange.wakes.add(self.wake)
        self._watch.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._plan.waiting.discard(self._wake_soon)
        self.exchange.wakes.discard(self.wake)
        self._watch.remove(self)

    @property
    def is_looked_at(self) -> bool:
        """Whether something may end it that tells nobody."""
        return self.exchange.must_be_polled or (self.connection is not None and self.file < 0)

    def wake(self) -> None:
        """End the sleep; of its own loop."""
        self._woken.set()

    def _wake_soon(self) -> None:
        self._watch.call_soon(self.wake)

    async def sleep(self, seconds: float) -> None:
        """Sleep at most so long, and less when it is woken."""
        with anyio.move_on_after(seconds):
            await self._woken.wait()
            self._woken = anyio.Event()


class Watch:
    """What watches for all waits of one loop.

    Args:
        key: what tells the loop from others.
        call_soon: calls something on the loop, from whatever thread.
    """

    def __init__(self, key: object, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._process = os.getpid()
        self._key = key
        self._waits: set[Wait] = set()
        _watches[key] = self

    def call_soon(self, work: Callable[[], None]) -> None:
        """Call something on the loop, from whatever thread; not from a child of its process."""
        if self._process == os.getpid():
            with suppress(RuntimeError):  # it has ended
                self._call_soon(work)

    def add(self, wait: Wait) -> None:
        """One more waits."""
        self._waits.add(wait)

    def remove(self, wait: Wait) -> None:
        """It waits no more."""
        self._waits.discard(wait)
        if not self._waits:
            _watches.pop(self._key, None)
            self.close()

    def close(self) -> None:
        """Nobody waits."""

    def look(self) -> None:
        """Wake what is over and tells nobody."""
        for wait in list(self._waits):
            left = wait.connection is not None and wait.file < 0 and wait.connection.left(0)
            if left or (wait.exchange.must_be_polled and wait.exchange.over):
                wait.wake()


class AsyncioWatch(Watch):
    """A watch on asyncio, uvloop and the like."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        super().__init__(loop, loop.call_soon_threadsafe)
        self._loop = loop
        self._timer: TimerHandle | None = None
        self._by_file: dict[int, Wait] = {}
        self._epoll: Any = None
        # macOS has no epoll, Windows' loop watches no files, and a process may have no descriptor left: `look` asks each connection then.
        with suppress(AttributeError, NotImplementedError, OSError):
            epoll = select.epoll()
            loop.add_reader(epoll.fileno(), self._hear)
            self._epoll = epoll

    def add(self, wait: Wait) -> None:
        """One more waits."""
        super().add(wait)
        if wait.connection is not None and self._epoll is not None:
            file = wait.connection.fileno()
            with suppress(OSError, ValueError):  # the system has no room for it; it is released
                self._epoll.register(file, select.EPOLLRDHUP)
                self._by_file[file] = wait
                wait.file = file
        if wait.is_looked_at and self._timer is None:
            self._timer = self._loop.call_later(TICK, self._tick)

    def remove(self, wait: Wait) -> None:
        """It waits no more."""
        self._forget(wait.file)
        super().remove(wait)

    def close(self) -> None:
        """Nobody waits."""
        if self._timer is not None:
            self._timer.cancel()
        if self._epoll is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _forget(self, file: int) -> Wait | None:
        wait = self._by_file.pop(file, None)
        if wait is not None:
            with suppress(OSError):  # released
                self._epoll.unregister(file)
        return wait

    def _hear(self) -> None:
        """Clients have left."""
        for file, _ in self._epoll.poll(0):
            wait = self._forget(file)
            if wait is not None:  # pragma: no branch - only what is known is registered
                wait.wake()

    def _tick(self) -> None:
        self._timer = None
        self.look()
        if any(each.is_looked_at for each in self._waits):
            self._timer = self._loop.call_later(TICK, self._tick)


class TrioWatch(Watch):
    """A watch on trio, by one task."""

    def __init__(self, token: Any) -> None:
        from trio.lowlevel import spawn_system_task

        super().__init__(token, token.run_sync_soon)
        spawn_system_task(self._run)

    async def _run(self) -> None:
        from trio import sleep

        while self._waits:
            self.look()
            await sleep(TICK)


def _watch_of_loop() -> Watch:
    """The watch of the running loop, made for its first wait."""
    try:
        loop = get_running_loop()
    except RuntimeError:
        from trio.lowlevel import current_trio_token

        token = current_trio_token()
        return _watches.get(token) or TrioWatch(token)
    return _watches.get(loop) or AsyncioWatch(loop)


def _after_fork() -> None:
    """In the child no loop of its parent's runs."""
    _watches.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)

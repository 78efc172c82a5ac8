"""The ASGI adapter reads a scope, lets the plan decide, and awaits the steps of its action."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from functools import cached_property, partial
from typing import Any, NoReturn, assert_never

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import RunVar, checkpoint
from anyio.to_thread import run_sync

from faultinject.adapters.asgi_receive import BodyReader, ClientListener, in_tasks, overheard, paused
from faultinject.adapters.client_errors import cut_of
from faultinject.adapters.connection import Connection, end, linger, until_delivered
from faultinject.adapters.middleware import Middleware
from faultinject.adapters.mounting import control_of
from faultinject.adapters.raising import let_through
from faultinject.adapters.servers import CLIENT, SPELL, asgi_server, call_row, know_status
from faultinject.adapters.types import ASGIApp, Message, Receive, Scope
from faultinject.adapters.types import Send as ServerSend
from faultinject.engine.actions import Action, Pass
from faultinject.engine.counting import Counter
from faultinject.engine.entry import Injection
from faultinject.engine.exchange import DECIDED, claimed, for_the_app, listens, note_undecided, steps_of
from faultinject.engine.own_answer import FilteredAnswer
from faultinject.engine.plan import Plan
from faultinject.engine.request import ASGIRequest, BodySummary
from faultinject.engine.steps import (
    AppAnswer,
    AppEnded,
    ClientLeft,
    Cut,
    Dropped,
    Hold,
    Look,
    LostPatience,
    Part,
    Reach,
    ReadBody,
    RunApp,
    Send,
    Steps,
    Wait,
)
from faultinject.exceptions import FaultInjectError
from faultinject.http.wire import FLUSH, MOST_BYTES, MOST_SECONDS, Headers
from faultinject.injector.injector import Injector
from faultinject.injector.lookup import injector_for
from faultinject.journal import log
from faultinject.rules.scenario import Rules

THREADS = 100
"""The most requests that ask the server of the counts at the same time, each on a thread.

These threads do not count towards the limit of the app's own threads.
"""
_limiter: RunVar[anyio.CapacityLimiter] = RunVar("faultinject")


class ASGIFaultMiddleware(Middleware):
    """An ASGI app with faults around it.

    An attribute that it lacks is looked up on the app. Frameworks construct middleware late, so wrong rules are not
    raised here: they are logged and answer `lifespan.startup.failed`; without a lifespan requests pass untouched.

    Args:
        app: the app.
        rules: text, `Rule`, a list of either, or a `Scenario`; None for the rules of the environment.
        seed: the seed; by default the scenario's or the environment's, otherwise a new one, which is logged.
        injector: an injector of your own, instead of rules.

    Attributes:
        app: the app.
        injector: the injector around it.
    """

    app: ASGIApp
    injector: Injector

    def __init__(
        self,
        app: ASGIApp,
        rules: Rules | None = None,
        *,
        seed: str | int | None = None,
        injector: Injector | None = None,
    ) -> None:
        error = None
        try:
            chosen = injector_for(rules, seed=seed, injector=injector)
            control = control_of(chosen, "asgi")
        except FaultInjectError as wrong:
            # A wrong configuration, which could not be raised as an exception.
            log.error("faultinject: %s", wrong)
            error, chosen, control = wrong, Injector([], environ={}), None
        else:
            chosen.announce()
        super().__init__(app, chosen, control, error)

    async def __call__(self, scope: Scope, receive: Receive, send: ServerSend) -> None:
        """Answer a request, or see the app through its lifespan."""
        if self._control is not None and self._control.takes(scope):
            await self._control(scope, receive, send)
            return
        injector, app = self.injector, self.app
        if scope["type"] != "http":
            if scope["type"] == "lifespan" and self._error is not None:
                await _refuse_to_start(receive, send, self._error)
            if scope["type"] == "lifespan" and injector.journal.path is not None:
                send = _ending_journals(send)
            await app(scope, receive, send)
            return
        if injector.follows:
            injector.catch_up()
        plan = injector.plan
        if plan.special and isinstance(plan, Plan):
            from faultinject.adapters.special import prepare_asgi

            app, send, requested = prepare_asgi(app, scope, send, plan)
            if requested is not None:
                await answer_request(app, scope, receive, send, *requested)
                return
        try:
            find = plan.scope.get(scope["method"], plan.scope_default)
            candidates = None if find is None else find(scope)
        except Exception as error:
            if isinstance(plan, Plan):
                plan.services.failed(error, "")
            candidates = None
        if candidates is None or not isinstance(plan, Plan):
            await app(scope, receive, send)
            return
        await answer_request(app, scope, receive, send, plan, candidates)


wrap = ASGIFaultMiddleware.around


async def _refuse_to_start(receive: Receive, send: ServerSend, error: FaultInjectError) -> NoReturn:
    """Tell a server that speaks lifespan why it cannot start.

    Raises:
        FaultInjectError: always, as `error`.
    """
    await receive()
    await send({"type": "lifespan.startup.failed", "message": f"faultinject: {error}"})
    raise error  # as Starlette does: its test client goes on, and hangs at the end, if the app returns


def _ending_journals(send: ServerSend) -> ServerSend:
    """Wrap `send` of a lifespan: end the journals before the app reports its shutdown.

    Some servers are killed by a signal right after that report, too early for `atexit`.
    """

    async def end(message: Message) -> None:
        if message["type"].startswith("lifespan.shutdown."):
            from faultinject.journal import endings

            endings.end(wait=False)
        await send(message)

    return end


async def answer_request(
    app: ASGIApp, scope: Scope, receive: Receive, send: ServerSend, plan: Plan, candidates: Sequence[int]
) -> None:
    """Answer one request that some rule may match."""
    action: Action | None = None
    request = None
    candidates = for_the_app(plan, candidates, scope)
    if DECIDED not in scope:
        try:
            request = ASGIRequest(scope)
            if plan.counts_on_server and candidates and plan.needs_server(request, candidates):
                action = await decide_on_thread(plan, request, candidates)
            else:
                action = plan.decide(request, candidates) if candidates else None
            action = claimed(plan, request, action, scope)
        except Exception as error:
            action = None
            note_undecided(plan, request, candidates, error, scope)
    if action is None:
        await app(scope, receive, send)
        return
    assert request is not None
    await ASGIResponder(app, scope, receive, send, plan, request, action).run(listens=listens(action))


async def decide_on_thread(plan: Plan, request: ASGIRequest, candidates: Sequence[int]) -> Action | None:
    """Call `plan.decide` on a thread, so that the event loop goes on while it waits for counts.

    A thread costs no more than an asynchronous Redis client, works under every event loop, and shares its code with
    WSGI.

    Raises:
        StoreUnavailableError: the counts are unavailable.
    """
    action: Action | None = None
    # The thread still finishes if the client leaves. Whichever ends second, thread or task, undoes the decision.
    ended = Counter()

    def decide() -> None:
        nonlocal action
        action = plan.decide(request, candidates)
        if action is not None and not isinstance(action, Pass) and action.entry.take is not None:
            action.entry.take.beside = True
        if ended.next():
            _undo(plan, action)

    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(THREADS)
        _limiter.set(limiter)
    try:
        await run_sync(decide, limiter=limiter)
    except BaseException:
        if ended.next():
            _undo(plan, action)
        raise
    return action


def _undo(plan: Plan, action: Action | None) -> None:
    """Return the count and the slot of an action that nobody is left to carry out."""
    if isinstance(action, Pass):
        action.entry.cancel(action.did, applied=True)
    elif action is not None:
        with Injection(plan.services, plan.counts, action.entry):
            pass  # nothing was injected, so leaving the block returns the count and the slot


_CONNECTION = b"connection"
_SLICE = 0.05
"""Seconds to wait for a server that does not report the end of its connection."""
_NOTICED = 1.0
"""Seconds within which a server notices that its connection is broken."""
TO_THE_END = "faultinject.to_the_end"
"""A key of an answer's first message: the body has no length and ends with the connection.

A client cannot distinguish that end from a cut, so an answer that is cut loses the key.
"""

# Extensions by which a server sends a file by itself: no fault could change such a body.
_SENT_FROM_FILES = frozenset(("http.response.pathsend", "http.response.zerocopysend"))


class ASGIResponder:
    """A responder carries out the steps of one exchange by awaiting.

    Every byte goes through the server. The connection itself is used only to see that the client has left, and to end
    it.

    Args:
        app: the app.
        scope: the scope of the request.
        receive: the server's own.
        send: the server's own, or that of a middleware around this one.
        plan: the plan that decided.
        request: the view of the request.
        action: the decision.
    """

    def __init__(
        self,
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: ServerSend,
        plan: Plan,
        request: ASGIRequest,
        action: Action,
    ) -> None:
        self._entry = entry = action.entry
        self._steps = steps_of(plan, request, action)
        if entry.seen is not None:
            receive = overheard(receive, entry.seen, entry)
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._server, self._own_send = asgi_server(scope, send)
        self._plan = plan
        self._request = request
        self._in_process = self._server is CLIENT
        self._connection: Connection | None = None
        self._lingering: Connection | None = None
        self._error: Exception | None = None
        self._start: Message | None = None  # the head of the app's answer
        self._begun = self._unread = self._queued = self._broken = False

    @cached_property
    def _listener(self) -> ClientListener:
        """The listener, made only when needed: that takes a quarter of the time of a quick answer."""
        return ClientListener(self._receive)

    async def run(self, *, listens: bool) -> None:
        """Carry out all steps; if the fault cuts the answer, raise its error at the end.

        Args:
            listens: whether a second task listens for the client's end.
        """
        try:
            await (in_tasks(self._run) if listens else self._run())
            if self._error is not None:
                raise self._error
            self._release()
            if self._broken:
                # Let the server and the client see the end of the connection.
                await wait_until_noticed(self._receive, unread=self._unread)
        finally:
            self._release()

    async def _run(self, tasks: TaskGroup | None = None) -> None:
        if tasks is not None:
            self._listener.tasks = tasks
        step = await self._advance(self._steps)
        if step is not None:
            try:
                await self._run_app(step)
            finally:
                await self._advance(self._steps, AppEnded())

    def _release(self) -> None:
        """Release the connection; a second call does nothing."""
        if self._connection is not None:
            self._connection.release()
        lingering, self._lingering = self._lingering, None
        if lingering is not None:
            linger(lingering)

    async def _advance(self, steps: Steps, given: Any = None) -> RunApp | None:
        """Carry out the next steps until the app has to run, or all of them.

        Args:
            steps: the steps of the exchange, or of the app's own answer.
            given: the result of the step before, or the error that it raised.
        """
        try:
            while True:
                step = steps.throw(given) if isinstance(given, BaseException) else steps.send(given)
                given = None
                try:
                    if isinstance(step, RunApp):
                        return step
                    if isinstance(step, Send):
                        await self._answer(step)
                    elif isinstance(step, ReadBody):
                        given = await self._read_body(step)
                    elif isinstance(step, Wait):
                        given = await self._wait(step)
                    elif isinstance(step, Look):
                        given = self._has_left()
                    elif isinstance(step, Part):
                        await self._send_ours(
                            {"type": "http.response.body", "body": step.data, "more_body": step.more}
                        )
                    elif isinstance(step, Cut):
                        given = await self._cut(step)
                    elif isinstance(step, Hold):
                        given = self._hold()
                    else:
                        assert_never(step)
                except BaseException as error:
                    given = error
        except (StopIteration, AppEnded, ClientLeft):
            return None

    # The request's body, and the client that waits

    async def _read_body(self, step: ReadBody) -> BodySummary:
        """Read the request body and drop it, within bounds of bytes and seconds.

        A body without a length that ends before `up_to` is kept for the app.

        Raises:
            ClientLeft: the client left, or the server cannot read its body.
        """
        up_to, length = step.up_to, self._request.content_length
        digest = self._request.body_digest(self._plan.origin[2])
        reader = self._listener if up_to is None else BodyReader(self._receive)
        kept: list[bytes] | None = [] if up_to is not None and length is None else None
        # Without a length, a first byte shows that there is a body.
        most = (
            MOST_BYTES if up_to is None else min(MOST_BYTES, up_to if length is not None else max(up_to, 1))
        )
        cut_short = False
        with anyio.move_on_after(MOST_SECONDS):
            while digest.size < most and not (reader.whole or cut_short):
                try:
                    message = await reader.next()
                except Exception as error:
                    raise ClientLeft from error
                if message is None:
                    break
                if reader.gone:
                    raise ClientLeft
                piece = message.get("body", b"")
                if up_to is not None and len(piece) > up_to - digest.size:
                    piece = piece[: up_to - digest.size]
                    cut_short = True
                digest.update(piece)
                if step.listing is not None:
                    step.listing.feed(piece)
                if kept is not None:
                    kept.append(piece)
        whole = (reader.whole and not cut_short) or (up_to is not None and digest.size == length)
        if kept is not None and whole:
            self._listener.give_again(b"".join(kept))
        return digest.size, digest.hexdigest(), whole

    def _has_left(self) -> bool:
        """Whether the client has left, as its server has noticed or its connection shows."""
        if self._listener.disconnected:
            return True
        with self._server.connection(self._own_send) or nullcontext() as connection:
            return connection is not None and connection.client_left(0)

    async def _wait(self, step: Wait) -> bool:
        listener, own = self._listener, self._connection
        # While a body arrives, `receive` gives its pieces first: only the connection shows that the client left.
        watched = self._server.connection(self._own_send) if own is None and self._request.has_body else None
        with watched or nullcontext(own) as connection:
            if not step.seconds:
                return not listener.gone
            try:
                return await listener.wait(
                    self._plan, step.seconds, listens=step.listens, connection=connection
                )
            except BaseException as error:
                # A client in this process cancels by its own time-out; a server cancels because it shuts down.
                ended = isinstance(error, anyio.get_cancelled_exc_class()) and self._in_process
                if step.is_fault and ended:
                    raise LostPatience(error) from error
                raise

    # An answer of ours

    def _starting(self, step: Send) -> Message:
        """Make the first message of an answer of ours, and prepare the end of the connection.

        The connection ends if the rule asks for that, or if part of the request's body is unread: the server could
        take that part for the next request. Our own server writes the status line and the header names exactly as
        given.
        """
        # The listener may have received the end of the body meanwhile.
        self._unread = unread = step.unread and not (
            self._listener.tasks is not None and self._listener.whole
        )
        if step.status > 599:
            know_status(step.status_line)
        spell = self._scope.get(SPELL)
        if spell is not None:
            spell(step.status_line, step.headers)
        headers = encoded(step.headers)
        if not self._in_process and (unread or step.closes):
            headers = [header for header in headers if header[0] != _CONNECTION]
            if not self._request.http2:
                if not self._server.says_close:
                    headers.append((_CONNECTION, b"close"))
                # Duplicate the descriptor before the server closes its own.
                self._lingering = self._server.connection(self._own_send)
                call_row(self._server.close, self._own_send)
        return {"type": "http.response.start", "status": step.status, "headers": headers}

    async def _send_ours(self, message: Message) -> None:
        """Send a part of our answer's body; after the last one, receive the rest of the request's.

        A server such as hypercorn cannot end an exchange while messages are left for the app.
        """
        if message.get("more_body") or not self._unread or self._in_process:
            await self._send(message)
        elif self._request.http2:
            # hypercorn breaks the whole connection if a message comes for a stream that has ended: so the body is
            # received before the last message.
            await self._send({**message, "more_body": True})
            await self._drop_rest()
            await self._send({"type": "http.response.body"})
        else:

            async def send(tasks: TaskGroup) -> None:
                tasks.start_soon(self._drop_rest)
                await self._send(message)

            await in_tasks(send)

    async def _drop_rest(self) -> None:
        """Receive the rest of the request's body, and drop it."""
        with suppress(Exception), anyio.move_on_after(MOST_SECONDS):
            await BodyReader(self._listener.receive).until_gone(or_whole=self._request.http2)

    async def _answer(self, step: Send) -> None:
        start = self._starting(step)
        if step.body is None:
            await self._begin(start)
            return
        await self._send(start)
        await self._send_ours({"type": "http.response.body", "body": step.body})
        # Release the connection now: an app that ran before this answer may run on for long.
        self._release()

    async def _begin(self, start: Message) -> None:
        """Begin an answer whose parts follow one by one."""
        self._begun = True
        await self._listener.begin(self._send, start)

    # The app's own answer

    async def _run_app(self, step: RunApp) -> None:
        app, scope, server = self._app, self._scope, self._send
        receive: Receive = self._listener.receive
        if isinstance(step, Dropped):
            if step.listing is not None:
                receive = overheard(receive, step.listing, self._entry)
            await self._run_dropped(step, receive)
            return
        if isinstance(step, FilteredAnswer):
            await self._run_filtered(step)
            return
        if step.hidden:
            hidden = {name.encode() for name in step.hidden}
            scope = {**scope, "headers": [header for header in scope["headers"] if header[0] not in hidden]}
        elif step.pause is not None:
            sized = self._request.content_length is not None
            receive = paused(receive, step.pause, self._wait, sized=sized)

        async def hand_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._advance(step.head(head_of(message)))
                if step.headers is not None:
                    message = {**message, "headers": encoded(step.headers)}
            await server(message)

        # `django_client` recognises its own `send` by this attribute, and then needs only the start of the answer.
        vars(hand_on)["passes_to"] = server
        await app(scope, receive, hand_on)

    # An answer whose body is changed

    async def _run_filtered(self, filtered: FilteredAnswer) -> None:
        scope = self._scope
        if not _SENT_FROM_FILES.isdisjoint(scope.get("extensions") or ()):
            kept = {
                name: extension
                for name, extension in scope["extensions"].items()
                if name not in _SENT_FROM_FILES
            }
            scope = {**scope, "extensions": kept}
        try:
            await self._app(scope, self._listener.receive, partial(self._filter, filtered))
        except anyio.get_cancelled_exc_class():
            await self._advance(self._steps, ClientLeft())
            raise
        finally:
            if self._start is not None and not self._begun:
                await self._send(self._start)
        if self._start is not None and not filtered.over:
            filtered.end()

    async def _filter(self, filtered: FilteredAnswer, message: Message) -> None:
        """Take a message of the app in the server's place, and change the body of its answer."""
        kind = message["type"]
        if filtered.passes:
            await self._send(message)
        elif filtered.over:
            if kind == "http.response.trailers" and not (self._broken or self._error):
                # A server breaks off the connection if promised trailers are missing.
                await self._send(message)
            # Let other tasks run: otherwise an app whose answer has no end could not be cancelled.
            await checkpoint()
        elif kind == "http.response.start":
            self._start = message
        elif kind == "http.response.body" and self._start is not None:
            piece, more = message.get("body", b""), bool(message.get("more_body"))
            if not (piece or not more):
                return
            if not filtered.begun:
                await self._begin_filtered(filtered, self._start, piece)
            if filtered.passes:
                await self._send(message)
            else:
                await self._advance(filtered.feed(piece, more=more))
        else:
            await self._send(message)

    async def _begin_filtered(self, filtered: FilteredAnswer, start: Message, piece: bytes) -> None:
        await self._advance(filtered.head(head_of(start), piece))
        if filtered.headers is not None:
            start = {**start, "headers": encoded(filtered.headers)}
            if filtered.filter.cuts:
                start.pop(TO_THE_END, None)
        await self._begin(start)

    # An answer that is dropped

    async def _run_dropped(self, dropped: Dropped, receive: Receive) -> None:
        """Run the app, drop its answer, and stop it when it takes too long."""
        raised: BaseException | None = None
        clock = anyio.CancelScope()
        async with anyio.create_task_group() as tasks:
            receive_until_cut = partial(_receive_until_cut, dropped, receive)
            watch_clock = partial(tasks.start_soon, self._watch_clock, dropped, clock)
            try:
                await self._app(self._scope, receive_until_cut, partial(self._drop, dropped, watch_clock))
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as error:
                raised = error
            clock.cancel()
        if raised is not None and not (dropped.cut and isinstance(raised, Exception)):
            raise raised

    async def _drop(self, dropped: Dropped, watch_clock: Callable[[], object], message: Message) -> None:
        """Take a message of the app in the server's place; drop the answer unless it is a failure."""
        kind = message["type"]
        if dropped.failed:
            await self._send(message)
        elif dropped.cut:
            raise OSError("the client has left")
        elif not dropped.over and kind == "http.response.start":
            began_before = dropped.answer.status
            dropped.begin(head_of(message))
            if dropped.failed:
                await self._advance(self._steps)
                await self._send(message)
            elif not began_before:
                watch_clock()
        elif not dropped.over and (kind == "http.response.body" or kind in _SENT_FROM_FILES):
            dropped.feed(message.get("body", b""), more=bool(message.get("more_body")))
            if dropped.over:
                await self._answer_instead(dropped)
        # Let other tasks run: the clock, and one that cancels an app whose answer has no end.
        await checkpoint()

    async def _watch_clock(self, dropped: Dropped, clock: anyio.CancelScope) -> None:
        """Cut an answer after `MOST_SECONDS`, even if the app sends no further message."""
        with clock:
            await anyio.sleep(MOST_SECONDS)
        if not (dropped.over or clock.cancel_called):
            dropped.over = dropped.cut = True
            await self._answer_instead(dropped)

    async def _answer_instead(self, dropped: Dropped) -> None:
        """Give the fault in place of the app's answer."""
        dropped.unread = self._request.has_body and not self._listener.whole
        await self._advance(self._steps)

    # The connection itself

    def _hold(self) -> Reach:
        """Get hold of the client's connection, and say how it can be reached."""
        if self._in_process:
            return Reach.IN_PROCESS
        connection = self._server.connection(self._own_send)
        # HTTP/2 and a middleware that hides the server put a queue between the connection and us.
        self._queued = connection is None or self._request.http2
        if connection is None:
            # Starlette's BaseHTTPMiddleware hides the server's `send`, not its `receive`.
            server, own = asgi_server(self._scope, self._receive)
            connection = server.connection(own)
            if connection is not None:
                log.log_server_hidden()
        self._connection = connection
        return Reach.SERVER if connection is None else Reach.CONNECTION

    async def _cut(self, step: Cut) -> str:
        """End the connection after the part of the answer that was sent, and say how."""
        if self._in_process:
            self._error = cut_of(step, self._entry.rule or "")
            let_through(self._error, self._scope)
            return "raised"
        connection = self._connection
        if not self._begun and connection is not None:
            self._broken = True
            return connection.reset() if step.resets else connection.close()
        if not step.sent:
            call_row(self._server.flush, self._own_send)
        if self._queued:
            await anyio.sleep(FLUSH)
        if connection is None:
            # Most servers close the connection after this error, though they log it.
            self._error = ConnectionAbortedError("answer cut by faultinject")
        else:
            self._broken = True
            for pause in until_delivered(connection, self._plan.services.monotonic):
                await anyio.sleep(pause)
            if connection.delivered() and step.resets:
                return connection.reset()
            end(connection, unread=self._unread)
            self._connection = None
        return "closed"


def head_of(message: Message) -> AppAnswer:
    """Read the head of the app's answer; its headers become a list, which can be read again."""
    message["headers"] = list(message.get("headers", ()))
    return AppAnswer(message["status"], decoded(message["headers"]))


def encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Encode headers for ASGI."""
    return [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in headers]


def decoded(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Decode headers of ASGI."""
    return [(name.decode("latin-1"), text.decode("latin-1")) for name, text in headers]


async def wait_until_noticed(receive: Receive, *, unread: bool = False) -> None:
    """Wait until the server has noticed that its connection is broken.

    A server that has not noticed it logs that the app sent no answer.

    Args:
        receive: the server's own.
        unread: whether the rest of the request's body comes first, so that it may take longer.
    """
    with suppress(Exception), anyio.move_on_after(MOST_SECONDS if unread else _NOTICED):
        reader = BodyReader(receive)
        await reader.until_gone()
        if not reader.gone:  # the server does not report it: it gets one more turn
            await anyio.sleep(_SLICE)


async def _receive_until_cut(dropped: Dropped, receive: Receive) -> Message:
    """Receive for the app; after a cut, report to it that the client has left."""
    return {"type": "http.disconnect"} if dropped.cut else await receive()

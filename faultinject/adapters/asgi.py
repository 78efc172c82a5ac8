"""The ASGI adapter: reads a scope, lets the plan decide, carries its action out by awaiting."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from faultinject.adapters.mounting import mounted
from faultinject.engine.actions import PASSED, Pass
from faultinject.engine.exchange import DECIDED, first_to_note, listens, skipped
from faultinject.engine.exchange import exchange as steps_of
from faultinject.engine.plan import Plan
from faultinject.engine.request import ASGIRequest
from faultinject.engine.steps import (
    AppAnswer,
    AppEnded,
    Begin,
    ClientGone,
    Cut,
    EditHead,
    Fail,
    Hold,
    Look,
    LostPatience,
    NextPiece,
    Part,
    Reach,
    ReadBody,
    RunApp,
    Send,
    Wait,
    Write,
)
from faultinject.exceptions import FaultInjectError
from faultinject.injector.lookup import injector_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from anyio.abc import TaskGroup

    from faultinject.adapters.asgi_delivery import Delivery
    from faultinject.adapters.asgi_wait import Listener
    from faultinject.adapters.types import ASGIApp, Message, Receive, Scope
    from faultinject.adapters.types import Send as ServerSend
    from faultinject.engine.actions import Action
    from faultinject.engine.journal_entry import Entry
    from faultinject.engine.steps import Step, Steps
    from faultinject.engine.types import Body
    from faultinject.http.types import Headers
    from faultinject.injector.injector import Injector
    from faultinject.rules.scenario import Rules


def ASGIFaultMiddleware(  # noqa: N802 - called like a class, so that add_middleware works
    app: ASGIApp,
    rules: Rules | None = None,
    *,
    seed: str | int | None = None,
    injector: Injector | None = None,
) -> ASGIApp:
    """Put faults around an ASGI app.

    Frameworks construct middleware late, so wrong rules are not raised here: they are logged and answer
    `lifespan.startup.failed`; without a lifespan requests pass untouched.

    Args:
        app: the app.
        rules: text, `Rule`, a list of either, or a `Scenario`; None for the rules of the environment.
        seed: the seed; by default the scenario's or the environment's, otherwise a new one, which is logged.
        injector: an injector of your own, instead of rules.

    Returns:
        A plain `async` function with the attributes `app` and `injector` and a copy of the app's own attributes.
    """
    try:
        found = injector_for(rules, seed=seed, injector=injector)
        around: ASGIApp = mounted(wrap(app, found), found, "asgi")
    except FaultInjectError as error:
        return _refusing(app, error)
    found.announce()
    return around


def wrap(app: ASGIApp, injector: Injector) -> ASGIApp:
    """`app` with the injector around it."""

    async def faultinject(scope: Scope, receive: Receive, send: ServerSend) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan" and injector.journal.path is not None:
                send = _ending_journals(send)
            await app(scope, receive, send)
            return
        if injector.follows:
            injector.catch_up()
        plan = injector.plan
        own = app
        if plan.special and isinstance(plan, Plan):
            from faultinject.adapters.special import prepare_asgi

            own, send, asked = prepare_asgi(app, scope, send, plan)
            if asked is not None:
                await exchange(own, scope, receive, send, *asked)
                return
        try:
            find = plan.scope.get(scope["method"], plan.scope_default)
            candidates = None if find is None else find(scope)
        except Exception as error:
            if isinstance(plan, Plan):
                plan.services.failed(error, "")
            candidates = None
        if candidates is None or not isinstance(plan, Plan):
            await own(scope, receive, send)
            return
        await exchange(own, scope, receive, send, plan, candidates)

    def use_injector(other: Injector) -> None:
        nonlocal injector
        injector = vars(faultinject)["injector"] = other

    vars(faultinject).update(
        getattr(app, "__dict__", {}), app=app, injector=injector, use_injector=use_injector
    )
    return faultinject


def _refusing(app: ASGIApp, error: FaultInjectError) -> ASGIApp:
    """`app` with no faults; a server that speaks lifespan is told why it cannot start."""
    from faultinject.journal import log

    log.refused(error)

    async def faultinject(scope: Scope, receive: Receive, send: ServerSend) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.failed", "message": f"faultinject: {error}"})

    vars(faultinject).update(getattr(app, "__dict__", {}), app=app)
    return faultinject


def _ending_journals(send: ServerSend) -> ServerSend:
    """`send` of a lifespan: before the app says that it has shut down, the journals of this process say that it ends.

    Some servers are killed by a signal right behind that, so that nothing else tells.
    """

    async def end(message: Message) -> None:
        if message["type"].startswith("lifespan.shutdown."):
            from faultinject.journal import endings

            endings.end(wait=False)
        await send(message)

    return end


async def exchange(
    app: ASGIApp, scope: Scope, receive: Receive, send: ServerSend, plan: Plan, candidates: Sequence[int]
) -> None:
    """One request that some rule may match."""
    action: Action | None = None
    request = None
    if DECIDED not in scope:
        try:
            request = ASGIRequest(scope)
            if plan.waits and candidates and plan.asks(request, candidates):
                from faultinject.adapters.asgi_thread import decide

                action = await decide(plan, request, candidates)
            else:
                action = plan.decide(request, candidates) if candidates else None
            if action is not None:
                scope[DECIDED] = True
            elif plan.services.record_all and first_to_note(scope, plan):
                action = Pass(plan.note(request))
        except Exception as error:
            action = None
            skipped(plan, request, candidates, error, scope)
    if action is None or action is PASSED:
        await app(scope, receive, send)
        return
    entry = action.entry
    assert request is not None
    assert entry is not None
    steps = steps_of(plan, request, entry, action)
    if entry.seen is not None:
        from faultinject.adapters.asgi_body import overheard

        receive = overheard(receive, entry.seen, entry)
    await Driver(app, scope, receive, send, plan, request, entry, steps).run(listens=listens(action))


class Driver:
    """Carries the steps of one exchange out, by awaiting.

    Args:
        app: the app.
        scope: of the request.
        receive: the server's.
        send: the server's.
        plan: the plan that decided.
        request: the view of the request.
        entry: what goes into the journal.
        steps: what is to be done.
    """

    __slots__ = (
        "_app",
        "_delivery",
        "_edit",
        "_entry",
        "_listener",
        "_plan",
        "_receive",
        "_receive_again",
        "_request",
        "_scope",
        "_send",
        "_steps",
    )  # fmt: skip

    def __init__(
        self,
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: ServerSend,
        plan: Plan,
        request: ASGIRequest,
        entry: Entry,
        steps: Steps,
    ) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._plan = plan
        self._request = request
        self._entry = entry
        self._steps = steps
        self._receive_again: Receive | None = None
        self._edit: Callable[[int, Headers], Headers] | None = None
        self._listener: Listener | None = None
        self._delivery: Delivery | None = None

    async def run(self, *, listens: bool) -> None:
        """Do all of it.

        Args:
            listens: whether the client's end is to be heard meanwhile, or the connection is needed.
        """
        try:
            if listens:
                from faultinject.adapters.asgi_wait import Listener, in_tasks

                async def listening(tasks: TaskGroup) -> None:
                    self._listener = Listener(self._receive, tasks)
                    await self._run()

                await in_tasks(listening)
            else:
                await self._run()
            if self._delivery is not None:
                await self._delivery.finish()
        finally:
            if self._delivery is not None:
                self._delivery.close()

    async def _run(self) -> None:
        if isinstance(step := await self.advance(None), RunApp):
            try:
                await self._run_app(step)
            finally:
                if not (step.noted and self._entry.written):
                    await self.throw(AppEnded())

    async def _run_app(self, step: RunApp) -> None:
        app, scope, send = self._app, self._scope, self._send
        receive = self._receive_again or self._app_receive
        if step.untouched:
            await app(scope, receive, send)
            return
        if step.dropped:
            from faultinject.adapters.asgi_after import run_dropped

            assert self._listener is not None
            await run_dropped(
                app, scope, send, self._listener, step.listing, self.advance, has_body=self._request.has_body
            )
            return
        if step.transform is not None:
            self._delivery = self._deliver()
            await self._delivery.run(app, step)
            return
        if step.alteration is not None:
            hidden = {name.encode() for name in step.alteration.hidden}
            scope = {**scope, "headers": [each for each in scope["headers"] if each[0] not in hidden]}
        elif (pause := step.pause) is not None:
            from faultinject.adapters.asgi_body import PausedBody, in_place_of

            body = PausedBody(
                receive,
                pause,
                lambda: self._wait(Wait(pause.seconds)),
                sized=self._request.content_length is not None,
            )
            receive = in_place_of(receive, body.receive)

        async def hand_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                if step.noted:
                    headers = message.get("headers", ())
                    # What can be looked at once only is the server's.
                    known: Any = headers if isinstance(headers, list | tuple) else ()
                    await self.advance(AppAnswer(message["status"], known))
                else:
                    message = await self._begin(message)
            await send(message)

        # An app that knows its client's own `send` need send it no more than the start.
        vars(hand_on)["passes_to"] = send
        # Who looks for the connection finds it by the server's object behind `send`.
        vars(hand_on)["__self__"] = getattr(send, "__self__", None)
        await app(scope, receive, hand_on)

    async def _begin(self, message: Message) -> Message:
        """What begins the app's answer, as it goes out."""
        status, given = message["status"], list(message.get("headers", ()))
        headers = [(name.decode("latin-1"), text.decode("latin-1")) for name, text in given]
        await self.advance(AppAnswer(status, headers))
        if self._edit is None:
            return {**message, "headers": given}
        headers = self._edit(status, headers)
        encoded = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in headers]
        return {**message, "headers": encoded}

    async def throw(self, error: Exception) -> None:
        """The app has ended, or the client has left."""
        await self.advance(error, self._steps.throw)

    async def advance(
        self, given: Any, advance: Callable[[Any], Step] | None = None
    ) -> RunApp | NextPiece | None:
        """Carry out what comes before the app is to run, or its answer to go on, or all that is left; then None.

        Args:
            given: what came of the step before; an error, if `advance` throws it in.
            advance: how the next step is asked for; by default with what came of the one before.
        """
        steps = self._steps
        advance = advance or steps.send
        try:
            while True:
                step = advance(given)
                advance, given = steps.send, None
                try:
                    if isinstance(step, RunApp | NextPiece):
                        return step
                    if isinstance(step, Send):
                        await self._respond(step)
                    elif isinstance(step, ReadBody):
                        given = await self._read_body(step)
                    elif isinstance(step, Wait):
                        given = await self._wait(step)
                    elif isinstance(step, Look):
                        from faultinject.adapters.asgi_wait import has_left

                        given = has_left(self._receive, self._send)
                    elif isinstance(step, EditHead):
                        self._edit = step.edit
                    elif isinstance(step, Part):
                        assert self._delivery is not None
                        await self._delivery.part(step)
                    elif isinstance(step, Begin):
                        self._delivery = self._delivery or self._deliver()
                        given = await self._delivery.begin(replace(step, unread=self._leaves_unread(step)))
                    elif isinstance(step, Cut):
                        assert self._delivery is not None
                        given = await self._delivery.cut(step)
                    elif isinstance(step, Hold):
                        self._delivery = self._deliver()
                        given = self._delivery.hold(step)
                        if given is Reach.SERVER:
                            self._delivery = None
                    elif isinstance(step, Write):
                        assert self._delivery is not None
                        await self._delivery.write(replace(step, unread=self._leaves_unread(step)))
                    elif isinstance(step, Fail):
                        if not step.left:
                            from faultinject.adapters.asgi_ending import fail

                            await fail(self._scope, self._receive, self._send, self._request)
                    else:
                        assert_never(step)
                except BaseException as error:
                    advance, given = steps.throw, error
        except (StopIteration, AppEnded, ClientGone):
            return None

    @property
    def _app_receive(self) -> Receive:
        """What the app receives by."""
        return self._receive if self._listener is None else self._listener.receive

    def _deliver(self) -> Delivery:
        from faultinject.adapters.asgi_delivery import Delivery
        from faultinject.adapters.asgi_wait import ExchangeEnd

        end = self._listener or ExchangeEnd(self._receive)
        return Delivery(
            self.advance, self.throw, self._scope, self._receive, self._app_receive, self._send, self._plan,
            self._request, self._entry.rule or "", end,
        )  # fmt: skip

    async def _wait(self, step: Wait) -> bool:
        delivery = self._delivery
        if delivery is not None and delivery.changes:
            return await delivery.wait(step.seconds)
        listener = self._listener
        if listener is None:
            from contextlib import nullcontext

            from faultinject.adapters.asgi_wait import ExchangeEnd, pause
            from faultinject.adapters.connection import of_send

            # The app may be listening for the client itself: here only its connection tells.
            with of_send(self._send) or nullcontext() as connection:
                await pause(self._plan, step.seconds, ExchangeEnd(self._receive), connection)
            return True
        if not step.seconds:
            return not listener.gone
        try:
            connection = None if delivery is None else delivery.connection
            return await listener.wait(self._plan, step.seconds, listens=step.listens, connection=connection)
        except BaseException as error:
            if step.is_fault and _is_impatient(error, self._scope):
                raise LostPatience(error) from error
            raise

    async def _read_body(self, step: ReadBody) -> Body:
        from faultinject.adapters.asgi_body import drain

        receive, request = self._receive, self._request
        if step.up_to is None:
            return await drain(self._app_receive, self._plan, request, step.listing)
        kept: list[bytes] | None = [] if request.content_length is None else None
        body = await drain(receive, self._plan, request, step.listing, step.up_to, kept)
        if kept is not None and body[2]:
            from faultinject.adapters.asgi_body import again

            self._receive_again = again(receive, b"".join(kept))
        return body

    def _leaves_unread(self, step: Begin | Send | Write) -> bool:
        """Whether something of the request's body is left: more of it may have come while the client was waited with."""
        return step.unread and not (self._listener is not None and self._listener.whole)

    async def _respond(self, step: Send) -> None:
        closes, unread = step.action.answer.closes, self._leaves_unread(step)
        if not (unread or closes):
            await respond(self._send, step)
            return
        from faultinject.adapters.asgi_ending import Ending

        with Ending(
            self._scope, self._receive, self._send, self._request,
            unread=unread, broken=step.broken, closes=closes,
        ) as ending:  # fmt: skip
            await respond(ending.send, step)


async def respond(send: ServerSend, step: Send) -> None:
    """Send an injected answer."""
    encoded = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in step.headers]
    await send({"type": "http.response.start", "status": step.action.answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": step.action.body})


def _is_impatient(error: BaseException, scope: Scope) -> bool:
    """Whether a client of this process has ended a wait by its own time-out; a server that cancels is about to end itself."""
    from anyio import get_cancelled_exc_class

    from faultinject.adapters.servers import in_process_scope

    return isinstance(error, get_cancelled_exc_class()) and in_process_scope(scope)

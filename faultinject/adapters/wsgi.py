"""The WSGI adapter: reads an environ, lets the plan decide, carries its action out by blocking."""

from __future__ import annotations

from sys import modules
from typing import assert_never

from faultinject.adapters.mounting import mounted
from faultinject.engine.actions import PASSED, Pass
from faultinject.engine.alterations import STORE
from faultinject.engine.exchange import DECIDED, first_to_note, skipped
from faultinject.engine.exchange import exchange as steps_of
from faultinject.engine.plan import Plan
from faultinject.engine.request import WSGIRequest
from faultinject.engine.steps import (
    AppAnswer,
    AppEnded,
    Begin,
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
from faultinject.http.wire import whole
from faultinject.injector.lookup import injector_for, refuse_eventlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from faultinject.adapters.types import Environ, Start, WSGIApp
    from faultinject.adapters.wsgi_delivery import Delivery
    from faultinject.engine.body_transforms import BodyTransform
    from faultinject.engine.journal_entry import Entry
    from faultinject.engine.steps import Step, Steps
    from faultinject.http.types import Headers
    from faultinject.injector.injector import Injector
    from faultinject.rules.scenario import Rules


def WSGIFaultMiddleware(  # noqa: N802 - called like a class, so that every framework's way of adding works
    app: WSGIApp,
    rules: Rules | None = None,
    *,
    seed: str | int | None = None,
    injector: Injector | None = None,
) -> WSGIApp:
    """Put faults around a WSGI app.

    Args:
        app: the app.
        rules: text, `Rule`, a list of either, or a `Scenario`; None for the rules of the environment.
        seed: the seed; by default the scenario's or the environment's, otherwise a new one, which is logged.
        injector: an injector of your own, instead of rules.

    Returns:
        A plain function with the attributes `app` and `injector` and a copy of the app's own attributes.

    Raises:
        ConfigurationError: rules or variables are wrong.
        UnsupportedServer: this process runs under eventlet.
    """
    found = injector_for(rules, seed=seed, injector=injector)
    found.announce()
    around: WSGIApp = mounted(wrap(app, found), found, "wsgi")
    return around


def wrap(app: WSGIApp, injector: Injector) -> WSGIApp:
    """`app` with the injector around it."""

    def faultinject(environ: Environ, start_response: Start) -> Iterable[bytes]:
        if injector.follows:
            injector.catch_up()
        plan = injector.plan
        own = app
        if plan.special and isinstance(plan, Plan):
            from faultinject.adapters.special import prepare_wsgi

            own, start_response, asked = prepare_wsgi(app, environ, start_response, plan)
            if asked is not None:
                return exchange(own, environ, start_response, *asked)
        try:
            find = plan.environ.get(environ["REQUEST_METHOD"], plan.environ_default)
            candidates = None if find is None else find(environ)
        except Exception as error:
            if isinstance(plan, Plan):
                plan.services.failed(error, "")
            candidates = None
        if candidates is None or not isinstance(plan, Plan):
            return own(environ, start_response)
        if environ.get("wsgi.multiprocess") and plan is injector.own_plan:
            plan = injector.detach()
        return exchange(own, environ, start_response, plan, candidates)

    def use_injector(other: Injector) -> None:
        nonlocal injector
        injector = vars(faultinject)["injector"] = other

    vars(faultinject).update(
        getattr(app, "__dict__", {}), app=app, injector=injector, use_injector=use_injector
    )
    return faultinject


def exchange(
    app: WSGIApp, environ: Environ, start_response: Start, plan: Plan, candidates: Sequence[int]
) -> Iterable[bytes]:
    """One request that some rule may match."""
    if DECIDED in environ:
        return app(environ, start_response)
    request = None
    try:
        request = WSGIRequest(environ)
        if "eventlet.patcher" in modules or "eventlet.posthooks" in environ:
            refuse_eventlet(environ)
        action = plan.decide(request, candidates) if candidates else None
        if action is not None:
            environ[DECIDED] = True
        elif plan.services.record_all and first_to_note(environ, plan):
            action = Pass(plan.note(request))
    except Exception as error:
        skipped(plan, request, candidates, error, environ)
        return app(environ, start_response)
    if action is None or action is PASSED:
        return app(environ, start_response)
    entry = action.entry
    assert entry is not None
    steps = steps_of(plan, request, entry, action)
    return Driver(app, environ, start_response, plan, request, entry, steps).run()


class Driver:
    """Carries the steps of one exchange out, by blocking.

    Args:
        app: the app.
        environ: of the request.
        start_response: the server's.
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
        "_environ",
        "_plan",
        "_request",
        "_result",
        "_start_response",
        "_steps",
    )  # fmt: skip

    def __init__(
        self,
        app: WSGIApp,
        environ: Environ,
        start_response: Start,
        plan: Plan,
        request: WSGIRequest,
        entry: Entry,
        steps: Steps,
    ) -> None:
        self._app = app
        self._environ = environ
        self._start_response = start_response
        self._plan = plan
        self._request = request
        self._entry = entry
        self._steps = steps
        self._result: Iterable[bytes] | None = None
        self._edit: Callable[[int, Headers], Headers] | None = None
        self._delivery: Delivery | None = None

    def run(self) -> Iterable[bytes]:
        """What the server gets to send."""
        step = self.advance(None)
        if isinstance(step, RunApp):
            seen, source = self._entry.seen, self._environ.get("wsgi.input")
            if seen is not None and source is not None:
                from faultinject.adapters.wsgi_body import Overheard

                self._environ["wsgi.input"] = Overheard(source, self._request.content_length, seen.feed)
            if step.transform is not None:
                return self._deliver(step.transform).run(self._app)
            try:
                if not step.dropped:
                    start = self._start_response if step.untouched else self._start
                    result = self._app(self._environ_for(step), start)
                    if step.noted and not self._entry.written:
                        self.advance(None)
                    return result
                from faultinject.adapters.wsgi_after import run_dropped

                found, self._result = run_dropped(
                    self._app, self._environ, self._start_response, self._plan, self._request, step.listing
                )
                step = self.advance(found)
            except BaseException:
                self.throw(AppEnded())
                raise
        given, self._result = self._result, None
        if self._delivery is not None:
            return self._delivery.send(step)
        if given is None:
            from faultinject.adapters.wsgi_delivery import empty_response

            return empty_response(self._environ, self._start_response)
        return given

    def _environ_for(self, step: RunApp) -> Environ:
        """What the app gets to see of the request."""
        environ, pause = self._environ, step.pause
        if step.alteration is not None:
            hidden = {f"HTTP_{name.upper().replace('-', '_')}" for name in step.alteration.hidden}
            environ = {name: each for name, each in environ.items() if name not in hidden}
            environ[STORE] = step.alteration
        elif pause is not None:
            from faultinject.adapters.wsgi_body import PausedBody

            environ["wsgi.input"] = PausedBody(
                environ["wsgi.input"],
                pause,
                lambda: self._wait(Wait(pause.seconds)),
                sized=self._request.content_length is not None,
            )
        return environ

    def _start(self, status: str, headers: Headers, *more: Any, **named: Any) -> Callable[[bytes], object]:
        """Stands in for the server's `start_response`."""
        number = whole(status[:3]) or 0
        # Begun anew, the answer meets steps that are over.
        self.advance(AppAnswer(number, headers))
        if self._edit is not None:
            headers = self._edit(number, headers)
        return self._start_response(status, headers, *more, **named)

    def _deliver(self, transform: BodyTransform | None) -> Delivery:
        from weakref import proxy

        from faultinject.adapters.wsgi_delivery import Delivery

        answer = Delivery(
            self.advance,
            self.throw,
            self._steps.close,
            self._environ,
            self._start_response,
            self._plan,
            self._request,
            self._entry.rule or "",
            transform,
        )
        # A server that drops it unasked ends the app at once: nothing may hold it in a circle.
        self._delivery = proxy(answer)
        return answer

    def _wait(self, step: Wait) -> bool:
        if self._delivery is not None:
            return self._delivery.wait(step.seconds)
        from faultinject.adapters.servers import in_process
        from faultinject.adapters.wsgi_wait import wait_for_client

        try:
            return wait_for_client(self._environ, self._plan, step.seconds)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if step.is_fault and in_process(self._environ):
                raise LostPatience(error) from error
            raise

    def throw(self, error: Exception) -> None:
        """The app has ended, or the client has left."""
        self.advance(error, self._steps.throw)

    def advance(
        self, given: Any, advance: Callable[[Any], Step] | None = None
    ) -> RunApp | NextPiece | Part | Cut | None:
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
                        self._result = self._send(step)
                    elif isinstance(step, ReadBody):
                        from faultinject.adapters.wsgi_body import drain

                        given = drain(self._environ, self._plan, self._request, step.listing, step.up_to)
                    elif isinstance(step, Wait):
                        given = self._wait(step)
                    elif isinstance(step, Look):
                        from faultinject.adapters.wsgi_wait import has_left

                        given = has_left(self._environ)
                    elif isinstance(step, EditHead):
                        self._edit = step.edit
                    elif isinstance(step, Cut):
                        if self._delivery is None:
                            from faultinject.adapters.client_errors import cut_of

                            raise cut_of(step, self._entry.rule or "")
                        if self._delivery.begun:
                            return step
                        given = self._delivery.end(step)
                    elif isinstance(step, Part):
                        assert self._delivery is not None
                        if not self._delivery.passes_server:
                            return step
                        self._delivery.send_past(step)
                    elif isinstance(step, Begin):
                        if self._delivery is None:
                            self._result = self._deliver(step.transform)
                        assert self._delivery is not None
                        given = self._delivery.begin(step)
                    elif isinstance(step, Hold):
                        delivery = self._deliver(None)
                        given = delivery.hold(step)
                        if given is not Reach.CONNECTION:
                            self._delivery = None
                            continue
                        self._result = delivery
                        if step.hangs:
                            delivery.go_on()
                            return None
                    elif isinstance(step, Write):
                        assert self._delivery is not None
                        self._delivery.write(step)
                    elif isinstance(step, Fail):
                        from faultinject.adapters.wsgi_ending import fail

                        self._result = fail(self._environ, self._start_response, self._request)
                    else:
                        assert_never(step)
                except BaseException as error:
                    advance, given = steps.throw, error
        except (StopIteration, AppEnded):
            return None

    def _send(self, step: Send) -> Iterable[bytes]:
        answer, body = step.action.answer, step.action.body
        if step.unread or answer.closes:
            from faultinject.adapters.wsgi_ending import Ending

            ending = Ending(
                self._environ, self._start_response, self._request,
                unread=step.unread, broken=step.broken, closes=answer.closes,
            )  # fmt: skip
            ending.start_response(answer.status_line, step.headers)
            return ending.behind([body] if body else [])
        self._start_response(answer.status_line, step.headers)
        return [body] if body else []

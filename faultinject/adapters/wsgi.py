"""The WSGI adapter: it reads an environ, asks the plan, and acts on its decision, blocking."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from io import BytesIO
from typing import Any, assert_never

from faultinject.adapters.client_errors import cut_of
from faultinject.adapters.connection import Connection, end, linger, threads_run, until_delivered
from faultinject.adapters.middleware import Middleware
from faultinject.adapters.mounting import control_of
from faultinject.adapters.servers import (
    OUR_SERVER,
    body_of,
    call_row,
    is_buffered,
    is_file,
    is_in_process,
    wsgi_server,
)
from faultinject.adapters.types import Environ, Start, WSGIApp
from faultinject.adapters.wsgi_body import AppBody, ObservedBody
from faultinject.engine.actions import Action
from faultinject.engine.answers import Respond
from faultinject.engine.exchange import DECIDED, claimed, error_answer, for_the_app, note_undecided, steps_of
from faultinject.engine.own_answer import FilteredAnswer, NotedAnswer
from faultinject.engine.plan import Plan
from faultinject.engine.request import BodySummary, WSGIRequest
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
    Step,
    Steps,
    Wait,
)
from faultinject.http.wire import (
    CLOSE,
    FLUSH,
    MOST_BYTES,
    MOST_SECONDS,
    PIECE,
    Headers,
    length_of,
    number_of,
    without_connection,
)
from faultinject.injector.injector import Injector
from faultinject.injector.lookup import injector_for, refuse_eventlet
from faultinject.rules.scenario import Rules
from faultinject.vendors.multi_delete import Listing

FIRST_PIECE = 16
"""Bytes of the first read of a body; while the client is fast, each further read doubles."""
SLOW = 0.05
"""Seconds: after a read that took longer, the next read asks for a single byte."""


class WSGIFaultMiddleware(Middleware):
    """A WSGI app with faults around it.

    An attribute that it lacks is looked up on the app.

    Args:
        app: the app.
        rules: text, `Rule`, a list of either, or a `Scenario`; None for the rules of the environment.
        seed: the seed; by default the scenario's or the environment's, otherwise a new one, which is logged.
        injector: an injector of your own, instead of rules.

    Raises:
        ConfigurationError: rules or variables are wrong.
        UnsupportedServerError: this process runs under eventlet.

    Attributes:
        app: the app.
        injector: the injector around it.
    """

    app: WSGIApp
    injector: Injector

    def __init__(
        self,
        app: WSGIApp,
        rules: Rules | None = None,
        *,
        seed: str | int | None = None,
        injector: Injector | None = None,
    ) -> None:
        chosen = injector_for(rules, seed=seed, injector=injector)
        chosen.announce()
        super().__init__(app, chosen, control_of(chosen, "wsgi"))

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer a request."""
        if self._control is not None and self._control.takes(environ):
            answer: Iterable[bytes] = self._control(environ, start_response)
            return answer
        injector, app = self.injector, self.app
        if injector.follows:
            injector.catch_up()
        plan = injector.plan
        if plan.special and isinstance(plan, Plan):
            from faultinject.adapters.special import prepare_wsgi

            app, start_response, requested = prepare_wsgi(app, environ, start_response, plan)
            if requested is not None:
                return answer_request(app, environ, start_response, *requested)
        try:
            find = plan.environ.get(environ["REQUEST_METHOD"], plan.environ_default)
            candidates = None if find is None else find(environ)
        except Exception as error:
            if isinstance(plan, Plan):
                plan.services.failed(error, "")
            candidates = None
        if candidates is None or not isinstance(plan, Plan):
            return app(environ, start_response)
        if environ.get("wsgi.multiprocess") and plan is injector.own_plan and injector.count_together():
            return self(environ, start_response)  # from now on the processes share one set of rules
        return answer_request(app, environ, start_response, plan, candidates)


wrap = WSGIFaultMiddleware.around


def answer_request(
    app: WSGIApp, environ: Environ, start_response: Start, plan: Plan, candidates: Sequence[int]
) -> Iterable[bytes]:
    """Answer one request that some rule may match."""
    if DECIDED in environ:
        return app(environ, start_response)
    candidates = for_the_app(plan, candidates, environ)
    request = None
    try:
        request = WSGIRequest(environ)
        if "eventlet.patcher" in sys.modules:
            refuse_eventlet(environ)
        action = plan.decide(request, candidates) if candidates else None
        action = claimed(plan, request, action, environ)
    except Exception as error:
        note_undecided(plan, request, candidates, error, environ)
        return app(environ, start_response)
    if action is None:
        return app(environ, start_response)
    if isinstance(action, Respond) and action.listing is not None and not action.answer.after:
        # The embedded store deletes only the keys that the answer reports as deleted.
        delete = getattr(getattr(app, "__wrapped__", app), "delete_keys", None)
        action.listing.delete = delete and partial(delete, environ)
    return WSGIResponder(app, environ, start_response, plan, request, action).run()


class WSGIResponder:
    """A responder carries out the steps of one exchange by blocking.

    It is also the iterable that a server reads if an answer has several parts. Every byte goes through the server. The
    connection itself is used only to see that the client has left, and to end it.

    Args:
        app: the app.
        environ: the environ of the request.
        start_response: the server's own.
        plan: the plan that decided.
        request: the view of the request.
        action: the decision.
    """

    def __init__(
        self,
        app: WSGIApp,
        environ: Environ,
        start_response: Start,
        plan: Plan,
        request: WSGIRequest,
        action: Action,
    ) -> None:
        self._app = app
        self._environ = environ
        self._start_response = start_response
        self._plan = plan
        self._request = request
        self._entry = action.entry
        self._steps = steps_of(plan, request, action)
        self._server = server = wsgi_server(environ)
        self._in_process = is_in_process(server, environ, start_response)
        self._result: Iterable[bytes] | None = None
        self._connection: Connection | None = None
        self._lingering: Connection | None = None
        # The app's answer: its head, the body that is still to be read, and pieces that were read or written ahead.
        self._status_line = ""
        self._headers: Headers = []
        self._pieces: Iterator[bytes] = iter(())
        self._ahead: deque[bytes | None] = deque()
        # The answer that is sent: whether it has begun, the server's `write`, and the parts of its body.
        self._begun = self._unread = self._reads_rest = self._stopped_reading = False
        self._write_on: Callable[[bytes], object] = lambda _: None
        self._parts: Iterator[bytes] = iter(())

    def run(self) -> Iterable[bytes]:
        """Carry out the steps before the server reads, and give the answer that it reads."""
        step = self._advance(self._steps)
        if isinstance(step, FilteredAnswer):
            return self._run_filtered(step)
        if isinstance(step, Dropped):
            dropped = step
            step = self._run_dropped(dropped)
            if dropped.failed:
                assert self._result is not None
                return self if self._begun else self._result
        elif isinstance(step, RunApp):
            return self._run_app(step)
        if isinstance(step, Part | Cut):
            self._parts = self._carry(self._steps, step)
        if self._connection is None and not self._begun and self._result is None:
            # The client has left, or the server could not read its body.
            self._answer(error_answer())
        if self._begun:
            return self
        if self._result is not None:
            return self._result
        # The connection has ended, but a WSGI app has to answer. The server must not send this answer, nor one to a
        # further request that it has read already.
        answer = error_answer()
        self._start_response(answer.status_line, answer.headers)
        self._server.close_after_answer(self._environ, self._start_response)
        return []

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._parts
            if self._reads_rest:
                self._read_rest()
            self._linger()  # not in `close`: werkzeug calls it only when the client has ended its side
        except GeneratorExit:
            self._steps.close()
            raise
        except BaseException:
            self._fail()
            raise

    def close(self) -> None:
        """Close the app's answer, and let go of the connection."""
        # The steps are still under way if the server has not read the answer to its end.
        self._steps.close()
        try:
            self._close_app()
        finally:
            self._let_go()
            self._linger()

    def _linger(self) -> None:
        """End the connection after the answer, if `_start_ours` has said so."""
        lingering, self._lingering = self._lingering, None
        if lingering is not None:
            linger(lingering)

    def _close_app(self) -> None:
        result, self._result = self._result, None
        getattr(result, "close", lambda: None)()

    def _advance(self, steps: Steps, given: Any = None) -> Step | None:
        """Carry out the next steps, up to one that the caller has to carry out.

        Args:
            steps: the steps of the exchange, or of the app's own answer.
            given: the result of the step before, or the error that it raised.

        Returns:
            A `RunApp`, a `Part`, or a `Cut` of an answer that has begun; None at the end.
        """
        try:
            while True:
                step = steps.throw(given) if isinstance(given, BaseException) else steps.send(given)
                given = None
                try:
                    if isinstance(step, RunApp | Part):
                        return step
                    if isinstance(step, Send):
                        self._answer(step)
                    elif isinstance(step, ReadBody):
                        given = self._drain(step.listing, step.up_to)
                        self._stopped_reading = given is not None and not given[2]
                    elif isinstance(step, Wait):
                        given = self._wait(step)
                    elif isinstance(step, Look):
                        with self._reached() as connection:
                            given = connection is not None and connection.client_left(0)
                    elif isinstance(step, Cut):
                        if self._begun:
                            return step
                        if self._connection is None:
                            raise cut_of(step, self._entry.rule or "")
                        with self._connection as connection:
                            given = connection.reset() if step.resets else connection.close()
                    elif isinstance(step, Hold):
                        given = self._hold()
                        if step.hangs and self._hang_on_thread():
                            return None
                    else:
                        assert_never(step)
                except BaseException as error:
                    given = error
        except (StopIteration, AppEnded):
            return None

    # The parts of an answer, each yielded when it is due

    def _carry(self, steps: Steps, step: Step | None) -> Iterator[bytes]:
        """Yield the parts that the steps send, beginning with this step."""
        while isinstance(step, Part):
            yield step.data
            step = self._advance(steps)
        if isinstance(step, Cut):
            if self._connection is None and not self._in_process:
                # A server may drop the pieces in its queue when the app fails: empty ones push them out.
                yield from _EMPTY_PIECES
            self._cut(steps, step)

    def _filter(self, filtered: FilteredAnswer) -> Iterator[bytes]:
        """Yield the parts of the app's answer after the filter."""
        while not filtered.over:
            piece = self._next_not_empty()
            steps = filtered.feed(piece, more=bool(piece))
            yield from self._carry(steps, self._advance(steps))

    def _pass_on(self) -> Iterator[bytes]:
        """Yield the rest of the app's answer unchanged."""
        while (piece := self._next()) is not None:
            yield piece  # also an empty one: hypercorn starts no answer without a piece

    def _next(self) -> bytes | None:
        """Get the next piece of the app's answer; None at its end."""
        if not self._ahead:
            piece = next(self._pieces, None)
            self._ahead.append(piece)  # after the pieces that the app wrote while it made this one
        return self._ahead.popleft()

    def _next_not_empty(self) -> bytes:
        """Get the next piece of the app's answer that is not empty; empty at its end."""
        while (piece := self._next()) == b"":
            pass
        return piece or b""

    # An answer of ours

    def _answer(self, step: Send) -> None:
        ends = self._start_ours(step)
        if step.body is None:
            self._begun, self._unread = True, step.unread
        elif ends:
            self._begun, self._parts = True, iter([step.body])
        else:
            self._result = [step.body]  # also an empty piece: see `_pass_on`

    def _start_ours(self, step: Send) -> bool:
        """Start an answer of ours, and return whether the connection ends after it.

        It ends if the rule asks for that, or if part of the request's body is unread: the server could take that part
        for the next request.
        """
        in_process, headers = self._in_process, step.headers
        unread = step.unread and not (in_process or is_buffered(self._environ))
        if step.closes and not in_process:
            headers = without_connection(headers)
        if in_process or self._request.http2 or not (unread or step.closes):
            self._write_on = self._start_response(step.status_line, headers)
            return False
        if not self._server.says_close:
            headers = [*headers, CLOSE]
        # Duplicate the descriptor before the server closes its own. Without a descriptor the server's close would
        # reset a client that is still sending, so read the rest of the body after the answer. Do not read it if
        # reading was too slow before, if the answer has no length, or if reading would make the server say
        # `100 Continue`.
        self._lingering = self._server.connection(self._environ)
        leaves_rest = self._stopped_reading or "HTTP_EXPECT" in self._environ or length_of(headers) is None
        self._reads_rest = unread and self._lingering is None and not leaves_rest
        self._write_on = self._start_response(step.status_line, headers)
        self._server.close_after_answer(self._environ, self._start_response)
        return True

    def _read_rest(self) -> None:
        """Read the rest of the request's body after the answer."""
        stream = self._environ["wsgi.input"]
        with suppress(Exception):
            self._drain(before=stream.raw.size if isinstance(stream, AppBody) else 0)

    # The request's body, and the client that waits

    def _drain(
        self, listing: Listing | None = None, up_to: int | None = None, before: int = 0
    ) -> BodySummary | None:
        """Read the request body and drop it, within bounds of bytes and seconds.

        A server's `read` blocks until it has all the bytes that it was asked for, and the time is checked only between
        two reads. So a slow client gets small reads. A body without a length that ends before `up_to` is put back for
        the app.

        Args:
            listing: gets each piece.
            up_to: the most bytes to read; None: all.
            before: the number of bytes that were read before this call.

        Returns:
            The number of bytes, their digest, and whether that was all; None if the body has no known end.

        Raises:
            ClientLeft: the body ends too early, or the server cannot read it.
        """
        environ, clock = self._environ, self._plan.services.monotonic
        length = self._request.content_length
        if length is None and not environ.get("wsgi.input_terminated"):
            return None
        length = None if length is None else length - before
        kept: list[bytes] | None = [] if up_to is not None and length is None else None
        stream = body_of(environ)
        source = (self._server.body and call_row(self._server.body, stream)) or stream
        # `read1` gives what has come so far, where the server has it.
        read = getattr(source, "read1", source.read)
        digest = self._request.body_digest(self._plan.origin[2])
        wanted = length if up_to is None else up_to
        buffered = self._in_process or is_buffered(environ)
        most, ended = PIECE if buffered else FIRST_PIECE, False
        end = clock() + MOST_SECONDS
        with nullcontext() if buffered else self._impatient():
            while wanted is None or digest.size < wanted:
                began = clock()
                if digest.size >= MOST_BYTES or began >= end:
                    break
                try:
                    piece = read(most if wanted is None else min(most, wanted - digest.size))
                except TimeoutError:
                    break
                except Exception as error:
                    raise ClientLeft from error
                ended = not piece
                if ended:
                    break
                digest.update(piece)
                if listing is not None:
                    listing.feed(piece)
                if kept is not None:
                    kept.append(piece)
                most = min(2 * most, PIECE) if clock() - began < SLOW else 1
        if ended and length is not None:
            raise ClientLeft
        whole = ended or digest.size == length
        if kept is not None and whole:
            environ["wsgi.input"] = BytesIO(b"".join(kept))
        return digest.size, digest.hexdigest(), whole

    @contextmanager
    def _impatient(self) -> Iterator[None]:
        """Limit the server's wait for the next byte of the request to `MOST_SECONDS`, if it can."""
        stream = getattr(body_of(self._environ), "raw", None) if OUR_SERVER in self._environ else None
        with self._reached() as connection:
            handle: Any = None if connection is None else connection.handle
            if stream is not None:
                limit, own_limit = stream.allow, None
            elif hasattr(handle, "settimeout"):
                limit, own_limit = handle.settimeout, handle.gettimeout()
            else:
                yield
                return
            limit(MOST_SECONDS)
            try:
                yield
            finally:
                limit(own_limit)

    def _reached(self) -> AbstractContextManager[Connection | None]:
        """Hold the client's connection for a moment, where the server shows it."""
        return self._server.connection(self._environ) or nullcontext()

    def _wait(self, step: Wait) -> bool:
        if self._begun or self._connection is not None:
            return self._sleep(step.seconds, self._connection)
        if not step.seconds:
            return True
        try:
            with self._reached() as connection:
                return self._sleep(step.seconds, connection)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if step.is_fault and self._in_process:
                raise LostPatience(error) from error
            raise

    def _sleep(self, seconds: float, connection: Connection | None = None) -> bool:
        """Block for some seconds, and return whether the client is still there.

        The wait is shorter only if the client leaves, the plan is over or the program ends. It checks the client once
        more at its end: on a busy machine a client may have left just before.

        Args:
            seconds: how long; zero or below: check the client only.
            connection: shows when the client leaves, at once.
        """
        has_left: Callable[[float], object] = time.sleep if connection is None else connection.client_left
        for pause in self._plan.pauses(seconds):
            if program_ends():
                break
            if self._plan.services.wait(pause, has_left):
                return False
        return connection is None or not has_left(0)

    # The app's own answer

    def _observe_body(self, step: RunApp) -> ObservedBody | None:
        """Put a stream of ours between the app and the request's body, if the step needs to see it."""
        source, length, pause = self._environ.get("wsgi.input"), self._request.content_length, step.pause
        ends = length is not None or self._environ.get("wsgi.input_terminated")
        if source is None or not (self._request.has_body and ends):
            return None
        readers = [reader.feed for reader in (self._entry.seen, step.listing) if reader is not None]
        if not (readers or isinstance(step, Dropped) or pause):
            return None
        wait = Wait(0 if pause is None else pause.seconds)
        body = ObservedBody(source, length, readers, pause, lambda: self._wait(wait))
        self._environ["wsgi.input"] = AppBody(body)
        return body

    def _run_app(self, answer: RunApp) -> Iterable[bytes]:
        """Run the app, and give its body to the server unchanged."""
        self._observe_body(answer)
        environ = self._environ
        if answer.hidden:
            keys = {f"HTTP_{name.upper().replace('-', '_')}" for name in answer.hidden}
            environ = {name: value for name, value in environ.items() if name not in keys}
        try:
            result = self._app(environ, partial(self._start, answer))
            if isinstance(answer, NotedAnswer):
                answer.returned()
        except BaseException:
            self._app_ended()
            raise
        return result

    def _start(
        self, answer: RunApp, status: str, headers: Headers, *more: Any, **named: Any
    ) -> Callable[[bytes], object]:
        """Change the head of the app's answer, and pass it to the server's `start_response`."""
        self._advance(answer.head(AppAnswer(number_of(status[:3]) or 0, headers)))
        return self._start_response(
            status, headers if answer.headers is None else answer.headers, *more, **named
        )

    def _app_ended(self) -> None:
        self._advance(self._steps, AppEnded())

    # The app's own answer, filtered or dropped

    def _run_filtered(self, filtered: FilteredAnswer) -> Iterable[bytes]:
        self._observe_body(filtered)
        try:
            self._result = result = self._app(self._environ, self._start_later)
            self._pieces = iter(result)
            first = self._next_not_empty()
            self._check_app_started()
            self._advance(filtered.head(self._head(), first))
            self._begun = True
            headers = self._headers if filtered.headers is None else filtered.headers
            self._write_on = self._start_response(self._status_line, headers)
            if first:
                self._ahead.appendleft(first)
        except BaseException:
            self._fail()
            raise
        if filtered.passes and not self._ahead:
            # The answer is empty. A list of one piece lets the server add `Content-Length: 0`.
            self.close()
            return [b""]
        self._parts = self._pass_on() if filtered.passes else self._filter(filtered)
        return self

    def _run_dropped(self, dropped: Dropped) -> Step | None:
        """Run the app, drop its answer, and return the next step; None if its own failure is sent."""
        body = self._observe_body(dropped)
        try:
            try:
                self._result = result = self._app(self._environ, self._start_later)
                self._drop_all(dropped, result)
            except Exception:
                if not dropped.cut:
                    raise
            if dropped.failed:
                return None
            dropped.unread = self._request.has_body and not (body is not None and body.whole)
            return self._advance(self._steps)
        except BaseException:
            self._fail()
            raise

    def _drop_all(self, dropped: Dropped, result: Iterable[bytes]) -> None:
        if self._status_line:
            self._drop_head(dropped)
            if dropped.failed and not self._ahead:
                return
        self._pieces = iter(() if is_file(self._environ, result) and not dropped.failed else result)
        try:
            while not dropped.over:
                self._drop(dropped, self._next())
            if dropped.failed:
                self._begun, self._parts = True, self._pass_on()
        finally:
            if not dropped.failed:
                self._close_app()

    def _drop(self, dropped: Dropped, piece: bytes | None) -> None:
        """Drop a piece of the app's answer, or its end (None); drop its head first."""
        if self._status_line or piece != b"":
            self._check_app_started()
            self._drop_head(dropped)
        if not dropped.failed:
            dropped.feed(piece or b"", more=piece is not None)
        elif piece is not None:
            self._ahead.appendleft(piece)

    def _drop_head(self, dropped: Dropped) -> None:
        dropped.begin(AppAnswer(int(self._status_line[:3] or 0), self._headers))
        if dropped.failed:
            self._advance(self._steps)
            self._write_on = self._start_response(self._status_line, self._headers)

    def _start_later(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
        """Keep the head of the app's answer for a later call of the server's `start_response`.

        The result is the `write` of PEP 3333: it keeps the pieces that the app writes until the app returns or yields
        a piece.
        """
        if exc_info and self._begun:
            raise exc_info[1].with_traceback(exc_info[2])
        self._status_line, self._headers = status, headers
        self._ahead.clear()
        return self._ahead.append

    def _check_app_started(self) -> None:
        if not self._status_line:
            raise AssertionError("the app has not called start_response")

    def _head(self) -> AppAnswer:
        with self._reached() as connection:
            framed = connection is None or connection.speaks_http
        return AppAnswer(int(self._status_line[:3] or 0), self._headers, framed)

    # The connection itself

    def _hold(self) -> Reach:
        """Get hold of the client's connection, and return how it can be reached."""
        if self._in_process:
            return Reach.IN_PROCESS
        self._connection = self._server.connection(self._environ)
        return Reach.SERVER if self._connection is None else Reach.CONNECTION

    def _hang_on_thread(self) -> bool:
        """Move a hang to a thread of its own, so that it blocks no worker; return whether it moved.

        To the server it looks as if the client had left: only we hold the connection.
        """
        if self._connection is None or not (threads_run() and self._connection.detach_from_server()):
            return False
        try:
            threading.Thread(target=self._hang, name="faultinject", daemon=True).start()
        except RuntimeError:  # no more threads
            return False
        return True

    def _hang(self) -> None:
        try:
            self._advance(self._steps, Reach.CONNECTION)
        except Exception as error:
            self._plan.services.failed(error, self._entry.rule or "")
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Release the connection; a second call does nothing."""
        if self._connection is not None:
            self._connection.release()

    def _fail(self) -> None:
        self._app_ended()
        self.close()

    def _cut(self, steps: Steps, step: Cut) -> None:
        """End the connection after the part that the server has sent."""
        if self._in_process:
            self._advance(steps, "raised")
            raise cut_of(step, self._entry.rule or "")
        # The server must not answer a further request of this connection that it has read already.
        self._server.close_after_answer(self._environ, self._start_response)
        connection = self._connection
        if connection is None:
            # When the app fails, the server drops all that it has not sent, even the head: give it time to send.
            self._sleep(FLUSH)
            self._advance(steps, "closed")
            # All servers close the connection after this error, though most of them log it.
            raise ConnectionAbortedError("answer cut by faultinject")
        if not step.sent:
            # Many servers send no head before a byte of the body.
            self._write_on(b"")
        for pause in until_delivered(connection, self._plan.services.monotonic):
            self._plan.services.wait(pause, connection.gone)
        if connection.delivered() and step.resets:
            self._advance(steps, connection.reset())
        else:
            end(connection, unread=self._unread)
            self._connection = None
            self._advance(steps, "closed")


def program_ends() -> bool:
    """Whether the program has begun to end.

    A program waits for its threads, and the threads of a pool wait for their work.
    """
    if getattr(threading, "_SHUTTING_DOWN", False) or not threading.main_thread().is_alive():
        return True
    # A gunicorn worker that gets SIGTERM only sets `alive` to False; its threads stay asleep.
    base = sys.modules.get("gunicorn.workers.base")
    worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return base is not None and isinstance(worker, base.Worker) and not worker.alive


# granian queues four pieces. Once it has asked for six more, all earlier pieces have left the queue.
_EMPTY_PIECES = (b"",) * 6

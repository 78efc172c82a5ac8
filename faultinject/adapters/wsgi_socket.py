"""WSGI: what goes past the server: a broken connection, the vendor's own head, an answer that comes late."""

from __future__ import annotations

from contextlib import suppress

from faultinject.adapters.client_errors import closed_error, in_process, reset_error, timeout_error
from faultinject.adapters.connection import Connection, of_environ
from faultinject.adapters.wsgi_ending import Ending, respond_and_end
from faultinject.adapters.wsgi_past_server import empty_response, end_past, go_on, send_all
from faultinject.adapters.wsgi_wait import wait
from faultinject.http.wire import BLANK_EVERY, late_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from faultinject.adapters.types import Environ, Start
    from faultinject.engine.actions import Disconnect, Respond
    from faultinject.engine.journal_entry import Entry
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import WSGIRequest
    from faultinject.engine.types import Body
    from faultinject.http.types import Headers


def respond_past_server(
    environ: Environ,
    start_response: Start,
    plan: Plan,
    action: Respond,
    headers: Headers,
    request: WSGIRequest,
    end: Disconnect | None,
    did: str,
    *,
    unread: bool,
    body: Body | None = None,
    applied: bool = False,
) -> Iterable[bytes]:
    """Give an answer that the server alone cannot give, or end the connection.

    Args:
        environ: of the request.
        start_response: the server's.
        plan: the plan that decided.
        action: the answer, also where the connection cannot be broken.
        headers: the answer's headers.
        request: the view of the request.
        end: how the connection ends instead of an answer.
        did: what the journal says of an answer.
        unread: whether something of the request's body is left.
        body: what was read of it.
        applied: whether the app ran.
    """
    entry, answer = action.entry, action.answer
    broken = body is not None
    if end is not None:
        if in_process(environ):
            entry.write("raised", body=body, applied=applied)
            raise _error(end, entry)
        connection = of_environ(environ)
        if connection is not None:
            _break(connection, plan, end, action.delay, body, applied=applied)
            return empty_response(environ, start_response)
        if end.held is not None:
            entry.write(end.how, answered=False, last=False, body=body, applied=applied)
            wait(plan, action.delay + end.held)
        entry.status, entry.response_bytes = answer.status, len(action.body)
        did = "answered"
    elif answer.late and action.body:
        entry.write(did, body=body, applied=applied)
        ending = Ending(environ, start_response, request, unread=unread, broken=broken, closes=answer.closes)
        ending.start_response(answer.status_line, headers)
        return ending.behind(Late(plan, entry, action))
    elif answer.exact is not None and not answer.late:
        connection = None if in_process(environ) or request.http2 else of_environ(environ)
        if connection is not None:
            with connection:
                if not connection.encrypted:
                    entry.write(did, body=body, applied=applied)
                    with suppress(OSError):
                        send_all(connection, answer.exact.write(headers, plan.services.clock()) + action.body)
                    end_past(connection, unread=unread)
                    return empty_response(environ, start_response)
    entry.write(did, body=body, applied=applied)
    return respond_and_end(environ, start_response, request, action, headers, unread=unread, broken=broken)


def _error(end: Disconnect, entry: Entry) -> Exception:
    """What a client in the same process would have met on a connection."""
    rule = entry.rule or ""
    if end.held is not None:
        return timeout_error(rule=rule)
    return reset_error(rule=rule) if end.how == "reset" else closed_error(rule=rule)


def _break(
    connection: Connection, plan: Plan, end: Disconnect, delay: float, body: Body | None, *, applied: bool
) -> None:
    entry = end.entry
    if end.held is None:
        # The line stands before the client can know.
        entry.write(end.how, body=body, applied=applied)
        with connection:
            if end.how == "reset":
                # What is left to the server is a socket whose other end has closed: one that was reset is an error
                # that servers log.
                connection.detach_from_server()
                did = connection.reset()
            else:
                did = connection.close()
        if did != end.how:
            entry.write(did, body=body, applied=applied)
        return
    seconds = delay + end.held
    entry.write(end.how, answered=False, last=False, body=body, applied=applied)

    def hang() -> None:
        try:
            with connection:
                wait(plan, seconds, connection)
                entry.write(end.how, body=body, applied=applied)
                connection.close()
        finally:
            plan.services.finish()

    entry.held = True
    if connection.detach_from_server():
        go_on(plan, entry.rule or "", hang)
    else:
        hang()


class Late:
    """The body of an answer whose head goes out at once: blanks while the client waits, then all of it."""

    def __init__(self, plan: Plan, entry: Entry, action: Respond) -> None:
        self._plan = plan
        self._action = action
        self._over = plan.services.finish
        entry.held = True

    def __iter__(self) -> Iterator[bytes]:
        body, plan = self._action.body, self._plan
        start = late_start(body)
        clock = plan.services.monotonic
        end, endings = clock() + self._action.delay, plan.endings
        try:
            yield body[:start] or b" "
            while (left := end - clock()) > 0 and not plan.over(endings):
                wait(plan, min(left, BLANK_EVERY))
                yield b" "
            yield body[start:]
        finally:
            self.close()

    def close(self) -> None:
        """The server is done with the answer."""
        over, self._over = self._over, _nothing
        over()


def _nothing() -> None:
    """The fault was over before."""

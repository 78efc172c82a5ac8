"""WSGI: the answer to a client that has ended its side of the connection during a delay.

It may have left, or it may still read: many clients say in this way that they have asked for all they want. Both look
the same until something is sent; so the answer goes out, and then it shows whether anybody was there.
"""

from __future__ import annotations

from faultinject.adapters.connection import of_environ
from faultinject.adapters.driving import undo
from faultinject.adapters.wsgi_ending import Ending
from faultinject.http.wire import FLUSH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from faultinject.adapters.types import Environ, Start
    from faultinject.engine.actions import Respond
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import WSGIRequest
    from faultinject.engine.types import Body
    from faultinject.http.types import Headers


def respond_at_parting(
    environ: Environ,
    start_response: Start,
    plan: Plan,
    action: Respond,
    headers: Headers,
    request: WSGIRequest,
    did: str,
    *,
    unread: bool,
    body: Body | None = None,
    applied: bool = False,
) -> Iterable[bytes]:
    """Give an injected answer through the server, end the connection behind it, and see whether it was taken.

    Args:
        environ: of the request.
        start_response: the server's.
        plan: the plan that decided.
        action: the answer.
        headers: its headers.
        request: the view of the request.
        did: what the journal says if it was.
        unread: whether something of the request's body is left.
        body: what was read of it.
        applied: whether the app ran.
    """
    broken = body is not None
    ending = Ending(environ, start_response, request, unread=unread, broken=broken, closes=True)
    parting = Parting(environ, plan, action, did, body, applied=applied)
    ending.start_response(action.answer.status_line, headers)
    return ending.behind(parting)


class Parting:
    """The body of such an answer; when the server has sent it, the journal gets its last word."""

    def __init__(
        self, environ: Environ, plan: Plan, action: Respond, did: str, body: Body | None, *, applied: bool
    ) -> None:
        self._plan = plan
        self._action = action
        self._did = did
        self._read = body
        self._applied = applied
        self._connection = of_environ(environ)
        self._settled = False
        # The fault keeps its place until it is known what became of it.
        action.entry.held = True

    def __iter__(self) -> Iterator[bytes]:
        if self._action.body:
            yield self._action.body
            self._settle()

    def close(self) -> None:
        """The server is done with the answer."""
        self._settle()

    def _settle(self) -> None:
        if self._settled:
            return
        self._settled = True
        connection, entry = self._connection, self._action.entry
        left = True  # its server has let go of the connection already
        if connection is not None:
            with connection:
                left = connection.gone(FLUSH)
        try:
            if left:
                undo(self._plan, entry, "failed", applied=self._applied, left=True)
            else:
                entry.write(self._did, body=self._read, applied=self._applied)
        finally:
            self._plan.services.finish()

    def __del__(self) -> None:
        # werkzeug closes no answer of a client that has reset the connection.
        self._settle()

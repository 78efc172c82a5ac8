"""What is done on a connection past its WSGI server, and what the server is told then."""

from __future__ import annotations

from threading import Thread

from faultinject.adapters.backlog import PATIENCE
from faultinject.adapters.closing import tell_wsgi
from faultinject.adapters.lingering import end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from faultinject.adapters.connection import Connection
    from faultinject.adapters.types import Environ, Start
    from faultinject.engine.plan import Plan


def go_on(plan: Plan, rule: str, work: Callable[[], None]) -> None:
    """Do the rest of a fault on a thread of its own: the server's worker is free, the client does not see that."""

    def run() -> None:
        try:
            work()
        except Exception as error:
            plan.services.failed(error, rule)

    try:
        Thread(target=run, name="faultinject", daemon=True).start()
    except RuntimeError:  # no more threads
        run()


def end_past(connection: Connection, *, unread: bool) -> None:
    """End a connection on which an answer was written past its server; of an unread body the server sees nothing more."""
    if unread:
        connection.detach_from_server()
    end(connection, unread=unread)


def empty_response(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """What the server gets to send to a client that it has lost; what it has read of further requests is left alone."""
    tell_wsgi(environ, start_response)
    start_response("502 Bad Gateway", [("Content-Length", "0")])
    return []


def send_all(connection: Connection, data: bytes) -> None:
    """Write all of it; raises `OSError` when the client has left, or reads nothing for a while."""
    rest = memoryview(data)
    while rest:
        sent = connection.push(rest)
        rest = rest[sent:]
        if not sent and not connection.wait_writable(PATIENCE):
            raise TimeoutError("the client reads nothing")

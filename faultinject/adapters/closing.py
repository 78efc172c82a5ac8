"""What servers do with a request body that nobody has read, and how each is told to close a connection.

A connection is in step when the server has read a body to its end, or will before it takes the next request from it.
Where it is not, the next request is taken for the rest of the body, so it has to be closed, and the client told so
(https://www.rfc-editor.org/rfc/rfc9112#section-9.3). Servers are known by what they show an app, not by name, so that
relatives are known too; the others get `Connection: close` where an app may say so.
"""

from __future__ import annotations

from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

SAID = "said"
"""The server has been told, and says so itself; or it closes every connection anyway."""
HEADER = "header"
"""The answer says `Connection: close`."""
BEHIND = "behind"
"""The server refuses that header from an app, and takes it once the answer has started."""
READ = "read"
"""The connection is not closed: what is left of the body is read behind the answer."""


def in_step_wsgi(environ: Mapping[str, Any], start_response: Callable[..., Any], *, broken: bool) -> bool:
    """Whether a WSGI server stays in step with a request body that is not read to its end.

    Args:
        environ: of the request.
        start_response: the server's.
        broken: reading was given up in the middle, so the rest is not to be waited for.
    """
    with suppress(AttributeError, ValueError):  # it has no such method; the app has closed it
        if environ["wsgi.input"].seekable():
            return True  # all of it is in memory or in a file: waitress, ASGI servers, test clients
    # cheroot reads a body of known length to its end before it answers.
    return not broken and _in_chunks(start_response) is False


def tell_wsgi(
    environ: Mapping[str, Any], start_response: Callable[..., Any], *, readable: bool = False
) -> str | None:
    """Tell a WSGI server to close the connection behind the answer that is about to start.

    Args:
        environ: of the request.
        start_response: the server's.
        readable: whether the rest of the request's body may be read instead.

    Returns:
        How the client is told: `SAID`, `HEADER` or `BEHIND`; or `READ`. None: PEP 3333 lets a server refuse the
        header, and nothing shows that this one does not.
    """
    exchange = getattr(start_response, "__self__", None)
    if readable and _in_chunks(start_response):
        return READ  # cheroot shuts a connection in both directions, which resets it under a client that is sending
    force_close = getattr(exchange, "force_close", None)
    if force_close is not None:
        force_close()  # gunicorn
        return SAID
    for each in (exchange, getattr(exchange, "req", None)):
        if hasattr(each, "close_connection"):
            each.close_connection = True  # type: ignore[union-attr]  # gevent; cheroot
            return HEADER
    if hasattr(exchange, "headers_class"):
        return BEHIND  # wsgiref, Django's runserver
    channel = getattr(environ.get("waitress.client_disconnected"), "__self__", None)
    if getattr(channel, "requests", None):
        # waitress does what the client has asked for.
        channel.requests[0].headers["CONNECTION"] = "close"  # type: ignore[union-attr]
        return SAID
    if "werkzeug.socket" in environ:
        return SAID
    software = environ.get("SERVER_SOFTWARE", "")
    # What runs in an ASGI server passes its headers on.
    hears = "uwsgi.version" in environ or "asgi.scope" in environ or software == "Granian"
    return HEADER if hears else None


def _in_chunks(start_response: Callable[..., Any]) -> bool | None:
    """Whether cheroot reads the body in chunks; None of other servers."""
    request = getattr(getattr(start_response, "__self__", None), "req", None)
    in_chunks: bool | None = getattr(request, "chunked_read", None)
    return in_chunks


def in_step_asgi(receive: Callable[..., Any], send: Callable[..., Any], *, broken: bool) -> bool:
    """Whether an ASGI server stays in step with a request body that is not read to its end.

    Args:
        receive: the server's.
        send: the server's.
        broken: reading was given up in the middle, so the rest is not to be waited for.
    """
    exchange = getattr(receive, "__self__", None)
    waits = getattr(exchange, "waiting_for_100_continue", None)
    if waits is not None:
        # uvicorn reads the rest behind the answer. A client that was not told to go on may leave it out.
        return not (exchange.more_body and (waits or broken))  # type: ignore[union-attr]
    if getattr(exchange, "_complete", False):
        return True  # gunicorn has all of it
    return _channel(send) is not None


def wants_a_hearing(receive: Callable[..., Any]) -> bool:
    """Whether a server cannot end an exchange while the app leaves its queue full: hypercorn, on asyncio and trio."""
    queue = getattr(receive, "__self__", None)
    return hasattr(queue, "get_nowait") or hasattr(queue, "receive_nowait")


def tell_asgi(receive: Callable[..., Any], send: Callable[..., Any]) -> str:
    """Tell an ASGI server to close the connection behind the answer that is about to start.

    Returns:
        How the client is told: `SAID` or `HEADER`.
    """
    request = getattr(getattr(receive, "__self__", None), "request", None)
    if hasattr(request, "must_close"):
        request.must_close = True  # type: ignore[union-attr]  # gunicorn
        return SAID
    channel = _channel(send)
    if channel is not None:
        channel.persistent = False
    return HEADER


def _channel(send: Callable[..., Any]) -> Any:
    """The connection of daphne, which has read the whole body before the app runs; None of other servers."""
    exchange = next(iter(getattr(send, "args", ())), None)
    channel = getattr(exchange, "channel", None)
    return channel if hasattr(channel, "persistent") else None

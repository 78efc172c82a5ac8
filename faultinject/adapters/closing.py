"""What servers do with a request body that nobody has read, and how each is told to close a connection.

A connection is in step when the server has read a body to its end, or will before it takes the next request from it.
Where it is not, the next request is taken for the rest of the body, so it has to be closed, and the client told so
(https://www.rfc-editor.org/rfc/rfc9112#section-9.3). Servers are known by what they show an app, not by name, so that
relatives are known too, also beneath other middleware; the others get `Connection: close`.
"""

from __future__ import annotations

from functools import partial
from types import FunctionType, MethodType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

SAID = "said"
"""The server has been told, and says so itself; or it closes every connection anyway."""
HEADER = "header"
"""The answer says `Connection: close`."""
BEHIND = "behind"
"""The server refuses that header from an app, and takes it once the answer has started."""
READ = "read"
"""What is left of the body is read behind the answer, and the connection is closed where the server says so itself."""
TRIED = "tried"
"""The answer says `Connection: close` unless the server refuses that; nothing shows whether it does, nor whether it closes."""
OUR_SERVER = "faultinject.receive"
"""In the environ of a WSGI app that `serve` has put behind uvicorn: uvicorn's `receive`."""
_MOST_LAYERS = 32


def in_step_wsgi(environ: Mapping[str, Any], start_response: Callable[..., Any], *, broken: bool) -> bool:
    """Whether a WSGI server stays in step with a request body that is not read to its end.

    Args:
        environ: of the request.
        start_response: the server's.
        broken: reading was given up in the middle, so the rest is not to be waited for.
    """
    if OUR_SERVER in environ:
        return in_step_asgi(environ["asgi.scope"], environ[OUR_SERVER], start_response, broken=broken)
    if is_at_hand(environ):
        return True
    request = _cheroot(start_response)
    # It reads a body of known length to its end before it answers, on a connection that it keeps.
    return request is not None and not (broken or request.chunked_read or request.close_connection)


def is_at_hand(environ: Mapping[str, Any]) -> bool:
    """Whether the whole request body is in memory or in a file: in waitress, ASGI servers, test clients."""
    try:
        return bool(environ["wsgi.input"].seekable())
    except (AttributeError, ValueError):  # it has no such method; the app has closed it
        return False


def tell_wsgi(
    environ: Mapping[str, Any],
    start_response: Callable[..., Any],
    *,
    readable: bool = False,
    closes: bool = False,
) -> str:
    """Tell a WSGI server to close the connection behind the answer that is about to start.

    Args:
        environ: of the request.
        start_response: the server's.
        readable: whether the rest of the request's body may be read instead.
        closes: whether the connection is to end all the same.

    Returns:
        How the client is told: `SAID`, `HEADER`, `BEHIND` or `TRIED`; or `READ`.
    """
    if OUR_SERVER in environ:
        environ[OUR_SERVER].__self__.keep_alive = False
        return SAID
    exchange = _exchange(start_response)
    request = _cheroot(start_response)
    if readable and request is not None:
        # It shuts a connection in both directions, which resets it under a client that is sending.
        request.close_connection = request.close_connection or closes
        return READ
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
        # waitress does what the client has asked for; the environ does not say what stands in it.
        channel.requests[0].headers["CONNECTION"] = "close"  # type: ignore[union-attr]
        return SAID
    if "werkzeug.socket" in environ:
        return SAID
    software = environ.get("SERVER_SOFTWARE", "")
    # What runs in an ASGI server passes its headers on.
    hears = "uwsgi.version" in environ or "asgi.scope" in environ or software == "Granian"
    return HEADER if hears else TRIED


def say_behind(start_response: Callable[..., Any], name: str, value: str) -> None:
    """Add a header to an answer that has started; where `tell_wsgi` gave `BEHIND`."""
    _exchange(start_response).headers[name] = value


def layers_of(outermost: Callable[..., Any]) -> Iterator[Any]:
    """A callable that we were given, and what it calls in the end: other middleware wraps the server's."""
    found = [outermost]
    for each in found:
        yield each
        held = [cell.cell_contents for cell in getattr(each, "__closure__", None) or () if is_filled(cell)]
        if isinstance(each, partial):
            held += [each.func, *each.args]
        held += getattr(getattr(each, "__self__", each), "__dict__", {}).values()
        held = [
            one for one in held if isinstance(one, FunctionType | MethodType | partial) and one not in found
        ]
        found += held[: _MOST_LAYERS - len(found)]


def is_filled(cell: Any) -> bool:
    """Whether a cell of a closure has anything in it."""
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _owners(outermost: Callable[..., Any]) -> Iterator[Any]:
    """The objects whose methods these are."""
    return (getattr(each, "__self__", None) for each in layers_of(outermost))


def _exchange(start_response: Callable[..., Any]) -> Any:
    """What gunicorn, gevent, cheroot, wsgiref and Django have of one request; None of other servers."""
    for each in layers_of(start_response):
        if isinstance(each, MethodType) and each.__name__ == "start_response":
            owner = each.__self__
            if any(
                hasattr(owner, name) for name in ("force_close", "close_connection", "req", "headers_class")
            ):
                return owner
    return None


def _cheroot(start_response: Callable[..., Any]) -> Any:
    """What cheroot has of one request; None of other servers."""
    request = getattr(_exchange(start_response), "req", None)
    return request if hasattr(request, "chunked_read") else None


def in_step_asgi(
    scope: Mapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any], *, broken: bool
) -> bool:
    """Whether an ASGI server stays in step with a request body that is not read to its end.

    Args:
        scope: of the request.
        receive: the server's.
        send: the server's.
        broken: reading was given up in the middle, so the rest is not to be waited for.
    """
    for exchange in _owners(receive):
        waits = getattr(exchange, "waiting_for_100_continue", None)
        if waits is not None:
            # uvicorn reads the rest behind the answer, on a connection that it keeps. A client that was not told to go
            # on may leave it out.
            last = _is_last(scope) or not getattr(exchange, "keep_alive", True)
            return not (exchange.more_body and (waits or broken or last))
    if getattr(_of_gunicorn(receive), "_complete", False):
        return True  # it has all of it
    return _channel(send) is not None


def _is_last(scope: Mapping[str, Any]) -> bool:
    """Whether a client asks for the end of its connection; that of HTTP/1.0 always has it."""
    values = (value for name, value in scope["headers"] if name == b"connection")
    tokens = b",".join(values).lower().split(b",")
    return scope.get("http_version") == "1.0" or b"close" in map(bytes.strip, tokens)


def wants_a_hearing(receive: Callable[..., Any]) -> bool:
    """Whether a server cannot end an exchange while the app leaves its queue full: hypercorn, on asyncio and trio."""
    return any(hasattr(each, "get_nowait") or hasattr(each, "receive_nowait") for each in _owners(receive))


def tell_asgi(receive: Callable[..., Any], send: Callable[..., Any]) -> str:
    """Tell an ASGI server to close the connection behind the answer that is about to start.

    Returns:
        How the client is told: `SAID` or `HEADER`.
    """
    exchange = _of_gunicorn(receive)
    if exchange is not None:
        exchange.request.must_close = True
        return SAID
    channel = _channel(send)
    if channel is not None:
        channel.persistent = False
    return HEADER


def _of_gunicorn(receive: Callable[..., Any]) -> Any:
    """What gunicorn's own ASGI worker has of one request; None of other servers."""
    found = (each for each in _owners(receive) if hasattr(getattr(each, "request", None), "must_close"))
    return next(found, None)


def _channel(send: Callable[..., Any]) -> Any:
    """The connection of daphne, which has read the whole body before the app runs; None of other servers."""
    for each in layers_of(send):
        exchange = next(iter(each.args), None) if isinstance(each, partial) else None
        channel = getattr(exchange, "channel", None)
        if hasattr(channel, "persistent"):
            return channel
    return None

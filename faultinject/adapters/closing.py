"""Whether a server stays in sync with a request body that nobody has read, and how it is told to close a connection.

It is in sync when it has read a body to its end, or will before it takes the next request from the connection. Where it
is not, the next request is taken for the rest of the body, so the connection has to be closed, and the client told so
(https://www.rfc-editor.org/rfc/rfc9112#section-9.3). What each server does stands in its row of `servers.py`; the others
get `Connection: close`.
"""

from __future__ import annotations

from types import MethodType

from faultinject.adapters.servers import Told, asgi_server, layers_of, shown, wsgi_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from faultinject.adapters.types import Environ, Scope


def in_sync_wsgi(environ: Environ, start_response: Callable[..., Any], *, broken: bool) -> bool:
    """Whether a WSGI server stays in sync with a request body that is not read to its end.

    Args:
        environ: of the request.
        start_response: the server's.
        broken: reading was given up in the middle, so the rest is not to be waited for.
    """
    if is_at_hand(environ):
        return True
    server = wsgi_server(environ)
    if server is None or server.in_sync is None:
        return False
    return bool(shown(server.in_sync, environ, _exchange(start_response), broken))


def is_at_hand(environ: Environ) -> bool:
    """Whether the whole request body is in memory or in a file: in waitress, ASGI servers, test clients."""
    try:
        return bool(environ["wsgi.input"].seekable())
    except (AttributeError, ValueError):  # it has no such method; the app has closed it
        return False


def tell_wsgi(environ: Environ, start_response: Callable[..., Any]) -> Told:
    """Tell a WSGI server to close the connection behind the answer that is about to start.

    Returns:
        How the client is told.
    """
    server = wsgi_server(environ)
    if server is None:
        return Told.HEADER
    if server.tell is not None:
        shown(server.tell, environ, _exchange(start_response))
    return server.told


def say_behind(start_response: Callable[..., Any], name: str, value: str) -> None:
    """Add a header to an answer that has started; where `tell_wsgi` gave `Told.BEHIND_START`."""
    shown(lambda exchange: exchange.headers.__setitem__(name, value), _exchange(start_response))


def _exchange(start_response: Callable[..., Any]) -> Any:
    """What a server has of one request, whose method `start_response` is, or is beneath other middleware."""
    found = None
    for each in layers_of(start_response):
        if isinstance(each, MethodType) and each.__name__ == "start_response":
            found = each.__self__  # the innermost is the server's
    return found


def in_sync_asgi(scope: Scope, send: Callable[..., Any], *, broken: bool) -> bool:
    """Whether an ASGI server stays in sync with a request body that is not read to its end.

    Args:
        scope: of the request.
        send: the server's.
        broken: reading was given up in the middle, so the rest is not to be waited for.
    """
    server, own = asgi_server(send)
    if server is None or server.in_sync is None:
        return False
    return bool(shown(server.in_sync, own, scope, broken))


def tell_asgi(send: Callable[..., Any]) -> Told:
    """Tell an ASGI server to close the connection behind the answer that is about to start.

    Returns:
        How the client is told.
    """
    server, own = asgi_server(send)
    if server is None:
        return Told.HEADER
    if server.tell is not None:
        shown(server.tell, own)
    return server.told

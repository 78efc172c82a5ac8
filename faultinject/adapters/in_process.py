"""Requests of clients in the app's own process are recognised here.

It is decided once for a request, as it comes: by the server or the client whose function takes the answer, if it is
known, else by what its environ or scope shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from faultinject.adapters.servers import CLIENTS, OTHER_WSGI, asgi_server_of, layers_of, wsgi_server
from faultinject.adapters.types import Environ


def is_in_process(environ: Environ, start_response: Callable[..., Any]) -> bool:
    """Whether a client in this process calls a WSGI app, without a connection to break.

    Args:
        environ: of the request.
        start_response: the function by which the app begins its answer.
    """
    if wsgi_server(environ) is not OTHER_WSGI:
        return False
    if any(_is_of_client(layer) for layer in layers_of(start_response)):
        return True
    if "asgi.scope" in environ:
        return not _is_of_server(environ["asgi.scope"])
    # Servers that run WSGI apps through ASGI or on tornado show only the last of these.
    return not ("SERVER_SOFTWARE" in environ or "REMOTE_PORT" in environ or environ.get("wsgi.multiprocess"))


def is_in_process_scope(scope: Mapping[str, Any], send: Callable[..., Any]) -> bool:
    """Whether a client in this process calls an ASGI app, without a connection to break.

    Args:
        scope: of the request.
        send: the function by which the app answers.
    """
    for layer in layers_of(send):
        if _is_of_client(layer):
            return True
        if asgi_server_of(layer) is not None:
            return False
    return not _is_of_server(scope)


def _is_of_client(takes_answer: Any) -> bool:
    return getattr(takes_answer, "__module__", None) in CLIENTS


def _is_of_server(scope: Mapping[str, Any]) -> bool:
    """Whether a scope looks like one that a server has made."""
    if "http.response.debug" in (scope.get("extensions") or ()):
        return False  # the specification keeps it for test clients
    asgi = scope.get("asgi") or ()
    # Servers say which version of the specification they follow. Daphne does not, but its addresses are lists; the
    # client's is a tuple where a middleware reads X-Forwarded-For.
    lists = isinstance(scope.get("client"), list) or isinstance(scope.get("server"), list)
    return "spec_version" in asgi or bool(asgi and lists)

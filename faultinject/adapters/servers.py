"""The servers whose connections are known: a row for each, which says how the client's socket is reached.

A row reaches the very socket, so no fault is ever given on another client's connection. A server without a row, or
one that shows an app no socket, is answered as a gateway would, or closes by itself; the journal says which.

A row also says whether the server stays in sync with a request body that nobody has read, and how it is told to close a
connection. It is in sync when it has read a body to its end, or will before it takes the next request from the connection.
Where it is not, the next request is taken for the rest of the body, so the connection has to be closed, and the client told
so (https://www.rfc-editor.org/rfc/rfc9112#section-9.3). A server without a row gets `Connection: close`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum
from functools import partial
from types import FunctionType, MethodType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from faultinject.adapters.types import Environ, Scope

OUR_SERVER = "faultinject.receive"
"""In the environ of a WSGI app that `serve` has put behind uvicorn: uvicorn's `receive`."""
_MOST_LAYERS = 32
# What a row's getter raises where an app was given something else than that server gives.
_NOT_SHOWN = (AttributeError, IndexError, KeyError, TypeError, ValueError)


class Told(Enum):
    """How a client is told that its connection closes behind an answer."""

    BY_SERVER = "the server says so itself, or closes every connection anyway"
    HEADER = "the answer says `Connection: close`"
    BEHIND_START = "the server refuses that header from an app, and takes it once the answer has started"


# Any one of these is set by a server and by no test client.
_LIVE = (
    "SERVER_SOFTWARE",
    "REMOTE_PORT",
    "werkzeug.socket",
    "gunicorn.socket",
    "uwsgi.version",
    "uwsgi.node",
    "asgi.scope",
)


@dataclass(frozen=True, slots=True)
class WSGIServer:
    """A server of WSGI apps.

    Attributes:
        name: the server's.
        sign: what shows it in an environ: a key, or a part of SERVER_SOFTWARE.
        socket: gets the client's socket, or its number, of an environ; None: the server does not show it.
        encrypted: gets whether TLS is spoken, of the environ and that socket.
        unsent: gets the number of bytes that the server has not sent yet; None: it sends each piece at once.
        relays: the socket may be that of a router of the server's own, which hands on a FIN to the client but no RST.
        told: how a client is told that the connection closes behind an answer.
        tell: tells the server to close it; None: the header does. It is given the environ, and what the server has of
            the exchange: what its `start_response` is a method of.
        in_sync: whether the server reads a body that nobody has read, before the next request; None: it does not. It is
            given the same, and whether reading was given up in the middle, so that the rest is not to be waited for.
        reads_behind: a connection that is closed under a client that is sending would be reset: the rest of the body is
            read behind the answer.
    """

    name: str
    sign: str
    socket: Callable[[Environ], Any] | None = None
    encrypted: Callable[[Environ, Any], bool] = lambda _, socket: (
        hasattr(socket, "getpeercert") or hasattr(socket, "get_peer_certificate")  # Python's, pyOpenSSL's
    )
    unsent: Callable[[Environ], int] | None = None
    relays: bool = False
    told: Told = Told.HEADER
    tell: Callable[[Environ, Any], object] | None = None
    in_sync: Callable[[Environ, Any, bool], bool] | None = None
    reads_behind: bool = False


@dataclass(frozen=True, slots=True)
class ASGIServer:
    """A server of ASGI apps. All that a row gets it gets of the server's `send`.

    Attributes:
        name: the server's.
        transport: gets what the server writes answers to.
        socket: gets the client's socket of that.
        encrypted: gets whether TLS is spoken, of that.
        unsent: gets the number of bytes that the server has not sent yet, of that.
        told: how a client is told that the connection closes behind an answer.
        tell: tells the server to close it; None: the header does.
        in_sync: whether the server reads a body that nobody has read, before the next request; None: it does not. It is
            given the scope, too, and whether reading was given up in the middle.
        wants_receive: the server cannot end an exchange while messages are left for the app to receive.
    """

    name: str
    transport: Callable[[Any], Any]
    socket: Callable[[Any], Any] = lambda transport: transport.get_extra_info("socket")
    encrypted: Callable[[Any], bool] = lambda transport: transport.get_extra_info("sslcontext") is not None
    unsent: Callable[[Any], int] = lambda transport: transport.get_write_buffer_size()
    told: Told = Told.HEADER
    tell: Callable[[Any], object] | None = None
    in_sync: Callable[[Any, Scope, bool], bool] | None = None
    wants_receive: bool = False


def _read_from(buffered: Any) -> Any:
    """The socket that a server reads a request from."""
    return buffered.raw._sock  # noqa: SLF001 - nothing else leads there


def _unlimited(stream: Any) -> Any:
    """What Django's `runserver` reads from, which lets an app read no more than the request's body."""
    return getattr(stream, "_read", stream.read).__self__


def _ours(environ: Environ) -> Any:
    """What uvicorn has of a request of ours."""
    return environ[OUR_SERVER].__self__


def _waitress(environ: Environ) -> Any:
    """The channel of a request."""
    return environ["waitress.client_disconnected"].__self__


def _hypercorn(send: Any) -> Any:
    """The connection of a request: its stream sends by its protocol, and that by the connection."""
    return send.__self__.send.__self__.send.__self__


def _variable(function: Any, name: str) -> Any:
    """What a function found under that name where it was made."""
    return function.__closure__[function.__code__.co_freevars.index(name)].cell_contents


def _lowest(transport: Any) -> Any:
    """What a transport of Twisted, or a stream of trio, has below its TLS."""
    return getattr(transport, "transport_stream", getattr(transport, "transport", transport))


def _twisted_unsent(transport: Any) -> int:
    """What Twisted has not sent yet; nothing else tells."""
    return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)  # noqa: SLF001


def _uvicorn_in_sync(cycle: Any, scope: Scope, broken: bool) -> bool:
    """What is left uvicorn reads behind the answer, on a connection that it keeps.

    A client that was not told to go on may leave it out.
    """
    ends = broken or cycle.waiting_for_100_continue or _is_last(scope) or not cycle.keep_alive
    return not (cycle.more_body and ends)


def _is_last(scope: Scope) -> bool:
    """Whether a client asks for the end of its connection; that of HTTP/1.0 always has it."""
    values = (value for name, value in scope["headers"] if name == b"connection")
    tokens = b",".join(values).lower().split(b",")
    return scope.get("http_version") == "1.0" or b"close" in map(bytes.strip, tokens)


def _cheroot_in_sync(request: Any, broken: bool) -> bool:
    """A body of known length cheroot reads to its end before it answers, on a connection that it keeps."""
    return not (broken or request.chunked_read or request.close_connection)


WSGI_SERVERS = (
    WSGIServer(
        "faultinject serve",
        OUR_SERVER,
        lambda environ: _ours(environ).transport.get_extra_info("socket"),
        encrypted=lambda environ, _: _ours(environ).transport.get_extra_info("sslcontext") is not None,
        told=Told.BY_SERVER,
        tell=lambda environ, _: setattr(_ours(environ), "keep_alive", False),
        in_sync=lambda environ, _, broken: _uvicorn_in_sync(_ours(environ), environ["asgi.scope"], broken),
    ),
    WSGIServer(
        "werkzeug", "werkzeug.socket", lambda environ: environ["werkzeug.socket"], told=Told.BY_SERVER
    ),
    WSGIServer(
        "gunicorn",
        "gunicorn.socket",
        lambda environ: environ["gunicorn.socket"],
        told=Told.BY_SERVER,
        tell=lambda _, exchange: exchange.force_close(),
    ),
    WSGIServer(
        "waitress",
        "waitress.client_disconnected",
        lambda environ: _waitress(environ).socket,
        unsent=lambda environ: _waitress(environ).total_outbufs_len,
        told=Told.BY_SERVER,
        # It does what the client has asked for; the environ does not say what stands in it.
        tell=lambda environ, _: _waitress(environ).requests[0].headers.update(CONNECTION="close"),
    ),
    WSGIServer(
        "uWSGI",
        "uwsgi.version",
        lambda _: sys.modules["uwsgi"].connection_fd(),
        encrypted=lambda environ, _: environ["wsgi.url_scheme"] == "https",
        relays=True,
    ),
    WSGIServer(
        "cheroot",
        "Cheroot/",
        lambda environ: _read_from(environ["wsgi.input"].rfile),
        tell=lambda _, exchange: setattr(exchange.req, "close_connection", True),
        in_sync=lambda _, exchange, broken: _cheroot_in_sync(exchange.req, broken),
        reads_behind=True,
    ),
    WSGIServer("gevent", "gevent/", lambda environ: _read_from(environ["wsgi.input"].rfile)),
    WSGIServer(
        "wsgiref",
        "WSGIServer/",
        lambda environ: _read_from(_unlimited(environ["wsgi.input"])),
        told=Told.BEHIND_START,
    ),
    WSGIServer("granian", "Granian", reads_behind=True),
)
"""A row for each server of WSGI apps."""
ASGI_SERVERS = (
    ASGIServer(
        "uvicorn",
        lambda send: send.__self__.transport,
        in_sync=lambda send, scope, broken: _uvicorn_in_sync(send.__self__, scope, broken),
    ),
    ASGIServer("hypercorn", lambda send: _hypercorn(send).writer.transport, wants_receive=True),
    ASGIServer(
        "hypercorn on trio",
        lambda send: _hypercorn(send).stream,
        socket=lambda stream: _lowest(stream).socket,
        encrypted=lambda stream: hasattr(stream, "transport_stream"),
        unsent=lambda _: 0,
        wants_receive=True,
    ),
    ASGIServer(
        "daphne",
        lambda send: send.args[0].channel.transport,
        socket=lambda transport: _lowest(transport).socket,
        encrypted=lambda transport: hasattr(transport, "getPeerCertificate"),
        unsent=lambda transport: _twisted_unsent(_lowest(transport)),
        # The header alone would not do it.
        tell=lambda send: setattr(send.args[0].channel, "persistent", False),
        in_sync=lambda *_: True,  # it has read the whole body before the app runs
    ),
    ASGIServer(
        "gunicorn",
        lambda send: _variable(send, "self").transport,
        told=Told.BY_SERVER,
        tell=lambda send: setattr(_variable(send, "request"), "must_close", True),
        in_sync=lambda send, *_: _variable(send, "body_receiver")._complete,  # noqa: SLF001
    ),
)
"""A row for each server of ASGI apps."""


def wsgi_server(environ: Environ) -> WSGIServer | None:
    """The row of the server that made this environ; None of another."""
    software = environ.get("SERVER_SOFTWARE", "")
    found = (row for row in WSGI_SERVERS if row.sign in environ or row.sign in software)
    return next(found, None)


def shown(get: Callable[..., Any], *given: Any) -> Any:
    """What a row's getter gets; None where that is not shown."""
    try:
        return get(*given)
    except _NOT_SHOWN:
        return None


def asgi_server(send: Callable[..., Any]) -> tuple[ASGIServer | None, Any]:
    """The row of the server whose `send` this is, and that `send` itself, also beneath other middleware."""
    for layer in layers_of(send):
        for row in ASGI_SERVERS:
            if shown(row.transport, layer) is not None:
                return row, layer
    return None, send


def in_process(environ: Mapping[str, Any]) -> bool:
    """Whether a WSGI test client calls, so that there is no connection to break."""
    for key in _LIVE:
        if key in environ:
            return False
    # Servers that run WSGI apps through ASGI or on tornado show no other sign. Django's factory sets it as well.
    bridged = environ.get("wsgi.multiprocess")
    return not bridged or type(environ.get("wsgi.input")).__module__ == "django.test.client"


def in_process_scope(scope: Mapping[str, Any]) -> bool:
    """Whether an ASGI test client calls, so that there is no connection to break."""
    if "http.response.debug" in (scope.get("extensions") or ()):
        return True  # the specification keeps it for test clients
    asgi = scope.get("asgi") or ()
    if "spec_version" in asgi:
        return False  # servers say which version of the specification they follow
    # Daphne does not, but its addresses are lists; the client's is a tuple where a middleware reads X-Forwarded-For.
    lists = isinstance(scope.get("client"), list) or isinstance(scope.get("server"), list)
    return not (asgi and lists)


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

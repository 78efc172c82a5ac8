"""Tables of servers whose connections are known, and of clients in the app's own process.

A row reaches the very socket, so no fault is ever given on another client's connection. A server without a row, or
one that shows an app no socket, is answered as a gateway would, or closes by itself; the journal says which.

A row also says how the server is told to close a connection. Where part of a request's body was left unread, the
server may take it for the next request, so the connection has to be closed, and the client told so
(https://www.rfc-editor.org/rfc/rfc9112#section-9.3). A server without a row gets `Connection: close`.

A client in this process is recognised as its request comes: by the function that takes the answer, if that is known,
else by what the environ or scope shows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from faultinject.adapters.connection import Connection, connection_of
from faultinject.adapters.types import Environ
from faultinject.http.wire import CLOSE

OUR_SERVER = "faultinject.receive"
"""In the environ of a WSGI app that `serve` has put behind uvicorn: uvicorn's `receive`."""
SENT_HEADERS = "faultinject.headers"
"""In the same environ: names and values of the request's headers as they were sent."""
SPELL = "faultinject.spell"
"""In a scope of our server: a function that is given the head of the next answer.

The server writes the status line and the headers as the function was given them.
"""
_MOST_LAYERS = 32
# Errors of a row's getter, where an app was given something other than that server gives.
_NOT_SHOWN = (AttributeError, IndexError, KeyError, TypeError, ValueError)


class WSGIServer(NamedTuple):
    """A server of WSGI apps.

    Attributes:
        name: the server's.
        sign: what shows it in an environ: a key, or a part of SERVER_SOFTWARE.
        socket: gets the client's socket, or its number, of an environ; None: the server does not show it.
        unsent: gets the number of bytes that the server has not sent yet; None: it sends each piece at once.
        relays: the socket may be that of a router of the server's own, which hands on a FIN to the client but no RST.
        speaks_http: gets whether HTTP is spoken on the socket.
        says_close: the server itself says that a connection closes, and takes that header from no app.
        close: tells the server to close the connection, once the answer has started. It is given the environ and the
            `start_response`.
        body: gets of `wsgi.input` the stream whose `read` waits for no more bytes than it is asked for; None: it is
            that one.
    """

    name: str
    sign: str
    socket: Callable[[Environ], Any] | None = None
    unsent: Callable[[Environ], int] | None = None
    relays: bool = False
    speaks_http: Callable[[Environ], bool] = lambda _: True
    says_close: bool = False
    close: Callable[[Environ, Any], object] = lambda *_: None
    body: Callable[[Any], Any] | None = None

    def connection(self, environ: Environ) -> Connection | None:
        """Get the connection of a request; None when the server shows none, as in process."""
        if self.socket is None:
            return None
        handle = shown(self.socket, environ)
        connection = connection_of(handle)
        if connection is not None:
            connection.handle = handle
            connection.relayed = self.relays and connection.port() != environ.get("SERVER_PORT")
            connection.speaks_http = self.speaks_http(environ)
            if self.unsent is not None:
                connection.unsent = partial(shown, self.unsent, environ)
        return connection

    def close_behind(self, environ: Environ, start_response: Callable[..., Any]) -> None:
        """Tell the server to close the connection after the answer that has started."""
        shown(self.close, environ, start_response)


class ASGIServer(NamedTuple):
    """A server of ASGI apps.

    Attributes:
        name: the server's.
        transport: gets of the server's `send` the transport to which it writes answers.
        socket: gets the client's socket of the transport.
        unsent: gets of the transport the number of bytes that the server has not sent yet.
        says_close: the server itself says that a connection closes, and takes that header from no app.
        close: tells the server to close the connection, before the answer starts. It is given the `send`.
        flush: tells the server to send a head that no byte of a body follows. It is given the `send`.
    """

    name: str
    transport: Callable[[Any], Any]
    socket: Callable[[Any], Any] = lambda transport: transport.get_extra_info("socket")
    unsent: Callable[[Any], int] = lambda transport: transport.get_write_buffer_size()
    says_close: bool = False
    close: Callable[[Any], object] = lambda _: None
    flush: Callable[[Any], object] = lambda _: None

    def connection(self, send: Any) -> Connection | None:
        """Get the connection of a request by the server's own `send`; None when that shows none."""
        transport = shown(self.transport, send)
        if transport is None:
            return None
        connection = connection_of(shown(self.socket, transport))
        if connection is not None:
            connection.unsent = partial(shown, self.unsent, transport)
        return connection


def _read_from(buffered: Any) -> Any:
    """Get the socket that a server reads a request from."""
    return buffered.raw._sock  # noqa: SLF001 - nothing else leads there


def _unlimited(stream: Any) -> Any:
    """Get what Django's `runserver` reads from, beneath the stream that ends with the body."""
    return getattr(stream, "_read", stream.read).__self__


def _ours(environ: Environ) -> Any:
    """Get uvicorn's object of a request to our server."""
    return environ[OUR_SERVER].__self__


def _waitress(environ: Environ) -> Any:
    """Get waitress's channel of a request."""
    return environ["waitress.client_disconnected"].__self__


def _hypercorn(send: Any) -> Any:
    """Get the connection of a request, by which its protocol sends for its stream."""
    return send.__self__.send.__self__.send.__self__


def _variable(function: Any, name: str) -> Any:
    """Get a variable that a function has from the scope in which it was made."""
    return function.__closure__[function.__code__.co_freevars.index(name)].cell_contents


def _lowest(transport: Any) -> Any:
    """Get the transport of Twisted, or the stream of trio, below the TLS."""
    return getattr(transport, "transport_stream", getattr(transport, "transport", transport))


def _twisted_unsent(transport: Any) -> int:
    """Count the bytes that Twisted has not sent yet; nothing public says it."""
    return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)  # noqa: SLF001


def _uwsgi_speaks_http(_: Environ) -> bool:
    """Whether uWSGI listens for no protocol but HTTP.

    nginx asks it by one of the others, and frames the answer itself.
    """
    return _UWSGI_SOCKETS.isdisjoint(
        name.decode() if isinstance(name, bytes) else name for name in sys.modules["uwsgi"].opt
    )


def _close_cheroot(request: Any) -> None:
    """Have cheroot close the connection without a reset.

    By itself it shuts both directions under a client that may still be sending.
    """
    request.close_connection = True
    request.conn.linger = True


# https://uwsgi-docs.readthedocs.io/en/latest/Options.html: the sockets of its protocols other than HTTP
_UWSGI_SOCKETS = frozenset(
    ("socket", "uwsgi-socket", "suwsgi-socket", "ssl-socket", "fastcgi-socket", "fastcgi-nph-socket",
     "scgi-socket", "scgi-nph-socket")
)  # fmt: skip
WSGI_SERVERS = (
    WSGIServer(
        "faultinject serve",
        OUR_SERVER,
        lambda environ: _ours(environ).transport.get_extra_info("socket"),
        unsent=lambda environ: _ours(environ).transport.get_write_buffer_size(),
        says_close=True,
        close=lambda environ, _: setattr(_ours(environ), "keep_alive", False),
    ),
    WSGIServer("werkzeug", "werkzeug.socket", lambda environ: environ["werkzeug.socket"], says_close=True),
    WSGIServer(
        "gunicorn",
        "gunicorn.socket",
        lambda environ: environ["gunicorn.socket"],
        says_close=True,
        close=lambda _, start: _exchange(start).force_close(),
        # The stream of an app waits for 1,024 bytes.
        body=lambda stream: stream.reader,
    ),
    WSGIServer(
        "waitress",
        "waitress.client_disconnected",
        lambda environ: _waitress(environ).socket,
        unsent=lambda environ: _waitress(environ).total_outbufs_len,
        says_close=True,
        # waitress closes where the request's headers ask for that; the environ has only copies of them.
        close=lambda environ, _: _waitress(environ).requests[0].headers.update(CONNECTION="close"),
    ),
    WSGIServer(
        "uWSGI",
        "uwsgi.version",
        lambda _: sys.modules["uwsgi"].connection_fd(),
        relays=True,
        speaks_http=_uwsgi_speaks_http,
    ),
    WSGIServer(
        "cheroot",
        "Cheroot/",
        lambda environ: _read_from(environ["wsgi.input"].rfile),
        close=lambda _, start: _close_cheroot(_exchange(start).req),
    ),
    WSGIServer("gevent", "gevent/", lambda environ: _read_from(environ["wsgi.input"].rfile)),
    WSGIServer(
        "wsgiref",
        "WSGIServer/",
        lambda environ: _read_from(_unlimited(body_of(environ))),
        says_close=True,
        # Django's server keeps connections open.
        close=lambda _, start: _exchange(start).headers.__setitem__(*CLOSE),
    ),
    WSGIServer("granian", "Granian"),
)
"""A row for each server of WSGI apps."""
ASGI_SERVERS = (
    ASGIServer("uvicorn", lambda send: send.__self__.transport),
    ASGIServer("hypercorn", lambda send: _hypercorn(send).writer.transport),
    ASGIServer(
        "hypercorn on trio",
        lambda send: _hypercorn(send).stream,
        socket=lambda stream: _lowest(stream).socket,
        unsent=lambda _: 0,
    ),
    ASGIServer(
        "daphne",
        lambda send: send.args[0].channel.transport,
        socket=lambda transport: _lowest(transport).socket,
        unsent=lambda transport: _twisted_unsent(_lowest(transport)),
    ),
    ASGIServer(
        "gunicorn",
        lambda send: _variable(send, "self").transport,
        says_close=True,
        close=lambda send: setattr(_variable(send, "request"), "must_close", True),
        # https://github.com/benoitc/gunicorn/blob/master/gunicorn/asgi/protocol.py, `_response_buffer`
        flush=lambda send: _variable(send, "self")._send_body(b""),  # noqa: SLF001
    ),
)
"""A row for each server of ASGI apps."""
CLIENTS = {
    "falcon.testing.helpers": "",
    "falcon.testing.srmock": "",
    "faultinject.adapters.django_client": "",
    "httpx._transports.asgi": "raise_app_exceptions",
    "httpx._transports.wsgi": "",
    "httpx2._transports.asgi": "raise_app_exceptions",
    "httpx2._transports.wsgi": "",
    "litestar.testing.transport": "raise_server_exceptions",
    "quart.testing.connections": "",
    "rest_framework.test": "",
    "starlette.testclient": "raise_server_exceptions",
    "werkzeug.test": "",
}
"""Modules in which a client takes an app's answer, and its flag to raise the app's errors.

The flag is the name of an attribute, empty where a client has none.
"""

OTHER_WSGI = WSGIServer("another", "")
OTHER_ASGI = ASGIServer("another", lambda _: None)
"""Rows of servers of which nothing is known."""
CLIENT = ASGIServer("a client in this process", lambda _: None)
"""The row of a client that calls an ASGI app without a server."""


def wsgi_server(environ: Environ) -> WSGIServer:
    """Find the row of the server that made this environ."""
    software = environ.get("SERVER_SOFTWARE", "")
    for row in WSGI_SERVERS:
        if row.sign in environ or row.sign in software:
            return row
    return OTHER_WSGI


def shown(get: Callable[..., Any], *given: Any) -> Any:
    """Call a row's getter; None where the server does not show what it gets."""
    try:
        return get(*given)
    except _NOT_SHOWN:
        return None


def asgi_server(scope: Mapping[str, Any], send: Callable[..., Any]) -> tuple[ASGIServer, Any]:
    """Find the row of a server, and its own `send`, also beneath that of other middleware.

    The row is `CLIENT` where a client in this process calls the app, without a connection to break.

    Args:
        scope: of the request.
        send: the function by which the app answers.
    """
    for layer in layers_of(send):
        if _is_of_client(layer):
            return CLIENT, layer
        for row in ASGI_SERVERS:
            if shown(row.transport, layer) is not None:
                return row, layer
    return OTHER_ASGI if _is_of_server(scope) else CLIENT, send


def know_status(status_line: str) -> None:
    """Give uvicorn a status line that it lacks.

    It knows those that HTTP has, and fails at any other.
    """
    status, phrase = int(status_line[:3]), status_line[4:].encode("latin-1")
    line = b"HTTP/1.1 %d %b\r\n" % (status, phrase)
    for module, table, text in (
        ("h11_impl", "STATUS_PHRASES", phrase),
        ("httptools_impl", "STATUS_LINE", line),
    ):
        if (protocol := sys.modules.get(f"uvicorn.protocols.http.{module}")) is not None:
            lines = getattr(protocol, table)
            # A server of ours in the same process has given the other statuses a line without a phrase.
            lines[status] = lines.get(status) or text


def layers_of(outermost: Callable[..., Any]) -> Iterator[Any]:
    """Find a callable, and all that it calls: other middleware wraps the server's own."""
    layers = [outermost]
    for layer in layers:
        yield layer
        callables = [
            shown(getattr, cell, "cell_contents") for cell in getattr(layer, "__closure__", None) or ()
        ]
        if isinstance(layer, partial):
            callables += [layer.func, *layer.args]
        callables += getattr(getattr(layer, "__self__", layer), "__dict__", {}).values()
        callables = [inner for inner in callables if _is_layer(inner) and inner not in layers]
        layers += callables[: _MOST_LAYERS - len(layers)]


def _is_layer(held: Any) -> bool:
    return isinstance(held, FunctionType | MethodType | partial) or type(held).__module__ in CLIENTS


def body_of(environ: Environ) -> Any:
    """Get the server's stream of the request's body, also beneath that of ours for the app."""
    stream = environ["wsgi.input"]
    return getattr(stream, "server_stream", stream)


def is_at_hand(environ: Environ) -> bool:
    """Whether the whole request body is in memory or in a file.

    It is in waitress, in ASGI servers and in test clients.
    """
    try:
        return bool(body_of(environ).seekable())
    except (AttributeError, ValueError):  # it has no such method; the app has closed it
        return False


def is_file(environ: Environ, result: object) -> bool:
    """Whether an app has returned a file, which a WSGI server may send by itself."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(result, wrapper)


def _exchange(start_response: Callable[..., Any]) -> Any:
    """Get the server's object whose method `start_response` is, also beneath other middleware."""
    owner = None
    for layer in layers_of(start_response):
        if isinstance(layer, MethodType) and layer.__name__ == "start_response":
            owner = layer.__self__  # the innermost is the server's
    return owner


def is_in_process(server: WSGIServer, environ: Environ, start_response: Callable[..., Any]) -> bool:
    """Whether a client in this process calls a WSGI app, without a connection to break.

    Args:
        server: the row that the environ shows.
        environ: of the request.
        start_response: the function by which the app begins its answer.
    """
    if server is not OTHER_WSGI:
        return False
    for layer in layers_of(start_response):
        if _is_of_client(layer):
            return True
    if "asgi.scope" in environ:
        return not _is_of_server(environ["asgi.scope"])
    # Servers that run WSGI apps through ASGI or on tornado show only the last of these.
    return not ("SERVER_SOFTWARE" in environ or "REMOTE_PORT" in environ or environ.get("wsgi.multiprocess"))


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

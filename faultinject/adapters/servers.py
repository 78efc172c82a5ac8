"""Tables of servers whose connections are known, and of clients in the app's own process.

A row finds the request's own socket, so a fault never reaches another client's connection. If a server has no row, or
does not show its socket to an app, a fault that breaks the connection becomes an error answer, or the server closes
the connection by itself; the journal says which.

A row also says how to make the server close a connection. If part of a request's body is unread, the server may take
it for the next request: so the connection must be closed, and the client must be told
(https://www.rfc-editor.org/rfc/rfc9112#section-9.3). A server without a row gets `Connection: close`.

A client in this process is recognised for each request: by the function that takes the answer, if the table has its
module, else by the environ or scope.
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
"""Key in the environ of a WSGI app that `serve` runs behind uvicorn: uvicorn's `receive`."""
SENT_HEADERS = "faultinject.headers"
"""Key in the same environ: names and values of the request's headers as they were sent."""
SPELL = "faultinject.spell"
"""Key in a scope of our server: a function that takes the head of the next answer.

The server writes that status line and those headers exactly as given.
"""
_MOST_LAYERS = 32
# Errors of a row's function if the object is not of the type that this server passes.
_NOT_SHOWN = (AttributeError, IndexError, KeyError, TypeError, ValueError)


class WSGIServer(NamedTuple):
    """A server of WSGI apps.

    Attributes:
        name: the server's.
        sign: a key that only its environ has, or a part of SERVER_SOFTWARE.
        socket: gets the client's socket, or its number, from an environ; None: the server does not show it.
        unsent: gets the number of bytes that the server has not sent yet; None: it sends each piece at once.
        relays: whether the socket may be that of the server's own router, which passes on a FIN but no RST.
        speaks_http: gets whether the protocol on the socket is HTTP.
        says_close: whether the server writes `Connection: close` itself; then an app must not.
        close: makes the server close the connection after the answer; called with environ and `start_response` after
            the answer has started.
        body: gets from `wsgi.input` the stream whose `read` blocks for no more bytes than asked; None: `wsgi.input`
            is that stream.
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
        """Get the connection of a request; None if the server does not show it."""
        if self.socket is None:
            return None
        handle = call_row(self.socket, environ)
        connection = connection_of(handle)
        if connection is not None:
            connection.handle = handle
            connection.relayed = self.relays and connection.port() != environ.get("SERVER_PORT")
            connection.speaks_http = self.speaks_http(environ)
            if self.unsent is not None:
                connection.unsent = partial(call_row, self.unsent, environ)
        return connection

    def close_after_answer(self, environ: Environ, start_response: Callable[..., Any]) -> None:
        """Tell the server to close the connection after the answer that has started."""
        call_row(self.close, environ, start_response)


class ASGIServer(NamedTuple):
    """A server of ASGI apps.

    Attributes:
        name: the server's.
        transport: gets from the server's `send` the transport to which it writes answers.
        socket: gets the client's socket from the transport.
        unsent: gets from the transport the number of bytes that the server has not sent yet.
        says_close: whether the server writes `Connection: close` itself; then an app must not.
        close: makes the server close the connection after the answer; called with `send` before the answer starts.
        flush: makes the server send the head at once, without a byte of the body; called with `send`.
    """

    name: str
    transport: Callable[[Any], Any]
    socket: Callable[[Any], Any] = lambda transport: transport.get_extra_info("socket")
    unsent: Callable[[Any], int] = lambda transport: transport.get_write_buffer_size()
    says_close: bool = False
    close: Callable[[Any], object] = lambda _: None
    flush: Callable[[Any], object] = lambda _: None

    def connection(self, send: Any) -> Connection | None:
        """Get the connection of a request from the server's own `send`; None if it does not show it."""
        transport = call_row(self.transport, send)
        if transport is None:
            return None
        connection = connection_of(call_row(self.socket, transport))
        if connection is not None:
            connection.unsent = partial(call_row, self.unsent, transport)
        return connection


def _read_from(buffered: Any) -> Any:
    """Get the socket that a server reads a request from."""
    return buffered.raw._sock  # noqa: SLF001 - nothing else leads there


def _unlimited(stream: Any) -> Any:
    """Get the socket's file of Django's `runserver`, beneath the stream that ends with the body."""
    return getattr(stream, "_read", stream.read).__self__


def _ours(environ: Environ) -> Any:
    """Get uvicorn's object for a request to our server."""
    return environ[OUR_SERVER].__self__


def _waitress(environ: Environ) -> Any:
    """Get waitress's channel for a request."""
    return environ["waitress.client_disconnected"].__self__


def _hypercorn(send: Any) -> Any:
    """Get hypercorn's connection: a stream sends by its protocol, and that by its connection."""
    return send.__self__.send.__self__.send.__self__


def _variable(function: Any, name: str) -> Any:
    """Get a variable from the closure of a function."""
    return function.__closure__[function.__code__.co_freevars.index(name)].cell_contents


def _lowest(transport: Any) -> Any:
    """Get the transport of Twisted, or the stream of trio, below the TLS."""
    return getattr(transport, "transport_stream", getattr(transport, "transport", transport))


def _twisted_unsent(transport: Any) -> int:
    """Count the bytes that Twisted has not sent yet; it has no public way to tell."""
    return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)  # noqa: SLF001


def _uwsgi_speaks_http(_: Environ) -> bool:
    """Whether uWSGI listens for HTTP only.

    Its other protocols are for a proxy such as nginx, which frames the answer itself.
    """
    return _UWSGI_SOCKETS.isdisjoint(
        name.decode() if isinstance(name, bytes) else name for name in sys.modules["uwsgi"].opt
    )


def _close_cheroot(request: Any) -> None:
    """Have cheroot close the connection without a reset.

    By default it shuts down both directions while the client may still be sending.
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
        close=lambda _, start: _owner_of(start).force_close(),
        # The stream that gunicorn gives an app reads 1,024 bytes at a time, and blocks for them.
        body=lambda stream: stream.reader,
    ),
    WSGIServer(
        "waitress",
        "waitress.client_disconnected",
        lambda environ: _waitress(environ).socket,
        unsent=lambda environ: _waitress(environ).total_outbufs_len,
        says_close=True,
        # waitress closes if the request's own headers ask for it; the environ has only copies of them.
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
        close=lambda _, start: _close_cheroot(_owner_of(start).req),
    ),
    WSGIServer("gevent", "gevent/", lambda environ: _read_from(environ["wsgi.input"].rfile)),
    WSGIServer(
        "wsgiref",
        "WSGIServer/",
        lambda environ: _read_from(_unlimited(body_of(environ))),
        says_close=True,
        # wsgiref closes by itself, but Django's server, which has the same name, keeps connections open.
        close=lambda _, start: _owner_of(start).headers.__setitem__(*CLOSE),
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
"""The rows of unknown servers."""
CLIENT = ASGIServer("a client in this process", lambda _: None)
"""The row of a client that calls an ASGI app without a server."""


def wsgi_server(environ: Environ) -> WSGIServer:
    """Find the row of the server that made this environ."""
    software = environ.get("SERVER_SOFTWARE", "")
    for row in WSGI_SERVERS:
        if row.sign in environ or row.sign in software:
            return row
    return OTHER_WSGI


def call_row(get: Callable[..., Any], *given: Any) -> Any:
    """Call a function of a row; None if the server does not show the object that it needs."""
    try:
        return get(*given)
    except _NOT_SHOWN:
        return None


def asgi_server(scope: Mapping[str, Any], send: Callable[..., Any]) -> tuple[ASGIServer, Any]:
    """Find the row of a server, and its own `send`, also beneath that of other middleware.

    The row is `CLIENT` if a client in this process calls the app, without a connection to break.

    Args:
        scope: the scope of the request.
        send: the function by which the app answers.
    """
    for layer in layers_of(send):
        if _is_of_client(layer):
            return CLIENT, layer
        for row in ASGI_SERVERS:
            if call_row(row.transport, layer) is not None:
                return row, layer
    return OTHER_ASGI if _is_of_server(scope) else CLIENT, send


def know_status(status_line: str) -> None:
    """Add a status line to uvicorn's table, which has only those of `http.HTTPStatus`.

    For any other status uvicorn would fail.
    """
    status, phrase = int(status_line[:3]), status_line[4:].encode("latin-1")
    line = b"HTTP/1.1 %d %b\r\n" % (status, phrase)
    for module, table, text in (
        ("h11_impl", "STATUS_PHRASES", phrase),
        ("httptools_impl", "STATUS_LINE", line),
    ):
        if (protocol := sys.modules.get(f"uvicorn.protocols.http.{module}")) is not None:
            lines = getattr(protocol, table)
            # Our own server in the same process may have added a line without a phrase.
            lines[status] = lines.get(status) or text


def layers_of(outermost: Callable[..., Any]) -> Iterator[Any]:
    """Yield a callable and the callables that it holds: other middleware wraps the server's own."""
    layers = [outermost]
    for layer in layers:
        yield layer
        callables = [
            call_row(getattr, cell, "cell_contents") for cell in getattr(layer, "__closure__", None) or ()
        ]
        if isinstance(layer, partial):
            callables += [layer.func, *layer.args]
        callables += getattr(getattr(layer, "__self__", layer), "__dict__", {}).values()
        callables = [inner for inner in callables if _is_layer(inner) and inner not in layers]
        layers += callables[: _MOST_LAYERS - len(layers)]


def _is_layer(held: Any) -> bool:
    return isinstance(held, FunctionType | MethodType | partial) or type(held).__module__ in CLIENTS


def body_of(environ: Environ) -> Any:
    """Get the server's stream of the request's body, also beneath ours."""
    stream = environ["wsgi.input"]
    return getattr(stream, "server_stream", stream)


def is_buffered(environ: Environ) -> bool:
    """Whether the whole request body is in memory or in a file, so that reading it never blocks.

    waitress, ASGI servers that run WSGI apps, and test clients read it before they call the app.
    """
    try:
        return bool(body_of(environ).seekable())
    except (AttributeError, ValueError):  # the stream has no such method, or the app has closed it
        return False


def is_file(environ: Environ, result: object) -> bool:
    """Whether an app has returned a file, which a WSGI server may send by itself."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(result, wrapper)


def _owner_of(start_response: Callable[..., Any]) -> Any:
    """Get the server's object whose method is `start_response`, also beneath middleware."""
    owner = None
    for layer in layers_of(start_response):
        if isinstance(layer, MethodType) and layer.__name__ == "start_response":
            owner = layer.__self__  # the innermost is the server's
    return owner


def is_in_process(server: WSGIServer, environ: Environ, start_response: Callable[..., Any]) -> bool:
    """Whether a client in this process calls a WSGI app, without a connection to break.

    Args:
        server: the row of the environ's server.
        environ: the environ of the request.
        start_response: the function by which the app begins its answer.
    """
    if server is not OTHER_WSGI:
        return False
    if any(map(_is_of_client, layers_of(start_response))):
        return True
    if "asgi.scope" in environ:
        return not _is_of_server(environ["asgi.scope"])
    # Each of these three shows a server. If WSGI apps run through ASGI or on tornado, only the third is there.
    return not ("SERVER_SOFTWARE" in environ or "REMOTE_PORT" in environ or environ.get("wsgi.multiprocess"))


def _is_of_client(takes_answer: Any) -> bool:
    return getattr(takes_answer, "__module__", None) in CLIENTS


def _is_of_server(scope: Mapping[str, Any]) -> bool:
    """Whether a scope looks like one that a server has made."""
    if "http.response.debug" in (scope.get("extensions") or ()):
        return False  # the specification reserves it for test clients
    asgi = scope.get("asgi") or ()
    # Servers give the version of the specification. Daphne does not, but its addresses are lists; middleware that
    # reads X-Forwarded-For may have replaced the client's by a tuple.
    lists = isinstance(scope.get("client"), list) or isinstance(scope.get("server"), list)
    return "spec_version" in asgi or bool(asgi and lists)

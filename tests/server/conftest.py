"""The server with an ASGI app, and with a WSGI app behind the bridge, which answer alike."""

import socket
from contextlib import contextmanager, suppress

import pytest
import starlette.requests
import starlette.responses
import werkzeug.wrappers

from faultinject.server.bridge import Bridge
from faultinject.server.connections import Server

PATIENCE = 60
"""Seconds that only end a hang."""
ANSWERS = {
    "/endless": (None, [b"no ", b"", b"length"]),
    "/short": (b"10", [b"short"]),
    "/breaks": (b"10", [b"begun"]),
    "/long": (b"4", [b"lo", b"nger"]),
}
"""Answers' announced lengths, and their pieces."""
ASKED = []
"""The paths that an app was asked for."""


async def asgi_app(scope, receive, send):
    """Says what it was asked, and how much of the body it read."""
    request = starlette.requests.Request(scope, receive)
    answer, path = starlette.responses.PlainTextResponse, request.url.path
    ASKED.append(path)
    if path == "/error":
        raise LookupError("the app is broken")
    if path == "/unread":
        await answer("unread")(scope, receive, send)
        return
    try:
        body = await request.body()
    except starlette.requests.ClientDisconnect:
        return
    if path == "/silent":
        return
    if path == "/nothing":
        await starlette.responses.Response(status_code=204)(scope, receive, send)
        return
    if path in ANSWERS:
        length, pieces = ANSWERS[path]
        headers = [(b"Content-Length", length)] if length else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if path == "/breaks":
            raise LookupError("the app is broken")
        await send({"type": "http.response.body", "body": b""})
        return
    told = (request.method, path, request.url.query, f"{len(body)}", ",".join(request.headers.getlist("x-a")))
    await answer(" ".join(told))(scope, receive, send)


def wsgi_app(environ, start_response):
    """The same, and what only WSGI has."""
    request, response = werkzeug.wrappers.Request(environ), werkzeug.wrappers.Response
    path = request.path
    ASKED.append(path)
    if path in ERRORS:
        raise ERRORS[path]
    if path == "/unread":
        return response("unread")(environ, start_response)
    body = request.get_data()
    if path == "/silent":
        return []
    if path in ANSWERS:
        length, pieces = ANSWERS[path]
        start_response("200 OK", [("Content-Length", length.decode())] if length else [])
        return breaks(pieces) if path == "/breaks" else iter(pieces)
    if path in HEADS:
        status, headers, pieces = HEADS[path]
        start_response(status, [*headers])
        return pieces
    if path in BEGUN:
        return BEGUN[path](start_response)
    if path == "/wrong":
        with suppress(ValueError):
            start_response("200 OK", [("X", "a\r\nY: b")])
        start_response("2OO OK", [])
    if environ.get("HTTP_X_ENVIRON"):
        told = {name: value for name, value in environ.items() if isinstance(value, str)}
        return response(repr(told))(environ, start_response)
    told = request.method, path, environ["QUERY_STRING"], f"{len(body)}", environ.get("HTTP_X_A", "")
    return response(" ".join(told))(environ, start_response)


def breaks(pieces):
    yield from pieces
    raise LookupError("the store is broken")


def begun_anew(start_response):
    start_response("200 OK", [])
    with suppress(AssertionError):
        start_response("201 Created", [])
    error = ValueError("too late")
    start_response("503 Busy", [("Date", "today"), ("Server", "mine")], (ValueError, error, None))(b"busy")
    with suppress(ValueError):
        start_response("500 Broken", [], (ValueError, error, None))
        return [b" and broken"]
    return []


def begun_later(start_response):
    start_response("200 OK", [])
    yield b""
    start_response(
        "503 Busy", [("Date", "today"), ("Server", "mine")], (ValueError, ValueError("in time"), None)
    )
    yield b"busy"


ERRORS = {
    "/error": LookupError("the store is broken"),
    "/connection": ConnectionRefusedError("the database is away"),
}
HEADS = {
    "/nothing": ("204 No Content", [("Content-Length", "0")], [b"something"]),
    "/closes": (
        "299 Fine By Us",
        [("Content-Length", "2"), ("X-ODD", "y"), ("Connection", "Close")],
        [b"ok"],
    ),
}
BEGUN = {"/again": begun_anew, "/later": begun_later}
"""The WSGI app alone has these errors, heads with bodies, and answers begun anew."""


class Exchange:
    """Sends on a connection, and reads answers."""

    def __init__(self, sock, file):
        self.sock = sock
        self.file = file
        self.headers = {}

    def __call__(self, text, body=b"", *, head=False):
        self.send(text, body)
        return self.answer(head=head)

    def send(self, text, body=b""):
        self.sock.sendall(text.encode().replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)

    def answer(self, *, head=False):
        status = self.file.readline().decode().strip()
        headers = self.headers = {}
        while line := self.file.readline().decode().strip():
            name, _, value = line.partition(": ")
            assert name.lower() not in headers
            headers[name.lower()] = value
        if head or status.split()[1] in ("204", "304"):
            return status, b""
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.file.readline(), 16):
                body += self.file.read(size)
                assert self.file.readline() == b"\r\n"
            assert self.file.readline() == b"\r\n"
            return status, body
        length = headers.get("content-length")
        return status, self.file.read(None if length is None else int(length))

    @property
    def is_kept(self):
        """Whether the next request is answered right."""
        return self("GET /next HTTP/1.1\nHost: h") == ("HTTP/1.1 200 OK", b"GET /next  0 ")

    def is_closed(self):
        return self.file.readline() == b""

    def fails(self, path):
        """Whether that is answered as broken, and the connection ends."""
        broken = self(f"GET {path} HTTP/1.1\nHost: h")[0] == "HTTP/1.1 500 Internal Server Error"
        return broken and self.is_closed()

    def rest(self):
        """All that still comes, to the end of the connection."""
        data = b""
        with suppress(ConnectionResetError):
            while more := self.file.read1(1000):
                data += more
        return data


@contextmanager
def connected(server):
    """A connection to a server, and what sends on it and reads an answer."""
    with (
        socket.create_connection(server.server_address[:2], timeout=PATIENCE) as sock,
        sock.makefile("rb") as file,
    ):
        yield Exchange(sock, file)


@contextmanager
def serving(app):
    """A connection to a server of its own."""
    with Server(app) as server, connected(server) as exchange:
        yield exchange


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def server(kind):
    """One for all tests of a file that leave it as it is."""
    with Server({"asgi": asgi_app, "wsgi": Bridge(wsgi_app)}[kind]) as found:
        yield found


@pytest.fixture
def connection(server):
    with connected(server) as exchange:
        yield exchange

"""A WSGI app behind `serve`, and what it is told."""

from __future__ import annotations

import ast
import logging
import re
import socket
import threading
from contextlib import suppress

import pytest
from werkzeug.wrappers import Request, Response

from faultinject import Injector, WSGIFaultMiddleware
from faultinject.server.bounds import LIMITS
from faultinject.server.bridge import Bridge
from faultinject.server.connections import Server

AT_ONCE = b"\1\0\0\0\0\0\0\0"
"""A connection that lingers so is reset when it is closed."""
PATIENCE = 60
"""Seconds that only end a hang."""


def app(environ, start_response):
    """Says what it was asked, and how much of the body it read."""
    request = Request(environ)
    path = request.path
    if path == "/error":
        raise LookupError("the store is broken")
    if path == "/connection":
        raise ConnectionRefusedError("the database is away")
    if path == "/unread":
        return Response("unread")(environ, start_response)
    body = request.get_data()
    if path == "/endless":
        start_response("200 OK", [])
        return iter([b"no ", b"", b"length"])
    if path == "/nothing":
        return Response(status=204, headers={"Content-Length": "0"})(environ, start_response)
    if path == "/short":
        start_response("200 OK", [("Content-Length", "10")])
        return [b"short"]
    if path == "/long":
        start_response("200 OK", [("Content-Length", "4")])
        return [b"long", b"er"]
    if path == "/breaks":
        return breaks(start_response)
    if path == "/closes":
        start_response("299 Fine By Us", [("Content-Length", "2"), ("X-ODD", "y"), ("Connection", "Close")])
        return [b"ok"]
    if path == "/again":
        start_response("200 OK", [])
        with suppress(AssertionError):
            start_response("201 Created", [])
        error = ValueError("too late")
        start_response("503 Busy", [("Date", "today"), ("Server", "mine")], (ValueError, error, None))(
            b"busy"
        )
        with suppress(ValueError):
            start_response("500 Broken", [], (ValueError, error, None))
        return []
    if path == "/wrong":
        with suppress(ValueError):
            start_response("200 OK", [("X", "a\r\nY: b")])
        start_response("2OO OK", [])
    if path == "/silent":
        return []
    if environ.get("HTTP_X_ENVIRON"):
        told = {name: value for name, value in environ.items() if isinstance(value, str)}
        return Response(repr(told))(environ, start_response)
    told = f"{request.method} {path} {environ['QUERY_STRING']} {len(body)} {environ.get('HTTP_X_A')}"
    return Response(told)(environ, start_response)


def breaks(start_response):
    start_response("200 OK", [("Content-Length", "10")])
    yield b"begun"
    raise LookupError("the store is broken")


@pytest.fixture
def connection():
    """A connection to the server, and what sends on it and reads an answer."""
    with (
        Server(Bridge(app)) as server,
        socket.create_connection(server.server_address, timeout=PATIENCE) as sock,
    ):
        exchange = Exchange(sock)
        with exchange.file:
            yield exchange


class Exchange:
    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")
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
        return self("GET /next HTTP/1.1\nHost: h") == ("HTTP/1.1 200 OK", b"GET /next  0 None")

    def is_closed(self):
        return self.file.readline() == b""


def test_requests_follow_each_other(connection):
    """Path, query, headers and body come as they were sent, on one connection."""
    first = connection("PUT /a%20b?x=1 HTTP/1.1\nHost: h\nX-A: 1\nX-A: 2\nContent-Length: 4", b"meow")
    assert first == ("HTTP/1.1 200 OK", b"PUT /a b x=1 4 1,2")
    assert connection.headers.keys() == {"content-type", "content-length", "date", "server"}
    assert connection.headers["server"] == "faultinject"
    assert connection.is_kept


def test_a_head_is_as_the_app_says_it(connection):
    """Its reason phrase, its capitals, its own Date and Server."""
    connection.send("GET /closes HTTP/1.1\nHost: h")
    said = connection.file.read()
    assert said.startswith(
        b"HTTP/1.1 299 Fine By Us\r\nContent-Length: 2\r\nX-ODD: y\r\nConnection: Close\r\ndate: "
    )
    assert said.lower().count(b"connection:") == 1
    assert said.endswith(b"\r\n\r\nok")


def test_an_answer_that_is_begun_anew(connection):
    """With its error before anything was sent, and never after."""
    assert connection("GET /again HTTP/1.1\nHost: h") == ("HTTP/1.1 503 Busy", b"busy")
    assert (connection.headers["date"], connection.headers["server"]) == ("today", "mine")


@pytest.mark.parametrize("path", ["/wrong", "/silent", "/error", "/connection"])
def test_an_app_that_fails(connection, path, caplog):
    """The client gets a 500, and the log the error, also one that looks like the client's."""
    assert connection(f"GET {path} HTTP/1.1\nHost: h")[0] == "HTTP/1.1 500 Internal Server Error"
    assert connection.is_closed()
    [record] = caplog.records
    assert record.exc_info


def test_a_body_in_chunks(connection):
    """It is read to its end, and the next request begins behind it; its trailers are dropped."""
    head = "PUT /a HTTP/1.1\nHost: h\nTransfer-Encoding: chunked"
    chunks = b"4;name=value\r\nmeow\r\n00002\r\n!!\r\n0\r\nX-A: 1\r\nHost: b\r\n\r\n"
    assert connection(head, chunks)[1] == b"PUT /a  6 None"
    pieces = b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in (200_000, 1, 70_000, 0))
    assert connection(head, pieces)[1] == b"PUT /a  270001 None"
    assert connection.is_kept


@pytest.mark.parametrize(
    "rest",
    [
        "\nTransfer-Encoding: chunked\n\nx",
        "\nTransfer-Encoding: chunked\n\n-4\nmeow\n0\n",
        "\nTransfer-Encoding: chunked\n\n4\nmeow!\n0\n",
        "\nTransfer-Encoding: chunked\n\n" + "1" * 20,
        "\nContent-Length: 9\n\nmeow",
    ],
    ids=["no size", "negative", "too long", "too large", "cut"],
)
def test_a_body_that_is_none(connection, rest, caplog):
    """The app does not get what looks like a whole body, and the connection ends."""
    connection.send("PUT /a HTTP/1.1\nHost: h" + rest)
    connection.sock.shutdown(socket.SHUT_WR)
    data = connection.file.read()
    assert b" 200 " not in data
    assert data.count(b"HTTP/1.1") <= 1
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


def test_chunks_that_break_in_the_middle_of_an_answer():
    """No other answer comes into it."""
    begun, seen = threading.Event(), threading.Event()

    def early(environ, start_response):
        start_response("200 OK", [])(b"begun")
        begun.set()
        seen.wait(PATIENCE)
        return [b"whole"]

    with (
        Server(Bridge(early)) as server,
        socket.create_connection(server.server_address, timeout=PATIENCE) as sock,
    ):
        exchange = Exchange(sock)
        exchange.send("PUT /a HTTP/1.1\nHost: h\nTransfer-Encoding: chunked", b"4\r\nmeow\r\n")
        assert begun.wait(PATIENCE)
        assert exchange.file.readline() == b"HTTP/1.1 200 OK\r\n"
        sock.sendall(b"nonsense\r\n")
        rest = b""
        with suppress(ConnectionResetError):
            while more := exchange.file.readline():
                rest += more
        seen.set()
    assert b"HTTP/1.1" not in rest
    assert b"whole" not in rest


def test_what_an_app_leaves_of_a_body_is_no_request(connection):
    """It is read behind the answer, so that the next request is the next one."""
    assert connection("PUT /unread HTTP/1.1\nHost: h\nContent-Length: 4", b"meow")[1] == b"unread"
    assert connection.is_kept
    connection.send("PUT /unread HTTP/1.1\nHost: h\nContent-Length: 300000", b"x" * 1000)
    assert connection.answer()[1] == b"unread"
    connection.sock.sendall(b"x" * 299_000)
    assert connection.is_kept


def test_a_client_that_asks_first(connection):
    """It is told to go on when the app reads, and the connection is kept."""
    connection.send("PUT /a HTTP/1.1\nHost: h\nExpect: 100-continue\nContent-Length: 4")
    assert connection.file.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert connection.file.readline() == b"\r\n"
    connection.sock.sendall(b"meow")
    assert connection.answer()[1] == b"PUT /a  4 None"
    assert connection.is_kept


def test_a_client_that_asks_first_and_is_answered_instead(connection):
    """Whether it sends its body then, nobody knows: the connection ends."""
    connection.send("PUT /unread HTTP/1.1\nHost: h\nExpect: 100-continue\nContent-Length: 4")
    assert connection.answer() == ("HTTP/1.1 200 OK", b"unread")
    assert connection.headers["connection"] == "close"
    assert connection.is_closed()


def test_an_answer_without_a_length(connection):
    """It comes in chunks; one that cannot have a body needs neither."""
    assert connection("GET /nothing HTTP/1.1\nHost: h") == ("HTTP/1.1 204 NO CONTENT", b"")
    assert "content-length" not in connection.headers
    assert connection("GET /endless HTTP/1.1\nHost: h") == ("HTTP/1.1 200 OK", b"no length")
    assert connection.headers["transfer-encoding"] == "chunked"
    assert connection.is_kept


@pytest.mark.parametrize("path", ["/a", "/endless", "/short", "/unread"])
def test_the_head_alone(connection, path):
    """No byte of a body leaks, whatever the app gives."""
    assert connection(f"HEAD {path} HTTP/1.1\nHost: h", head=True)[0] == "HTTP/1.1 200 OK"
    # Those of GET, as https://www.rfc-editor.org/rfc/rfc9112#section-6.1 allows.
    assert connection.headers.get("transfer-encoding") == ("chunked" if path == "/endless" else None)
    assert connection.is_kept


def test_a_client_of_old(connection):
    """HTTP/1.0 has no connection that stays, nor chunks, nor has it to name a host."""
    assert connection("GET /endless HTTP/1.0") == ("HTTP/1.1 200 OK", b"no length")
    assert "transfer-encoding" not in connection.headers
    assert connection.is_closed()


@pytest.mark.parametrize("path", ["/short", "/long", "/breaks"])
def test_another_length_than_announced(connection, path):
    """The client can tell, for the connection ends."""
    connection.send(f"GET {path} HTTP/1.1\nHost: h")
    head, _, body = connection.file.read().partition(b"\r\n\r\n")
    assert re.search(rb"Content-Length: (\d+)", head)[1] != b"%d" % len(body)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a//b?x=?y", "/a//b", "x=?y"),
        ("//b/k", "//b/k", ""),
        ("/%ff%2F", "/\xff/", ""),
        ("*", "*", ""),
        ("/[x", "/[x", ""),
    ],
)
def test_what_the_app_is_told(connection, target, path, query):
    """The path as bytes, and the raw target."""
    more = "X_A: no\nX-A: yes\nCookie: a=1\nCookie: b=2\nContent-Type: t/x\nX-Environ: 1"
    environ = ast.literal_eval(connection(f"GET {target} HTTP/1.1\nHost: h\n{more}")[1].decode())
    assert (environ["PATH_INFO"], environ["QUERY_STRING"], environ["HTTP_HOST"]) == (path, query, "h")
    assert environ["REQUEST_URI"] == environ["RAW_URI"] == target
    assert (environ["HTTP_X_A"], environ["HTTP_COOKIE"], environ["CONTENT_TYPE"]) == ("yes", "a=1;b=2", "t/x")
    address, port = connection.sock.getsockname()
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == (address, str(port))
    assert environ["SERVER_PORT"] == str(connection.sock.getpeername()[1])
    assert (environ["SERVER_PROTOCOL"], environ["SERVER_SOFTWARE"]) == ("HTTP/1.1", "faultinject")


def test_a_client_that_leaves_is_no_error(caplog):
    """An endless answer ends when the client leaves; its app learns it, and others are served."""
    ended = threading.Event()

    def endless(start_response):
        start_response("200 OK", [])
        try:
            while True:
                yield bytes(1 << 16)
        finally:
            ended.set()

    def either(environ, start_response):
        return endless(start_response) if environ["PATH_INFO"] == "/x" else app(environ, start_response)

    with Server(Bridge(either)) as server:
        sock = socket.create_connection(server.server_address, timeout=PATIENCE)
        sock.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
        assert sock.recv(15) == b"HTTP/1.1 200 OK"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        sock.close()
        assert ended.wait(PATIENCE)
        with socket.create_connection(server.server_address, timeout=PATIENCE) as other:
            assert Exchange(other).is_kept
    assert caplog.records == []


def test_an_app_that_works_on_when_its_server_ends(monkeypatch):
    """It is waited for, and what it says then goes nowhere."""
    monkeypatch.setattr(LIMITS, "grace", 0.01)
    asked, done = threading.Event(), threading.Event()

    def slow(environ, start_response):
        asked.set()
        done.wait(PATIENCE)
        start_response("200 OK", [])
        return iter([b"late"])

    server, others = Server(Bridge(slow)), set(threading.enumerate())
    server.start()
    with socket.create_connection(server.server_address, timeout=PATIENCE) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert asked.wait(PATIENCE)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert sock.recv(100) == b""
        new = set(threading.enumerate()) - others
        (serving,) = (each for each in new if each.name == "faultinject server")
        serving.join(PATIENCE)
        done.set()
        stopping.join(PATIENCE)
    assert not stopping.is_alive()


@pytest.mark.parametrize("expects", [False, True])
def test_an_injected_answer_to_a_body_that_is_not_read(expects):
    """Its connection ends, as the rest of the body would be taken for the next request."""
    faulty = WSGIFaultMiddleware(app, injector=Injector("cos:SlowDown,drain=no,path=/a", environ={}))
    more = "\nExpect: 100-continue" if expects else ""
    with (
        Server(Bridge(faulty)) as server,
        socket.create_connection(server.server_address, timeout=PATIENCE) as sock,
    ):
        exchange = Exchange(sock)
        exchange.send(
            f"PUT /a HTTP/1.1\nHost: h\nContent-Length: 100000{more}", b"" if expects else b"x" * 500
        )
        assert exchange.answer()[0].startswith("HTTP/1.1 503 ")
        assert exchange.headers["connection"] == "close"
        assert exchange.is_closed()

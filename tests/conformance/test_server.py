"""The plan's server: connections stay open as long as both sides know where a message ends."""

from __future__ import annotations

import io
import socket
import threading

import pytest
from werkzeug.wrappers import Request, Response

from faultinject.conformance.server import Server


class Watched(Server):
    """Counts the connections that have ended."""

    def __init__(self, *given):
        self.ended = threading.Semaphore(0)
        super().__init__(*given)

    def shutdown_request(self, request):
        super().shutdown_request(request)
        self.ended.release()


AT_ONCE = b"\1\0\0\0\0\0\0\0"
"""A connection that lingers so is reset when it is closed."""


def app(environ, start_response):
    """Says what it was asked, and how much of the body it read."""
    request = Request(environ)
    path = request.path
    if path == "/error":
        raise LookupError("the store is broken")
    if path == "/unread":
        return Response("unread")(environ, start_response)
    body = request.get_data()
    if path == "/endless":
        start_response("200 OK", [])
        return iter([b"no ", b"length"])
    if path == "/nothing":
        return Response(status=204)(environ, start_response)
    told = f"{request.method} {path} {environ['QUERY_STRING']} {len(body)} {environ.get('HTTP_X_A')}"
    return Response(told)(environ, start_response)


@pytest.fixture
def errors():
    return io.StringIO()


@pytest.fixture
def connection(errors):
    """A connection to the server, and what sends on it and reads an answer."""
    with Server(app, errors) as server, socket.create_connection(server.server_address, timeout=20) as sock:
        yield Exchange(sock)


class Exchange:
    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")

    def __call__(self, text, body=b""):
        self.sock.sendall(text.encode().replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)
        return self.answer()

    def answer(self):
        status = self.file.readline().decode().strip()
        headers = {}
        while line := self.file.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        length = headers.get("content-length")
        return status, self.file.read(
            0 if status.startswith("HTTP/1.1 204") else None if length is None else int(length)
        )

    def is_closed(self):
        return self.file.readline() == b""


def test_requests_follow_each_other(connection):
    """Path, query, headers and body come as they were sent, on one connection."""
    first = connection("PUT /a%20b?x=1 HTTP/1.1\nHost: h\nX-A: 1\nX-A: 2\nContent-Length: 4", b"meow")
    assert first == ("HTTP/1.1 200 OK", b"PUT /a b x=1 4 1,2")
    assert connection("GET /c HTTP/1.1\nHost: h") == ("HTTP/1.1 200 OK", b"GET /c  0 None")


def test_a_body_in_chunks(connection):
    """It is read to its end, whether or not the app does."""
    head = "PUT {} HTTP/1.1\nHost: h\nTransfer-Encoding: chunked"
    chunks = b"4\r\nmeow\r\n2\r\n!!\r\n0\r\n\r\n"
    assert connection(head.format("/a"), chunks)[1] == b"PUT /a  6 None"
    assert connection(head.format("/unread"), chunks)[1] == b"unread"
    assert connection("GET /c HTTP/1.1\nHost: h")[1] == b"GET /c  0 None"


def test_what_an_app_leaves_of_a_body_is_no_request(connection):
    """The rest is dropped, so that the next request is the next one."""
    assert connection("PUT /unread HTTP/1.1\nHost: h\nContent-Length: 4", b"meow")[1] == b"unread"
    assert connection("GET /c HTTP/1.1\nHost: h")[1] == b"GET /c  0 None"


def test_a_client_that_asks_first(connection):
    """It is told to go on before the app is called."""
    connection.sock.sendall(
        b"PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    )
    assert connection.file.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert connection.file.readline() == b"\r\n"
    connection.sock.sendall(b"meow")
    assert connection.answer()[1] == b"PUT /a  4 None"


def test_an_answer_without_a_length_ends_the_connection(connection):
    """Nothing else says where it ends; an answer without a body needs no length."""
    assert connection("GET /nothing HTTP/1.1\nHost: h") == ("HTTP/1.1 204 NO CONTENT", b"")
    assert connection("GET /endless HTTP/1.1\nHost: h") == ("HTTP/1.1 200 OK", b"no length")
    assert connection.is_closed()


def test_a_client_of_old_is_not_kept(connection):
    """HTTP/1.0 has no connection that stays."""
    assert connection("GET /a HTTP/1.0")[1] == b"GET /a  0 None"
    assert connection.is_closed()


@pytest.mark.parametrize("line", ["nonsense", "GET / HTTP/9.9.9"])
def test_what_is_no_request(connection, line):
    """It is refused, and the connection closed."""
    connection.sock.sendall(line.encode() + b"\r\n\r\n")
    assert b"400" in connection.file.read()


def test_an_error_of_the_app_is_shown(connection, errors):
    """The client gets a 500, standard error the traceback."""
    assert connection("GET /error HTTP/1.1\nHost: h")[0] == "HTTP/1.1 500 Internal Server Error"
    assert "LookupError: the store is broken" in errors.getvalue()


def test_a_client_that_leaves_is_no_error(errors):
    """An answer that nobody takes is dropped."""
    left = []

    def late(environ, start_response):
        left[0].close()
        start_response("200 OK", [("Content-Length", str(1 << 24))])
        return [bytes(1 << 24)]

    with Watched(late, errors) as server:
        sock = socket.create_connection(server.server_address, timeout=20)
        left.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert server.ended.acquire(timeout=20)
        with socket.create_connection(server.server_address, timeout=20) as other:
            other.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert other.recv(15) == b"HTTP/1.1 200 OK"
    assert errors.getvalue() == ""


def test_a_connection_that_is_reset_between_two_requests(errors):
    """Its thread ends, and nothing is said."""
    with Watched(app, errors) as server:
        with socket.create_connection(server.server_address, timeout=20) as sock:
            exchange = Exchange(sock)
            assert exchange("GET /a HTTP/1.1\nHost: h")[1] == b"GET /a  0 None"
            exchange.file.close()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        assert server.ended.acquire(timeout=20)
    assert errors.getvalue() == ""

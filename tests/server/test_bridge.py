"""A WSGI app behind `serve`, and what it is told."""

import ast
import re
import socket
import threading

import pytest

from faultinject.server.bounds import LIMITS
from faultinject.server.bridge import Bridge
from faultinject.server.connections import Server

from .conftest import PATIENCE, connected, wsgi_app

AT_ONCE = b"\1\0\0\0\0\0\0\0"
"""A connection that lingers so is reset when it is closed."""


@pytest.fixture(scope="module")
def kind():
    return "wsgi"


def test_a_head_is_as_the_app_says_it(connection):
    """Its reason phrase, its capitals, its own Date and Server."""
    connection.send("GET /closes HTTP/1.1\nHost: h")
    head = rb"HTTP/1.1 299 Fine By Us\r\nContent-Length: 2\r\nX-ODD: y\r\nConnection: Close\r\ndate: "
    said = connection.file.read()
    assert re.fullmatch(head + rb".*\r\n\r\nok", said, re.DOTALL)
    assert said.lower().count(b"connection:") == 1


@pytest.mark.parametrize("path", ["/again", "/later"])
def test_an_answer_that_is_begun_anew(connection, path):
    """With its error before anything was sent, and never after."""
    assert connection(f"GET {path} HTTP/1.1\nHost: h") == ("HTTP/1.1 503 Busy", b"busy")
    assert (connection.headers["date"], connection.headers["server"]) == ("today", "mine")


@pytest.mark.parametrize("path", ["/wrong", "/connection"])
def test_an_app_that_fails(connection, path, caplog):
    """The client gets a 500, and the log the error, also one that looks like the client's."""
    assert connection.fails(path)
    [record] = caplog.records
    assert record.exc_info


def test_a_client_that_asks_first_and_is_answered_instead(connection):
    """Whether it sends its body then, nobody knows: the connection ends."""
    connection.send("PUT /unread HTTP/1.1\nHost: h\nExpect: 100-continue\nContent-Length: 4")
    assert (connection.answer(), connection.headers["connection"], connection.is_closed()) == (
        ("HTTP/1.1 200 OK", b"unread"),
        "close",
        True,
    )


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
    address, port = connection.sock.getsockname()
    told = {
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": "h",
        "REQUEST_URI": target,
        "RAW_URI": target,
        "HTTP_X_A": "yes",
        "HTTP_COOKIE": "a=1;b=2",
        "CONTENT_TYPE": "t/x",
        "REMOTE_ADDR": address,
        "REMOTE_PORT": str(port),
        "SERVER_PORT": str(connection.sock.getpeername()[1]),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "faultinject",
    }
    assert {name: environ[name] for name in told} == told


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
        return endless(start_response) if environ["PATH_INFO"] == "/x" else wsgi_app(environ, start_response)

    with Server(Bridge(either)) as server:
        sock = socket.create_connection(server.server_address, timeout=PATIENCE)
        sock.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
        assert sock.recv(15) == b"HTTP/1.1 200 OK"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        sock.close()
        assert ended.wait(PATIENCE)
        with connected(server) as other:
            assert other.is_kept
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

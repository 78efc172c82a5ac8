"""The server behind `serve` and `conformance`: connections stay open as long as both sides know where a message ends."""

from __future__ import annotations

import ast
import io
import socket
import threading

import pytest
from werkzeug.wrappers import Request, Response

from faultinject.server import connections
from faultinject.server.connections import NAME, Server


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
    if path == "/connection":
        raise ConnectionRefusedError("the database is away")
    if path == "/unread":
        return Response("unread")(environ, start_response)
    body = request.get_data()
    if path == "/endless":
        start_response("200 OK", [])
        return iter([b"no ", b"", b"length"])
    if path == "/nothing":
        return Response(status=204)(environ, start_response)
    if path == "/short":
        start_response("200 OK", [("Content-Length", "10")])
        return [b"short"]
    if path == "/long":
        start_response("200 OK", [("Content-Length", "4")])
        return [b"long", b"er"]
    if path == "/breaks":
        return breaks(start_response)
    if path == "/closes":
        start_response("200 OK", [("Content-Length", "2"), ("Connection", "Close")])
        return [b"ok"]
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
    assert connection.headers["server"] == NAME
    assert connection.is_kept


def test_requests_that_do_not_wait_for_answers(connection):
    """They are answered in their order."""
    connection.sock.sendall(b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(5)))
    assert [connection.answer()[1] for _ in range(5)] == [b"GET /%d  0 None" % each for each in range(5)]


def test_a_line_end_behind_a_body(connection):
    """Some clients send one more than they announce: it is no request."""
    assert connection("PUT /a HTTP/1.1\nHost: h\nContent-Length: 4", b"meow\r\n")[1] == b"PUT /a  4 None"
    assert connection.is_kept


CHUNKS = b"4\r\nmeow\r\n2\r\n!!\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "chunks",
    [
        CHUNKS,
        b"4;name=value\r\nmeow\r\n00002 \r\n!!\r\n0\r\nX-Checksum: 1\r\nX-B: 2\r\n\r\n",
        b"6\nmeow!!\n0\n\n",
    ],
    ids=["plain", "extensions and trailers", "bare line ends"],
)
def test_a_body_in_chunks(connection, chunks):
    """It is read to its end, and the next request begins behind it."""
    head = "PUT /a HTTP/1.1\nHost: h\nTransfer-Encoding: chunked"
    assert connection(head, chunks)[1] == b"PUT /a  6 None"
    assert connection.is_kept


def test_chunks_of_any_size(connection):
    """Larger than what is read at a time, and read in pieces."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in (200_000, 1, 70_000, 0))
    assert connection("PUT /a HTTP/1.1\nTransfer-Encoding: chunked", chunks)[1] == b"PUT /a  270001 None"
    assert connection.is_kept


@pytest.mark.parametrize(
    "chunks",
    [
        b"x\r\n",
        b"-4\r\nmeow\r\n0\r\n\r\n",
        b"4\r\nmeow!\r\n0\r\n\r\n",
        b"0\r\n" + b"A: b\r\n" * 200,
        b"0\r\n" + b"x" * 5000,
        b"1" * 20 + b"\r\n",
    ],
    ids=["no size", "negative", "too long", "trailers", "a trailer", "too large"],
)
def test_chunks_that_are_none(connection, chunks, errors):
    """The app does not get what looks like a whole body, and the connection ends."""
    connection.sock.settimeout(20)
    connection.send("PUT /a HTTP/1.1\nHost: h\nTransfer-Encoding: chunked", chunks)
    connection.sock.shutdown(socket.SHUT_WR)
    data = connection.file.read()
    assert b" 200 " not in data
    assert data.count(b"HTTP/1.1") <= 1
    assert errors.getvalue() == ""


def test_a_body_that_ends_too_early(connection, errors):
    """The client has left: what came of it is no whole body, and nothing is said."""
    connection.send("PUT /a HTTP/1.1\nHost: h\nContent-Length: 9", b"meow")
    connection.sock.shutdown(socket.SHUT_WR)
    assert b" 200 " not in connection.file.read()
    assert errors.getvalue() == ""


def test_what_an_app_leaves_of_a_body_is_no_request(connection):
    """A little is read behind the answer, so that the next request is the next one."""
    assert connection("PUT /unread HTTP/1.1\nHost: h\nContent-Length: 4", b"meow")[1] == b"unread"
    assert connection.is_kept
    connection.send("PUT /unread HTTP/1.1\nHost: h\nContent-Length: 300000", b"x" * 1000)
    assert connection.answer()[1] == b"unread"
    connection.sock.sendall(b"x" * 299_000)
    assert connection.is_kept


@pytest.mark.parametrize("head", ["Content-Length: 5000000", "Transfer-Encoding: chunked"])
def test_what_an_app_leaves_of_a_large_body_ends_the_connection(connection, head):
    """The answer says so, and can be read though the client goes on sending."""
    body = b"x" * 5_000_000
    connection.send(f"PUT /unread HTTP/1.1\nHost: h\n{head}", body if "Length" in head else CHUNKS)
    assert connection.answer()[1] == b"unread"
    assert connection.headers["connection"] == "close"
    assert connection.is_closed()


def test_the_rest_of_a_body_that_does_not_come(errors, monkeypatch):
    """It is not waited for long."""
    monkeypatch.setattr(connections, "STALLED", 0.05)
    with Watched(app, errors) as server, socket.create_connection(server.server_address, timeout=20) as sock:
        exchange = Exchange(sock)
        assert exchange("PUT /unread HTTP/1.1\nHost: h\nContent-Length: 4", b"me")[1] == b"unread"
        assert exchange.is_closed()
        assert server.ended.acquire(timeout=20)


def test_a_client_that_asks_first(connection):
    """It is told to go on when the app reads, and the connection is kept."""
    head = "PUT {} HTTP/1.1\nHost: h\nExpect: 100-continue\nContent-Length: 4"
    connection.send(head.format("/a"))
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
    connection.sock.sendall(b"meow")
    assert connection.is_closed()


def test_an_answer_without_a_length(connection):
    """It comes in chunks; one that cannot have a body needs neither."""
    assert connection("GET /nothing HTTP/1.1\nHost: h") == ("HTTP/1.1 204 NO CONTENT", b"")
    assert connection("GET /endless HTTP/1.1\nHost: h") == ("HTTP/1.1 200 OK", b"no length")
    assert connection.headers["transfer-encoding"] == "chunked"
    assert connection.is_kept


@pytest.mark.parametrize("path", ["/a", "/endless", "/short", "/unread"])
def test_the_head_alone(connection, path):
    """No byte of a body leaks, whatever the app gives."""
    assert connection(f"HEAD {path} HTTP/1.1\nHost: h", head=True)[0] == "HTTP/1.1 200 OK"
    assert "transfer-encoding" not in connection.headers
    assert connection.is_kept


def test_a_client_of_old(connection):
    """HTTP/1.0 has no connection that stays, nor chunks."""
    assert connection("GET /endless HTTP/1.0") == ("HTTP/1.1 200 OK", b"no length")
    assert "transfer-encoding" not in connection.headers


def test_a_client_of_old_that_asks_to_be_kept(connection):
    """It is told, where the length is known."""
    for _ in range(2):
        assert connection("GET /a HTTP/1.0\nConnection: keep-alive")[1] == b"GET /a  0 None"
        assert connection.headers["connection"] == "keep-alive"
    assert connection("GET /endless HTTP/1.0\nConnection: keep-alive")[1] == b"no length"


@pytest.mark.parametrize("says", ["close", "Close", "x, close"])
def test_a_client_that_wants_no_more(connection, says):
    """Its connection ends behind the answer, which says so."""
    assert connection(f"GET /a HTTP/1.1\nHost: h\nConnection: {says}")[1] == b"GET /a  0 None"
    assert connection.headers["connection"] == "close"
    assert connection.is_closed()


def test_an_app_that_wants_no_more(connection):
    """Its word goes, once."""
    assert connection("GET /closes HTTP/1.1\nHost: h")[1] == b"ok"
    assert connection.headers["connection"] == "close"
    assert connection.is_closed()


def test_fewer_bytes_than_announced(connection):
    """The client can tell, for the connection ends."""
    connection.send("GET /short HTTP/1.1\nHost: h")
    assert connection.file.read().endswith(b"\r\n\r\nshort")


def test_more_bytes_than_announced(connection):
    """They would be taken for the next answer."""
    assert connection("GET /long HTTP/1.1\nHost: h")[1] == b"long"
    assert connection.is_kept


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("nonsense", b"400"),
        ("GET / HTTP/9.9.9", b"400"),
        ("GET / HTTP/2.0", b"505"),
        ("GET /", b"505"),
        ("PUT / HTTP/1.1\nContent-Length: x", b"400"),
        ("PUT / HTTP/1.1\nContent-Length: -1", b"400"),
        ("PUT / HTTP/1.1\nContent-Length: ²", b"400"),
        ("PUT / HTTP/1.1\nContent-Length: " + "9" * 5000, b"400"),
        ("PUT / HTTP/1.1\nContent-Length: 4\nContent-Length: 5", b"400"),
        ("PUT / HTTP/1.1\nTransfer-Encoding: gzip, chunked", b"501"),
        ("PUT / HTTP/1.1\nTransfer-Encoding: chunked, chunked", b"501"),
        ("GET /" + "x" * 70_000 + " HTTP/1.1", b"414"),
        ("GET / HTTP/1.1\nX: " + "x" * 70_000, b"431"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else None,
)
def test_what_is_no_request(connection, head, status):
    """It is refused, and the connection closed."""
    connection.send(head)
    data = connection.file.read()
    assert data.count(b"HTTP/1.1 ") <= 1
    assert status in data
    assert b"GET /" not in data.partition(b"\r\n\r\n")[2]


def test_a_refusal_can_be_read_though_the_client_goes_on_sending(connection):
    """The connection is not reset under it."""
    connection.send("PUT / HTTP/1.1\nTransfer-Encoding: gzip", b"x" * 3_000_000)
    assert connection.answer()[0].split()[1] == "501"
    assert connection.is_closed()


def test_a_header_on_two_lines(connection):
    """It is one, without the line end."""
    assert connection("GET /a HTTP/1.1\nX-A: one\n two")[1] == b"GET /a  0 one two"


def test_a_length_that_is_said_twice(connection):
    """Once is enough where both are the same."""
    assert (
        connection("PUT /a HTTP/1.1\nContent-Length: 4\nContent-Length: 4", b"meow")[1] == b"PUT /a  4 None"
    )
    assert connection.is_kept


def test_a_length_beside_chunks(connection):
    """The chunks count; who says both may be up to something, and is not kept."""
    assert (
        connection("PUT /a HTTP/1.1\nContent-Length: 99\nTransfer-Encoding: chunked", CHUNKS)[1]
        == b"PUT /a  6 None"
    )
    assert connection.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        ("/a//b?x=?y", "/a//b", "x=?y", "h"),
        ("//b/k", "//b/k", "", "h"),
        ("/%ff%2F", "/\xff/", "", "h"),
        ("http://bucket.example:81/k?a", "/k", "a", "bucket.example:81"),
        ("http://bucket.example", "/", "", "bucket.example"),
        ("http://bucket.example?a=b", "/", "a=b", "bucket.example"),
        ("*", "*", "", "h"),
        ("/[x", "/[x", "", "h"),
    ],
)
def test_what_the_app_is_told(connection, target, path, query, host):
    """The path as bytes, the raw target, and the host of an absolute one."""
    more = "X_A: no\nX-A: yes\nCookie: a=1\nCookie: b=2\nContent-Type: t/x\nX-Environ: 1"
    environ = ast.literal_eval(connection(f"GET {target} HTTP/1.1\nHost: h\n{more}")[1].decode())
    assert (environ["PATH_INFO"], environ["QUERY_STRING"], environ["HTTP_HOST"]) == (path, query, host)
    assert environ["REQUEST_URI"] == environ["RAW_URI"] == target
    assert (environ["HTTP_X_A"], environ["HTTP_COOKIE"], environ["CONTENT_TYPE"]) == ("yes", "a=1;b=2", "t/x")
    address, port = connection.sock.getsockname()
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == (address, str(port))
    assert environ["SERVER_PORT"] == str(connection.sock.getpeername()[1])
    assert (environ["SERVER_PROTOCOL"], environ["SERVER_SOFTWARE"]) == ("HTTP/1.1", NAME)


def test_an_error_of_the_app_is_shown(connection, errors):
    """The client gets a 500, standard error the traceback, and the connection is kept."""
    assert connection("GET /error HTTP/1.1\nHost: h")[0] == "HTTP/1.1 500 Internal Server Error"
    assert "LookupError: the store is broken" in errors.getvalue()
    assert connection.is_kept


def test_an_error_of_the_app_that_looks_like_the_client_s(connection, errors):
    """A database that is away is no client that left."""
    assert connection("GET /connection HTTP/1.1\nHost: h")[0] == "HTTP/1.1 500 Internal Server Error"
    assert "ConnectionRefusedError: the database is away" in errors.getvalue()


def test_an_error_in_the_middle_of_an_answer(connection, errors):
    """The client can tell that it is not whole."""
    connection.send("GET /breaks HTTP/1.1\nHost: h")
    assert connection.file.read().endswith(b"\r\n\r\nbegun")
    assert "LookupError: the store is broken" in errors.getvalue()


def test_errors_go_to_standard_error_by_themselves(capsys):
    """As it is then."""
    with Server(app) as server, socket.create_connection(server.server_address, timeout=20) as sock:
        assert Exchange(sock)("GET /error HTTP/1.1\nHost: h")[0].split()[1] == "500"
    assert "LookupError: the store is broken" in capsys.readouterr().err


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
            assert exchange.is_kept
            exchange.file.close()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        assert server.ended.acquire(timeout=20)
    assert errors.getvalue() == ""


def test_a_connection_that_is_idle_for_long(errors, monkeypatch):
    """It ends, and nothing is said; long after any client has tried again."""
    assert connections.IDLE > 60
    monkeypatch.setattr(connections, "IDLE", 0.05)
    with Watched(app, errors) as server, socket.create_connection(server.server_address, timeout=20) as sock:
        assert Exchange(sock).is_closed()
        assert server.ended.acquire(timeout=20)
    assert errors.getvalue() == ""


def test_an_app_that_is_slow_is_not_idle(monkeypatch):
    """Nor is a client that takes its time for the body."""
    monkeypatch.setattr(
        connections, "IDLE", 1.0
    )  # a busy machine may keep this test from asking for half of it

    slow = threading.Event()

    def late(environ, start_response):
        slow.wait(1.2)
        return app(environ, start_response)

    with Server(late) as server, socket.create_connection(server.server_address, timeout=20) as sock:
        exchange = Exchange(sock)
        assert exchange("GET /a HTTP/1.1\nHost: h")[1] == b"GET /a  0 None"


def test_a_socket_of_somebody_else_s():
    """It is taken over, with its address, also of IPv6; when the server ends, nobody can connect."""
    sock = socket.create_server(("::1", 0), family=socket.AF_INET6)
    with Server(app, sock=sock) as server:
        assert (server.port, server.url) == (sock.getsockname()[1], f"http://[::1]:{server.port}")
        with socket.create_connection(("::1", server.port), timeout=20) as client:
            assert Exchange(client).is_kept
    assert sock.fileno() == -1


def test_stop_ends_connections_as_well():
    """An idle one, and one whose request is still read: their clients learn of it, and no thread stays."""
    before = set(threading.enumerate())
    server = Server(app)
    server.start()
    idle, sending = (socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(2))
    idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.recv(1000).startswith(b"HTTP/1.1 200 ")
    sending.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
    assert sending.recv(1000).startswith(b"HTTP/1.1 100 ")
    server.stop()
    assert set(threading.enumerate()) <= before
    for each in (idle, sending):
        with each:
            while each.recv(1000):
                """What was answered before the end."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 10)


def test_the_address_of_a_server_of_its_own():
    """On loopback."""
    with Server(app) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"

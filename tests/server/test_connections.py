"""The server behind `serve` and `conformance`, which takes only clear requests."""

import asyncio
import logging
import re
import socket
import sys
import threading
from contextlib import suppress

import pytest
from starlette.responses import Response

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from faultinject.exceptions import MissingExtraError
from faultinject.server.bounds import LIMITS
from faultinject.server.bridge import Bridge
from faultinject.server.connections import Server

from .conftest import ASKED, PATIENCE, asgi_app, connected, serving, wsgi_app


def test_requests_follow_each_other(connection):
    """Path, query, headers and body come as they were sent, on one connection."""
    first = connection("PUT /a%20b?x=1 HTTP/1.1\nHost: h\nX-A: 1\nX-A: 2\nContent-Length: 4", b"meow")
    assert (*first, connection.headers["server"]) == ("HTTP/1.1 200 OK", b"PUT /a b x=1 4 1,2", "faultinject")
    assert (connection.headers.keys(), connection.is_kept) == (
        {"content-type", "content-length", "date", "server"},
        True,
    )


@pytest.mark.parametrize("path", ["/silent", "/error"])
def test_an_app_that_fails(connection, kind, path, caplog):
    """The client gets a 500, and the log says why."""
    assert connection.fails(path)
    [record] = caplog.records
    assert record.exc_info if kind == "wsgi" else "ASGI" in record.message


@pytest.mark.parametrize(
    ("chunks", "size"),
    [
        (b"4;name=value\r\nmeow\r\n00002\r\n!!\r\n0\r\nX-A: 1\r\nHost: b\r\n\r\n", 6),
        (b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in (200_000, 1, 70_000, 0)), 270_001),
    ],
    ids=["small", "large"],
)
def test_a_body_in_chunks(connection, chunks, size):
    """It is read to its end, and the next request begins behind it; its trailers are dropped."""
    head = "PUT /a HTTP/1.1\nHost: h\nTransfer-Encoding: chunked"
    assert (connection(head, chunks)[1], connection.is_kept) == (b"PUT /a  %d " % size, True)


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
    assert re.findall(rb"HTTP/1.1 (\d+)", connection.file.read()) in ([], [b"400"])
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


def test_chunks_that_break_in_the_middle_of_an_answer(kind):
    """No other answer comes into it."""
    begun, seen = threading.Event(), threading.Event()

    async def early(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        begun.set()
        await asyncio.to_thread(seen.wait, PATIENCE)
        await send({"type": "http.response.body", "body": b"whole"})

    def early_wsgi(environ, start_response):
        start_response("200 OK", [])(b"begun")
        begun.set()
        seen.wait(PATIENCE)
        return [b"whole"]

    with serving(early if kind == "asgi" else Bridge(early_wsgi)) as exchange:
        exchange.send("PUT /a HTTP/1.1\nHost: h\nTransfer-Encoding: chunked", b"4\r\nmeow\r\n")
        assert begun.wait(PATIENCE)
        assert exchange.file.readline() == b"HTTP/1.1 200 OK\r\n"
        exchange.sock.sendall(b"nonsense\r\n")
        rest = exchange.rest()
        seen.set()
    assert [each for each in (b"HTTP/1.1", b"whole") if each in rest] == []


def test_what_an_app_leaves_of_a_body_is_no_request(connection):
    """It is read behind the answer, so that the next request is the next one."""
    for size in 4, 300_000:
        early = min(size, 1000)
        connection.send(f"PUT /unread HTTP/1.1\nHost: h\nContent-Length: {size}", b"x" * early)
        assert connection.answer()[1] == b"unread"
        connection.sock.sendall(b"x" * (size - early))
        assert connection.is_kept


def test_a_client_that_asks_first(connection):
    """It is told to go on when the app reads, and the connection is kept."""
    connection.send("PUT /a HTTP/1.1\nHost: h\nExpect: 100-continue\nContent-Length: 4")
    assert connection.file.read(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sock.sendall(b"meow")
    assert (connection.answer()[1], connection.is_kept) == (b"PUT /a  4 ", True)


def test_an_answer_without_a_length(connection):
    """It comes in chunks; one that cannot have a body needs neither."""
    status, body = connection("GET /nothing HTTP/1.1\nHost: h")
    found = status.upper(), body, "content-length" in connection.headers
    assert found == ("HTTP/1.1 204 NO CONTENT", b"", False)
    assert connection("GET /endless HTTP/1.1\nHost: h") == ("HTTP/1.1 200 OK", b"no length")
    assert (connection.headers["transfer-encoding"], connection.is_kept) == ("chunked", True)


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
    assert ("transfer-encoding" in connection.headers, connection.is_closed()) == (False, True)


@pytest.mark.parametrize("path", ["/short", "/breaks", "/long"])
def test_another_length_than_announced(connection, path):
    """The client can tell, for the connection ends."""
    connection.send(f"GET {path} HTTP/1.1\nHost: h")
    head, _, body = connection.file.read().partition(b"\r\n\r\n")
    assert re.search(rb"Content-Length: (\d+)", head)[1] != b"%d" % len(body)


INNER = "DELETE /inner HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        "nonsense",
        "GET /",
        "GET nonsense HTTP/1.1\r\nHost: h",
        "GET http:///x HTTP/1.1\r\nHost: h",
        "GET / HTTP/1.9\r\nHost: h",
        "GET / HTTP/2.0\r\nHost: h",
        "GET / HTTP/9.9.9\r\nHost: h",
        "CONNECT h:443 HTTP/1.1\r\nHost: h",
        "GET / HTTP/1.1\nHost: h\n",
        "GET / HTTP/1.1\r\nHost: h\nX: y",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r\nHost: h\r\nHost: h",
        "GET / HTTP/1.1\r\nHost: h\r\nX: y\rRange: bytes=0-2",
        "GET / HTTP/1.1\r\nHost: h\r\nX\0: y",
        "GET / HTTP/1.1\r\nHost: h\r\nX: y\0",
        "GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n z",
        "GET / HTTP/1.1\r\nHost: h\r\n: y",
        "PUT / HTTP/1.1\r\nHost: h\r\nBroken line\r\nContent-Length: %d",
        "PUT / HTTP/1.1\r\nHost: h\r\nX : y\r\nContent-Length: %d",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: +%d",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: -1",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: " + "9" * 5000,
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nContent-Length: 0",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nTransfer-Encoding: chunked",
        "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked",
        "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked",
        "PUT / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked",
        "GET /" + "x" * 70_000 + " HTTP/1.1\r\nHost: h",
    ],
    ids=lambda value: ascii(value)[:70],
)
def test_what_is_no_request(connection, head):
    """Nonsense gets 400, the connection ends, and nothing that follows is carried out."""
    ASKED.clear()
    connection.sock.sendall((head.replace("%d", str(len(INNER))) + "\r\n\r\n" + INNER).encode())
    data = connection.rest()
    assert (data.startswith(b"HTTP/1.1 400 "), data.count(b"HTTP/1.1 "), ASKED) == (True, 1, [])


@pytest.mark.parametrize("size", [len("DELETE /k"), len("DELETE /k HTTP/1.1"), -4, -2])
def test_a_head_that_is_cut_off(connection, size):
    """The request is not carried out."""
    ASKED.clear()
    connection.sock.sendall(b"DELETE /k HTTP/1.1\r\nHost: h\r\n\r\n"[:size])
    connection.sock.shutdown(socket.SHUT_WR)
    assert (connection.sock.recv(1000), ASKED) == (b"", [])


def test_what_is_no_request_behind_one():
    """It is refused when the first has its answer, and is the last on its connection."""
    goes_on = threading.Event()

    async def slow(scope, receive, send):
        await asyncio.to_thread(goes_on.wait, PATIENCE)
        await asgi_app(scope, receive, send)

    with serving(slow) as exchange:
        exchange.send("GET /a HTTP/1.1\nHost: h", b"nonsense\r\n\r\n")
        goes_on.set()
        assert exchange.answer() == ("HTTP/1.1 200 OK", b"GET /a  0 ")
        assert (exchange.answer()[0], exchange.is_closed()) == ("HTTP/1.1 400 Bad Request", True)


def test_a_head_without_an_end(connection):
    """It is not kept: what has come is refused."""
    with suppress(ConnectionError):
        connection.sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 300_000)
        assert (connection.answer()[0], connection.is_closed()) == ("HTTP/1.1 400 Bad Request", True)


def test_a_client_that_offers_another_protocol(connection, caplog):
    """As Java's does with its first request: it is answered by HTTP/1.1, and not logged."""
    for offer in "keep-alive, Upgrade, HTTP2-Settings", "Upgrade, HTTP2-Settings":
        more = f"Connection: {offer}\nUpgrade: h2c\nHTTP2-Settings: AAEA\nContent-Length: 4"
        assert connection(f"PUT /a HTTP/1.1\nHost: h\n{more}", b"meow")[1] == b"PUT /a  4 "
    assert (connection.is_kept, caplog.records) == (True, [])


@pytest.mark.parametrize(
    ("asked", "path"), [("/a%20b?x=1&y=/2", b"/a%20b?x=1&y=/2"), ("?x=1", b"/?x=1"), ("", b"/?")]
)
def test_a_client_that_takes_it_for_its_http_proxy(asked, path):
    """It is answered; the URL's host wins over the Host that was sent."""

    async def tells(scope, receive, send):
        host = dict(scope["headers"])[b"host"]
        target = scope["raw_path"] + b"?" + scope["query_string"]
        await Response(b" ".join((scope["method"].encode(), host, target)))(scope, receive, send)

    with serving(tells) as exchange:
        for _ in range(2):
            got = exchange(f"PUT http://a:b@h.test:81{asked} HTTP/1.1\nhOsT: other\nContent-Length: 1", b"x")
            assert got == ("HTTP/1.1 200 OK", b"PUT h.test:81 " + path)


def test_a_connection_that_is_idle_for_long(caplog, monkeypatch):
    """An idle connection ends quietly, long after any client has retried."""
    assert LIMITS.idle > 60
    monkeypatch.setattr(LIMITS, "idle", 0.05)
    with serving(asgi_app) as exchange:
        assert (exchange.is_kept, exchange.is_closed()) == (True, True)
    assert caplog.records == []


def test_a_socket_of_somebody_else_s():
    """The server takes over a given socket with its address, IPv6 too, and closes it at its end."""
    sock = socket.create_server(("::1", 0), family=socket.AF_INET6)
    with Server(asgi_app, sock=sock) as server:
        assert (server.port, server.url) == (sock.getsockname()[1], f"http://[::1]:{server.port}")
        with connected(server) as exchange:
            assert exchange.is_kept
    assert sock.fileno() == -1


def test_stop_ends_connections_as_well(caplog):
    """`stop` ends idle connections and half-read requests; no thread and no log line is left."""
    caplog.set_level(logging.INFO)
    before = set(threading.enumerate())
    server = Server(asgi_app)
    server.start()
    assert server.url == f"http://127.0.0.1:{server.port}"
    idle, sending = (socket.create_connection(("127.0.0.1", server.port), PATIENCE) for _ in range(2))
    idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.recv(1000).startswith(b"HTTP/1.1 200 ")
    sending.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
    assert sending.recv(1000).startswith(b"HTTP/1.1 100 ")
    server.stop()
    assert set(threading.enumerate()) <= before
    for each in (idle, sending):
        with each:
            while each.recv(1000):
                """The answer before the end."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 10)
    assert caplog.records == []


def test_small_answers_are_sent_at_once():
    """No client waits for the other half of one until it has said that it got the first."""
    found = []

    async def looking(scope, receive, send):
        sock = send.__self__.transport.get_extra_info("socket")
        found.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await asgi_app(scope, receive, send)

    with serving(looking) as exchange:
        assert exchange.is_kept
    assert [each > 0 for each in found] == [True]


@pytest.mark.parametrize("name", ["uvicorn", "h11"])
def test_what_serves_is_missing(monkeypatch, name):
    """A sentence says what installs it."""
    for each in [each for each in sys.modules if each.startswith(f"{name}.")]:
        monkeypatch.delitem(sys.modules, each)
    monkeypatch.delitem(sys.modules, "faultinject.server.protocol", raising=False)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        MissingExtraError, match=r"uvicorn and h11, .*, are not installed: .*install.*\[serve\]"
    ):
        Server(asgi_app)


def faulty(kind, rules):
    """The app with faults."""
    injector = Injector(rules, environ={})
    if kind == "asgi":
        return ASGIFaultMiddleware(asgi_app, injector=injector)
    return Bridge(WSGIFaultMiddleware(wsgi_app, injector=injector))


def test_the_phrase_of_an_injected_answer_is_its_own(kind):
    """The next answer on the connection has that of HTTP."""
    with serving(faulty(kind, "cos:SlowDown,times=1")) as exchange:
        assert (exchange("GET /a HTTP/1.1\nHost: h")[0], exchange.is_kept) == ("HTTP/1.1 503 Slow Down", True)


@pytest.mark.parametrize("expects", [False, True])
def test_an_injected_answer_to_a_body_that_is_not_read(kind, expects):
    """Its connection ends, as the rest of the body would be taken for the next request."""
    more = "\nExpect: 100-continue" if expects else ""
    with serving(faulty(kind, "cos:SlowDown,drain=no,path=/a")) as exchange:
        exchange.send(
            f"PUT /a HTTP/1.1\nHost: h\nContent-Length: 100000{more}", b"" if expects else b"x" * 500
        )
        assert exchange.answer()[0].startswith("HTTP/1.1 503 ")
        assert (exchange.headers["connection"], exchange.is_closed()) == ("close", True)

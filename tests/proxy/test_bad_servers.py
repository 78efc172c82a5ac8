"""A server behind that is down, slow, resets, speaks an older HTTP, or none."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from faultinject.exceptions import ConfigurationError
from faultinject.proxy import upstream
from faultinject.proxy.target import Target

pytestmark = pytest.mark.live

REQUEST = b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n"
UPLOAD = b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n"


def saying(*pieces, ends=None):
    def play(talk):
        talk.until(b"\r\n\r\n")
        talk.say(*pieces)
        if ends == "RST":
            talk.reset()
        elif ends == "FIN":
            talk.connection.close()

    return play


def test_it_is_down(front, exchange, caplog):
    """The answer and the log say so, and the client's connection ends."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    got, end = exchange(front(f"http://127.0.0.1:{port}"), REQUEST)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"connection: close" in head
    told = f"faultinject: http://127.0.0.1:{port} cannot be reached: it refuses connections"
    assert (body.decode(), end) == (f"{told}\n", "FIN")
    assert told in caplog.messages


def test_it_takes_no_connection(front, exchange, monkeypatch):
    """There is an end to the wait."""
    monkeypatch.setattr(upstream, "CONNECT", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as sock:
        port = sock.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        got, _ = exchange(front(f"http://127.0.0.1:{port}"), REQUEST)
        for each in fillers:
            each.close()
    assert got.startswith(b"HTTP/1.1 504 ")
    assert got.endswith(b"took no connection within 0.2 s\n")


def test_it_says_nothing(behind, front, exchange, monkeypatch):
    """There is an end to that as well."""
    monkeypatch.setattr(upstream, "SILENT", 0.2)
    server = behind(saying())
    got, _ = exchange(front(server.url), REQUEST)
    assert got.startswith(b"HTTP/1.1 504 ")
    assert got.endswith(f"{server.url} said nothing for 0.2 s\n".encode())


@pytest.mark.parametrize("end", ["FIN", "RST"])
@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]
)
def test_it_ends_the_connection(behind, front, exchange, caplog, said, end):
    """The client sees what it would see without us: the same end, at the same place of a body. The log says who it was."""
    server = behind(saying(said, ends=end))
    got, seen = exchange(front(server.url), REQUEST)
    assert seen == end
    [told] = caplog.messages
    assert told.startswith(f"faultinject: {server.url} ")
    assert told.partition(server.url)[2].startswith((" ended the connection ", " broke the connection: "))
    if said.endswith(b"abc") and end == "FIN":
        assert got == said
    else:
        assert said.startswith(got)


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n", b"\0\0\0\0\r\n\r\n", b"HTTP/1.1 200\r\nno colon\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
    ids=["another protocol", "zeros", "no colon", "switching", "a long head", "two lengths"],
)  # fmt: skip
def test_what_it_says_is_no_answer(behind, front, exchange, said):
    """The client is told so, and nothing of it."""
    server = behind(saying(said))
    got, _ = exchange(front(server.url), REQUEST)
    assert got.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"is no answer" in got


def test_a_chunk_that_is_none(behind, front, exchange):
    """Nothing can be said any more: the connection is reset."""
    server = behind(saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"))
    got, end = exchange(front(server.url), REQUEST)
    assert (end, b"0\r\n\r\n" in got) == ("RST", False)


def test_it_says_more_than_it_has_said(behind, front, exchange):
    """The answer has its length, and the rest is nobody's: the next request goes by another connection."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
    server = behind(saying(answer + b"HTTP/1.1 500 Evil\r\n\r\n"))
    got, _ = exchange(front(server.url), REQUEST * 2, reads=2 * len(answer))
    assert got == answer * 2
    assert len(server.sent) == 2


def test_it_ends_a_connection_without_a_request(behind, front, exchange):
    """So does ours: a client that reuses connections meets what it would meet without us."""
    server = behind(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", ends="FIN"))
    got, end = exchange(front(server.url), REQUEST)
    assert (got[-1:], end) == (b"a", "FIN")


def test_it_answers_before_it_has_all(behind, front):
    """At once, while the client is still sending."""
    server = behind(saying(b"HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
    with front(server.url).connect() as client:
        client.sendall(UPLOAD + b"x" * 1000)
        assert client.recv(1000).startswith(b"HTTP/1.1 413 Too Much\r\n")


def test_the_client_leaves(behind, front):
    """Before the answer: the server sees that, as it would without us."""
    asked = threading.Event()

    def play(talk):
        talk.until(b"\r\n\r\n")
        asked.set()

    server = behind(play)
    with front(server.url).connect() as client:
        client.sendall(UPLOAD + b"x" * 1000)
        assert asked.wait(20)
    assert server.left.acquire(timeout=20)
    assert server.ended == ["FIN"]


def test_the_proxy_ends(behind):
    """In the middle of an answer: the client is not told that this was all of it."""
    from faultinject.proxy.app import Proxy

    from .conftest import served

    server = behind(saying(b"HTTP/1.1 200 OK\r\n\r\nabc"))
    target = Target(server.url)
    with served(Proxy(target), target) as port:
        client = socket.create_connection(("127.0.0.1", port), timeout=20)
        client.sendall(REQUEST)
        got = client.recv(1000)
    with client, pytest.raises(ConnectionResetError):
        while piece := client.recv(1000):
            got += piece
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_app_around_it_waits_no_longer(behind, exchange):
    """It may give an answer of its own: the connection is still there."""
    from faultinject.proxy.app import Proxy

    from .conftest import Front, served

    server = behind(saying())
    target = Target(server.url)
    proxy = Proxy(target)

    async def patient(scope, receive, send):
        if scope["type"] != "http":
            await proxy(scope, receive, send)
            return
        try:
            async with asyncio.timeout(0.2):
                await proxy(scope, receive, send)
        except TimeoutError:
            headers = [(b"content-length", b"0"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 504, "headers": headers})
            await send({"type": "http.response.body"})

    with served(patient, target) as port:
        got, end = exchange(Front(port, None), REQUEST)
    assert (got.partition(b"\r\n")[0], end) == (b"HTTP/1.1 504 Gateway Timeout", "FIN")


def test_it_leads_back(front, exchange):
    """A proxy that is its own server does not ask itself for ever."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    from faultinject.proxy.app import Proxy

    from .conftest import served

    app = Proxy(Target(f"http://127.0.0.1:{port}"))
    with served(app, app.target) as own:
        app.target.port = own
        with socket.create_connection(("127.0.0.1", own), timeout=20) as client:
            client.sendall(REQUEST)
            assert client.recv(1000).startswith(b"HTTP/1.1 508 Loop Detected\r\n")


@pytest.mark.parametrize(
    ("request_", "status", "why"),
    [
        (b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 405, "this proxy makes no tunnels: use its address as the endpoint, not as HTTPS_PROXY"),
        (b"GET http://other/k HTTP/1.1\r\nHost: other\r\n\r\n", 421, "this proxy goes to {url} only"),
        (b"GET other:80 HTTP/1.1\r\nHost: other\r\n\r\n", 400, None),
        (b"GET /k HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 300_000 + b"\r\n\r\n", 431, "a request's line and headers have at most 262144 bytes here"),
        (b"GET /k HTTP/1.1\r\n\r\n", 400, "the request cannot go on: Missing mandatory Host: header"),
    ],
    ids=["a tunnel", "another server", "no URL", "a long head", "no host"],
)  # fmt: skip
def test_what_is_not_passed_on(behind, front, exchange, request_, status, why):
    """Nothing of it reaches the server."""
    server = behind(saying())
    got, _ = exchange(front(server.url), request_)
    assert got.startswith(b"HTTP/1.1 %d " % status)
    if why is not None:
        assert got.endswith(f"faultinject: {why.format(url=server.url)}\n".encode())
    assert b"".join(server.sent) == b""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("127.0.0.1:9000", "--to 127.0.0.1:9000 is no URL of a server, such as http://127.0.0.1:9000; did you mean http://127.0.0.1:9000?"),
        ("ftp://h", "--to ftp://h is no URL of a server, such as http://127.0.0.1:9000"),
        ("http://", "--to http:// is no URL of a server, such as http://127.0.0.1:9000"),
        ("http://h:x", "--to http://h:x: no host and port can be read from it; it looks like http://127.0.0.1:9000"),
        ("http://me:secret@h", "--to h: leave out what stands before the @; requests go on with what they have themselves"),
        ("http://h/p", "--to http://h/p: leave out what stands behind the host; requests go on to their own path, which is signed"),
        ("http://h:0", "--to http://h:0: no host and port can be read from it; it looks like http://127.0.0.1:9000"),
        ("http://h ", "--to http://h : no host and port can be read from it; it looks like http://127.0.0.1:9000"),
        ("http://a\\b", "--to http://a\\b: no host and port can be read from it; it looks like http://127.0.0.1:9000"),
    ],
)  # fmt: skip
def test_no_server(url, why):
    """What is wrong, and what to write instead."""
    with pytest.raises(ConfigurationError) as caught:
        Target(url)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    "url",
    [
        "https://h/c?sv=1&sig=SECRET", "https://h?sig=SECRET", "http://h/#SECRET", "u:SECRET@h:9", "SECRET@h", "http://u:SE/CRET@h",
        "http://u:SECRET@h/c?sig=SECRET", "http://u:SECRET@", "//u:SECRET@h", "h:9?sig=SECRET", "http://u:SECRET@[::1",
    ],
)  # fmt: skip
def test_a_secret_is_not_told(url):
    """Neither a password nor a signed URL's query, which people paste."""
    with pytest.raises(ConfigurationError) as caught:
        Target(url)
    assert "SE" not in str(caught.value)
    assert "CRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "authority", "serves"),
    [
        ("http://[::1]:9", "[::1]", True), ("http://[::1]:9", "[::1]:80", True), ("http://[::1]:9", "u@[::1]:80", True),
        ("http://[::1]:9", "[::2]", False), ("http://h", "H:80", True), ("http://h", "b.h", True), ("http://h", "bh", False),
        ("http://h", "[::1]", False), ("http://h", "", False),
    ],
)  # fmt: skip
def test_whose_url_it_is(url, authority, serves):
    """A host, one below it, or an address, with any port."""
    assert Target(url).serves(authority) is serves

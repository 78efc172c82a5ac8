"""One request: everything about it is bounded, and what goes wrong is said in a line."""

from __future__ import annotations

import http.client
import threading
import time

import pytest

from faultinject.exceptions import ConfigurationError
from faultinject.fidelity import exchange
from faultinject.fidelity.exchange import LARGEST, NoAnswer, endpoint_of, send

pytestmark = pytest.mark.live


def get(url, *, method="GET", body=b"", timeout=5.0):
    endpoint = endpoint_of(url)
    headers = [("Host", endpoint.authority)] + ([("Content-Length", str(len(body)))] if body else [])
    return send(endpoint, method, "/a?b=c", headers, body, timeout=timeout).answer


def test_an_answer(serve):
    """Status, headers and body as they came; the request as it was meant, with nothing added."""
    seen = []

    def app(environ, start_response):
        seen.append({name for name in environ if name.startswith("HTTP_")})
        start_response("404 Not Found", [("X-Test", "é"), ("Content-Length", "3")])
        return [environ["wsgi.input"].read() or b"non"]

    answer = get(serve(app))
    assert (answer.status, answer.body, answer.header("x-test"), answer.header("x")) == (
        404,
        b"non",
        "é",
        None,
    )
    assert get(serve(app), method="PUT", body=b"abc").body == b"abc"
    assert get(serve(app), method="HEAD").body == b""
    assert seen == [{"HTTP_HOST"}] * 3


def test_a_body_without_end_is_read_to_a_bound(raw):
    """Of a flood only the first bytes."""

    def flood(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    assert len(get(raw(flood)).body) == LARGEST


@pytest.mark.parametrize(
    "beginning", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"]
)
def test_an_answer_that_drips_ends_in_time(raw, beginning):
    """Each read succeeds, and yet all of them are bounded: in the head, in the body, before both."""

    def drip(connection):
        connection.recv(65536)
        connection.sendall(beginning)
        while True:
            time.sleep(0.05)
            if beginning:
                connection.sendall(b"a")

    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"no answer within 0\.5 s"):
        get(raw(drip), timeout=0.5)
    assert time.monotonic() - began < 20


def test_a_connection_that_comes_too_late(raw, monkeypatch):
    """A name that is looked for as long as all may take: nothing is sent any more, and nothing waited for."""
    asked, over = [], threading.Event()
    connect, cut = http.client.HTTPConnection.connect, exchange._cut

    def late(connection):
        assert over.wait(20)
        connect(connection)

    monkeypatch.setattr(http.client.HTTPConnection, "connect", late)
    monkeypatch.setattr(exchange, "_cut", lambda *given: (cut(*given), over.set()))
    with pytest.raises(NoAnswer, match=r"no answer within 0\.2 s") as caught:
        get(raw(lambda connection: asked.append(connection.recv(65536))), timeout=0.2)
    assert (caught.value.sent, b"".join(asked)) == (False, b"")


def test_what_is_no_http(raw):
    """Bytes of something else, and an end without any."""

    def talk(connection):
        connection.recv(65536)
        connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")

    with pytest.raises(NoAnswer, match="the answer is no HTTP"):
        get(raw(talk))
    with pytest.raises(NoAnswer, match="no answer: RemoteDisconnected"):
        get(raw(lambda connection: connection.recv(65536)))


def test_an_answer_before_the_body_is_read(raw):
    """A service may refuse and close while the body is on its way: its answer counts."""

    def refuse(connection):
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        while connection.recv(1 << 20):
            pass

    assert get(raw(refuse), method="PUT", body=bytes(1 << 20)).status == 413


def test_nobody_listens_and_tls():
    """A refused connection, a name that is none, and no TLS where it is asked for."""
    with pytest.raises(NoAnswer, match="no answer"):
        get("http://127.0.0.1:9", timeout=2)
    with pytest.raises(NoAnswer, match="no answer"):
        get("https://127.0.0.1:9", timeout=2)
    with pytest.raises(NoAnswer, match="no answer"):
        get("http://faultinject.invalid:9", timeout=2)


@pytest.mark.parametrize(
    ("url", "authority", "whole", "private"),
    [
        ("http://localhost", "localhost", "http://localhost", True),
        ("https://a.example/x/", "a.example", "https://a.example/x", True),
        ("http://a.example:443", "a.example:443", "http://a.example:443", False),
        ("http://[::1]:9000/", "[::1]:9000", "http://[::1]:9000", True),
    ],
)
def test_endpoints(url, authority, whole, private):
    """Host header and URL; whether a token may be sent there."""
    found = endpoint_of(url)
    assert (found.authority, found.url, found.is_private) == (authority, whole, private)


@pytest.mark.parametrize(
    "url",
    ["", "localhost:9000", "ftp://a", "http://", "http://a?x=1", "http://a#x", "http://a:99999", "http://a b", "http://é"],
)  # fmt: skip
def test_what_is_no_endpoint(url):
    """The message shows what would be right."""
    with pytest.raises(ConfigurationError, match=r"is not a URL such as http://127\.0\.0\.1:9000"):
        endpoint_of(url)


def test_an_endpoint_with_a_password_is_not_repeated():
    """The message says where credentials belong, without them."""
    with pytest.raises(ConfigurationError) as error:
        endpoint_of("http://me:hunter2@a.example")
    assert "hunter2" not in str(error.value)

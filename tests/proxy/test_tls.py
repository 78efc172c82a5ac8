"""The proxy with TLS in front: its connections end as those without it do."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from contextlib import ExitStack

import pytest

from faultinject import get_injector, install
from faultinject.proxy import LIMITS, Proxy, Target
from faultinject.server import certificate
from tests.proxy.conftest import served, some, wrapped

pytestmark = pytest.mark.live
pytest.importorskip("trustme")

MUCH = 8_000_000
UPLOAD = b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % MUCH
HEAD = b"HTTP/1.1 413 Too Much\r\nConnection: close\r\n"
GET = b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture(scope="module")
def made():
    """A certificate, and the context of a client that trusts it."""
    with certificate("localhost") as found:
        yield found, ssl.create_default_context(cafile=found.authority)


@pytest.fixture
def secure(made):
    """`secure(url, rules)`: the proxy to that server, in TLS; gives what connects, and its injector."""
    found, context = made
    with ExitStack() as stack:

        def make(url, rules=""):
            target = Target(url)
            app = Proxy(target)
            if rules:
                app = install(app, rules, enabled=True)
            port = stack.enter_context(served(app, target, found))

            def connect():
                plain = socket.create_connection(("127.0.0.1", port), timeout=300)
                return context.wrap_socket(plain, server_hostname="localhost")

            return connect, get_injector(app)

        yield make


def up_to(client, end):
    """What comes up to these bytes."""
    got = b""
    while not got.endswith(end):
        piece = client.recv(65_536)
        assert piece, got
        got += piece
    return got


def test_an_answer_that_comes_while_the_client_sends(behind, secure, monkeypatch):
    """It can be read whole when all is sent, as without TLS."""
    monkeypatch.setattr(LIMITS, "lingers", 600)

    def play(talk):
        talk.until(b"\r\n\r\n")
        talk.say(HEAD + b"Content-Length: 5\r\n\r\nlarge")

    connect, _ = secure(behind(play).url)
    with connect() as client:
        client.sendall(UPLOAD)
        for _ in range(8):
            client.sendall(b"x" * (MUCH // 8))
        got = up_to(client, b"large")
    assert got.startswith(b"HTTP/1.1 413 Too Much\r\n")
    assert got.endswith(b"\r\n\r\nlarge")


def test_who_sends_without_end(behind, secure, monkeypatch):
    """Behind an answer so much is taken and dropped, and then no more."""
    monkeypatch.setattr(LIMITS, "dropped", 1_000_000)

    def play(talk):
        talk.until(b"\r\n\r\n")
        talk.say(HEAD + b"Content-Length: 0\r\n\r\n")

    connect, _ = secure(behind(play).url)
    with connect() as client:
        client.sendall(UPLOAD.replace(b"8000000", b"90000000"))
        assert client.recv(65_536).startswith(b"HTTP/1.1 413 ")
        with pytest.raises(OSError):
            for _ in range(90):
                client.sendall(b"x" * 1_000_000)


def test_a_cut_answer_that_ends_with_its_connection(behind, secure):
    """Is told from a whole one: no client takes the half for it."""

    def play(talk):
        talk.request()
        talk.say(b"HTTP/1.1 200 Okay\r\nConnection: close\r\n\r\n", b"x" * 2000)
        talk.connection.shutdown(socket.SHUT_WR)

    url = behind(play).url
    connect, _ = secure(url)
    with connect() as client:
        client.sendall(GET)
        assert some(client, None).endswith(b"\r\n\r\n" + b"x" * 2000)
    connect, injector = secure(url, "truncate")
    with connect() as client:
        client.sendall(GET)
        got = some(client, None)
    head, _, body = got.partition(b"\r\n\r\n")
    assert (b"transfer-encoding: chunked" in head.lower(), body) == (True, b"3e8\r\n" + b"x" * 1000 + b"\r\n")
    assert injector.counts()["rule-1"]["injected"] == 1


@pytest.mark.parametrize("sends", [True, False], ids=["it sends", "it is idle"])
def test_the_proxy_ends(behind, made, monkeypatch, capsys, sends):
    """Who has got an answer is not waited for, and there is nothing to complain of."""
    monkeypatch.setattr(LIMITS, "lingers", 600)
    head = HEAD if sends else b"HTTP/1.1 200 OK\r\n"

    def play(talk):
        talk.until(b"\r\n\r\n")
        talk.say(head + b"Content-Length: 5\r\n\r\nlarge")

    found, context = made
    target = Target(behind(play).url)
    with ExitStack() as stack:
        with served(Proxy(target), target, found, within=15) as port:
            plain = socket.create_connection(("127.0.0.1", port), timeout=300)
            client = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            client.sendall(UPLOAD if sends else GET)
            up_to(client, b"\r\n\r\nlarge")
        assert capsys.readouterr().err == ""


def test_a_client_breaks_its_encryption(behind, made, capsys):
    """It has left, whatever an app says then; nothing has gone wrong."""
    asked, said = threading.Event(), threading.Event()

    async def late(proxy, scope, receive, send):
        if scope["type"] == "http":
            asked.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
            said.set()

    found, context = made
    target = Target(behind(lambda talk: None).url)
    with served(wrapped(late, Proxy(target)), target, found, within=15) as port:
        plain = socket.create_connection(("127.0.0.1", port), timeout=300)
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(GET)
            assert asked.wait(60)
            os.write(client.fileno(), b"x" * 100)
            assert said.wait(60)
    assert capsys.readouterr().err == ""


def test_an_answer_and_the_end_come_while_the_proxy_is_busy(behind, made, monkeypatch, caplog):
    """Also by TLS to the server the loop reads before the next piece goes on."""
    told, ended = threading.Event(), threading.Event()
    found, _ = made
    monkeypatch.setenv("SSL_CERT_FILE", str(found.authority))
    answer = HEAD + b"Content-Length: 0\r\n\r\n"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(found.chain, found.key)

    def play(talk):
        with context.wrap_socket(talk.connection, server_side=True) as secured:
            got = b""
            while b"\r\n\r\n" not in got:
                got += secured.recv(65_536)
            assert told.wait(60)
            secured.sendall(answer)
        ended.set()

    async def busy(proxy, scope, receive, send):
        async def held():
            message = await receive()
            told.set()
            assert ended.wait(60)  # in the loop's own thread
            return message

        await proxy(scope, held, send)

    target = Target(f"https://localhost:{behind(play).port}")
    with (
        served(wrapped(busy, Proxy(target)), target, loop="asyncio") as port,
        socket.create_connection(("127.0.0.1", port), timeout=300) as client,
    ):
        client.sendall(UPLOAD + b"x" * 200_000)
        assert some(client, None) == answer
    assert caplog.messages == []

"""The proxy with TLS in front: its connections end as those without it do."""

import os
import socket
import threading
from contextlib import suppress

import pytest

from faultinject.proxy.upstream import LIMITS
from tests.on_loopback import in_thread

from .conftest import ask, busy, hears_nothing, saying, up_to

pytestmark = pytest.mark.live

MUCH = 8_000_000
UPLOAD = b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % MUCH
HEAD = b"HTTP/1.1 413 Too Much\r\nConnection: close\r\n"
GET = b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n"
PUT = b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"


def test_an_answer_that_comes_while_the_client_sends(behind, secure, monkeypatch):
    """It can be read whole when all is sent, as without TLS."""
    monkeypatch.setattr(LIMITS, "lingers", 600)
    with secure(behind(saying(HEAD + b"Content-Length: 5\r\n\r\nlarge")).url).connect() as client:
        client.sendall(UPLOAD)
        for _ in range(8):
            client.sendall(b"x" * (MUCH // 8))
        got = up_to(client, b"large")
    assert got.startswith(b"HTTP/1.1 413 Too Much\r\n") and got.endswith(b"\r\n\r\nlarge")


def test_a_cut_answer_that_ends_with_its_connection(behind, secure, monkeypatch):
    """Is told from a whole one, and comes at once where all of the request was read."""
    monkeypatch.setattr(LIMITS, "lingers", 600)

    def play(talk):
        talk.request()
        talk.say(b"HTTP/1.1 200 Okay\r\nConnection: close\r\n\r\n", b"x" * 2000)
        talk.connection.shutdown(socket.SHUT_WR)

    url = behind(play).url
    with secure(url).connect() as client:
        assert ask(client, PUT, None).endswith(b"\r\n\r\n" + b"x" * 2000)
    proxy = secure(url, "truncate")
    with proxy.connect() as client:
        got = ask(client, PUT, None)
    head, _, body = got.partition(b"\r\n\r\n")
    assert (b"transfer-encoding: chunked" in head.lower(), body) == (True, b"3e8\r\n" + b"x" * 1000 + b"\r\n")
    assert proxy.injector.counts()["rule-1"].injected == 1


@pytest.mark.usefixtures("no_complaint")
def test_a_client_breaks_its_encryption(behind, secure):
    """It has left, whatever an app says then; nothing has gone wrong."""
    asked, said = threading.Event(), threading.Event()

    async def late(proxy, scope, receive, send):
        asked.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
        said.set()

    with secure(behind(lambda talk: None).url, around=late, within=15).connect() as client:
        client.sendall(GET)
        assert asked.wait(60)
        os.write(client.fileno(), b"x" * 100)
        assert said.wait(60)


def test_an_answer_and_the_end_come_while_the_proxy_is_busy(behind, front, made, monkeypatch, caplog):
    """Also by TLS to the server the loop reads before the next piece goes on."""
    told, ended, spoken = threading.Event(), threading.Event(), []
    found, _ = made
    found.context.set_alpn_protocols(["h2", "http/1.1"])
    monkeypatch.setenv("SSL_CERT_FILE", str(found.authority))
    answer = HEAD + b"Content-Length: 0\r\n\r\n"

    def play(talk):
        with found.context.wrap_socket(talk.connection, server_side=True) as secured:
            spoken.append(secured.selected_alpn_protocol())
            got = b""
            while b"\r\n\r\n" not in got:
                got += secured.recv(65_536)
            assert told.wait(60)
            secured.sendall(answer)
        ended.set()

    url = f"https://localhost:{behind(play).port}"
    with front(url, around=busy(told, ended), loop="asyncio").connect() as client:
        assert ask(client, UPLOAD + b"x" * 200_000, None) == answer
    assert (spoken, caplog.messages) == (["http/1.1"], [])


@pytest.mark.parametrize("request_", [GET, UPLOAD + bytes(MUCH)], ids=["it is read", "it is written to"])
def test_a_server_breaks_its_encryption(behind, front, made, monkeypatch, caplog, request_):
    """It has broken the connection, whatever the proxy is at."""
    asked, broken = threading.Event(), threading.Event()
    found, _ = made
    monkeypatch.setenv("SSL_CERT_FILE", str(found.authority))

    def play(talk):
        with found.context.wrap_socket(talk.connection, server_side=True) as secured:
            secured.recv(1)
            asked.set()
            assert broken.wait(60)
            os.write(secured.fileno(), b"x" * 100)
            while secured.recv(65_536):
                pass

    def send():
        with suppress(ConnectionError):
            client.sendall(request_)

    url = f"https://localhost:{behind(play).port}"
    with front(url, loop="asyncio").connect() as client, in_thread(send, lambda: None):
        assert asked.wait(60)
        hears_nothing(client)
        broken.set()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    [told] = caplog.messages
    assert told.startswith(f"faultinject: {url} broke the connection: ")

"""WSGI: the reading of a request body ends when its time is over, although the server's `read` waits for a whole piece."""

from __future__ import annotations

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from faultinject import WSGIFaultMiddleware

from .transport import loopback

pytestmark = pytest.mark.live

TIME = 0.2
PATIENCE = 20


@pytest.fixture(autouse=True)
def time_is_short(monkeypatch):
    monkeypatch.setattr("faultinject.adapters.wsgi_wait.LONGEST", TIME)


class Trickle:
    """A client that sends a byte now and then, for as long as anybody waits."""

    def __init__(self, client, server):
        self.client = client
        # As servers have it: a read of so many bytes waits for all of them.
        self.input = server.makefile("rb")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def _run(self):
        while not self._over.wait(TIME / 10):
            self.client.send(b"x")

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        self.input.close()


def last(injector):
    outcome = injector.journal.outcomes[-1]
    return outcome.did, outcome.body_complete


def end(name):
    """Wait for threads of that name."""
    for each in threading.enumerate():
        if each.name == name:
            each.join(PATIENCE)


def ask(servers, injector, source, **more):
    given = {"CONTENT_LENGTH": "100000", "wsgi.input": source, **more}
    return servers.wsgi(WSGIFaultMiddleware(None, injector=injector), servers.environ("PUT", "/b/k", **given))


def in_chunks(read):
    """A `read` that takes an end in the middle for what it is."""

    def strictly(size):
        data = read(size)
        if len(data) < size:
            raise ValueError("a bad chunk")
        return data

    return strictly


@pytest.mark.parametrize("way", [lambda read: read, in_chunks], ids=["length", "chunks"])
def test_the_connection_is_known(servers, make_injector, way):
    """The fault is given when the time is over; its bytes still go out."""
    injector = make_injector("http:503")
    with loopback() as (client, server), Trickle(client, server) as trickle:
        source = SimpleNamespace(read=way(trickle.input.read))
        answer = ask(servers, injector, source, **{"werkzeug.socket": server})
        server.sendall(b"sent")
        assert client.recv(4) == b"sent"
    assert answer.status == 503
    assert last(injector) == ("drain_cut", False)


def test_over_tls(servers, make_injector):
    """There too, and the server's socket has its own patience again."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    given, taken = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(given)
    authority.configure_trust(taken)
    injector = make_injector("http:503")
    with loopback() as (plain, beneath), ThreadPoolExecutor(1) as executor:
        accepted = executor.submit(given.wrap_socket, beneath, server_side=True)
        with (
            taken.wrap_socket(plain, server_hostname="127.0.0.1") as client,
            accepted.result(PATIENCE) as server,
            Trickle(client, server) as trickle,
        ):
            server.settimeout(PATIENCE)
            source = SimpleNamespace(read=trickle.input.read)
            answer = ask(servers, injector, source, **{"gunicorn.socket": server})
            assert server.gettimeout() == PATIENCE
            server.sendall(b"sent")
            assert client.recv(4) == b"sent"
    assert answer.status == 503
    assert last(injector) == ("drain_cut", False)


def test_the_connection_is_not_known(servers, make_injector, out_of_reach):
    """Then a thread reads, and is left alone when the time is over."""
    out_of_reach()
    injector = make_injector("http:503")
    with loopback() as (client, server), Trickle(client, server) as trickle:
        answer = ask(servers, injector, SimpleNamespace(read=trickle.input.read))
        assert answer.status == 503
        assert last(injector) == ("drain_cut", False)
        # As a server does with the connection in the end.
        server.shutdown(socket.SHUT_RD)
        end("faultinject reader")


@pytest.mark.parametrize("known", [True, False])
def test_no_more_threads(servers, make_injector, monkeypatch, known):
    """A body that comes is read all the same."""
    monkeypatch.setattr("faultinject.adapters.wsgi_wait.LONGEST", PATIENCE)
    injector = make_injector("http:503")

    def refuse(_):
        raise RuntimeError("can't start new thread")

    with loopback() as (client, server), server.makefile("rb") as source:
        client.sendall(b"x" * 1000)
        monkeypatch.setattr("threading.Thread.start", refuse)
        more = {"werkzeug.socket": server} if known else {}
        answer = ask(servers, injector, SimpleNamespace(read=source.read), CONTENT_LENGTH="1000", **more)
        monkeypatch.undo()
    assert answer.status == 503
    assert last(injector) == ("answered", True)


def test_a_body_that_comes_in_time(servers, make_injector, monkeypatch):
    """Nothing is shut: what follows on the connection can be read."""
    monkeypatch.setattr("faultinject.adapters.wsgi_wait.LONGEST", PATIENCE)
    injector = make_injector("http:503")
    with loopback() as (client, server), server.makefile("rb") as source:
        client.sendall(b"x" * 1000)
        more = {"CONTENT_LENGTH": "1000", "werkzeug.socket": server}
        answer = ask(servers, injector, SimpleNamespace(read=source.read), **more)
        end("faultinject cutoff")
        client.sendall(b"next")
        assert source.read(4) == b"next"
    assert answer.status == 503
    assert last(injector) == ("answered", True)


def test_an_app_that_says_nothing_is_cut_off(servers, make_injector, monkeypatch):
    """Without end, and without having started its answer."""
    monkeypatch.setattr("faultinject.adapters.wsgi_after.LONGEST", 0.05)
    injector = make_injector("http:503,when=after")

    def app(environ, start_response):
        return iter(lambda: b"", None)

    wrapped = WSGIFaultMiddleware(app, injector=injector)
    assert servers.wsgi(wrapped, servers.environ()).status == 503
    assert injector.journal.outcomes[-1].did == "app_cut"

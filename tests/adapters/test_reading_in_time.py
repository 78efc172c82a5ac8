"""WSGI: the reading of a request body ends when its time is over, although the server's `read` waits for a whole piece."""

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from faultinject import Injector, WSGIFaultMiddleware

from .transport import PATIENCE, loopback

pytestmark = pytest.mark.live


@pytest.fixture
def injector(clock):
    """Whose time for the body is over at once: the client of these tests sends a part of it, and then nothing."""
    return Injector("http:503", environ={}, waits=clock)


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
def test_the_connection_is_known(servers, injector, way):
    """The fault is given when the time is over; its bytes still go out."""
    with loopback() as (client, server), server.makefile("rb") as source:
        client.sendall(b"x")
        answer = ask(servers, injector, SimpleNamespace(read=way(source.read)), **{"werkzeug.socket": server})
        server.sendall(b"sent")
        assert client.recv(4) == b"sent"
    assert answer.status == 503
    assert last(injector) == ("drain_cut", False)


def test_over_tls(servers, injector):
    """There too, and the server's socket has its own patience again."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    given, taken = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(given)
    authority.configure_trust(taken)
    with loopback() as (plain, beneath), ThreadPoolExecutor(1) as executor:
        accepted = executor.submit(given.wrap_socket, beneath, server_side=True)
        with (
            taken.wrap_socket(plain, server_hostname="127.0.0.1") as client,
            accepted.result(PATIENCE) as server,
            server.makefile("rb") as source,
        ):
            client.sendall(b"x")
            server.settimeout(PATIENCE)
            answer = ask(servers, injector, SimpleNamespace(read=source.read), **{"gunicorn.socket": server})
            assert server.gettimeout() == PATIENCE
            server.sendall(b"sent")
            assert client.recv(4) == b"sent"
    assert answer.status == 503
    assert last(injector) == ("drain_cut", False)


def test_the_connection_is_not_known(servers, injector):
    """Then a thread reads, and is left alone when the time is over."""
    with loopback() as (client, server), server.makefile("rb") as source:
        client.sendall(b"x")
        answer = ask(servers, injector, SimpleNamespace(read=source.read))
        assert answer.status == 503
        assert last(injector) == ("drain_cut", False)
        # As a server does with the connection in the end.
        server.shutdown(socket.SHUT_RD)
        end("faultinject reader")


@pytest.mark.parametrize("known", [True, False])
def test_no_more_threads(servers, monkeypatch, known):
    """A body that comes is read all the same."""
    injector = Injector("http:503", environ={})

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


@pytest.mark.parametrize("known", [True, False])
def test_a_body_that_comes_in_time(servers, known):
    """Nothing is shut: what follows on the connection can be read. One that breaks off is a client that has left."""
    injector = Injector("http:503", environ={})
    with loopback() as (client, server), server.makefile("rb") as source:
        client.sendall(b"x" * 1000)
        more = {"CONTENT_LENGTH": "1000", **({"werkzeug.socket": server} if known else {})}
        answer = ask(servers, injector, SimpleNamespace(read=source.read), **more)
        end("faultinject cutoff")
        client.sendall(b"next")
        assert source.read(4) == b"next"
        client.close()
        assert ask(servers, injector, SimpleNamespace(read=source.read), **more).status == 500
    assert answer.status == 503
    assert [each.did for each in injector.journal.outcomes][-2:] == ["answered", "failed"]

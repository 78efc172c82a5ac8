"""WSGI: the reading of a body ends in time, although `read` waits for a whole piece."""

from types import SimpleNamespace

import pytest

from faultinject import Injector, WSGIFaultMiddleware

from .transport import loopback

pytestmark = pytest.mark.live


class Hasty:
    """A server's socket, for which ten seconds are over soon.

    The client of these tests sends a part, and then nothing.
    """

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)

    def settimeout(self, seconds):
        self._real.settimeout(0.1 if seconds == 10 else seconds)


@pytest.fixture
def injector():
    return Injector("http:503", environ={})


def last(injector):
    outcome = injector.journal.outcomes[-1]
    return outcome.did, outcome.body_complete


def ask(servers, injector, source, **more):
    given = {"CONTENT_LENGTH": "100000", "wsgi.input": source, **more}
    return servers.wsgi(WSGIFaultMiddleware(None, injector=injector), servers.environ("PUT", "/b/k", **given))


def test_a_client_that_stalls(servers, injector):
    """The fault is given in the end, and the server's socket has its own patience again."""
    with loopback() as (client, server), server.makefile("rb") as source:
        client.sendall(b"x")
        answer = ask(
            servers, injector, SimpleNamespace(read=source.read), **{"werkzeug.socket": Hasty(server)}
        )
        assert server.gettimeout() is None
        server.sendall(b"sent")
        assert client.recv(4) == b"sent"
    assert answer.status == 503
    assert last(injector) == ("drain_cut", False)


def test_a_client_that_trickles(servers, clock):
    """A byte in two seconds: no more is asked for at a time than what is there soon."""
    asked = []

    def read(size):
        asked.append(size)
        clock.now += 2 * size
        return b"x" * size

    injector = Injector("http:503", environ={}, waits=clock)
    assert ask(servers, injector, SimpleNamespace(read=read)).status == 503
    assert last(injector) == ("drain_cut", False)
    asked.clear()
    assert (
        ask(servers, injector, SimpleNamespace(read=lambda size: read(1)), CONTENT_LENGTH="4").status == 503
    )
    assert last(injector) == ("answered", True)


@pytest.mark.parametrize("known", [True, False])
def test_a_body_that_comes_in_time(servers, known):
    """The connection stays readable; a client that breaks off has left."""
    injector = Injector("http:503", environ={})
    with loopback() as (client, server), server.makefile("rb") as source:
        client.sendall(b"x" * 1000)
        more = {"CONTENT_LENGTH": "1000", **({"werkzeug.socket": server} if known else {})}
        answer = ask(servers, injector, SimpleNamespace(read=source.read), **more)
        client.sendall(b"next")
        assert source.read(4) == b"next"
        client.close()
        assert ask(servers, injector, SimpleNamespace(read=source.read), **more).status == 500
    assert answer.status == 503
    assert [each.did for each in injector.journal.outcomes][-2:] == ["answered", "failed"]

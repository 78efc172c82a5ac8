"""WSGI: a client that has ended its side of the connection during a delay gets what was to come, if it is still there."""

from __future__ import annotations

import gc
import socket
from types import SimpleNamespace

import pytest

from faultinject import WSGIFaultMiddleware

from .transport import App, loopback, read

pytestmark = pytest.mark.live

WHEN = pytest.mark.parametrize("when", ["before", "after"])


def last(injector):
    outcome = injector.journal.outcomes[-1]
    return outcome.did, outcome.applied, injector.counts()["rule-1"]["injected"]


def free(injector):
    return injector.finish() == 0


@WHEN
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_it_still_reads(servers, make_injector, when, method):
    """The delayed error, and the journal says so."""
    injector = make_injector(f"http:503,delay=1h,when={when},times=1")
    with loopback() as (client, server):
        client.shutdown(socket.SHUT_WR)
        environ = servers.environ(method, **{"werkzeug.socket": server})
        assert servers.wsgi(WSGIFaultMiddleware(App().wsgi, injector=injector), environ).status == 503
    assert last(injector) == ("answered", when == "after", 1)
    assert free(injector)


@WHEN
@pytest.mark.parametrize("rule", ["reset", "close"])
def test_its_connection_is_broken(servers, make_injector, rule, when):
    """As was asked; but nobody is known to have met that."""
    injector = make_injector(f"{rule},delay=1h,when={when},times=1")
    with loopback() as (client, server):
        client.shutdown(socket.SHUT_WR)
        environ = servers.environ(**{"werkzeug.socket": server})
        assert WSGIFaultMiddleware(App().wsgi, injector=injector)(environ, lambda *_: None) == []
        assert read(client) == (b"", "RST" if rule == "reset" else "FIN")
    assert last(injector) == ("failed", when == "after", 0)
    assert free(injector)


@WHEN
@pytest.mark.parametrize("rule", ["http:503", "reset"])
def test_its_server_has_let_go_of_it(servers, make_injector, rule, when):
    """While it was waited for: there is nobody to answer."""
    injector = make_injector(f"{rule},delay=1h,when={when},times=1")
    with loopback() as (client, server):
        client.shutdown(socket.SHUT_WR)
        handle = SimpleNamespace(fileno=iter([server.fileno()]).__next__)
        environ = servers.environ(**{"werkzeug.socket": handle})
        servers.wsgi(WSGIFaultMiddleware(App().wsgi, injector=injector), environ)
    assert last(injector) == ("failed", when == "after", 0)
    assert free(injector)


def test_an_answer_that_nobody_closes(servers, make_injector):
    """As werkzeug's, of a client that has reset the connection: the fault keeps no place."""
    injector = make_injector("http:503,delay=1h,times=1")
    with loopback() as (client, server):
        client.close()
        environ = servers.environ(**{"werkzeug.socket": server})
        result = WSGIFaultMiddleware(None, injector=injector)(environ, lambda *_: None)
        assert next(iter(result))
        server.send(b"x")
        del result
        gc.collect()
    assert last(injector) == ("failed", False, 0)
    assert free(injector)

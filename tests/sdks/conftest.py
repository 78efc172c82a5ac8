"""A trivial app on loopback behind the middleware, and a raw client."""

import http.client
import socket
from contextlib import closing, contextmanager
from typing import NamedTuple

import pytest
from werkzeug.wsgi import get_input_stream

from faultinject import Injector, Rule, WSGIFaultMiddleware, vendors
from tests.on_loopback import on_loopback

CONTENT = b"meow"


def app(environ, start_response):
    """Take whatever comes and answer 200."""
    get_input_stream(environ).read()
    start_response(
        "200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(CONTENT)))]
    )
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else CONTENT]


class Raw(NamedTuple):
    status: int
    headers: dict
    body: bytes


class Server:
    """One server a module; a test says which faults are in force and asks what was done."""

    def __init__(self, injector, port):
        self.injector = injector
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def use(self, fault, **keys):
        """Put one rule in force; a row without a documented status gets 400."""
        vendor, _, code = fault.partition(":")
        if vendor in vendors.names() and code[:1] != "@" and vendors.find(fault).status is None:
            keys.setdefault("status", 400)
        self.injector.use(Rule(fault, **keys))
        self.injector.journal.clear()

    @property
    def outcomes(self):
        assert self.injector.errors == []
        return self.injector.journal.outcomes

    @property
    def last(self):
        """The one outcome since `use`."""
        [outcome] = self.outcomes
        return outcome

    def counts(self):
        [counts] = self.injector.counts().values()
        return counts

    def raw(self, method, path, headers=()):
        """One request by http.client: status, headers by lower-case name, body."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, headers=dict(headers))
            answer = connection.getresponse()
            got = [(name.lower(), value) for name, value in answer.getheaders()]
            assert len(got) == len(dict(got))
            return Raw(answer.status, dict(got), answer.read())

    def wire(self, request):
        """Every byte that comes back for these bytes, till the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@contextmanager
def running(served=app, **environ):
    injector = Injector([], seed="sdks", environ=environ)
    with on_loopback(WSGIFaultMiddleware(served, injector=injector)) as port:
        yield Server(injector, port)


@pytest.fixture(scope="module")
def server():
    """Faults with our marks, as by default."""
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def unmarked_server():
    """Faults in the vendors' own bytes."""
    with running(FAULTINJECT_HEADER="0") as started:
        yield started

"""A trivial app on loopback with the middleware around it, and a client that interprets nothing."""

from __future__ import annotations

import http.client
import threading
from typing import NamedTuple

import pytest
from werkzeug.serving import make_server

from faultinject import Injector, Rule, WSGIFaultMiddleware

CONTENT = b"meow"


def app(environ, start_response):
    """Take whatever comes and answer 200."""
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(CONTENT)))])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else CONTENT]


class Raw(NamedTuple):
    status: int
    headers: dict
    body: bytes


class Server:
    """One server a module; a test says which faults are in force and asks what was done."""

    def __init__(self):
        self.injector = Injector([], seed="sdks", environ={})
        self.server = make_server("127.0.0.1", 0, WSGIFaultMiddleware(app, injector=self.injector), threaded=True)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def use(self, fault, **keys):
        """Put one rule in force; a row without a documented status gets 400."""
        if fault == "cos:InvalidAddressingHeader":
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
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers=dict(headers))
            answer = connection.getresponse()
            got = [(name.lower(), value) for name, value in answer.getheaders()]
            assert len(got) == len(dict(got))
            return Raw(answer.status, dict(got), answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def server():
    started = Server()
    thread = threading.Thread(target=started.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield started
    started.server.shutdown()
    thread.join()
    started.server.server_close()

"""The control API behind real servers: below a path under WSGI and ASGI, and on an address of its own."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import ExitStack, contextmanager

import pytest
from fastapi import FastAPI
from flask import Flask

from faultinject import Injector, install
from faultinject.control.server import Server
from tests.adapters.live import uvicorn_server, waitress_server, werkzeug_server
from tests.audit.browser import Browser
from tests.control import page
from tests.hooks.launch import HEALTHCHECK
from tests.ports import ReservedPort

TOKEN = "open-sesame"
PATIENCE = HEALTHCHECK + 90.0
RULES = "cos:SlowDown,name=slow,path=photos/,times=2 http:503,path=b/"


def until(true, what="it came"):
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return found


class Answered:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def data(self):
        assert self.headers["content-type"] == "application/json", self.body
        return json.loads(self.body)

    @property
    def message(self):
        return self.data["error"]["message"]


class Client:
    """Asks the API, and the app that it is about."""

    address = "127.0.0.1"

    def __init__(self, injector, control, app):
        self.injector = injector
        self.port, self.mount = control
        self.app_port = app

    def call(self, method, path, body=None, *, headers=None, token=TOKEN, host=None, raw=None):
        """A call; of `headers`, None takes a usual one away."""
        given = {"Host": f"127.0.0.1:{self.port}" if host is None else host}
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        data = raw
        if method not in ("GET", "HEAD") and raw is None:
            given["Content-Type"] = "application/json"
            data = json.dumps({} if body is None else body).encode()
        given = {name: value for name, value in (given | (headers or {})).items() if value is not None}
        connection = http.client.HTTPConnection(self.address, self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, self.mount + path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                connection.putheader(name, value)
            if data is not None and "Transfer-Encoding" not in given and "Content-Length" not in given:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            answer = connection.getresponse()
            return Answered(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def state(self):
        answer = self.get("/state")
        assert answer.status == 200, answer.body
        return answer.data

    def change(self, method, path, body=None, **options):
        """A change that is carried out; the new state."""
        answer = self.call(method, path, body, **options)
        assert answer.status in (200, 201), answer.body
        return answer.data

    def ask_app(self, path="/photos/cat.jpg", method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.app_port, timeout=PATIENCE)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


def flask_app():
    app = Flask(__name__)

    @app.route("/", defaults={"path": ""}, methods=["GET", "PUT"])
    @app.route("/<path:path>", methods=["GET", "PUT"])
    def answer(path):
        return f"the app's own {path}"

    return app


def fastapi_app():
    app = FastAPI()

    @app.get("/{path:path}")
    def answer(path: str):
        return f"the app's own {path}"

    return app


KINDS = ("wsgi", "asgi", "own")


@contextmanager
def control(kind, rules=RULES, path="/_faultinject", **variables):
    """An app with its control API, served; a client of both."""
    environ = {
        "FAULTINJECT_ENABLED": "1",
        "FAULTINJECT_CONTROL": "127.0.0.1:0" if kind == "own" else path,
        "FAULTINJECT_TOKEN": TOKEN,
        **variables,
    }
    injector = Injector(rules, seed="42", environ={name: each for name, each in environ.items() if each})
    if kind == "own":
        # What `install` does, with a server of the test's own, which ends.
        settings, injector.control = injector.control, None
        app = install(flask_app(), injector=injector, enabled=True)
        injector.control = settings
        server = Server(injector)
        server.start()
        try:
            until(lambda: server.url, "the control API listens")
            with werkzeug_server(app) as port:
                yield Client(injector, (int(server.url.rpartition(":")[2]), ""), port)
        finally:
            server.stop()
            until(lambda: not server.url, "the control API has ended")
        return
    app = install(
        {"wsgi": flask_app, "waitress": flask_app, "asgi": fastapi_app}[kind](),
        injector=injector,
        enabled=True,
    )
    run = {"wsgi": werkzeug_server, "waitress": waitress_server, "asgi": uvicorn_server}[kind]
    with run(app) as port:
        yield Client(injector, (port, path), port)


@pytest.fixture(params=KINDS)
def client(request):
    with control(request.param) as found:
        yield found


@pytest.fixture
def free_port():
    """Gives one, as often as it is called: nobody else has it before the test is over."""
    with ExitStack() as stack:
        yield lambda *host: stack.enter_context(ReservedPort(*host))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One for all tests of this file."""
    with page.Server(tmp_path_factory.mktemp("page")) as found:
        found.start()
        yield found


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """One for all tests of this file: it takes half a second to begin."""
    found = Browser(tmp_path_factory.mktemp("browser"))
    yield found
    found.close()


@pytest.fixture
def browser(chromium):
    """A window that complains of nothing but of the statuses that a test asked for."""
    chromium.look(width=1100)
    chromium.ask("Emulation.setFocusEmulationEnabled", enabled=True)
    yield chromium
    assert page.unexpected(chromium) == []
    chromium.open("about:blank")


@pytest.fixture
def opened(browser, server):
    """A function that opens the page with rules in force."""

    def open_page(rules="", **look):
        server.put(rules)
        if look:
            browser.look(**look)
        page.enter(browser, server)
        page.shows(browser, "#link", "connected")
        return browser

    return open_page

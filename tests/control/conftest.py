"""The control API in this process, behind real servers, and on an address of its own.

The servers are WSGI and ASGI ones, and have it below a path.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import socket
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from urllib.parse import unquote

import pytest
from fastapi import FastAPI
from flask import Flask

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware, install
from faultinject.control.server import ControlServer
from tests.adapters.live import uvicorn_server, waitress_server, werkzeug_server
from tests.audit.browser import Browser
from tests.control import page
from tests.hooks.launch import HEALTHCHECK
from tests.ports import ReservedPort
from tests.until import PATIENCE, until

from .programs import MOUNT, TOKEN, Answered, Client, Program

RULES = "cos:SlowDown,name=slow,path=photos/,times=2 http:503,path=b/"


class Api(Client):
    """The same without a server: the app and its API are called."""

    def __init__(self, injector):
        super().__init__(injector, (80, MOUNT), 80)
        self.app = ASGIFaultMiddleware(hello, injector=injector)

    def _sent(self, method, path, given, data):
        fields = [(name.lower().encode(), str(value).encode("latin-1")) for name, value in given.items()]
        return ask_asgi(self.app, self.mount + path, fields, method=method, body=data or b"")

    def ask_app(self, path="/photos/cat.jpg", method="GET"):
        return ask_asgi(self.app, path, [(b"host", b"localhost")], method=method).status


def ask_asgi(app, path, headers, method="GET", body=b"", address="127.0.0.1", messages=None):
    """One call of an ASGI app, whose body may come in messages."""
    sent, come = [], messages or iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive():
        return next(come, {"type": "http.disconnect"})

    async def send(message):
        sent.append(message)

    path, _, query = path.partition("?")
    scope = {
        "type": "http", "method": method, "path": unquote(path), "raw_path": path.encode(), "root_path": "",
        "query_string": query.encode(), "headers": headers, "client": address and (address, 1), "http_version": "1.1",
        "scheme": "http", "server": ("localhost", 80),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    found = {name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Answered(sent[0]["status"], found, b"".join(each.get("body", b"") for each in sent[1:]))


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the app"})


def wsgi_environ(path, **more):
    return {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost", "HTTP_AUTHORIZATION": f"Bearer {TOKEN}",
        "REMOTE_ADDR": "127.0.0.1", "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", **more,
    }  # fmt: skip


def call_wsgi(injector, environ):
    seen = []
    app = WSGIFaultMiddleware(lambda _, start: start("200 OK", []) or [b"the app"], injector=injector)
    result = app(environ, lambda status, headers, *_: seen.append((status, headers)))
    body = b"".join(result)
    getattr(result, "close", lambda: None)()
    return (*seen[0], body)


def ask(port, data):
    """Send bytes; what comes back until the server closes, or has given an answer in JSON."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        found = b""
        with suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                found += piece
                if b"\r\n\r\n" in found and b"}" in found:
                    break
        return found


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


def make_injector(rules=RULES, seed="42", clock=time.time, **variables):
    """With the API below a path, where nothing else is said."""
    environ = {
        "FAULTINJECT_ENABLED": "1",
        "FAULTINJECT_CONTROL": MOUNT,
        "FAULTINJECT_TOKEN": TOKEN,
        **variables,
    }
    environ = {name: each for name, each in environ.items() if each}
    return Injector(rules, seed=seed, clock=clock, environ=environ)


@pytest.fixture
def api():
    """The API in this process: what its calls do is the same at each of its doors."""
    return Api(make_injector())


@contextmanager
def control(kind, rules=RULES, **variables):
    """An app with its control API, served; a client of both."""
    if kind == "own":
        variables = {"FAULTINJECT_CONTROL": "127.0.0.1:0", **variables}
    injector = make_injector(rules, **variables)
    if kind == "own":
        # What `install` does, with a server of the test's own, which ends.
        settings, injector.control = injector.control, None
        app = install(flask_app(), injector=injector, enabled=True)
        injector.control = settings
        server = ControlServer(injector)
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
        yield Client(injector, (port, MOUNT), port)


@pytest.fixture(params=KINDS)
def client(request):
    with control(request.param) as found:
        yield found


@pytest.fixture
def free_port():
    """Gives one, as often as it is called: nobody else has it before the test is over."""
    with ExitStack() as stack:
        yield lambda *host: stack.enter_context(ReservedPort(*host))


@pytest.fixture
def start(tmp_path):
    programs = []

    def run(*command, **variables):
        programs.append(Program(tmp_path, *command, **variables))
        return programs[-1]

    yield run
    for each in programs:
        each.stop()
        print(each.text)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One for all tests of this file."""
    with page.Server(tmp_path_factory.mktemp("page")) as found:
        found.start()
        yield found


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """One for all tests of this file: it takes half a second to begin."""
    with closing(Browser(tmp_path_factory.mktemp("browser"))) as found:
        yield found


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

"""A server of each kind in a few lines, so that tests see exactly what an adapter gives and takes."""

from __future__ import annotations

import asyncio
import io
import re
import threading
from itertools import count

import pytest
from anyio.lowlevel import checkpoint

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from faultinject.engine import plan

from .transport import WIRES

NOW = 1_763_625_600.25


class Clock:
    """A clock that moves only when somebody waits or the test says so."""

    def __init__(self, now=0.0):
        self.now = now
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    async def wait(self, seconds):
        self.sleep(seconds)
        await checkpoint()


class Answer:
    """What a client sees, and how the app was treated on the way."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def wire(self):
        return self.status, [(name.lower(), value) for name, value in self.headers], self.body

    def header(self, name):
        found = [value for each, value in self.headers if each.lower() == name.lower()]
        return found[0] if len(found) == 1 else found


def unquote(path):
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), path)


def make_environ(method="GET", target="/", headers=(), body=b"", **more):
    path, _, query = target.encode().partition(b"?")
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path).decode("latin-1"),
        "RAW_URI": target,
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "HTTP_HOST": "127.0.0.1",
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers:
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    environ.update(more)
    return environ


def make_scope(method="GET", target="/", headers=(), body=b"", **more):
    path, _, query = target.encode().partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path).decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "headers": [
            (b"host", b"127.0.0.1"),
            *([(b"content-length", str(len(body)).encode())] if body else []),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in headers),
        ],
    }
    scope.update(more)
    return scope


def serve_wsgi(app, environ):
    """Do what a server does with one request."""
    started, pieces = [], []

    def start_response(status, headers, exc_info=None):
        if exc_info and pieces:
            raise exc_info[1]
        started[:] = [(status, headers)]
        return pieces.append

    result = app(environ, start_response)
    try:
        pieces.extend(each for each in result if each)
    finally:
        if hasattr(result, "close"):
            result.close()
    status, headers = started[0]
    return Answer(int(status[:3]), list(headers), b"".join(pieces))


def messages(body=b"", more=()):
    """The receive of a client that sends this body in pieces of 64 KiB, then stays."""
    pieces = [body[at : at + 65_536] for at in range(0, len(body), 65_536)] or [b""]
    left = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    left[-1]["more_body"] = False
    left += more

    async def receive():
        if left:
            return left.pop(0)
        await asyncio.Event().wait()
        return None

    return receive


async def serve_asgi(app, scope, receive):
    sent = []

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    start = next(each for each in sent if each["type"] == "http.response.start")
    body = b"".join(each.get("body", b"") for each in sent if each["type"] == "http.response.body")
    assert sum(each["type"] == "http.response.start" for each in sent) == 1
    assert not sent[-1].get("more_body")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    return Answer(start["status"], headers, body)


APP_HEADERS = [
    ("content-type", "text/plain"),
    ("content-length", "3"),
    ("access-control-allow-origin", "https://app.example"),
    ("vary", "Origin"),
    ("x-app", "yes"),
]


def wsgi_app(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", list(APP_HEADERS))
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else b"app"]


async def asgi_app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    headers = [(name.encode(), value.encode()) for name, value in APP_HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else b"app"})


class Wsgi:
    kind = "wsgi"
    app = staticmethod(wsgi_app)

    def __call__(self, injector, method="GET", target="/", headers=(), body=b"", app=None, **more):
        wrapped = WSGIFaultMiddleware(app or wsgi_app, injector=injector)
        return serve_wsgi(wrapped, make_environ(method, target, headers, body, **more))


class Asgi:
    """As `Wsgi`; `run` runs a coroutine in the thread that made this."""

    kind = "asgi"
    app = staticmethod(asgi_app)

    def __init__(self, run=asyncio.run):
        self.run = run
        self.thread = threading.get_ident()

    def __call__(self, injector, method="GET", target="/", headers=(), body=b"", app=None, **more):
        wrapped = ASGIFaultMiddleware(app or asgi_app, injector=injector)
        scope = make_scope(method, target, headers, body, **more)
        run = self.run if threading.get_ident() == self.thread else asyncio.run
        return run(serve_asgi(wrapped, scope, messages(body)))


@pytest.fixture(params=[Wsgi, Asgi], ids=["wsgi", "asgi"])
def send(request):
    """`send(injector, method, target, …)`: one request through an adapter; its `kind` says which."""
    return request.param()


@pytest.fixture
def both():
    """The two ways in, for what must be equal."""
    with asyncio.Runner() as runner:
        yield Wsgi(), Asgi(runner.run)


@pytest.fixture
def servers():
    """The makers and drivers of requests."""
    from types import SimpleNamespace

    return SimpleNamespace(
        environ=make_environ,
        scope=make_scope,
        wsgi=serve_wsgi,
        asgi=serve_asgi,
        messages=messages,
        Answer=Answer,
    )


@pytest.fixture(params=WIRES)
def wire(request, servers):
    """`wire(injector, app, method, target, …)`: one request on a real connection, through an adapter."""
    return WIRES[request.param](servers)


@pytest.fixture
def out_of_reach(monkeypatch):
    """Called, it lets no connection be found any more, as behind a router or without `/proc`."""

    def hide():
        monkeypatch.setattr("faultinject.adapters.connection.DESCRIPTORS", ())
        monkeypatch.setattr("faultinject.adapters.connection.NATIVE", False)

    return hide


@pytest.fixture
def clock(monkeypatch):
    """A clock for waits, under both adapters; give it to `make_injector` as `waits`."""
    clock = Clock()
    monkeypatch.setattr(
        "faultinject.adapters.alarm.Alarm.sleep", lambda _, seconds, *__, **___: clock.sleep(seconds)
    )
    monkeypatch.setattr("faultinject.adapters.loop_watch.Wait.sleep", lambda _, seconds: clock.wait(seconds))
    return clock


@pytest.fixture
def make_injector(monkeypatch):
    """A maker of injectors with a fixed clock and their own numbering, blind to the environment."""

    def make(rules, *, seed="adapters", now=NOW, waits=None, record_all=False, **environ):
        monkeypatch.setattr(plan, "_seq", count())
        clock = now if callable(now) else lambda: now
        made = Injector(rules, seed=seed, clock=clock, environ=environ, record_all=record_all)
        if waits is not None:
            made._services.monotonic = waits
        return made

    return make

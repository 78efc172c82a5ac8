"""A small server of each kind, so that tests see exactly what an adapter sends and receives."""

import asyncio
import io
import re
import stat
import threading
from types import SimpleNamespace

import anyio
import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware, vendors
from tests.virtual_time import Time

from .transport import WIRES, hearing, recorder

NOW = 1_763_625_600.25  # 0x691eca80 seconds and a bit
ID_HEADERS = {name.lower() for each in vendors.names() for name, _ in vendors.get(each).id_headers}


class Answer:
    """The client's view of an answer, and the treatment of the app."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def wire(self):
        """All of it, but the ids, which no two answers of a process share."""
        headers, body = [(name.lower(), value) for name, value in self.headers], self.body
        ids = {value: name for name, value in headers if name in ID_HEADERS and value}
        for value, name in ids.items():
            body = body.replace(value.encode(), f"<{name}>".encode())
        headers = [(name, f"<{ids[value]}>" if value in ids else value) for name, value in headers]
        # What Azure and TOS draw besides; OSS has the body in a header for HEAD.
        body = re.sub(rb'\.\d{7}Z|(?<="HostId":")\w{32}', b"", body)
        return self.status, [each for each in headers if each[0] != "x-oss-err"], body

    @property
    def names(self):
        return [name.lower() for name, _ in self.headers]

    def header(self, name):
        found = [value for each, value in self.headers if each.lower() == name.lower()]
        return found[0] if len(found) == 1 else found


def unquote(path):
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), path)


def parts_of(target):
    """Path and query on the wire, of text or of such a pair."""
    if isinstance(target, str):
        path, _, query = target.encode().partition(b"?")
        return path, query
    return target


def make_environ(method="GET", target="/", headers=(), body=b"", **more):
    path, query = parts_of(target)
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path).decode("latin-1"),
        "RAW_URI": (path + (b"?" + query if query else b"")).decode("latin-1"),
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
    return environ | more


def make_scope(method="GET", target="/", headers=(), body=b"", **more):
    path, query = parts_of(target)
    return {
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
            *([(b"host", b"127.0.0.1")] if "host" not in {name.lower() for name, _ in headers} else []),
            *([(b"content-length", str(len(body)).encode())] if body else []),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in headers),
        ],
        **more,
    }


def serve_wsgi(app, environ):
    """Do what a server does with one request."""
    started, pieces = [], []

    def start_response(status, headers, exc_info=None):
        if exc_info and pieces:
            raise exc_info[1]
        assert exc_info or not started
        started[:] = [(status, headers)]
        return pieces.append

    result = app(environ, start_response)
    try:
        pieces.extend(each for each in result if each)
    finally:
        if hasattr(result, "close"):
            result.close()
    status, headers = started[0]
    assert re.fullmatch(r"[2-7]\d\d \S.*", status)
    assert {type(text) for pair in headers for text in pair} <= {str}
    return Answer(int(status[:3]), list(headers), b"".join(pieces))


def messages(body=b"", more=()):
    """The receive of a client that sends this body in pieces of 64 KiB, then stays."""
    pieces = [body[at : at + 65_536] for at in range(0, len(body), 65_536)] or [b""]
    left = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    left[-1]["more_body"] = False
    return hearing(*left, *more)


async def serve_asgi(app, scope, receive):
    sent, send = recorder()
    await app(scope, receive, send)
    start = next(each for each in sent if each["type"] == "http.response.start")
    body = b"".join(each.get("body", b"") for each in sent if each["type"] == "http.response.body")
    assert sum(each["type"] == "http.response.start" for each in sent) == 1
    assert not sent[-1].get("more_body")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    assert [name for name, _ in headers] == [name.lower() for name, _ in headers]
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
        wrapped = WSGIFaultMiddleware(getattr(app, "wsgi", app) or wsgi_app, injector=injector)
        return serve_wsgi(wrapped, make_environ(method, target, headers, body, **more))


class Asgi:
    """As `Wsgi`; `run` runs a coroutine function in the thread that made this.

    A `receive` takes the place of the client that sends `body`.
    """

    kind = "asgi"
    app = staticmethod(asgi_app)

    def __init__(self, run=anyio.run):
        self.run = run
        self.thread = threading.get_ident()

    def __call__(
        self, injector, method="GET", target="/", headers=(), body=b"", app=None, receive=None, **more
    ):
        wrapped = ASGIFaultMiddleware(getattr(app, "asgi", app) or asgi_app, injector=injector)
        scope = make_scope(method, target, headers, body, **more)
        run = self.run if threading.get_ident() == self.thread else anyio.run
        return run(serve_asgi, wrapped, scope, receive or messages(body))


SENDS = {"wsgi": Wsgi, "asgi": Asgi}


@pytest.fixture(params=SENDS)
def send(request):
    """`send(injector, method, target, …)` sends one request through an adapter of one `kind`.

    The app may be one that has `wsgi` and `asgi`.
    """
    if request.param == "asgi" and "clock" in request.fixturenames:
        return Asgi(request.getfixturevalue("clock").run)
    return SENDS[request.param]()


@pytest.fixture
def both(request):
    """The two ways in, for what must be equal, in the time of `clock`."""
    if "clock" in request.fixturenames:
        yield Wsgi(), Asgi(request.getfixturevalue("clock").run)
        return
    with asyncio.Runner() as runner:
        yield Wsgi(), Asgi(lambda function, *args: runner.run(function(*args)))


@pytest.fixture
def servers():
    """The makers and drivers of requests."""
    return SimpleNamespace(
        environ=make_environ,
        scope=make_scope,
        wsgi=serve_wsgi,
        asgi=serve_asgi,
        messages=messages,
    )


@pytest.fixture(params=WIRES)
def wire(request, servers):
    """`wire(injector, app, method, target, …)` sends one request on a real connection."""
    return WIRES[request.param](servers)


@pytest.fixture
def out_of_reach(monkeypatch):
    """Hide all connections, as behind a router: no descriptor looks like a socket's."""

    def hide():
        monkeypatch.setattr(stat, "S_ISSOCK", lambda _: False)

    return hide


@pytest.fixture
def clock():
    """A clock for waits, under both adapters; give it to `make_injector` as `waits`."""
    return Time()


@pytest.fixture
def make_injector():
    """A maker of injectors with a fixed clock, blind to the environment."""

    def make(rules, *, seed="adapters", now=NOW, waits=None, record_all=False, **environ):
        clock = now if callable(now) else lambda: now
        return Injector(rules, seed=seed, clock=clock, environ=environ, waits=waits, record_all=record_all)

    return make

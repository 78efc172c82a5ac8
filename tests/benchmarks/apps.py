"""The apps, no-op classes, requests and rules of the cases, and loops that call an app.

Each call gets its own copy of the environ or scope, as a server would give it: both sides of a ratio pay for it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any

from measure import Block

from faultinject import Rule, install

Environ = dict[str, Any]
Scope = dict[str, Any]

BODY = b"Hello, World!"
PATH = "/bucketx/photos/2024/a.jpg"

logging.getLogger("faultinject").addHandler(logging.NullHandler())


def environ(method: str = "PUT", path: str = PATH, host: str = "app.example.com:8000") -> Environ:
    """The environ that a server gives a WSGI app for an ordinary client's request."""
    return {
        "wsgi.errors": None, "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": False,
        "wsgi.run_once": False, "wsgi.file_wrapper": None, "wsgi.input_terminated": True,
        "wsgi.input": None, "wsgi.url_scheme": "http", "SERVER_SOFTWARE": "server/1.0", "REQUEST_METHOD": method,
        "QUERY_STRING": "", "RAW_URI": path, "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": host,
        "HTTP_USER_AGENT": "cos-python-sdk-v5.1.9.30", "HTTP_ACCEPT_ENCODING": "gzip, deflate", "HTTP_ACCEPT": "*/*",
        "HTTP_CONNECTION": "keep-alive", "HTTP_AUTHORIZATION": "q-sign-algorithm=sha1&q-ak=AKID&q-signature=00",
        "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "40000", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000",
        "PATH_INFO": path, "SCRIPT_NAME": "", "CONTENT_TYPE": "", "CONTENT_LENGTH": "",
    }  # fmt: skip


def scope(method: str = "PUT", path: str = PATH, host: bytes = b"app.example.com:8000") -> Scope:
    """The same request for an ASGI app."""
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 40000), "scheme": "http", "method": method,
        "root_path": "", "path": path, "raw_path": path.encode(), "query_string": b"", "state": {},
        "headers": [
            (b"host", host), (b"user-agent", b"cos-python-sdk-v5.1.9.30"), (b"accept-encoding", b"gzip, deflate"),
            (b"accept", b"*/*"), (b"connection", b"keep-alive"),
            (b"authorization", b"q-sign-algorithm=sha1&q-ak=AKID&q-signature=00"),
        ],
    }  # fmt: skip


def trivial_wsgi(environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [BODY]


async def trivial_asgi(scope: Scope, receive: Any, send: Any) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")],
        }
    )
    await send({"type": "http.response.body", "body": BODY})


class NoopWSGI:
    """The least that a middleware class can do."""

    __slots__ = ("app",)

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        return self.app(environ, start_response)


class NoopASGI:
    """The least that an ASGI middleware class can do."""

    __slots__ = ("app",)

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


ERROR = b"<?xml version='1.0' encoding='utf-8' ?><Error><Code>SlowDown</Code></Error>"


def wsgi_by_hand(app: Any) -> Any:
    """The app with an error of storage before it, as a test would write it by hand."""

    def call(environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "PUT" and environ["PATH_INFO"].startswith("/bucketx/"):
            length = ("Content-Length", str(len(ERROR)))
            start_response("503 Slow Down", [("Content-Type", "application/xml"), length])
            return [ERROR]
        answer: Iterable[bytes] = app(environ, start_response)
        return answer

    return call


def asgi_by_hand(app: Any) -> Any:
    """The same for an ASGI app."""

    async def call(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "PUT" and scope["path"].startswith("/bucketx/"):
            headers = [(b"content-type", b"application/xml"), (b"content-length", b"%d" % len(ERROR))]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": ERROR})
            return
        await app(scope, receive, send)

    return call


def flask_hello() -> Any:
    from flask import Flask

    app = Flask("hello")
    app.add_url_rule("/<path:_>", "hello", lambda _: "Hello, World!", methods=["GET", "PUT"])
    return app


def fastapi_hello() -> Any:
    from fastapi import FastAPI

    app = FastAPI()

    async def hello() -> dict[str, str]:
        return {"message": "Hello, World!"}

    app.add_api_route("/{_:path}", hello, methods=["GET", "PUT"])
    return app


def around(app: Any, rules: Any, interface: Any = None) -> Any:
    """The app with faults around it, as `install()` makes it."""
    return install(app, rules, enabled=True, seed=1, interface=interface)


def rules(count: int, kind: str = "path", **keys: Any) -> list[Rule]:
    """Rules for PUT, each with another literal path, bucket or host that no request has."""
    patterns = {"path": "/bucket{}/photos/", "bucket": "bucket{}", "host": "host{}.example.net"}
    return [
        Rule("cos:SlowDown", method="PUT", **{kind: patterns[kind].format(number)}, **keys)
        for number in range(count)
    ]


def _start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
    return bytes


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: dict[str, Any]) -> None:
    return None


def calls_wsgi(app: Any, request: Environ) -> Block:
    """A loop that calls a WSGI app whose answer needs no `close()`."""

    def block(count: int) -> None:
        for _ in repeat(None, count):
            app(dict(request), _start)

    return block


def serves_wsgi(app: Any, request: Environ) -> Block:
    """A loop that calls a WSGI app, reads its answer and closes it, as a server does."""

    def block(count: int) -> None:
        for _ in repeat(None, count):
            answer = app(dict(request), _start)
            for _piece in answer:
                pass
            if hasattr(answer, "close"):
                answer.close()

    return block


def calls_asgi(app: Any, request: Scope) -> Block:
    """A loop that drives an ASGI app that waits for nothing, without an event loop."""

    def block(count: int) -> None:
        for _ in repeat(None, count):
            try:
                app(dict(request), _receive, _send).send(None)
            except StopIteration:
                pass
            else:
                raise AssertionError("the app waited")

    return block


def serves_asgi(app: Any, request: Scope, loop: asyncio.AbstractEventLoop) -> Block:
    """A loop that awaits an ASGI app in an event loop."""

    async def many(count: int) -> None:
        for _ in repeat(None, count):
            await app(dict(request), _receive, _send)

    return lambda count: loop.run_until_complete(many(count))


INTERFACES: dict[str, tuple[Any, Any, Any, Any]] = {
    "WSGI": (trivial_wsgi, NoopWSGI, environ, calls_wsgi),
    "ASGI": (trivial_asgi, NoopASGI, scope, calls_asgi),
}
"""By interface: an app, a no-op class, and makers of a request and of a loop of calls."""

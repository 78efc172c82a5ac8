"""Apps of every kind without code for faults; each answers with its process and the path."""

import os
from functools import partial

HEADERS = {"X-App-Said": "Yes", "Content-Type": "text/plain; charset=utf-8"}


def text(path):
    return f"{path} of {os.getpid()}" if path == "/process" else f"app: {path}"


def wsgi(environ, start_response):
    body = text(environ["PATH_INFO"]).encode()
    start_response("200 OK", [*HEADERS.items(), ("Content-Length", str(len(body)))])
    return [body]


class WSGIClass:
    def __call__(self, environ, start_response):
        return wsgi(environ, start_response)


def with_more(more, environ, start_response):
    return more(environ, start_response)


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = text(scope["path"]).encode()
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class ASGIClass:
    async def __call__(self, scope, receive, send):
        await asgi(scope, receive, send)


async def with_less(scope, receive, send, *, inner=asgi):
    await inner(scope, receive, send)


class OldASGI:
    """ASGI 2: a callable that gives a callable."""

    def __init__(self, scope):
        self._scope = scope

    async def __call__(self, receive, send):
        await asgi(self._scope, receive, send)


def make_asgi():
    return asgi


wsgi_object = WSGIClass()
wsgi_partial = partial(with_more, wsgi)
asgi_object = ASGIClass()
asgi_partial = partial(with_less, inner=asgi)

"""The apps of the real servers: the same known answers over WSGI and ASGI.

`GET …/photos/N` gives N known bytes, `GET …/stream` five pieces without a length, `PUT` and `POST` the digest of what
came, but `…/ignored`, which leaves it unread; `GET /ran?/a/b` how often the app has met `/a/b`, `GET /counts` that for
all paths, `GET /stored?/a/b` the digest of what `/a/b` was given last, `GET /collect` collects garbage.
"""

from __future__ import annotations

import gc
import json
import os
from collections import Counter
from hashlib import sha256, shake_128

from faultinject import ASGIFaultMiddleware, WSGIFaultMiddleware

PIECES = [shake_128(bytes([number])).digest(1000) for number in range(5)]
KIND = "application/octet-stream"
_ran: Counter[str] = Counter()
_stored: dict[str, str] = {}


TOLD = {
    "/ran": lambda query: str(_ran[query]),
    "/counts": lambda _: json.dumps(_ran),
    "/stored": lambda query: _stored.get(query, ""),
}


def photo(size):
    """The bytes of /photos/SIZE."""
    return shake_128(b"photo").digest(size)


def answer(method, path, query, body):
    """The pieces of an answer's body, and whether its length is told."""
    if path in TOLD:
        return [TOLD[path](query).encode()], True
    _ran[path] += 1
    if path == "/collect":
        return [str(gc.collect()).encode()], True
    if path.endswith("/ignored"):
        return [b"ignored"], True
    if path.endswith("/stream"):
        return PIECES, False
    if method in ("PUT", "POST"):
        _stored[path] = sha256(body).hexdigest()
        # boto3 takes a success that says something for an error in disguise.
        return [] if path.startswith("/once") else [_stored[path].encode()], True
    return [photo(int(path.rpartition("/photos/")[2] or 0))], True


def headers(pieces, sized):
    """The headers of an answer, one of them in mixed case."""
    length = [("Content-Length", str(sum(map(len, pieces))))] if sized else []
    return [("Content-Type", KIND), *length, ("X-App-Said", "Yes")]


def plain_wsgi(environ, start_response):
    """The app over WSGI."""
    method = environ["REQUEST_METHOD"]
    path = environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]
    body = b"" if path.endswith("/ignored") else read(environ)
    pieces, sized = answer(method, path, environ.get("QUERY_STRING", ""), body)
    start_response("200 OK", headers(pieces, sized))
    return [] if method == "HEAD" else pieces if sized else iter(pieces)


def read(environ):
    """The whole body; nothing of one whose end the server does not mark."""
    if length := environ.get("CONTENT_LENGTH"):
        return environ["wsgi.input"].read(int(length))
    marked = "HTTP_TRANSFER_ENCODING" in environ and environ.get("wsgi.input_terminated")
    return environ["wsgi.input"].read() if marked else b""


async def plain_asgi(scope, receive, send):
    """The app over ASGI."""
    if scope["type"] == "lifespan":
        while True:
            what = (await receive())["type"].removeprefix("lifespan.")
            await send({"type": f"lifespan.{what}.complete"})
            if what == "shutdown":
                return
    body = b""
    while not scope["path"].endswith("/ignored"):
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    pieces, sized = answer(scope["method"], scope["path"], scope["query_string"].decode(), body)
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers(pieces, sized)]
    await send({"type": "http.response.start", "status": 200, "headers": encoded})
    for piece in [] if scope["method"] == "HEAD" else pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


def beneath_wsgi(app):
    """Other middleware on top, which wraps what it is given."""

    def outer(environ, start_response):
        def wrapped_start(status, headers, *more):
            return start_response(status, headers, *more)

        return app(environ, wrapped_start)

    return outer


def beneath_asgi(app):
    """The same over ASGI."""

    async def outer(scope, receive, send):
        async def wrapped_receive():
            return await receive()

        async def wrapped_send(message):
            await send(message)

        await app(scope, wrapped_receive, wrapped_send)

    return outer


# The tests load this module as well, without rules.
_faulty = "FAULTINJECT_RULES" in os.environ
wsgi = WSGIFaultMiddleware(plain_wsgi) if _faulty else plain_wsgi
asgi = ASGIFaultMiddleware(plain_asgi) if _faulty else plain_asgi
if "WRAPPED" in os.environ:
    wsgi, asgi = beneath_wsgi(wsgi), beneath_asgi(asgi)

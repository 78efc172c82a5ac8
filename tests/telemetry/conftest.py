"""An app behind the middleware, and one request to it."""

from __future__ import annotations

from tests import asking


def app(environ, start_response):
    """It answers in pieces, and fails at one path."""
    status = "500 Internal Server Error" if environ["PATH_INFO"] == "/broken" else "200 OK"
    start_response(status, [("Content-Length", "3")])
    yield from (b"a", b"p", b"p")


def get(injector, path="/photos/a", **more):
    """The status."""
    return asking.get(injector, path, app=app, **more)

"""One request to an app behind the middleware, without a server."""

from __future__ import annotations

from faultinject import WSGIFaultMiddleware


def app(environ, start_response):
    """An app that has nothing but good to say."""
    start_response("200 OK", [])
    return [b"app"]


def get(injector, path="/", method="GET", **more):
    """The status of one request."""
    statuses = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, **more}
    wrapped = WSGIFaultMiddleware(app, injector=injector)
    b"".join(wrapped(environ, lambda status, *_: statuses.append(int(status[:3]))))
    return statuses[-1]

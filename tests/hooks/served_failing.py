"""The usual line of code around an app that fails on request; a Redis server gets its time."""

import served

import faultinject
from faultinject.counts.patience import waiting

waiting.answer = 10.0
FAILS = "/broken"


def app(environ, start_response):
    if environ["PATH_INFO"] != FAILS:
        return served.wsgi(environ, start_response)
    start_response("500 Internal Server Error", [("Content-Length", "0")])
    return []


async def asgi_app(scope, receive, send):
    if scope["type"] == "lifespan" or scope["path"] != FAILS:
        await served.asgi(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


wsgi = faultinject.install(app)
asgi = faultinject.install(asgi_app)

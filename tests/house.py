"""The files of a request: `python tests/house.py`, with `-v` each with its calls."""

import asyncio
import io
import sys
from collections import Counter
from itertools import pairwise, product
from pathlib import Path

import faultinject
from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware

HOUSE = Path(faultinject.__file__).parent
RULE = "cos:SlowDown,path=/photos/,method=PUT,times=1000000,probability=0.999999"
DELAYED = f"{RULE},delay=1ms"
BODY = b"x" * 100
WARM = 50


def wsgi(path, rule=RULE):
    """Return a function that sends one PUT to an app under the WSGI middleware."""

    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"stored"]

    wrapped = WSGIFaultMiddleware(app, injector=Injector(rule, seed=1, environ={}))

    def ask():
        environ = {
            "REQUEST_METHOD": "PUT",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_LENGTH": str(len(BODY)),
            "HTTP_HOST": "photos-1250000000.cos.ap-beijing.myqcloud.com",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(BODY),
            "wsgi.errors": sys.stderr,
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        answer = wrapped(environ, lambda status, headers, exc_info=None: None)
        for _ in answer:
            pass
        getattr(answer, "close", lambda: None)()

    return ask


def asgi(path, rule=RULE):
    """Return a function that sends one PUT to an app under the ASGI middleware."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"stored"})

    wrapped = ASGIFaultMiddleware(app, injector=Injector(rule, seed=1, environ={}))
    loop = asyncio.new_event_loop()

    def ask():
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "PUT",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"host", b"photos-1250000000.cos.ap-beijing.myqcloud.com"),
                (b"content-length", str(len(BODY)).encode()),
            ],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 80),
        }

        body = [{"type": "http.request", "body": BODY, "more_body": False}]

        async def receive():
            if not body:
                await asyncio.Event().wait()  # as under a server, until the client leaves
            return body.pop()

        async def send(message):
            pass

        loop.run_until_complete(wrapped(scope, receive, send))

    return ask


def rooms(ask):
    """List the files that one request goes through, call by call, once all is imported."""
    for _ in range(WARM):
        ask()
    visited = []

    def seen(frame, event, _):
        if event == "call":
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(HOUSE):
                visited.append(str(path.relative_to(HOUSE)))

    sys.setprofile(seen)
    try:
        ask()
    finally:
        sys.setprofile(None)
    return visited


def main():
    """Print the table."""
    asked = [
        ("injected", "/photos/cat.jpg", RULE),
        ("delayed", "/photos/cat.jpg", DELAYED),
        ("unmatched", "/films/cat.mp4", RULE),
    ]
    for interface, (what, path, rule) in product((wsgi, asgi), asked):
        visited = rooms(interface(path, rule))
        changes = sum(one != other for one, other in pairwise(visited))
        told = f"{len(visited)} calls in {len({*visited})} files, {changes} changes of file"
        print(f"{interface.__name__.upper()}, {what}: {told}")
        if "-v" in sys.argv:
            for name, count in Counter(visited).most_common():
                print(f"    {count:3} {name}")


if __name__ == "__main__":
    main()

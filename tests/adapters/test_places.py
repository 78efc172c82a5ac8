"""A fault has one of `FAULTINJECT_MAX_ACTIVE` places until nothing more is done, and not for as long as its answer takes."""

import asyncio

import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware

from .conftest import make_environ, make_scope, messages, serve_asgi, serve_wsgi

FIRST, SECOND = b"x" * 1000, b"the end"
LENGTH = [("content-length", str(len(FIRST) + len(SECOND)))]
UPLOAD = b"0123456789"


def over_wsgi(injector, length):
    """The statuses of what is asked for before the app begins its answer, and behind its first piece."""
    found = []

    def inner():
        found.append(serve_wsgi(middleware, make_environ(target="/inner")).status)

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/inner":
            start_response("200 OK", [("Content-Length", "0")])
            return
        environ["wsgi.input"].read()
        inner()
        start_response("200 OK", [*length])
        yield FIRST
        inner()
        yield SECOND

    middleware = WSGIFaultMiddleware(app, injector=injector)
    serve_wsgi(middleware, make_environ("PUT", "/outer", body=UPLOAD))
    return found


def over_asgi(injector, length):
    found = []

    async def inner():
        found.append((await serve_asgi(middleware, make_scope(target="/inner"), messages())).status)

    async def app(scope, receive, send):
        head = {"type": "http.response.start", "status": 200, "headers": []}
        if scope["path"] == "/inner":
            await send(head)
            await send({"type": "http.response.body"})
            return
        while (await receive()).get("more_body"):
            pass
        await inner()
        await send({**head, "headers": [(name.encode(), text.encode()) for name, text in length]})
        await send({"type": "http.response.body", "body": FIRST, "more_body": True})
        await inner()
        await send({"type": "http.response.body", "body": SECOND})

    middleware = ASGIFaultMiddleware(app, injector=injector)
    asyncio.run(serve_asgi(middleware, make_scope("PUT", "/outer", body=UPLOAD), messages(UPLOAD)))
    return found


@pytest.mark.parametrize("over", [over_wsgi, over_asgi])
@pytest.mark.parametrize("length", [LENGTH, []], ids=["length", "no length"])
@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ("latency,delay=1ms", [503, 503]),
        ("stall,duration=1ms", [503, 503]),
        ("stall,duration=1ms,after_bytes=5", [503, 503]),
        ("latency,delay=1ms,when=after", [200, 503]),
        ("edit,set.x-a=b", [200, 503]),
        ("corrupt,flips=1", [200, 503]),
        ("stall,duration=1ms,when=after,after_bytes=5", [200, 503]),
        ("stall,duration=1ms,when=after,after_bytes=1003", [200, 200]),
        ("drip,rate=1GB", [200, 200]),
    ],
)
def test_a_place_is_free_when_nothing_more_is_done(over, length, rule, given):
    """What is asked for meanwhile gets its fault, as behind a corrupted byte, however long the app goes on."""
    injector = Injector(
        f"{rule},path=/outer http:503,path=/inner", seed="places", environ={"FAULTINJECT_MAX_ACTIVE": "1"}
    )
    assert over(injector, length) == given
    assert [each.injected for each in injector.journal.outcomes if each.path == "/outer"][-1]
    [first] = [each.did for each in injector.journal.outcomes if each.path == "/inner"][:1]
    assert first == ("answered" if given[0] == 503 else "refused")

"""Every answer that a fault was done to says so, and is kept by no cache."""

import asyncio

import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from tests.rows import row_by_row

from .conftest import make_scope
from .transport import hearing, saying

BODY = b"the body of the app's own answer"
CACHED = {
    "Cache-Control": "public, max-age=9",
    "CDN-Cache-Control": "max-age=9",
    "Expires": "Fri, 01 Jan 2100 00:00:00 GMT",
}
OWN = ["corrupt", "truncate,keep=0.5", "drip,rate=1MiB", "latency,delay=1ms", "latency,delay=1ms,when=after"]
GIVEN = [
    "cos:SlowDown",
    "http:503",
    "truncate,of=cos:SlowDown",
    "drip,rate=1MiB,of=cos:SlowDown",
    "cos:SlowDown,when=after",
]
LIFTED = "http:503,set.x-faultinject=,set.cache-control=max-age=9"


def over_wsgi(injector):
    def app(_environ, start_response):
        start_response("200 OK", [("Content-Length", str(len(BODY))), ("ETag", '"1"'), *CACHED.items()])
        return [BODY]

    seen = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/b/k", "HTTP_HOST": "h", "faultinject.in_process": True}
    answer = WSGIFaultMiddleware(app, injector=injector)(
        environ, lambda _, headers, *more: seen.append(headers)
    )
    try:
        list(answer)
    except OSError:
        assert injector.journal.outcomes[0].did == "truncated"
    return seen[-1]


def over_asgi(injector):
    headers = {"content-length": str(len(BODY)), "etag": '"1"', **CACHED}
    given = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    start = {"type": "http.response.start", "status": 200, "headers": given}
    app, seen = saying(start, {"type": "http.response.body", "body": BODY}), []

    async def send(message):
        if message["type"] == "http.response.start":
            seen.append([(name.decode(), value.decode()) for name, value in message["headers"]])

    try:
        asyncio.run(ASGIFaultMiddleware(app, injector=injector)(make_scope("GET", "/b/k"), hearing(), send))
    except OSError:
        assert injector.journal.outcomes[0].did == "truncated"
    return seen[-1]


def marks(headers):
    told = ("x-faultinject", "expires")
    return sorted(
        (name.lower(), value)
        for name, value in headers
        if name.lower() in told or name.lower().endswith("cache-control")
    )


@row_by_row("over", [over_wsgi, over_asgi])
@row_by_row("rule", [*OWN, *GIVEN, LIFTED])
def test_every_fault_is_marked(over, rule):
    """By the rule's name, with nothing else that speaks to caches; whatever the rule sets."""
    injector = Injector(f"{rule},name=mine", seed=1, environ={})
    assert marks(over(injector)) == [("cache-control", "no-store"), ("x-faultinject", "mine")]
    assert injector.journal.outcomes[0].injected


@row_by_row("over", [over_wsgi, over_asgi])
@row_by_row("rule", OWN)
def test_not_where_marks_are_off(over, rule):
    """The app's own headers, to the byte."""
    injector = Injector(rule, seed=1, environ={"FAULTINJECT_HEADER": "0"})
    assert marks(over(injector)) == sorted((name.lower(), value) for name, value in CACHED.items())


@pytest.mark.parametrize("over", [over_wsgi, over_asgi])
def test_what_a_rule_sets_counts_where_marks_are_off(over):
    """Then these headers are like any other."""
    injector = Injector(LIFTED, seed=1, environ={"FAULTINJECT_HEADER": "0"})
    assert ("cache-control", "max-age=9") in marks(over(injector))


@pytest.mark.parametrize("over", [over_wsgi, over_asgi])
def test_an_answer_that_nothing_was_done_to_is_not_marked(over):
    """A body that is shorter than what is kept is the app's own answer, whole."""
    injector = Injector("truncate,keep_bytes=1000", seed=1, environ={})
    assert ("x-faultinject", "rule-1") not in marks(over(injector))

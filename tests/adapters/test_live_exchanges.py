"""Real servers and raw sockets: hostile requests, and waits at a server's end."""

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest
from starlette.middleware.base import BaseHTTPMiddleware

from faultinject import ASGIFaultMiddleware, Injector, Rule
from faultinject.journal.log import log_server_hidden
from tests.pairs import pairs
from tests.until import until

from . import live
from .transport import PATIENCE, App, Seen, read

pytestmark = pytest.mark.live

LONG = b"/" + b"p" * 100_000
TARGETS = {
    "100 kB": LONG,
    "NUL": b"/a%00b",
    "a raw NUL": b"/a\x00b",
    "CR LF": b"/a%0d%0aX-Evil:%201%0d%0a%0d%0abody",
    "a raw CR": b"/a\rX-Evil: 1",
    "markup": b"/<b>&'\"%3C%26%22",
    "invalid UTF-8": b"/%ff%fe%c3(",
    "raw bytes": b"/\xff\xc3\xbc",
    "an encoded slash": b"/a%2Fb%2fc",
    "dot segments": b"/../..//a/./b",
    "absolute form": b"http://evil.example/a?b",
    "empty": b"",
    "only a query": b"?a=b",
    "no slash": b"a",
    "asterisk": b"*",
    "percent": b"/%",
    "bidi": b"/%e2%80%ae%f0%9f%92%a9",
    "a long query": b"/a?" + b"q" * 50_000,
}
HEADS = {
    "plain": b"Host: 127.0.0.1\r\n",
    "IPv6": b"Host: [::1]:8080\r\n",
    "odd host": b"Host: a b<\xff>\r\n",
    "tokens": b"Host: h\r\nAuthorization: Bearer SECRET\r\nCookie: s=SECRET\r\nX-Amz-Security-Token: SECRET\r\n",
}
VENDORS = ("cos", "jss", "qiniu-mix")
# What a server itself says to what it does not take for HTTP.
OWN = {400, 404, 413, 414, 431, 500, 501, 505}


@pytest.fixture(scope="module", params=live.SERVERS)
def hostile(request):
    """A server of each kind where every request gets each vendor's envelope in turn."""
    rules = [Rule(f"{vendor}:SlowDown", header={"x-vendor": vendor}) for vendor in VENDORS]
    injector = Injector(rules, seed=1, environ={}, record_all=True)
    with live.serve(request.param, App(), injector, h11_max_incomplete_event_size=300_000) as port:
        yield injector, port


@pytest.mark.parametrize(
    ("hostile", "target", "head"),
    pairs(hostile=live.SERVERS, target=TARGETS, head=HEADS, alike={"head": lambda head: head == "plain"}),
    indirect=["hostile"],
)
def test_hostile_requests(hostile, target, head):
    """The server's answer or ours is well-formed and escaped, and the journal has no secret."""
    injector, port = hostile
    for vendor in VENDORS:
        injector.journal.clear()
        start = b"GET " + TARGETS[target] + b" HTTP/1.1\r\nx-vendor: " + vendor.encode() + b"\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
            client.sendall(start + HEADS[head] + b"Connection: close\r\n\r\n")
            raw, end = read(client)
        assert (end, injector.errors) == ("FIN", [])
        if raw[:5] != b"HTTP/":  # what werkzeug takes a request line of two words for
            assert target == "empty"
            continue
        assert re.match(rb"HTTP/1\.[01] \d{3} ?[^\r\n]*\r\n", raw)
        seen = Seen(raw, end, None)
        assert "x-evil" not in seen.headers
        if "x-faultinject" not in seen.headers:
            assert seen.status in OWN
            assert injector.journal.outcomes == []
            continue
        assert len(seen.body) == int(seen.headers["content-length"])
        [outcome] = injector.journal.outcomes
        assert outcome.fault == f"{vendor}:SlowDown"
        assert len(ElementTree.fromstring(seen.body) if vendor == "cos" else json.loads(seen.body)) in (4, 5)
        assert "SECRET" not in json.dumps(outcome.to_dict(), ensure_ascii=False)
        assert max(len(outcome.path), len(outcome.query)) <= 2048


WAITS = {
    "http:503,delay=1h": 503,
    "latency,delay=1h": 200,
    "http:503,delay=1h,when=after": 503,
    "latency,delay=1h,when=after": 200,
    "drip,rate=1": 200,
    "hang": 0,
    "cos:InternalError,status=200,delay=1h": 200,
}


@pytest.mark.parametrize("rule", WAITS)
def test_a_wait_does_not_keep_uvicorn_from_its_end(rule):
    """The wait ends, and the fault is given, as soon as uvicorn is told to stop."""
    injector = Injector(rule, seed=1, environ={})
    with (
        ThreadPoolExecutor(1) as client,
        live.serve("uvicorn", App(bytes(3600)), injector) as port,
    ):
        seen = client.submit(live.ask, port, "/a")
        until(lambda: injector.journal.outcomes)
    assert seen.result(PATIENCE).status == WAITS[rule]


async def go_on(request, call_next):
    """A middleware that does nothing, and runs the app in a task of its own."""
    return await call_next(request)


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize(
    ("rule", "body", "end", "did"),
    [
        ("reset,when=after,after_bytes=7", b"0123456", "RST", "reset"),
        ("close,when=after,after_bytes=7", b"0123456", "FIN", "closed"),
        ("truncate,keep_bytes=3", b"012", "FIN", "truncated"),
        ("reset", b"", "RST", "reset"),
        ("reset,when=after", b"", "RST", "reset"),
        ("close", b"", "FIN", "closed"),
    ],
)
def test_a_middleware_outside_ends_no_cut_answer_well(caplog, rule, body, end, did, length):
    """An answer that the journal calls cut is cut, beneath the middleware that hides the server.

    The log names the order, once a process.
    """
    log_server_hidden.cache_clear()
    injector = Injector(rule, seed=1, environ={})
    app = BaseHTTPMiddleware(ASGIFaultMiddleware(App(length=length).asgi, injector=injector), dispatch=go_on)
    with live.uvicorn_server(app) as port:
        seen = [live.ask(port) for _ in range(2)]
    assert [each.end for each in seen] == [end, end]
    if length:
        assert [each.body for each in seen] == [body, body]
    assert not any(each.body.endswith(b"0\r\n\r\n") for each in seen)
    assert (
        [each.did for each in injector.journal.outcomes],
        caplog.text.count("put faultinject outermost"),
    ) == ([did, did], 1)

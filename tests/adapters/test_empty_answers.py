"""Empty answers of WSGI apps, also under hypercorn, which begins no answer without a piece."""

import io
from wsgiref.handlers import SimpleHandler

import pytest
from hypercorn.app_wrappers import WSGIWrapper

from faultinject import WSGIFaultMiddleware

from .transport import last

ANSWERS = {
    "HEAD": ("HEAD", "200 OK", [("Content-Length", "3000")], [b""]),
    "204": ("GET", "204 No Content", [], [b""]),
    "304": ("GET", "304 Not Modified", [("ETag", '"e"')], [b""]),
    "length 0": ("GET", "200 OK", [("Content-Length", "0")], [b""]),
    "no length": ("GET", "200 OK", [], [b""]),
    "no piece": ("GET", "204 No Content", [], []),
}
TOUCHING = [
    "truncate",
    "drip,rate=9KiB",
    "corrupt",
    "reset,when=after,after_bytes=5",
    "stall,duration=1ms,when=after,after_bytes=5",
]


def ask(servers, injector, answer):
    """Status and body that hypercorn sends on."""
    method, status, headers, pieces = ANSWERS[answer]

    def app(environ, start_response):
        start_response(status, [*headers])
        return pieces

    sent = []
    wrapper = WSGIWrapper(WSGIFaultMiddleware(app, injector=injector), 2**16)
    wrapper.run_app(servers.environ(method), sent.append)
    start, *parts = sent
    return start["status"], b"".join(each["body"] for each in parts)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("rule", TOUCHING)
def test_there_is_nothing_to_cut(servers, make_injector, rule, answer):
    """The app's answer goes out, and the journal says so."""
    injector = make_injector(rule, record_all=True)
    status = int(ANSWERS[answer][1][:3])
    assert ask(servers, injector, answer) == (status, b"")
    assert (last(injector).did, last(injector).status) == ("nothing_to_cut", status)
    assert injector.errors == []


@pytest.mark.parametrize("pieces", [[], [b""]])
@pytest.mark.parametrize("rule", TOUCHING)
def test_a_server_says_the_length_of_an_empty_answer(servers, make_injector, rule, pieces):
    """wsgiref says that it has 0 bytes, as without faultinject."""
    closed = []

    class Answer(list):
        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("200 OK", [])
        return Answer(pieces)

    injector = make_injector(rule)
    sent = io.BytesIO()
    server = SimpleHandler(io.BytesIO(), sent, io.StringIO(), servers.environ("GET"))
    server.run(WSGIFaultMiddleware(app, injector=injector))
    assert b"\r\nContent-Length: 0\r\n" in sent.getvalue()
    assert (last(injector).did, closed, injector.counts()["rule-1"].injected) == ("nothing_to_cut", [True], 0)


@pytest.mark.parametrize(
    "rule", ["cos:SlowDown", "http:503", "cos:SlowDown,when=after", "reset", "close,when=after"]
)
def test_an_error_for_head(servers, make_injector, rule):
    """Ours has no body either; a connection that the server does not show is a gateway's."""
    injector = make_injector(rule)
    status = 502 if rule.startswith(("reset", "close")) else 503
    assert ask(servers, injector, "HEAD") == (status, b"")
    assert (last(injector).did, last(injector).status) == ("answered", status)

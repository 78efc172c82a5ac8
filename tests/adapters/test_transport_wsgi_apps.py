"""WSGI apps of many styles under faults that change the body."""

import io
from itertools import islice, product
from wsgiref.handlers import SimpleHandler
from wsgiref.util import FileWrapper

import pytest
from hypercorn.app_wrappers import WSGIWrapper

from faultinject import WSGIFaultMiddleware
from tests.rows import each_row

from .manners import MANNERS, SIZED
from .transport import App, Broken, WsgiWire, ended, last

WAYS = pytest.mark.parametrize("inside", [False, True], ids=["connection", "inside"])
DID = {
    # What is done to ten bytes: how many of them come, and how many are others.
    "truncate,keep_bytes=8": ("truncated", 8, 0),
    "drip,rate=1KB": ("dripped", 10, 0),
    "corrupt": ("corrupted", 10, 1),
}
SHAPES = pytest.mark.parametrize("rule", DID)


@pytest.fixture
def wire(servers):
    return WsgiWire(servers)


@WAYS
@pytest.mark.parametrize(("rule", "did"), DID.items())
@each_row("app", MANNERS)
def test_an_app_of_any_manner(wire, make_injector, rule, did, inside, app):
    """The body is changed like any other, and closed once, by the server or by us."""
    noted = App()

    def closing(*given):
        noted.pieces = app(*given)
        return noted

    injector = make_injector(rule)
    seen = wire(injector, closing, inside=inside, **{"wsgi.file_wrapper": FileWrapper})
    wrong = sum(one != other for one, other in zip(seen.body, b"0123456789", strict=False))
    assert (
        (last(injector).did, len(seen.body), wrong),
        seen.status,
        last(injector).response_bytes,
        noted.closed,
    ) == (did, 200, len(seen.body), 1)
    assert (isinstance(seen.error, ConnectionError), injector.counts()["rule-1"].injected) == (
        inside and rule.startswith("truncate"),
        1,
    )


@SHAPES
def test_what_passes_is_told_before_its_first_byte(servers, make_injector, rule):
    """The journal knows when the client does."""
    injector, told = make_injector(rule), []

    def start_response(status, headers):
        told.append(last(injector).did)

    list(WSGIFaultMiddleware(App().wsgi, injector=injector)(servers.environ("HEAD"), start_response))
    assert told == ["nothing_to_cut"]


@WAYS
@SHAPES
def test_an_app_that_changes_its_mind_too_late(wire, make_injector, rule, inside):
    """With exc_info behind the first piece its own error comes back to it."""
    error = Broken()

    def app(environ, start_response):
        start_response("200 OK", list(SIZED))
        yield b"0123"
        start_response("500 Oops", [], (Broken, error, None))

    injector = make_injector(f"{rule},times=1")
    assert wire(injector, app, inside=inside).error is error
    found = last(injector).did, injector.counts()["rule-1"].injected
    # A part has gone out slowly by then.
    assert found == (("dripped", 1) if rule.startswith("drip") else ("app_failed", 0))


@WAYS
@SHAPES
def test_an_app_that_never_starts(wire, make_injector, rule, inside):
    """Without start_response there is no answer: the server gets to know."""
    injector = make_injector(f"{rule},times=1")
    assert isinstance(wire(injector, lambda *_: [b"0123456789"], inside=inside).error, AssertionError)
    assert (last(injector).did, injector.counts()["rule-1"].injected) == ("app_failed", 0)


@pytest.mark.parametrize("pieces", [0, 1])
@SHAPES
def test_a_server_that_does_not_read_on(servers, make_injector, rule, pieces):
    """It lost its client: the answer is closed once, and what was not done is given back."""
    app = App(b"0123", b"", b"456789")
    injector = make_injector(f"{rule},times=1", FAULTINJECT_MAX_ACTIVE="1")
    environ = servers.environ()
    del environ["REMOTE_PORT"]
    result = WSGIFaultMiddleware(app.wsgi, injector=injector)(environ, lambda *_: None)
    list(islice(result, pieces))
    for _ in range(2):
        result.close()
    outcome = last(injector)
    expected = {"drip,rate=1KB": ["dripped"], "corrupt": ["corrupted", "failed"]}  # that depends on the place
    assert outcome.did in (expected.get(rule, ["failed"]) if pieces else ["failed"])
    found = app.closed, injector.counts()["rule-1"].injected, injector.finish()
    assert found == (1, outcome.injected, 0)


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


@each_row(("answer", "record_all"), [*product(ANSWERS, (False, True))])
@pytest.mark.parametrize("rule", TOUCHING)
def test_there_is_nothing_to_cut(servers, make_injector, rule, answer, record_all):
    """The app's answer goes out, and the journal says so; its status is noted if all are."""
    status = int(ANSWERS[answer][1][:3])
    injector = make_injector(f"{rule},times=1", record_all=record_all)
    assert (ask(servers, injector, answer), ended(injector)) == (
        (status, b""),
        ("nothing_to_cut", True, status if record_all else None),
    )
    assert (injector.counts()["rule-1"].injected, injector.errors) == (0, [])


@each_row("pieces", [[], [b""]])
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
    assert (ask(servers, injector, "HEAD"), last(injector).did, last(injector).status) == (
        (status, b""),
        "answered",
        status,
    )

"""Faults in the middle of an upload or of an answer, by both adapters."""

import asyncio
import io
from contextlib import nullcontext
from itertools import accumulate

import pytest

from faultinject import ASGIFaultMiddleware, RuleCounts
from tests.pairs import pairs
from tests.rows import each_row

from .conftest import Asgi, Wsgi
from .transport import LEFT, READERS, WIRES, App, Broken, Taking, ended, hearing, last, only, values

WHOLE = b"0123456789"
UPLOAD = (b"abcd", b"efgh", b"ij")


def counted(injector):
    return injector.counts()["rule-1"].injected


ENDS = {
    "reset": (0, "RST", "reset", ConnectionResetError),
    "close": (0, "FIN", "closed", ConnectionResetError),
    "hang,duration=30ms": (0, "FIN", "closed", TimeoutError),
    "hang,duration=10ms,delay=20ms": (0, "FIN", "closed", TimeoutError),
    "cos:SlowDown": (503, "FIN", "answered", None),
    "cos:SlowDown,delay=20ms": (503, "FIN", "answered", None),
    "http:500": (500, "FIN", "answered", None),
}


@pytest.mark.parametrize(
    ("wire", "rule", "after", "sized", "inside"),
    pairs(
        wire=WIRES,
        rule=ENDS,
        after=[0, 1, 4, 5, 9, 10],
        sized=[True, False],
        inside=[False, True],
        # Behind the last byte of a body without a length nothing comes.
        allowed=lambda _, __, after, sized, ___: sized or after < 10,
    ),
    indirect=["wire"],
)
def test_an_upload_ends_after_so_many_bytes(wire, make_injector, rule, after, sized, inside):
    """Exactly these bytes are read, the app does not run, and the connection is not used again.

    A client in this process gets its own error.
    """
    app = Taking()
    injector = make_injector(f"{rule},after_bytes={after}")
    seen = wire(injector, app, "PUT", upload=UPLOAD, sized=sized, inside=inside)
    status, end, did, error = ENDS[rule]
    if inside and error:
        end, did = "FIN", "raised"
        assert isinstance(seen.error, error)
    else:
        assert seen.error is None
    assert (seen.status, seen.end, app.ran, counted(injector)) == (status, end, 0, 1)
    found = values(only(injector), "did", "applied", "when", "request_bytes", "body_complete")
    assert found == (did, False, "before", after, after == 10)
    if status and not inside:
        # An app under WSGI must not say so itself: its server does.
        said = "close" if wire.kind == "asgi" and after < 10 else None
        assert seen.headers.get("connection") == said
    assert injector.errors == []


@pytest.mark.parametrize(
    ("wire", "rule", "inside", "body", "record_all"),
    pairs(
        wire=WIRES,
        rule=["reset", "cos:SlowDown", "stall,duration=1h"],
        inside=[False, True],
        body=[(UPLOAD, True), (UPLOAD, False), ((), True), ((b"",), False)],
        record_all=[False, True],
    ),
    indirect=["wire"],
)
def test_an_upload_that_ends_before(wire, make_injector, rule, inside, body, record_all):
    """The app gets a shorter body whole, and the next upload of enough bytes gets the fault."""
    upload, sized = body
    app = Taking()
    injector = make_injector(f"{rule},after_bytes=11,times=1", record_all=record_all)
    seen = wire(injector, app, "PUT" if upload else "GET", upload=upload, sized=sized, inside=inside)
    assert (seen.status, seen.body, seen.error) == (200, WHOLE, None)
    assert (app.ran, app.body, counted(injector), ended(injector)) == (
        1,
        b"".join(upload),
        0,
        ("nothing_to_cut", True, 200 if record_all else None),
    )
    if not rule.startswith("stall"):
        wire(injector, app, "PUT", upload=(b"x" * 12,), inside=inside)
        assert last(injector).injected


@pytest.mark.parametrize(
    ("rule", "how", "did"),
    [
        ("cos:SlowDown,after_bytes=11", READERS["read"], "app_failed"),
        ("stall,duration=0s,after_bytes=3", READERS["read"], "stalled"),
        ("stall,duration=0s,after_bytes=3", None, "app_failed"),
    ],
)
def test_an_app_that_fails(wire, make_injector, rule, how, did):
    """Its own failure goes out; a pause that it has met was given."""
    injector = make_injector(f"{rule},times=1")
    seen = wire(injector, Taking(fails="before", how=how), "PUT", upload=UPLOAD, sized=how is None)
    assert (isinstance(seen.error, Broken), ended(injector), counted(injector)) == (
        True,
        (did, True, None),
        did == "stalled",
    )


def test_nothing_is_read_behind_the_place_before_the_pause_is_over(send, make_injector, clock):
    """A client that has sent so much of an upload with a length, and waits, meets it."""
    injector = make_injector("stall,duration=1s,after_bytes=5", waits=clock)
    source, unread = io.BytesIO(b"x" * 10), []
    clock.at(0.5, lambda: unread.append(10 - source.tell()))
    app = Taking()

    async def receive():
        piece = source.read(5)
        return {"type": "http.request", "body": piece, "more_body": source.tell() < 10}

    how = {"wsgi": {"wsgi.input": source}, "asgi": {"receive": receive}}
    answer = send(injector, "PUT", body=b"x" * 10, app=app, **how[send.kind])
    assert (answer.status, unread, app.body) == (200, [5], b"x" * 10)


@each_row(
    ("reader", "body", "sized"),
    pairs(
        reader=READERS,
        body=[b"abcdefghij", b"ab\ncd\nefg\n", b"abcd\nefghi", b"\n\n\n\n\n\n\n\n\n\n"],
        sized=[True, False],
    ),
)
def test_a_wsgi_app_reads_all_of_an_upload_that_stalls(make_injector, clock, reader, sized, body):
    """By whatever it reads, and the pause is in it once."""

    class Strict(io.BytesIO):
        """Of cheroot's input a negative size is read beyond the end of the body."""

        def read(self, size=None, /):
            assert size is None or size >= 0
            return super().read(size)

    app, source, began = Taking(how=READERS[reader]), Strict(body), clock.now
    injector = make_injector("stall,duration=1h,after_bytes=5", waits=clock)
    more = {"wsgi.input": source, **({} if sized else CHUNKED)}
    answer = Wsgi()(injector, "PUT", body=body, app=app, **more)
    assert (clock.now - began, answer.status, app.body, answer.header("x-faultinject")) == (
        pytest.approx(3600),
        200,
        body,
        "rule-1",
    )
    assert (ended(injector), injector.counts()["rule-1"]) == (("stalled", True, 200), RuleCounts(1, 1))
    assert source.readable()


@pytest.mark.parametrize(
    ("wire", "after", "sized", "inside"),
    pairs(wire=WIRES, after=[0, 4, 5, 9], sized=[True, False], inside=[False, True]),
    indirect=["wire"],
)
def test_an_upload_stalls(wire, make_injector, after, sized, inside):
    """The app gets these bytes, later the rest, and answers."""
    app = Taking(how=lambda body: (body.read(size) for size in (after, 100)))
    injector = make_injector(f"stall,duration=50ms,after_bytes={after}", FAULTINJECT_HEADER="0")
    seen = wire(injector, app, "PUT", upload=UPLOAD, sized=sized, inside=inside)
    assert seen.saw == (200, WHOLE, "FIN")
    assert "x-faultinject" not in seen.headers
    assert app.body == b"".join(UPLOAD)
    sizes = accumulate(len(piece) for _, piece in app.taken)
    times = {size: at for size, (at, _) in zip(sizes, app.taken, strict=True)}
    before = max((at for size, at in times.items() if size <= after), default=0)
    assert min(at for size, at in times.items() if size > after) - before >= 0.05
    assert (ended(injector), counted(injector)) == (("stalled", True, 200), 1)


@pytest.mark.parametrize("marked", [True, False])
def test_an_app_that_reads_too_little(wire, make_injector, marked):
    """It has met no pause."""
    app = Taking(how=None)
    injector = make_injector(
        "stall,duration=1h,after_bytes=5,times=1", FAULTINJECT_HEADER="1" if marked else "0"
    )
    seen = wire(injector, app, "PUT", upload=UPLOAD)
    assert (seen.status, seen.body, seen.headers.get("x-faultinject")) == (200, WHOLE, None)
    assert (ended(injector), counted(injector)) == (("nothing_to_cut", True, None), 0)


@pytest.mark.parametrize(
    ("ask", "after", "how"),
    [
        (Wsgi(), 1, {"method": "PUT", "headers": [("Transfer-Encoding", "chunked")]}),
        (Asgi(), 0, {"http_version": "2"}),
    ],
)
def test_a_body_whose_end_no_server_shows(make_injector, ask, after, how):
    """WSGI without `wsgi.input_terminated`, or HTTP/2: the app reads the body by itself."""
    injector = make_injector(f"cos:SlowDown,after_bytes={after}")
    assert (ask(injector, **how).status, ended(injector)[0]) == (200, "nothing_to_cut")


CHUNKED = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}


@pytest.mark.parametrize("rule", ["cos:SlowDown,after_bytes=11", "stall,duration=0s,after_bytes=3"])
def test_an_app_that_starts_twice(make_injector, rule):
    """PEP 3333 lets it, with an error in its hand; the journal has one end."""

    def app(environ, start_response):
        environ["wsgi.input"].read()
        start_response("200 OK", [])
        start_response("500 Broken", [], (Broken, Broken(), None))
        raise Broken

    injector = make_injector(rule)
    with pytest.raises(Broken):
        Wsgi()(injector, "PUT", body=b"abcdefghij", app=app, **CHUNKED)
    assert ended(injector)[0] == ("stalled" if rule.startswith("stall") else "nothing_to_cut")


@pytest.mark.parametrize(
    ("rule", "did"),
    [("cos:SlowDown,after_bytes=8", "failed"), ("stall,duration=1h,after_bytes=8", "app_failed")],
)
def test_an_upload_that_is_given_up(make_injector, servers, rule, did):
    """Its client has left before so many bytes came: nothing was done."""
    injector = make_injector(rule)
    app = ASGIFaultMiddleware(Taking().asgi, injector=injector)
    receive = hearing({"type": "http.request", "body": b"abc", "more_body": True}, LEFT)
    with pytest.raises(Broken) if did == "app_failed" else nullcontext():
        asyncio.run(app(servers.scope("PUT", body=b"abcdefghij"), receive, None))
    assert (ended(injector)[0], counted(injector)) == (did, 0)


def test_what_comes_behind_a_body_that_was_read_again(make_injector):
    """The app hears of it from the server."""
    told, heard = [{"type": "http.request", "body": b"abc", "more_body": False}, LEFT], []

    async def app(scope, receive, send):
        heard.extend([await receive(), await receive()])
        await App().asgi(scope, receive, send)

    injector, headers = make_injector("cos:SlowDown,after_bytes=8"), [("transfer-encoding", "chunked")]
    Asgi()(injector, "PUT", headers=headers, app=app, receive=hearing(*told))
    assert heard == told


def test_an_upload_without_a_length_of_just_so_many_bytes(make_injector):
    """Nothing comes behind them, so nothing stalls."""
    injector = make_injector("stall,duration=1h,after_bytes=10")
    app = Taking(how=lambda body: (body.read(size) for size in (10, 5)))
    assert Wsgi()(injector, "PUT", body=b"abcdefghij", app=app.wsgi, **CHUNKED).status == 200
    assert (app.body, ended(injector)[0]) == (b"abcdefghij", "nothing_to_cut")

"""ASGI apps of many styles under faults that change the body or break the connection."""

import asyncio
from contextlib import suppress
from types import SimpleNamespace

import anyio
import pytest

from faultinject import ASGIFaultMiddleware, Scenario

from .transport import (
    TESTCLIENT,
    App,
    AsgiWire,
    Broken,
    Exchange,
    by_asgi,
    last,
    loopback,
    read,
    recorder,
    saying,
)

WAYS = pytest.mark.parametrize("inside", [False, True], ids=["connection", "inside"])
RULES = ["truncate,keep_bytes=8", "drip,rate=1KB", "corrupt"]
SHAPES = pytest.mark.parametrize("rule", RULES)
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]}
WHOLE = {"type": "http.response.body", "body": b"0123456789"}
ANSWER = saying(START, WHOLE)
PATHSEND = "http.response.pathsend"


@pytest.fixture
def wire(servers):
    return AsgiWire(servers)


@SHAPES
def test_a_server_that_sends_files_itself_is_not_shown(servers, make_injector, rule):
    """Only if the body is to be changed, the app is not told that the server can send files."""
    extensions = {PATHSEND: {}, "http.response.zerocopysend": {}, "http.response.early_hint": {}}
    scope = servers.scope(extensions=extensions)
    told = []

    async def app(scope, receive, send):
        told.append(set(scope["extensions"]))
        await ANSWER(scope, receive, send)

    wrapped = ASGIFaultMiddleware(app, injector=make_injector(f"{rule},times=1"))
    for _ in range(2):
        with suppress(ConnectionAbortedError):
            asyncio.run(wrapped(dict(scope), servers.messages(), recorder()[1]))
    assert (told, set(extensions)) == (
        [{"http.response.early_hint"}, set(extensions)],
        set(scope["extensions"]),
    )


@WAYS
@pytest.mark.parametrize(
    "rule",
    [
        "reset,when=after",
        "close,when=after",
        "hang,duration=10ms,when=after",
        "truncate",
        "http:503,when=after",
    ],
)
def test_what_comes_behind_an_answer_is_done(wire, make_injector, rule, inside):
    """An app that goes on after its answer ends before the server hears of the fault."""
    done = []

    async def background():
        await anyio.lowlevel.checkpoint()
        done.append("background")

    injector = make_injector(rule)
    # With one message more than an answer has.
    seen = wire(injector, saying(START, WHOLE, {"type": "http.response.body"}, background), inside=inside)
    assert (isinstance(seen.error, OSError), done, injector.counts()["rule-1"].injected) == (
        inside and "503" not in rule,
        ["background"],
        1,
    )


@pytest.mark.parametrize(
    ("rule", "hints", "comes"),
    [
        ("corrupt", True, True),
        ("drip,rate=1KB", True, True),
        ("stall,when=after,duration=1ms,after_bytes=3", True, True),
        ("truncate,keep_bytes=10", True, True),
        ("reset,when=after,after_bytes=10", True, True),
        ("truncate", True, False),
        ("reset,when=after", False, False),
        ("reset,when=after,after_bytes=3", True, False),
        ("http:503,when=after", False, False),
    ],
)
def test_other_messages_of_an_app(servers, make_injector, rule, hints, comes):
    """Hints come unless the answer is dropped, trailers unless it is broken."""
    sent, send = recorder()
    before = [{"type": f"http.response.{each}"} for each in ("early_hint", "debug")]
    trailers = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]}
    app = saying(before[0], START | {"headers": [], "trailers": True}, before[1], WHOLE, trailers)
    wrapped = ASGIFaultMiddleware(app, injector=make_injector(rule))
    with suppress(OSError):
        asyncio.run(wrapped(servers.scope(**TESTCLIENT), servers.messages(), send))
    assert ([each in sent for each in before], trailers in sent) == ([hints] * 2, comes)


@pytest.mark.parametrize("rule", ["reset", "close", "hang,duration=1ms", "truncate"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_server_has_noticed_a_broken_connection(servers, make_injector, rule, when):
    """Before it misses an answer, and says so in its log."""
    if rule != "truncate":
        rule = f"{rule},when={when}"
    with loopback() as (_, server):
        exchange, heard = Exchange(server, "GET"), []

        async def receive():
            heard.append((await Exchange.receive(exchange))["type"])
            return {"type": heard[-1]}

        exchange.receive = receive
        by_asgi(servers, make_injector(rule), exchange)
    assert heard[-1] == "http.disconnect"


@WAYS
@SHAPES
@pytest.mark.parametrize("aborts", [False, True])
def test_headers_that_can_be_read_once(wire, make_injector, rule, inside, aborts):
    """Also a generator gets to the client, and its Content-Length is seen; none at all are none."""
    injector = make_injector(Scenario(rule, abort="5xx>50%/1m") if aborts else rule)
    # `abort` looks at the headers of failures alone.
    once = START | {"status": 500 if aborts else 200, "headers": iter(START["headers"])}
    seen = wire(injector, saying(once, WHOLE), inside=inside, extensions=None)
    assert (seen.headers["content-length"], last(injector).injected) == ("10", True)


TRAILERS = {"type": "http.response.trailers", "headers": []}
PART = {"type": "http.response.body", "body": b"0123", "more_body": True}


@WAYS
@pytest.mark.parametrize(
    ("rule", "said", "saw", "did"),
    [
        # Behind a head that went past it the server must not be told of what belongs to an answer.
        ("truncate", [START, TRAILERS, WHOLE], (200, b"01234", "FIN"), "truncated"),
        # An app that ends without an answer has failed.
        *((rule, [], (0, b"", "FIN"), "app_failed") for rule in RULES),
        # What it began goes out as it is, and nothing was done to it.
        *((rule, [START], (200, b"", "FIN"), "nothing_to_cut") for rule in RULES),
        ("truncate", [START | {"headers": []}], (200, b"", "FIN"), "nothing_to_cut"),
        # A body that does not come to its end, and not to the cut, was not cut by us.
        ("truncate,keep_bytes=8", [START, PART], (200, b"0123", "FIN"), "nothing_to_cut"),
    ],
)
def test_an_app_that_says_something_else(wire, make_injector, rule, said, saw, did, inside):
    """Than one answer; what was not done is given back."""
    injector = make_injector(f"{rule},times=1")
    seen = wire(injector, saying(*said), inside=inside)
    assert (seen.saw, last(injector).did, seen.error is None) == (saw, did, not inside or did != "truncated")
    assert injector.counts()["rule-1"].injected == (did == "truncated")


@pytest.mark.parametrize(
    "rule",
    [
        "drip,rate=1",
        "drip,rate=1,delay=10ms",
        "hang",
        "latency,delay=1h",
        "latency,delay=1h,when=after",
        "cos:InternalError,status=200,delay=1h",
    ],
)
@pytest.mark.parametrize(
    ("server_is", "upload"), [("uvicorn", b""), ("gunicorn", b""), ("uvicorn", b"on record")]
)
def test_a_server_s_end_ends_a_wait(servers, make_injector, clock, rule, server_is, upload):
    """Both ends wait for the answer under way, and tell no app that its client left."""
    photo = b"0123456789" * 100  # dripped, it would take a quarter of an hour
    injector = make_injector(rule, record_all=bool(upload), waits=clock)
    worker = SimpleNamespace(alive=True)
    with loopback() as (client, server):
        exchange = Exchange(server, "GET", [upload] if upload else ())
        exchange.keep_alive, exchange.protocol = True, SimpleNamespace(worker=worker)
        ends = (exchange, "keep_alive") if server_is == "uvicorn" else (worker, "alive")
        clock.at(0.1, lambda: setattr(*ends, False))
        by_asgi(servers, injector, exchange, App(photo), run=clock.run, body=upload)
        server.close()
        body = read(client)[0].partition(b"\r\n\r\n")[2]
    assert clock.now < 60
    if "InternalError" in rule:
        assert (body.count(b"?>\n "), body.endswith(b"</Error>\n\n")) == (1, True)
    else:
        assert body == (b"" if rule == "hang" else photo)


@pytest.mark.parametrize(
    ("rule", "saw"), [("reset,when=after", (0, b"", "RST")), ("truncate", (200, b"01234", "FIN"))]
)
def test_a_failing_app_s_own_error_stands(wire, make_injector, rule, saw):
    """An error behind the answer is the app's: the server gets to see it, the client the fault."""
    injector = make_injector(rule)
    seen = wire(injector, saying(START, WHOLE, Broken()))
    assert (seen.saw, type(seen.error), last(injector).injected) == (saw, Broken, True)


def test_a_send_of_no_object(servers, make_injector):
    """Most servers' `send` is a function, or a method of something without a transport."""
    sent, send = recorder()

    for each in (send, SimpleNamespace(send=send).send):
        asyncio.run(
            ASGIFaultMiddleware(App().asgi, injector=make_injector("reset"))(servers.scope(), None, each)
        )
    assert [each["status"] for each in sent if "status" in each] == [502, 502]

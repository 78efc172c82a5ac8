"""The journal says that a client left before its answer."""

from contextlib import closing, nullcontext
from itertools import count

import anyio
import pytest

from faultinject import ASGIFaultMiddleware, Injector, RuleCounts
from tests.virtual_time import RealTime

from .transport import (
    BACKENDS,
    LEFT,
    App,
    Broken,
    Exchange,
    Taking,
    by_asgi,
    by_wsgi,
    cancel,
    ended,
    hearing,
    last,
    leave,
    loopback,
    only,
    recorder,
    saying,
    values,
)

pytestmark = pytest.mark.live


class Slow(App):
    """An app that works for some seconds, in which something happens.

    Args:
        clock: of the injector.
        seconds: for how long it works.
        meanwhile: called then.
    """

    def __init__(self, clock, seconds, meanwhile, **how):
        super().__init__(**how)
        self._clock, self._seconds, self._meanwhile = clock, seconds, meanwhile

    def begin(self):
        self._clock.now += self._seconds
        self._meanwhile()
        super().begin()


SENDS = pytest.mark.parametrize("by", [by_wsgi, by_asgi])


@SENDS
@pytest.mark.parametrize("fails", ["", "before"])
@pytest.mark.parametrize("rule", ["http:500,path=/other", "latency,delay=1h,when=after"])
def test_while_the_app_works(servers, make_injector, clock, by, rule, fails):
    """Whatever the app says then, or if it fails, and there is no answer at all."""
    injector = make_injector(rule, waits=clock, record_all=True)
    with loopback() as (client, server), pytest.raises(Broken) if fails else nullcontext():
        by(servers, injector, server, Slow(clock, 1, client.close, fails=fails))
    assert values(last(injector), "left", "applied", "status") == (True, True, None if fails else 200)


@SENDS
@pytest.mark.parametrize("seconds", [0, 1])
def test_one_that_stays(servers, make_injector, clock, by, seconds):
    """However long it takes, and though the app does not read what was sent."""
    injector = make_injector([], waits=clock, record_all=True)
    with loopback() as (_, server):
        by(servers, injector, server, Slow(clock, seconds, lambda: None), "PUT")
    assert (only(injector).left, only(injector).status) == (False, 200)


@pytest.mark.parametrize("leaves", [False, True])
def test_wsgi_in_the_middle_of_its_upload(servers, make_injector, leaves):
    """However soon: the app reads less than was announced."""
    injector = make_injector([], record_all=True)
    with loopback() as (client, server):
        if leaves:
            client.close()
        by_wsgi(servers, injector, server, Taking(status=400), "PUT", CONTENT_LENGTH="10")
    assert (only(injector).left, only(injector).status) == (leaves, 400)


def test_asgi_behind_an_answer_in_the_middle_of_its_upload(servers, make_injector):
    """A client that leaves behind the app's own answer has had it."""
    injector = make_injector([], record_all=True)

    async def app(scope, receive, send):
        await App(status=400).asgi(scope, receive, send)
        while (await receive()) != LEFT:
            pass

    with loopback() as (_, server):
        exchange = Exchange(server, "PUT")
        exchange.receive = hearing({"type": "http.request", "body": b"abc", "more_body": True}, LEFT)
        by_asgi(servers, injector, exchange, app, "PUT", headers=[("content-length", "10")])
    assert (last(injector).left, last(injector).status) == (False, 400)


def test_uvicorn_has_heard_of_it(servers, make_injector, clock):
    """Its transport is closed by then, and shows nothing."""
    injector = make_injector([], waits=clock, record_all=True)
    with loopback() as (_, server):
        exchange = Exchange(server, "GET")
        exchange.transport, exchange.disconnected = None, True
        by_asgi(servers, injector, exchange, Slow(clock, 1, lambda: None))
    assert last(injector).left


@SENDS
@pytest.mark.parametrize(
    ("rule", "did", "status", "applied"),
    [
        # What was asked for takes place all the same.
        ("latency,delay=1h", "delayed", 200, True),
        # It was given to nobody, so it was no answer of the app's either, and the take goes back.
        ("http:503,delay=1h", "failed", None, False),
        ("reset,delay=1h", "failed", None, False),
        ("reset,delay=1h,when=after", "failed", None, True),
    ],
)
def test_while_a_fault_is_delayed(servers, make_injector, by, rule, did, status, applied):
    """With an RST."""
    injector = make_injector(f"{rule},times=1", record_all=True)
    with loopback() as (client, server):
        leave(client)
        by(servers, injector, server, App())
    assert (ended(injector), last(injector).left, injector.counts()["rule-1"]) == (
        (did, applied, status),
        True,
        RuleCounts(1, did == "delayed"),
    )


START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]}


@pytest.mark.parametrize("rule", ["truncate", "drip,rate=1KB"])
def test_wsgi_client_that_has_left_already(servers, make_injector, rule):
    """Nothing of the answer could be given: the take goes back."""
    injector = make_injector(f"{rule},times=1")
    with loopback() as (client, server):
        leave(client)
        assert list(by_wsgi(servers, injector, server)) == []
    assert (last(injector).did, injector.counts()["rule-1"].injected) == ("failed", 0)


@pytest.mark.parametrize(
    ("rule", "overdue", "first", "did"),
    [
        ("drip,rate=40", False, b"01", "dripped"),
        ("drip,rate=40", True, b"01", "dripped"),
        ("stall,when=after,after_bytes=3,duration=1h", False, b"012", "stalled"),
    ],
)
def test_wsgi_client_that_leaves_a_body_of_the_server_s(servers, make_injector, rule, overdue, first, did):
    """The server is asked for no more, also in a pause, or of what was due long ago."""
    app, hours = App(), count(step=3600)
    injector = make_injector(f"{rule},times=1", waits=RealTime(hours.__next__) if overdue else None)
    with loopback() as (client, server), closing(by_wsgi(servers, injector, server, app)) as result:
        pieces = iter(result)
        assert next(pieces) == first
        leave(client)
        assert list(pieces) == []
    assert (app.given, app.closed, only(injector).did) == (1, 1, did)
    assert did != "stalled" or only(injector).response_bytes == len(first)


@BACKENDS
@pytest.mark.parametrize("leaves", ["before", "between"])
def test_asgi_client_that_leaves_a_slow_body(servers, make_injector, leaves, backend):
    """Nothing more is sent; what had gone out counts, what had not is given back."""
    injector, app, sent = make_injector("drip,rate=40,times=1"), App(), []
    with loopback() as (client, server):

        async def send(self, message):
            sent.append(message)
            if message.get("body"):
                client.close()

        exchange = Exchange(server, "GET")
        exchange.send = send.__get__(exchange)
        if leaves == "before":
            client.close()
        by_asgi(servers, injector, exchange, app, backend=backend)
    found = only(injector).did, only(injector).final, app.closed, [each.get("body") for each in sent]
    assert found == (
        ("failed", True, 1, [None]) if leaves == "before" else ("dripped", True, 1, [None, b"01"])
    )


CUT_SHORT = [START, {"type": "http.response.body", "body": b"0123", "more_body": True}]


@BACKENDS
@pytest.mark.parametrize(
    ("rule", "said", "did"),
    [
        ("drip,rate=1", CUT_SHORT, "dripped"),
        ("hang,duration=1h", CUT_SHORT, "closed"),
        ("truncate,keep_bytes=8", CUT_SHORT, "failed"),
        # Before a body, whether the app had begun its answer or not.
        *((rule, [START], "failed") for rule in ("truncate", "drip,rate=1", "corrupt")),
        *((rule, [], "failed") for rule in ("truncate", "drip,rate=1", "corrupt")),
        ("cos:SlowDown,when=after", [START], "app_failed"),
        ("cos:SlowDown,when=after", [], "app_failed"),
        # While the upload is read, and in a delay.
        ("cos:SlowDown", [], "failed"),
        ("http:503,delay=1h", [], "failed"),
        ("latency,delay=1h", [], "failed"),
    ],
)
def test_asgi_server_that_cancels(servers, make_injector, rule, said, did, backend):
    """Some do when their client left: what was done stays done, what was not is given back."""
    injector = make_injector(f"{rule},times=1")
    wrapped = ASGIFaultMiddleware(saying(*said, anyio.sleep_forever), injector=injector)
    scope = servers.scope("PUT", body=b"upload") if rule == "cos:SlowDown" else servers.scope()
    with loopback() as (_, server):
        exchange = Exchange(server, scope["method"])
        anyio.run(cancel, wrapped, scope, exchange.receive, exchange.send, backend=backend)
    found = only(injector).did, injector.counts()["rule-1"].injected, injector.finish()
    assert found == (did, said is CUT_SHORT and did != "failed", 0)


def test_a_client_that_leaves_before_a_slow_body_of_the_server_s(servers, make_injector, out_of_reach):
    """Heard to leave while the body was still to come: nobody gets it, slowly or at once."""
    out_of_reach()
    app = App()
    injector = make_injector("drip,rate=1,delay=1h")
    sent, send = recorder()
    wrapped = ASGIFaultMiddleware(app.asgi, injector=injector)
    anyio.run(wrapped, servers.scope(), hearing(LEFT), send)
    found = [each["type"] for each in sent], app.closed, only(injector).did
    assert found == (["http.response.start"], 1, "dripped")


@BACKENDS
def test_a_client_that_is_heard_leaving_a_hang(servers, make_injector, out_of_reach, backend):
    """Without a found connection only the server reports the end: the wait is over."""
    out_of_reach()
    injector = make_injector("hang,delay=1h")
    wrapped = ASGIFaultMiddleware(None, injector=injector)
    anyio.run(wrapped, servers.scope(), hearing(LEFT), None, backend=backend)
    outcome = only(injector)
    assert (outcome.did, outcome.fault, outcome.final) == ("closed", "hang", True)
    assert outcome.answered - outcome.arrived < 1800


LATE = "latency,delay=1h,when=after"


@pytest.mark.parametrize("rule", [LATE, "hang,duration=1h,drain=no"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_asgi_wait_for_a_client_that_leaves_its_upload(servers, rule, backend):
    """If neither app nor fault reads the rest of the body, the client's end is not heard."""
    injector = Injector(rule, environ={})
    with loopback() as (client, server):
        exchange = Exchange(server, "PUT")
        heard = [{"type": "http.request", "body": b"x", "more_body": True}]

        async def receive(self):
            client.close()
            return heard.pop() if heard else {"type": "http.disconnect"}

        exchange.receive = receive.__get__(exchange)
        if rule is LATE:
            client.close()
        by_asgi(servers, injector, exchange, method="PUT", headers=[("Content-Length", "9")], backend=backend)
    assert injector.journal.outcomes[-1].did == ("delayed" if rule is LATE else "closed")

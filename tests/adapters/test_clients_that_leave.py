"""The journal says that a client left before its answer."""

import asyncio

import pytest

from faultinject import ASGIFaultMiddleware, RuleCounts, WSGIFaultMiddleware

from .transport import LEFT, App, Broken, Exchange, Taking, by_asgi, by_wsgi, hearing, last, leave, loopback

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
@pytest.mark.parametrize("rule", ["http:500,path=/other", "latency,delay=1h,when=after"])
def test_while_the_app_works(servers, make_injector, clock, by, rule):
    """Whatever the app says then."""
    injector = make_injector(rule, waits=clock, record_all=True)
    with loopback() as (client, server):
        by(servers, injector, server, Slow(clock, 1, client.close))
    assert (last(injector).left, last(injector).status, last(injector).applied) == (True, 200, True)


@SENDS
def test_one_that_stays(servers, make_injector, clock, by):
    """However long it takes, and though the app does not read what was sent."""
    injector = make_injector([], waits=clock, record_all=True)
    for seconds in (0, 1):
        with loopback() as (_, server):
            by(servers, injector, server, Slow(clock, seconds, lambda: None), "PUT")
        assert (last(injector).left, last(injector).status) == (False, 200)


@SENDS
def test_while_an_app_works_that_fails(servers, make_injector, clock, by):
    """There is no answer at all."""
    injector = make_injector([], waits=clock, record_all=True)
    with loopback() as (client, server), pytest.raises(Broken):
        by(servers, injector, server, Slow(clock, 1, client.close, fails="before"))
    assert (last(injector).left, last(injector).status) == (True, None)


def test_wsgi_in_the_middle_of_its_upload(servers, make_injector):
    """However soon: the app reads less than was announced."""
    injector = make_injector([], record_all=True)
    for leaves in (False, True):
        with loopback() as (client, server):
            if leaves:
                client.close()
            by_wsgi(servers, injector, server, Taking(status=400), "PUT", CONTENT_LENGTH="10")
        assert (last(injector).left, last(injector).status) == (leaves, 400)


@pytest.mark.parametrize("answers_first", [False, True])
def test_asgi_in_the_middle_of_its_upload(servers, make_injector, answers_first):
    """The app hears of it; what it hears behind its own answer is of no account."""
    injector = make_injector([], record_all=True)

    async def app(scope, receive, send):
        if answers_first:
            await App(status=400).asgi(scope, receive, send)
        while (await receive()) != LEFT:
            pass
        if not answers_first:
            await App(status=400).asgi(scope, receive, send)

    with loopback() as (client, server):
        if not answers_first:
            client.close()
        exchange = Exchange(server, "PUT")
        exchange.receive = hearing({"type": "http.request", "body": b"abc", "more_body": True}, LEFT)
        scope = servers.scope("PUT", "/a", headers=[("content-length", "10")])
        assert asyncio.run(exchange.run(ASGIFaultMiddleware(app, injector=injector), scope)) is None
    assert (last(injector).left, last(injector).status) == (not answers_first, 400)


def test_uvicorn_has_heard_of_it(servers, make_injector, clock):
    """Its transport is closed by then, and shows nothing."""
    injector = make_injector([], waits=clock, record_all=True)
    with loopback() as (_, server):
        exchange = Exchange(server, "GET")
        exchange.transport = None
        exchange.disconnected = True
        wrapped = ASGIFaultMiddleware(Slow(clock, 1, lambda: None).asgi, injector=injector)
        assert asyncio.run(exchange.run(wrapped, servers.scope())) is None
    assert last(injector).left


def test_where_nothing_shows_it(servers, make_injector, clock):
    """As in a test client."""
    injector = make_injector([], waits=clock, record_all=True)
    environ = servers.environ("GET", "/a")
    WSGIFaultMiddleware(Slow(clock, 1, lambda: None).wsgi, injector=injector)(environ, lambda *_: None)
    assert not last(injector).left


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
    outcome = last(injector)
    assert (outcome.did, outcome.left, outcome.status, outcome.applied) == (did, True, status, applied)
    assert injector.counts()["rule-1"] == RuleCounts(1, did == "delayed")

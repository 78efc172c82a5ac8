"""An ASGI app whose counts are on a server: what a request is to get is decided on another thread, and the loop goes on."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import anyio
import anyio.lowlevel
import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from faultinject.counts import SharedCounts, waiting
from faultinject.counts.redis_counts import RedisCounts

pytestmark = pytest.mark.live
RULES = "http:503,times=3,path=photos/ http:429,probability=0.5,path=photos/ http:500,path=always/"


async def app(scope, receive, send):
    if scope["path"] == "/photos/fails":
        raise ZeroDivisionError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"app"})


def scope_of(path):
    return {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [],
        "root_path": "", "scheme": "http", "http_version": "1.1", "server": ("h", 80), "client": ("c", 1),
        "asgi": {"version": "3.0"},
    }  # fmt: skip


async def ask(wrapped, path):
    """The status of one request."""
    statuses = []

    async def receive():
        await anyio.sleep_forever()

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await wrapped(scope_of(path), receive, send)
    return statuses[0]


def through_wsgi(injector, path):
    def wsgi(environ, start_response):
        start_response("200 OK", [])
        return [b"app"]

    statuses = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
    list(
        WSGIFaultMiddleware(wsgi, injector=injector)(
            environ, lambda status, _: statuses.append(int(status[:3]))
        )
    )
    return statuses[0]


@pytest.fixture
def url(redis_server, redis_prefix):
    return f"{redis_server.url}?prefix={redis_prefix}"


@pytest.fixture
def threads(monkeypatch):
    """On which threads the server was asked for a match or a take."""
    found = []
    for name in ("_match", "_take"):
        real = getattr(RedisCounts, name)

        def noted(*given, real=real):
            found.append(threading.get_ident())
            return real(*given)

        monkeypatch.setattr(RedisCounts, name, noted)
    return found


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_same_decisions_as_in_memory_and_by_wsgi(url, threads, backend):
    """And none of the server's answers is waited for on the loop's thread."""
    shared = Injector(RULES, store=url, seed=1, environ={})
    alone = Injector(RULES, store="memory:", seed=1, environ={})
    paths = [f"/photos/{number % 4}" for number in range(20)]
    expected = [through_wsgi(alone, each) for each in paths]

    async def run():
        wrapped = ASGIFaultMiddleware(app, injector=shared)
        assert await ask(wrapped, "/other") == 200
        assert await ask(wrapped, "/always/x") == 500
        assert not threads, "nothing to count is nothing to ask"
        return [await ask(wrapped, each) for each in paths]

    assert anyio.run(run, backend=backend) == expected
    assert expected.count(503) == 3
    assert threads
    assert threading.get_ident() not in threads
    counts = shared.counts()
    assert counts.pop("rule-3") == {"matched": 1, "injected": 1}
    assert counts == {name: each for name, each in alone.counts().items() if name != "rule-3"}


@pytest.mark.parametrize("backend", ["asyncio", pytest.param("trio", marks=pytest.mark.slow)])
def test_other_requests_go_on_while_the_server_does_not_answer(start_redis, monkeypatch, backend):
    """One that asks waits; those that no rule matches, or that need no count, are answered meanwhile."""
    monkeypatch.setattr(waiting, "answer", 60.0)
    server = start_redis()
    injector = Injector(RULES, store=server.url, environ={})
    answered = []

    async def run():
        wrapped = ASGIFaultMiddleware(app, injector=injector)
        assert await ask(wrapped, "/photos/0") == 503

        async def one(path):
            answered.append((path, await ask(wrapped, path)))

        async with anyio.create_task_group() as tasks:
            server.signal(signal.SIGSTOP)
            tasks.start_soon(one, "/photos/1")
            await anyio.lowlevel.checkpoint()
            for _ in range(50):
                await one("/other")
                await one("/always/1")
            answered.append("all others")
            server.signal(signal.SIGCONT)
        await one("/photos/2")

    try:
        anyio.run(run, backend=backend)
    finally:
        server.signal(signal.SIGCONT)
    assert answered == [
        *[("/other", 200), ("/always/1", 500)] * 50,
        "all others",
        ("/photos/1", 503),
        ("/photos/2", 503),
    ]
    assert injector.undecided == 0


def test_what_is_given_back_is_there_for_the_next_request(url, threads):
    """Though nobody waits for it on the loop."""
    injector = Injector("http:503,times=1,when=after,path=photos/", store=url, environ={})

    async def run():
        wrapped = ASGIFaultMiddleware(app, injector=injector)
        for _ in range(5):
            threads.clear()
            with pytest.raises(ZeroDivisionError):
                await ask(wrapped, "/photos/fails")
            assert threading.get_ident() not in threads
        return [await ask(wrapped, "/photos/1") for _ in range(2)]

    assert anyio.run(run) == [503, 200]
    assert injector.counts() == {"rule-1": {"matched": 7, "injected": 1}}


def test_a_client_that_leaves_before_its_request_passes(url, monkeypatch):
    """There is nothing to undo."""
    injector = Injector("http:503,skip=1", store=url, environ={})
    asked, leave = threading.Event(), threading.Event()
    real = SharedCounts.match

    def match(*given):
        asked.set()
        leave.wait(60)
        return real(*given)

    async def run():
        wrapped = ASGIFaultMiddleware(app, injector=injector)
        monkeypatch.setattr(SharedCounts, "match", match)
        task = asyncio.ensure_future(ask(wrapped, "/"))
        while not asked.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        leave.set()
        while not injector.journal.outcomes:
            await asyncio.sleep(0.01)
        return await ask(wrapped, "/")

    assert asyncio.run(run()) == 503
    assert [each.did for each in injector.journal.outcomes] == ["passed", "answered"]


@pytest.mark.parametrize("when", ["while it is decided", "when it has been"])
def test_a_client_that_leaves_takes_nothing(url, monkeypatch, when):
    """Its server cancels the task: the take goes back, and nothing stays under way."""
    injector = Injector("http:503,times=1", store=url, environ={})
    asked, leave = threading.Event(), threading.Event()
    real = SharedCounts.match

    def match(*given):
        found = real(*given)
        asked.set()
        leave.wait(60)
        return found

    async def run():
        wrapped = ASGIFaultMiddleware(app, injector=injector)
        monkeypatch.setattr(SharedCounts, "match", match)
        task = asyncio.ensure_future(ask(wrapped, "/"))
        while not asked.is_set():
            await asyncio.sleep(0.001)
        if when == "while it is decided":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            leave.set()
        else:
            leave.set()
            time.sleep(0.5)  # noqa: ASYNC251 - the answer waits behind it
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        monkeypatch.setattr(SharedCounts, "match", real)
        end = time.monotonic() + 30
        while (
            not any(each.did == "failed" for each in injector.journal.outcomes)
            or injector.counts()["rule-1"]["injected"]  # the server has not been told yet
        ):
            assert time.monotonic() < end
            await asyncio.sleep(0.01)
        return [await ask(wrapped, "/") for _ in range(2)]

    assert asyncio.run(run()) == [503, 200]
    assert injector._services.active == 0
    assert [each.did for each in injector.journal.outcomes] == ["failed", "answered", "passed"]
    assert injector.counts() == {"rule-1": {"matched": 3, "injected": 1}}

"""With counts on a server, a thread decides an ASGI request, and the event loop goes on."""

import asyncio
import signal
import threading

import anyio
import anyio.lowlevel
import pytest

from faultinject import ASGIFaultMiddleware, Injector, RuleCounts
from faultinject.counts.patience import waiting
from faultinject.counts.shared_counts import SharedCounts

from .conftest import Wsgi, make_scope, messages, serve_asgi
from .transport import App, Broken

pytestmark = pytest.mark.live
RULES = "http:503,times=3,path=photos/ http:429,probability=0.5,path=photos/ http:500,path=always/"


async def ask(wrapped, path):
    """The status of one request."""
    return (await serve_asgi(wrapped, make_scope(target=path), messages())).status


@pytest.fixture
def url(redis_server, redis_prefix):
    return f"{redis_server.url}?prefix={redis_prefix}"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_same_decisions_as_in_memory_and_by_wsgi(url, backend):
    """Also where nothing is counted."""
    shared = Injector(RULES, store=url, seed=1, environ={})
    alone = Injector(RULES, store="memory:", seed=1, environ={})
    paths = [f"/photos/{number % 4}" for number in range(20)]
    expected = [Wsgi()(alone, target=each).status for each in paths]

    async def run():
        wrapped = ASGIFaultMiddleware(App().asgi, injector=shared)
        return [await ask(wrapped, each) for each in ("/other", "/always/x", *paths)]

    assert (anyio.run(run, backend=backend), expected.count(503)) == ([200, 500, *expected], 3)
    assert shared.counts() == {**alone.counts(), "rule-3": RuleCounts(1, 1)}


@pytest.mark.parametrize("backend", ["asyncio", pytest.param("trio", marks=pytest.mark.slow)])
def test_other_requests_go_on_while_the_server_does_not_answer(start_redis, monkeypatch, backend):
    """A request that needs a count waits; other requests are answered meanwhile."""
    monkeypatch.setattr(waiting, "answer", 60.0)
    server = start_redis()
    injector, answered = Injector(RULES, store=server.url, environ={}), []

    async def run():
        wrapped = ASGIFaultMiddleware(App().asgi, injector=injector)
        assert await ask(wrapped, "/photos/0") == 503

        async def one(path):
            answered.append((path, await ask(wrapped, path)))

        async with anyio.create_task_group() as tasks:
            server.signal(signal.SIGSTOP)
            tasks.start_soon(one, "/photos/1")
            await anyio.lowlevel.checkpoint()
            for path in ["/other", "/always/1"] * 50:
                await one(path)
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


def test_what_is_given_back_is_there_for_the_next_request(url):
    """Though nobody waits for it on the loop."""
    injector = Injector("http:503,times=1,when=after,path=photos/", store=url, environ={})

    async def run():
        failing, wrapped = (
            ASGIFaultMiddleware(App(fails=each).asgi, injector=injector) for each in ("before", "")
        )
        for _ in range(5):
            with pytest.raises(Broken):
                await ask(failing, "/photos/1")
        return [await ask(wrapped, "/photos/1") for _ in range(2)], injector.counts()

    assert anyio.run(run) == ([503, 200], {"rule-1": RuleCounts(7, 1)})


@pytest.mark.parametrize(
    ("rule", "did"), [("times=1", "failed"), ("skip=1", "passed")], ids=["taken", "passing"]
)
def test_a_client_that_leaves_takes_nothing(url, monkeypatch, rule, did):
    """If the server cancels the task during the decision, the count is returned."""
    injector = Injector(f"http:503,{rule}", store=url, environ={"FAULTINJECT_MAX_ACTIVE": "1"})
    asked, leave = threading.Event(), threading.Event()
    real = SharedCounts.match

    def match(*given):
        found = real(*given)
        asked.set()
        leave.wait(60)
        return found

    async def run():
        wrapped = ASGIFaultMiddleware(App().asgi, injector=injector)
        with monkeypatch.context() as patch:
            patch.setattr(SharedCounts, "match", match)
            task = asyncio.ensure_future(ask(wrapped, "/"))
            while not asked.is_set():
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            leave.set()
        with anyio.fail_after(60):
            while not injector.journal.outcomes or injector.counts()["rule-1"].injected:
                await asyncio.sleep(0.01)
        return await ask(wrapped, "/")

    assert asyncio.run(run()) == 503
    found = [each.did for each in injector.journal.outcomes], injector.counts()
    assert found == ([did, "answered"], {"rule-1": RuleCounts(2, 1)})

"""What ends a wait wakes it: nothing is looked at again and again meanwhile."""

import asyncio
import os
import select
import subprocess
import sys
import threading
from contextlib import contextmanager

import anyio
import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from tests.virtual_time import RealTime, Time

from .transport import PATIENCE, App, Exchange, leave, loopback

BACKENDS = ["asyncio", "trio"]
HOUR = "http:503,delay=1h"

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def real():
    """Time as it passes."""
    return RealTime()


@pytest.fixture
def injector(real):
    return Injector(HOUR, store="memory:", environ={}, waits=real)


@contextmanager
def waiting(servers, injector, real, **more):
    """A request that waits an hour on a thread of its own, unless the block ends that; gives its answers."""
    found = []
    wrapped = WSGIFaultMiddleware(None, injector=injector)
    thread = threading.Thread(
        target=lambda: found.append(servers.wsgi(wrapped, servers.environ(**more)).status), daemon=True
    )
    thread.start()
    real.until_one_waits()
    yield found
    thread.join(PATIENCE)
    assert not thread.is_alive()


def hear(servers, injector, server, **more):
    """A request on a loop, whose server tells nothing by `receive`."""
    exchange = Exchange(server, "PUT")
    scope = servers.scope("PUT", headers=[("Expect", "100-continue"), ("Content-Length", "1")], **more)
    return exchange, lambda: exchange.run(ASGIFaultMiddleware(None, injector=injector), scope)


def test_the_end_of_the_scenario_wakes_all_threads(servers, injector, real):
    """With and without a connection, however often it is switched off and on; each slept once."""
    with loopback() as (_, server):
        for _ in range(2):
            real.slept.clear()
            shown = {"werkzeug.socket": server}
            with (
                waiting(servers, injector, real) as one,
                waiting(servers, injector, real, **shown) as other,
            ):
                injector.disable()
                injector.enable()
            assert (one, other) == ([503], [503])
            assert real.slept == [pytest.approx(3600, abs=PATIENCE)] * 2


def test_a_new_moment_of_the_end_is_waited_for(servers, injector, real):
    """Who waits is woken to look at it, and sleeps again."""
    with waiting(servers, injector, real) as found:
        injector.enable(until=2**32)
        real.until_one_waits()
        assert found == []
        assert 0 < real.slept[-1] <= 5, "the system's clock may be set"
        injector.disable()
    assert found == [503]


def test_a_wait_behind_the_end_of_another_is_not_woken_by_it(servers):
    """While one that was woken has not gone yet, the next one sleeps as long as it should."""
    slow, woken, begun, going = threading.Event(), threading.Event(), threading.Event(), []

    class Slow(Time):
        def wait(self, seconds, sleep):
            if not going:
                begun.set()
                going.append(sleep(seconds))
                woken.set()
                slow.wait(PATIENCE)
            else:
                super().wait(seconds, sleep)
                assert seconds == 3600 or sleep(0.001) is False

    time = Slow()
    injector = Injector(HOUR, store="memory:", environ={}, waits=time)
    wrapped = WSGIFaultMiddleware(None, injector=injector)
    first = threading.Thread(target=servers.wsgi, args=(wrapped, servers.environ()))
    first.start()
    assert begun.wait(PATIENCE)
    injector.disable()
    injector.enable()
    assert woken.wait(PATIENCE)
    assert servers.wsgi(wrapped, servers.environ()).status == 503
    assert time.slept == [3600]
    slow.set()
    first.join(PATIENCE)


@pytest.mark.parametrize("rule", [HOUR, "latency,delay=1h", "drip,rate=1"])
def test_a_client_that_leaves_wakes_its_thread(servers, real, rule):
    """Also one that has read a part."""
    injector = Injector(rule, store="memory:", environ={}, waits=real)
    with loopback() as (near, server):
        wrapped = WSGIFaultMiddleware(App(bytes(10_000)).wsgi, injector=injector)
        environ = servers.environ(**{"werkzeug.socket": server})
        thread = threading.Thread(target=lambda: list(wrapped(environ, lambda *_: None)), daemon=True)
        thread.start()
        real.until_one_waits()
        leave(near)
        thread.join(PATIENCE)
        assert not thread.is_alive()
    did = {"latency": "delayed", "drip": "dripped"}.get(rule.partition(",")[0], "failed")
    assert injector.journal.outcomes[-1].did == did


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("end", ["client", "use", "over"])
def test_what_wakes_a_task(servers, backend, end):
    """The client leaves, another thread swaps the scenario, the server lets go: long before the hour is over."""
    time = Time()
    injector = Injector("hang,duration=1h,drain=no", store="memory:", environ={}, waits=time)

    def change():
        if end == "client":
            near.close()
        elif end == "over":
            exchange.keep_alive = False
        else:
            thread = threading.Thread(target=injector.use, args=("http:500",))
            thread.start()
            thread.join()

    with loopback() as (near, server):
        exchange, ask = hear(servers, injector, server)
        exchange.keep_alive = True

        async def scenario():
            await ask()
            await anyio.sleep(1)  # nothing looks on

        time.at(30, change)
        time.run(scenario, backend=backend)
    assert time.now == pytest.approx(31, abs=2)


class Full:
    """An `epoll` of a system that has no room for one connection more."""

    def __init__(self, real):
        self.fileno, self.poll, self.close = real.fileno, real.poll, real.close

    def register(self, *_):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("lacks", ["epoll", "add_reader", "room"])
def test_a_loop_that_cannot_hear_connections(servers, monkeypatch, lacks):
    """Another system, or a loop of Windows: they are looked at now and then."""
    time = Time()
    injector = Injector("hang,duration=1h,drain=no", store="memory:", environ={}, waits=time)

    def missing(*_):
        raise NotImplementedError

    async def scenario():
        if lacks == "add_reader":
            monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", missing)
        elif lacks == "epoll":
            monkeypatch.delattr(select, "epoll")
        else:
            real = select.epoll
            monkeypatch.setattr(select, "epoll", lambda: Full(real()))
        await ask()

    with loopback() as (near, server):
        _, ask = hear(servers, injector, server)
        time.at(30, near.close)
        time.run(scenario)
    assert time.now == pytest.approx(30, abs=2)


def test_the_end_behind_the_end_of_the_loop(servers):
    """A loop that was closed under a wait is told nothing."""
    time = Time()
    injector = Injector(HOUR, store="memory:", environ={}, waits=time)
    wrapped = ASGIFaultMiddleware(None, injector=injector)
    loop = asyncio.new_event_loop()
    task = loop.create_task(wrapped(servers.scope(), servers.messages(), None))
    while not injector.journal.outcomes:
        loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0.01))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "call_soon_threadsafe", lambda *_: missing())
        injector.disable()
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.close()


def missing():
    raise RuntimeError("Event loop is closed")


def test_without_a_pipe_it_looks_around(servers, injector, real, monkeypatch):
    """Too many files are open: the wait ends all the same."""

    def pipe():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pipe", pipe)
    with waiting(servers, injector, real) as found:
        injector.disable()
    assert found == [503]


PROGRAM = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from faultinject import Injector, WSGIFaultMiddleware

injector = Injector("http:503,delay=1h", environ={})
def ask():
    WSGIFaultMiddleware(None, injector=injector)({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None)
if sys.argv[1] == "late":
    threading.Thread(target=lambda: (threading.main_thread().join(), ask())).start()
elif sys.argv[1] == "pool":
    ThreadPoolExecutor(1).submit(ask)
else:
    threading.Thread(target=ask).start()
while sys.argv[1] != "late" and not injector.journal.outcomes:
    pass
"""


@pytest.mark.live
@pytest.mark.parametrize("threads", ["pool", "thread", "late"])
def test_the_end_of_the_program_wakes_all(threads):
    """Threads that wait keep no program from ending, nor do those of a pool, for which it waits first; a late wait is none."""
    subprocess.run([sys.executable, "-c", PROGRAM, threads], check=True, timeout=120)


@pytest.mark.live
def test_a_fork_wakes_nobody(servers, injector, real):
    """What a child switches off goes on in its parent, and waits of the child are its own."""
    with waiting(servers, injector, real) as found:
        pid = os.fork()
        if not pid:
            failed = 1
            try:
                injector.disable()
                injector.enable()
                with waiting(servers, injector, real) as own:
                    injector.disable()
                failed = own != [503]
            finally:
                os._exit(failed)
        assert os.waitpid(pid, 0)[1] == 0
        assert found == []
        assert len(real.slept) == 1
        injector.disable()
    assert found == [503]


@pytest.mark.live
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fork_tells_the_loop_of_its_parent_nothing(servers, backend):
    """What a child switches off is its own; there nobody waits, and what waits is heard anew."""
    time = Time()
    injector = Injector(HOUR, store="memory:", environ={}, waits=time)
    wrapped = ASGIFaultMiddleware(None, injector=injector)
    sent = []

    async def send(message):
        sent.append(time.now)

    def fork():
        pid = os.fork()
        if not pid:
            failed = 1
            try:
                injector.disable()
                failed = 0
            finally:
                os._exit(failed)
        assert os.waitpid(pid, 0)[1] == 0

    time.at(30, fork)
    time.at(60, injector.disable)
    time.run(wrapped, servers.scope(), servers.messages(), send, backend=backend)
    assert sent[0] == pytest.approx(60)


class Closing(Exchange):
    """uvicorn's: it will not keep the connection behind an answer that says so."""

    keep_alive = True

    async def send(self, message):
        if (b"connection", b"close") in message.get("headers", ()):
            self.keep_alive = False
        await super().send(message)


@pytest.mark.parametrize("ends", [None, 4, 30])
@pytest.mark.parametrize("rule", ["drip,rate=1", "stall,duration=10s,when=after,after_bytes=5"])
def test_an_answer_that_says_that_the_connection_ends(servers, rule, ends):
    """That is not the end of the exchange: a fault of its body lasts as long as for any other. The server's own end is, before."""
    time = Time()
    injector = Injector(rule, store="memory:", environ={}, waits=time)

    async def app(scope, receive, send):
        headers = [(b"content-length", b"10"), (b"connection", b"close")]
        if ends == 4:
            await anyio.sleep(5)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"0123456789"})

    wrapped = ASGIFaultMiddleware(app, injector=injector)
    with loopback() as (_, server):
        exchange = Closing(server, "GET")
        if ends is not None:
            time.at(ends, lambda: setattr(exchange, "keep_alive", False))
        time.run(exchange.run, wrapped, servers.scope())
    assert time.now == pytest.approx(5 if ends == 4 else 10, abs=1)


def test_a_wait_that_tells_its_own_end_keeps_no_loop_awake(servers):
    """Only where the server tells nobody of its end it is looked at, and no longer than that."""
    time = Time()
    injector = Injector(HOUR, store="memory:", environ={}, waits=time)
    wrapped = ASGIFaultMiddleware(None, injector=injector)
    timers = []

    async def scenario():
        loop = asyncio.get_running_loop()
        real = loop.call_at
        loop.call_at = lambda when, *more, **named: timers.append(when) or real(when, *more, **named)
        async with anyio.create_task_group() as tasks:
            with loopback() as (_, server):
                exchange, ask = hear(servers, injector, server)
                exchange.keep_alive = True
                tasks.start_soon(wrapped, servers.scope(), servers.messages(), sink)
                tasks.start_soon(ask)
                await anyio.sleep(10)
                exchange.keep_alive = False
                await anyio.sleep(10)
                assert len([each for each in timers if each < 20]) > 20
                timers.clear()
                await anyio.sleep(10)
                assert len(timers) == 1
                injector.disable()

    async def sink(message):
        pass

    time.run(scenario)

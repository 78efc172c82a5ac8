"""What ends a wait wakes it: nothing is looked at again and again meanwhile."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import anyio
import pytest

from faultinject import Injector
from faultinject.adapters import alarm, loop_watch
from faultinject.adapters.asgi_wait import Ends, pause
from faultinject.adapters.connection import Connection
from faultinject.adapters.descriptors import hold
from faultinject.adapters.wsgi_wait import wait

BACKENDS = ["asyncio", "trio"]
HOUR = 3600.0

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def injector():
    return Injector("http:503,delay=1h", store="memory:", environ={})


@pytest.fixture
def looks(injector):
    """The clock of waits, and how often it was looked at."""
    services, found = injector.own_plan.services, []
    real = services.monotonic

    def monotonic():
        found.append(real())
        return found[-1]

    services.monotonic = monotonic
    return found


@pytest.fixture
def client():
    """A client, and the connection that its server has with it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as near,
    ):
        far, _ = listening.accept()
        with far, Connection(hold(far.fileno()), far.fileno(), encrypted=False) as connection:
            yield near, connection


@contextmanager
def waiting(injector, *more):
    """A thread that waits an hour, for as long as the block lasts; gives what it returns."""
    found = []
    began = threading.Event()
    plan = injector.own_plan
    real = plan.over

    def over(endings):
        began.set()
        return real(endings)

    plan.over = over
    thread = threading.Thread(target=lambda: found.append(wait(plan, HOUR, *more)), daemon=True)
    thread.start()
    assert began.wait(10)
    yield found
    thread.join(10)
    assert not thread.is_alive()


def test_a_thread_that_waits_looks_at_nothing(injector, looks, client):
    """From its beginning to its end it looks at the clock a few times, however long that takes."""
    for more in ((), (client[1],)):
        looks.clear()
        assert wait(injector.own_plan, 0.4, *more)
        assert len(looks) <= 5
        assert looks[-1] - looks[0] >= 0.4


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_task_that_waits_looks_at_nothing(injector, looks, client, backend):
    """The same under ASGI."""
    for connection in (None, client[1]):
        looks.clear()
        anyio.run(pause, injector.own_plan, 0.4, Ends(None), connection, backend=backend)
        assert len(looks) <= 5
        assert looks[-1] - looks[0] >= 0.4


def test_the_end_of_the_scenario_wakes_all_threads(injector, client):
    """With and without a connection, however often it is switched off and on."""
    for _ in range(2):
        with waiting(injector) as one, waiting(injector, client[1]) as other:
            injector.disable()
            injector.enable()
        assert (one, other) == ([True], [True])
    assert alarm._bells == {}
    assert injector.own_plan.waiting == set()


def test_a_wait_behind_the_end_of_another_is_not_woken_by_it(injector, looks):
    """While one that was woken has not gone yet, the next one sleeps."""
    plan = injector.own_plan
    with alarm.Alarm(plan):
        injector.disable()
        injector.enable()
        looks.clear()
        assert wait(plan, 0.2)
        assert len(looks) <= 5
    assert alarm._bells == {}


@pytest.mark.parametrize("reads_on", [False, True])
def test_a_client_that_leaves_wakes_its_thread(injector, client, reads_on):
    """And no other."""
    near, connection = client
    found = []
    thread = threading.Thread(
        target=lambda: found.append(wait(injector.own_plan, HOUR, connection, reads_on=reads_on)), daemon=True
    )
    thread.start()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    near.close()
    thread.join(10)
    assert found == [False]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("end", ["client", "use", "over"])
def test_what_wakes_a_task(injector, client, backend, end):
    """The client leaves, another thread swaps the scenario, the server lets go."""
    near, connection = client
    plan = injector.own_plan

    class Exchange:
        keep_alive = True

        async def receive(self):
            raise NotImplementedError

    exchange = Exchange()
    ends = Ends(exchange.receive)

    async def scenario():
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(pause, plan, HOUR, ends, connection)
                tasks.start_soon(pause, plan, HOUR, ends)
                await anyio.wait_all_tasks_blocked()
                if end == "client":
                    near.close()
                    await anyio.sleep(0.01)
                    exchange.keep_alive = False
                elif end == "over":
                    exchange.keep_alive = False
                else:
                    thread = threading.Thread(target=injector.use, args=("http:500",))
                    thread.start()
                    thread.join()

    anyio.run(scenario, backend=backend)
    assert loop_watch._watches == {}
    assert plan.waiting == ends.wakes == set()


class Full:
    """An `epoll` of a system that has no room for one connection more."""

    def __init__(self, real):
        self.fileno, self.poll, self.close = real.fileno, real.poll, real.close

    def register(self, *_):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("lacks", ["epoll", "add_reader", "room"])
def test_a_loop_that_cannot_hear_connections(injector, client, monkeypatch, lacks):
    """Another system, or a loop of Windows: they are looked at now and then."""
    near, connection = client
    if lacks == "epoll":
        monkeypatch.delattr(select, "epoll")
    if lacks == "room":
        real = select.epoll
        monkeypatch.setattr(select, "epoll", lambda: Full(real()))

    async def scenario():
        if lacks == "add_reader":
            loop = asyncio.get_running_loop()
            monkeypatch.setattr(type(loop), "add_reader", lambda *_: missing())
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(pause, injector.own_plan, HOUR, Ends(None), connection)
                await anyio.wait_all_tasks_blocked()
                near.close()

    def missing():
        raise NotImplementedError

    anyio.run(scenario)
    assert loop_watch._watches == {}


def test_a_connection_that_is_released(injector, client):
    """Its client counts as gone, and nothing is watched."""
    client[1].release()
    anyio.run(pause, injector.own_plan, HOUR, Ends(None), client[1])
    assert not wait(injector.own_plan, HOUR, client[1])


def test_a_connection_that_is_released_meanwhile(injector, client):
    """By a fork, say: nothing fails."""

    async def scenario():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pause, injector.own_plan, HOUR, Ends(None), client[1])
            await anyio.wait_all_tasks_blocked()
            client[1].release()
            injector.disable()

    anyio.run(scenario)
    assert loop_watch._watches == {}


def test_the_end_behind_the_end_of_the_loop(injector):
    """A loop that was closed under a wait is told nothing."""
    loop = asyncio.new_event_loop()

    async def scenario():
        with suppress(asyncio.CancelledError):
            await pause(injector.own_plan, HOUR, Ends(None))

    task = loop.create_task(scenario())
    loop.run_until_complete(asyncio.sleep(0.01))
    selector = loop._selector
    loop._selector = None
    loop._closed = True
    injector.disable()
    loop._closed, loop._selector = False, selector
    task.cancel()
    loop.run_until_complete(task)
    loop.close()
    assert loop_watch._watches == {}


def test_without_a_pipe_it_looks_around(injector, monkeypatch):
    """Too many files are open: the wait ends all the same."""

    def pipe():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pipe", pipe)
    with waiting(injector) as found:
        injector.disable()
    assert found == [True]


PROGRAM = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from faultinject import Injector
from faultinject.adapters.wsgi_wait import wait

plan = Injector("http:503", environ={}).own_plan
began = threading.Event()
real = plan.over
plan.over = lambda endings: began.set() or real(endings)
if sys.argv[1] == "pool":
    ThreadPoolExecutor(1).submit(wait, plan, 3600.0)
else:
    threading.Thread(target=wait, args=(plan, 3600.0)).start()
began.wait()
"""


@pytest.mark.live
@pytest.mark.parametrize("threads", ["pool", "thread"])
def test_the_end_of_the_program_wakes_all(threads):
    """Threads that wait keep no program from ending, nor do those of a pool, for which it waits first."""
    subprocess.run([sys.executable, "-c", PROGRAM, threads], check=True, timeout=60)


def test_a_wait_that_begins_when_the_program_ends(injector, monkeypatch):
    """It is none."""

    def refuse(_):
        raise RuntimeError("can't register atexit after shutdown")

    monkeypatch.setattr(alarm, "_registered", False)
    monkeypatch.setattr(alarm, "_program_ends", False)
    monkeypatch.setattr(threading, "_register_atexit", refuse)
    assert wait(injector.own_plan, HOUR)


@pytest.mark.live
def test_a_fork_wakes_nobody(injector, looks):
    """What a child switches off goes on in its parent, and waits of the child are its own."""
    with waiting(injector) as found:
        pid = os.fork()
        if not pid:
            failed = 1
            try:
                injector.disable()
                failed = len(alarm._bells) + len(injector.own_plan.waiting)
            finally:
                os._exit(failed)
        assert os.waitpid(pid, 0)[1] == 0
        looks.clear()
        assert wait(injector.own_plan, 0.2)
        assert len(looks) <= 5
        assert found == []
        injector.disable()
    assert found == [True]


def test_what_a_fork_leaves(injector):
    """In a child nobody waits, and what its parent waits by is closed there."""
    plan = injector.own_plan
    with alarm.Alarm(plan) as one:
        files = one._bell.file, one._bell._end
        alarm._after_fork()
        assert (alarm._bells, plan.waiting) == ({}, set())
        for file in files:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(file)
        assert not one.sleep(0.001)
    loop_watch._watches[None] = None
    loop_watch._after_fork()
    assert loop_watch._watches == {}


def test_the_timer_ends_with_what_it_is_for(injector, monkeypatch):
    """A wait that tells its own end is not looked at."""
    monkeypatch.setattr(loop_watch, "TICK", 0.01)
    looks = []
    real = loop_watch.Watch.look
    monkeypatch.setattr(loop_watch.Watch, "look", lambda self: looks.append(1) or real(self))

    class Exchange:
        keep_alive = True

        async def receive(self):
            raise NotImplementedError

    exchange = Exchange()

    async def scenario():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pause, injector.own_plan, HOUR, Ends(None))
            tasks.start_soon(pause, injector.own_plan, HOUR, Ends(exchange.receive))
            await anyio.sleep(0.1)
            exchange.keep_alive = False
            await anyio.sleep(0.1)
            before = len(looks)
            await anyio.sleep(0.1)
            assert 0 < len(looks) == before
            injector.disable()

    anyio.run(scenario)


def test_a_child_tells_the_loop_of_its_parent_nothing(injector, monkeypatch):
    """What it switches off is its own."""
    called = []

    async def scenario():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pause, injector.own_plan, HOUR, Ends(None))
            await anyio.wait_all_tasks_blocked()
            [watch] = loop_watch._watches.values()
            real, watch._call_soon = watch._call_soon, lambda work: called.append(1) or real(work)
            with monkeypatch.context() as child:
                child.setattr(os, "getpid", lambda: 1)
                injector.disable()
            assert called == []
            injector.disable()

    anyio.run(scenario)
    assert called == [1]


def test_a_child_rings_no_bell_of_its_parent(injector, looks, monkeypatch):
    """Their pipe is one and the same."""
    with alarm.Alarm(injector.own_plan) as one:
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: 1)
            injector.own_plan.end()
        assert not one._bell.rung
        injector.own_plan.end()
        assert one._bell.rung


def test_the_task_of_trio_ends_with_what_it_is_for(injector, monkeypatch):
    """It looks no more once nothing waits."""
    monkeypatch.setattr(loop_watch, "TICK", 0.001)
    ended = []
    real = loop_watch.TrioWatch._run

    async def run(self):
        await real(self)
        ended.append(self)

    monkeypatch.setattr(loop_watch.TrioWatch, "_run", run)

    async def scenario():
        await pause(injector.own_plan, 0.01, Ends(None))
        with anyio.fail_after(10):
            while not ended:
                await anyio.sleep(0.001)

    anyio.run(scenario, backend="trio")

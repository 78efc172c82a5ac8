"""Waits pass at once, and what reads a clock sees that they have passed."""

import asyncio
import datetime
import queue
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import monotonic, sleep

import anyio
import backoff
import boto3
import pytest
import stamina
import tenacity
import trio
import urllib3
import uvloop
from botocore.config import Config
from google.api_core.retry import Retry
from google.cloud.storage import Client as GoogleClient
from werkzeug.test import Client

from faultinject import WSGIFaultMiddleware, inject
from faultinject.exceptions import ConfigurationError, RetryAssertionError
from faultinject.testing.exploration.programs import Program
from tests.asking import app

REAL = time.monotonic
HOUR = 3600


client = Client(WSGIFaultMiddleware(app, []))


def put():
    answer = client.put("/b/k", data=b"meow")
    if answer.status_code != 200:
        raise OSError(answer.status)


def fails():
    """The attempt that meets the fault."""
    with pytest.raises(OSError, match="503"):
        put()


def burn(clock, seconds):
    """Compute so long."""
    end = clock() + seconds
    while clock() < end:
        pass


@pytest.fixture(autouse=True)
def begin():
    """Each test notes when it began."""
    About.begun = REAL()


class About(float):
    """Seconds, give or take a half and the test's real time, as a machine may stand still."""

    begun = 0.0

    def __eq__(self, other):
        return self - 0.5 <= other <= self + 0.5 + REAL() - self.begun

    __hash__ = None


def gaps(faults):
    """The recorded times between an answer and the next request."""
    return [after.arrived - before.answered for before, after in pairwise(faults.outcomes) if before.injected]


@pytest.fixture
def hurried():
    """Two failures of each call; the waits of all pass at once."""
    with inject("cos:SlowDown,times=2") as faults:
        faults.fast_forward()
        began = REAL()
        yield faults
    assert REAL() - began < 30, "somebody waited"


def test_every_clock_goes_on(hurried):
    """Every clock says that an hour is over, and old and new datetimes are of one class."""
    clocks = [time.time, time.monotonic, time.perf_counter, monotonic]
    fine = [time.time_ns, time.monotonic_ns, time.perf_counter_ns]
    dates = [
        lambda: datetime.datetime.now(datetime.UTC),
        datetime.datetime.utcnow,
    ]  # what older clients ask, too
    before = [each() for each in clocks + fine + dates]
    sleep(HOUR)
    time.sleep(0)
    passed = [each() - since for each, since in zip(clocks + fine + dates, before, strict=True)]
    units = [1] * len(clocks) + [10**9] * len(fine) + [datetime.timedelta(seconds=1)] * len(dates)
    assert all(HOUR <= each / unit < HOUR + 30 for each, unit in zip(passed, units, strict=True))
    made = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    kind = type(made)
    assert isinstance(made, datetime.datetime)
    assert (issubclass(kind, datetime.datetime), kind is datetime.datetime) == (True, False)
    assert datetime.datetime.fromisoformat("2026-01-02T00:00:00+00:00") == made


def all_clocks():
    """All clocks that a block replaces, by each of their names."""
    return (
        *(sleep, monotonic, time.sleep, time.monotonic),
        *(asyncio.sleep, datetime.datetime, threading.Condition.wait),
    )


def test_the_clocks_are_put_back():
    """Code from inside the block tells the real time after it."""
    names = all_clocks()
    with inject("cos:SlowDown", times=0) as faults:
        faults.fast_forward()
        faults.fast_forward()
        inner = time.sleep
        assert inner is not names[2]
    assert names == all_clocks()
    before = time.monotonic()
    inner(0.01)
    assert time.monotonic() - before >= 0.01


def test_from_the_beginning_of_the_block():
    """Asked for in front of it, and each time the block is entered."""
    block = inject("cos:SlowDown", times=1)
    block.fast_forward()
    for _ in range(2):
        with block as faults:
            fails()
            time.sleep(HOUR)
            put()
            assert gaps(faults) == [About(HOUR)]


def test_threads(hurried):
    """Threads wait for their own times, together for the longest, in the clock's order."""
    began, order = time.monotonic(), []

    def wait(seconds):
        time.sleep(seconds)
        order.append((seconds, time.monotonic() - began))

    with ThreadPoolExecutor(3) as threads:
        threads.map(wait, (30, 10, 20))
    assert order == [(10, About(10)), (20, About(20)), (30, About(30))]


def test_timed_waits(hurried):
    """An event, a condition and a queue end a wait early; nothing else does."""
    event, box = threading.Event(), queue.Queue()
    threading.Thread(target=lambda: (time.sleep(10), event.set(), time.sleep(10), box.put("cat"))).start()
    began = time.monotonic()
    assert (event.wait(5), event.wait(HOUR), box.get(timeout=HOUR)) == (False, True, "cat")
    for timeout in (10, 0):
        with pytest.raises(queue.Empty):
            box.get(timeout=timeout)
    assert time.monotonic() - began == About(30)
    done = threading.Event()
    threading.Thread(target=done.set).start()
    assert done.wait()
    condition, woken = threading.Condition(), []

    def wait():
        with condition:
            woken.append(condition.wait(10))

    wait()
    # Whoever has given up gets no notification: it is for the one that waits.
    waits = threading.Thread(target=wait)
    waits.start()
    time.sleep(1)
    with condition:
        condition.notify()
    waits.join()
    assert woken == [False, True]


def test_threads_that_run_already_wait_for_real():
    """A server of a fixture that looks every few milliseconds does not drive the clock."""
    over, looks = threading.Event(), []

    def serve():
        while not over.wait(0.001):
            looks.append(time.monotonic())
            time.sleep(0.001)
            asyncio.run(asyncio.sleep(0.001))
            trio.run(trio.sleep, 0.001)

    server = threading.Thread(target=serve)
    server.start()
    with inject("cos:SlowDown", times=0) as faults:
        faults.fast_forward()
        time.sleep(HOUR)
    over.set()
    server.join()
    assert looks


def test_event_loop(hurried):
    """Tasks wait for each other as they would, and a deadline comes in its time."""

    async def main():
        began = time.monotonic()

        async def one(seconds):
            return (await asyncio.sleep(seconds, "slept"), time.monotonic() - began)

        slept = [("slept", About(each)) for each in (30, 10, 0)]
        assert await asyncio.gather(one(30), one(10), one(0)) == slept
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(HOUR)
        assert time.monotonic() - began == About(35)

    asyncio.run(main())


def test_connections_in_an_event_loop(hurried):
    """Data on a connection arrives before the end of a sleep."""

    async def main():
        reader, writer = await asyncio.open_connection(sock=ours)
        sleeping = asyncio.create_task(asyncio.sleep(HOUR))
        theirs.sendall(b"meow")
        assert await reader.readexactly(4) == b"meow"
        assert not sleeping.done()
        await sleeping
        writer.close()

    ours, theirs = socket.socketpair()
    with theirs:
        asyncio.run(main())


def test_trio(hurried):
    """Trio's own clock moves too, and anyio on it."""

    async def main():
        began = trio.current_time()
        await trio.sleep(10)
        await anyio.sleep(10)
        with trio.move_on_after(5) as scope:
            await trio.sleep(HOUR)
        assert scope.cancelled_caught
        assert trio.current_time() - began == About(25)

    trio.run(main)


def test_trio_is_not_needed(monkeypatch):
    """Without an import of trio there is nothing to change."""
    monkeypatch.delitem(sys.modules, "trio")
    with inject("cos:SlowDown", times=0) as faults:
        faults.fast_forward()
        assert "trio" not in sys.modules


def test_delays_of_faults_take_their_time():
    """They are the server's, and nobody skips them while they are under way."""
    with inject("latency,delay=100ms") as faults:
        faults.fast_forward()
        began = REAL()
        put()
        assert REAL() - began >= 0.1


def test_a_busy_process_is_waited_for(hurried):
    """The clock waits for what another thread computes."""
    began = time.monotonic()
    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(lambda: burn(time.process_time, 0.2) or time.monotonic())
        time.sleep(HOUR)
        assert ended.done()
    assert ended.result() - began < HOUR


def test_a_compiled_event_loop(hurried):
    """It is refused, with the way out."""
    with pytest.raises(ConfigurationError, match=r"uvloop.*Run this test on asyncio's own event loop"):
        uvloop.run(asyncio.sleep(1))


def wait_for_a_lock():
    lock = threading.Lock()
    lock.acquire()
    for _ in range(16):  # a busy machine notices fewer of them
        lock.acquire(timeout=0.13)


def wait_for_a_task():
    async def waits():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 2)  # a loaded machine loses some of it

    asyncio.run(waits())


@pytest.mark.parametrize(
    ("wait", "says"),
    [
        (wait_for_a_lock, r"waited \d+\.\d\d s for real .*\(PUT /b/k\).*without fast_forward\(\)"),
        (wait_for_a_task, r"time-outs of tasks, such as asyncio\.wait_for.*without"),
    ],
)
def test_waits_that_take_their_time(wait, says):
    """Waits of compiled code, or of tasks with a time-out, are an error at the end, with advice."""
    with pytest.raises(ConfigurationError, match=says), inject("cos:SlowDown", times=1) as faults:
        faults.fast_forward()
        fails()
        wait()
        put()


def test_a_machine_that_stands_still(monkeypatch):
    """Nobody waited where the clock went on by 5 s at once."""
    lost = [0]
    monkeypatch.setattr(time, "monotonic", lambda: REAL() + lost[0])
    with inject("cos:SlowDown", times=1) as faults:
        faults.fast_forward()
        fails()
        lost[0] = 5
        put()
        assert gaps(faults) == [About(5)]


def test_a_client_that_computes(hurried):
    """Computing between an answer and the next attempt is no wait."""
    fails()
    burn(time.thread_time, 0.3)
    fails()
    assert gaps(hurried)[0] >= 0.3


def test_findings_judge_what_was_asked_for():
    """A client that ignores Retry-After is found, although all waits are over at once."""
    with inject("cos:SlowDown", times=1, per="call", retry_after="30s") as faults:
        faults.fast_forward()
        for number in range(6):
            with faults.call("put"):
                for _ in range(2):
                    client.put(f"/b/{number}", data=b"meow")
                    time.sleep(10)
        with pytest.raises(RetryAssertionError, match=r"30"):
            faults.assert_retries()


@pytest.mark.faultinject("cos:SlowDown", times=2, fast_forward=True)
def test_marker(faults):
    """The marker's key does it for the test alone."""
    for _ in range(2):
        fails()
        time.sleep(60)
    put()
    assert gaps(faults) == [About(60), About(60)]


STAMINA = stamina.retry(on=OSError, wait_initial=20, wait_max=20, wait_jitter=0, timeout=100)
TENACITY = tenacity.retry(wait=tenacity.wait_fixed(20), stop=tenacity.stop_after_attempt(4))
BACKOFF = backoff.on_exception(backoff.constant, OSError, interval=20, jitter=None)


@pytest.mark.parametrize(
    ("again", "run"),
    [(STAMINA, trio.run), (TENACITY, asyncio.run), (BACKOFF, asyncio.run)],
    ids=["stamina", "tenacity", "backoff"],
)
def test_decorators(hurried, again, run):
    """Of functions and of coroutines; stamina's bounds on all waits hold as well."""

    async def put_later():
        put()

    again(put)()
    hurried.clear()
    hurried.add("cos:SlowDown,times=2")
    later = again(put_later)
    run(later if run is trio.run else later())
    waited = gaps(hurried)
    assert (waited[:2], waited[-2:]) == ([About(20), About(20)], [About(20), About(20)])


@pytest.fixture
def s3(faultinject_store):
    return faultinject_store("s3")


@pytest.mark.live
@pytest.mark.faultinject("s3:SlowDown", times=3, bucket="photos", fast_forward=True)
def test_urllib3(s3, faults):
    """Retry's own waits, and those that the server asks for, also as a date."""
    retry = urllib3.Retry(4, status_forcelist=[503], backoff_factor=10, allowed_methods=None)
    with urllib3.PoolManager(retries=retry) as pool:
        assert pool.request("GET", f"{s3.url}/photos/cat.jpg").status == 404
        assert gaps(faults) == [About(0), About(20), About(40)]
        faults.clear()
        faults.add("s3:SlowDown", times=1, retry_after="60s", hint="date", bucket="later")
        pool.request("GET", f"{s3.url}/later/cat.jpg")
    first, second = faults.outcomes[-2:]
    assert 58 < second.arrived - first.answered < 62


@pytest.mark.live
@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
@pytest.mark.faultinject("s3:SlowDown", times=2, bucket="photos", fast_forward=True)
def test_boto3(s3, faults, mode):
    """Each of its modes."""
    config = Config(retries={"mode": mode, "max_attempts": 4})
    client = boto3.client("s3", **s3.client_kwargs, config=config)
    client.create_bucket(Bucket="photos")
    client.close()
    assert len(gaps(faults)) == 2


@pytest.mark.live
@pytest.mark.faultinject("gcs:backendError", times=2, bucket="photos", fast_forward=True)
def test_google_api_core(faultinject_store, faults):
    """Its waits, drawn anew each time, and its deadline."""
    client = GoogleClient(**faultinject_store("gcs").client_kwargs)
    with faults.pause():
        client.create_bucket("photos")
    client.get_bucket("photos", retry=Retry(initial=30, maximum=30, timeout=HOUR))
    client.close()
    assert faults.attempts == 3


def test_the_limit_of_a_program_is_real_time():
    """Waits that are skipped take nothing from the time that a program may take."""
    with inject("http:503") as faults:
        faults.fast_forward()
        program = Program([sys.executable, "-c", "import time; time.sleep(0.2); print('done')"], {})
        fails()
        assert program.run(HOUR) == (0, "done")

"""Threads that really interleave, files of counts, and other processes."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from threading import Barrier

import pytest

from faultinject.counts.file_counts import FileCounts
from faultinject.counts.filelock import FileLock
from faultinject.counts.redis_store import RedisStore
from faultinject.counts.table import make_table
from faultinject.rules.redis_url import read_redis


@pytest.fixture
def in_many_threads():
    """Run a function of the thread's number in so many threads at once; gives what they return, in order."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def run(count, work):
        gate = Barrier(count)

        def one(number):
            gate.wait()
            return work(number)

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count)))

    yield run
    sys.setswitchinterval(before)


@pytest.fixture
def make_file_counts(tmp_path):
    """Counts in a new file; given a number, in the file of that number."""
    made = count()

    def make(number=None):
        new = number is None
        number = next(made) if new else number
        if new:
            make_table(str(tmp_path / f"counts-{number}"))
        return FileCounts(str(tmp_path / f"counts-{number}"), FileLock.open(str(tmp_path / "lock")))

    return make


@pytest.fixture
def make_redis_counts(redis_server, redis_prefix):
    """Counts of a new scenario on a server; given a number, of the scenario of that number."""
    from faultinject.counts.redis_counts import RedisCounts
    from faultinject.counts.redis_link import Link

    made = []

    def make(number=None):
        url = read_redis(f"{redis_server.url}?prefix={redis_prefix}")
        if number is None:
            made.append(f"s{len(made)}")
            number = -1
            store = RedisStore(url)
            store.put({"scenario": made[-1], "seed": "1"}, after=store.look()[0], anew=True)
            made[-1] = redis_server.client().hget(f"{{{redis_prefix}}}:scenario", "id").decode()
        return RedisCounts(Link(url), f"{{{redis_prefix}}}", made[number])

    return make


@pytest.fixture(params=["file", "redis"])
def make_shared_counts(request):
    """Counts that processes share, of each kind."""
    return request.getfixturevalue(f"make_{request.param}_counts")


@pytest.fixture
def process():
    """Start a Python program with these arguments; it is spoken to by lines, and ended with the test."""
    with ExitStack() as ended:

        def start(program, *arguments):
            ran = ended.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", program, *map(str, arguments)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            ended.callback(ran.kill)
            return ran

        yield start

"""Threads that really interleave."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest


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

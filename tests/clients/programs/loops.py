"""Loops without a wait, and short waits, on a machine that has too much to do."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from contextlib import contextmanager

from .program import program
from .sending import Sender, at_once, in_threads, retried

DOWN = "http:503,path=/documents/*"
PATHS = [f"/documents/{number}" for number in range(30)]


@contextmanager
def too_much_to_do():
    """For its block, two processes for each core that do nothing, as fast as they can."""
    number = 2 * (os.cpu_count() or 1)
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


def read(endpoint, waits, *, busy, threads=10):
    """Read each, many at a time."""
    client = Sender(endpoint, "reader")

    def get(path):
        retried(lambda: client.get(path), waits())

    if busy:
        with too_much_to_do():
            in_threads(get, PATHS, threads)
    else:
        in_threads(get, PATHS, threads)


@program("tight loop", DOWN, true={"backoff"})
def tight_loop(endpoint):
    """Six attempts without a wait."""
    read(endpoint, lambda: at_once(5), busy=False)


@program("tight loop, one by one", DOWN, caught={"backoff"}, timed=True)
def tight_loop_one_by_one(endpoint):
    """The same by one thread."""
    read(endpoint, lambda: at_once(5), busy=False, threads=1)


@program("tight loop, busy", DOWN, true={"backoff"})
def busy_tight_loop(endpoint):
    """Six attempts without a wait, on a machine that has too much to do."""
    read(endpoint, lambda: at_once(5), busy=True)


@program("tight loop, busy, one by one", DOWN, true={"backoff"})
def busy_tight_loop_one_by_one(endpoint):
    """The same by one thread."""
    read(endpoint, lambda: at_once(5), busy=True, threads=1)


def short():
    """Waits that a busy machine alone might make."""
    return [random.uniform(0.052, 0.11) for _ in range(4)]


@program("short waits", DOWN, either={"backoff grows", "jitter", "thundering herd"})
def short_waits(endpoint):
    """Five attempts after 52 to 110 ms each."""
    read(endpoint, short, busy=False)


@program("short waits, busy", DOWN, either={"backoff grows", "jitter", "thundering herd"})
def busy_short_waits(endpoint):
    """The same on a machine that has too much to do."""
    read(endpoint, short, busy=True)

"""Loops without waits or with short ones, on a busy machine and in many threads."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from contextlib import contextmanager, suppress
from urllib.error import HTTPError
from urllib.request import urlopen

from .program import program
from .sending import Sender, at_once, in_threads, retried

DOWN = "http:503,path=/documents/*"
FEW, MANY = 10, 130
"""Threads."""


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


def read(endpoint, waits, *, busy, threads=FEW, times=1):
    """Read thirty documents, or so many times as many, by several threads."""
    paths = [f"/documents/{number}" for number in range(30 * times)]
    client = Sender(endpoint, "reader")

    def get(path):
        retried(lambda: client.get(path), waits())

    if busy:
        with too_much_to_do():
            in_threads(get, paths, threads)
    else:
        in_threads(get, paths, threads)


@program("tight loop", DOWN, true={"backoff", "backoff grows"})
def tight_loop(endpoint):
    """Six attempts without a wait."""
    read(endpoint, lambda: at_once(5), busy=False)


@program("tight loop, one by one", DOWN, caught={"backoff"}, true={"backoff grows"}, timed=True)
def tight_loop_one_by_one(endpoint):
    """The same by one thread."""
    read(endpoint, lambda: at_once(5), busy=False, threads=1)


@program("tight loop, busy", DOWN, true={"backoff", "backoff grows"})
def busy_tight_loop(endpoint):
    """Six attempts without a wait, on a machine that has too much to do."""
    read(endpoint, lambda: at_once(5), busy=True)


@program("tight loop, busy, one by one", DOWN, true={"backoff", "backoff grows"})
def busy_tight_loop_one_by_one(endpoint):
    """The same by one thread."""
    read(endpoint, lambda: at_once(5), busy=True, threads=1)


@program("tight loop, many threads", DOWN, true={"backoff", "jitter", "backoff grows", "thundering herd"})
def tight_loop_in_many_threads(endpoint):
    """Six attempts without a wait by urllib in 130 threads, each late as the others work."""

    def get(number):
        for _ in range(6):
            with suppress(HTTPError), urlopen(f"{endpoint}/documents/{number}"):
                pass

    in_threads(get, range(MANY), MANY)


@program("backoff, many threads", DOWN, either={"thundering herd"}, timed=True)
def backoff_in_many_threads(endpoint):
    """Five attempts with full jitter up to 1, 2, 4 and 4 s, in 130 threads."""
    read(endpoint, exponential, busy=False, threads=MANY, times=4)


def exponential():
    """Waits drawn between nothing and 1, 2, 4 and 4 seconds."""
    return [random.uniform(0, most) for most in (1, 2, 4, 4)]


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

"""Loops without waits or with short ones, on a busy machine and in many threads."""

import os
import random
import subprocess
import sys
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from urllib.error import HTTPError
from urllib.request import urlopen

from .program import Program, program, programs
from .sending import Sender, at_once, in_threads, retried

DOWN = "http:503,path=/documents/*"
FEW, MANY = 10, 130
"""Threads."""


@contextmanager
def too_much_to_do(times=2):
    """For its block, so many processes for each core that do nothing, as fast as they can."""
    number = times * (os.cpu_count() or 1)
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


SIX = partial(at_once, 5)


def exponential():
    """Waits drawn between nothing and 1, 2, 4 and 4 seconds."""
    return [random.uniform(0, most) for most in (1, 2, 4, 4)]


def short():
    """Waits that a busy machine alone might make."""
    return [random.uniform(0.052, 0.11) for _ in range(4)]


@programs(
    Program(
        "tight loop",
        "Six attempts without a wait.",
        (DOWN,),
        {"waits": SIX},
        true={"backoff", "backoff grows"},
    ),
    Program(
        "tight loop, one by one",
        "The same by one thread.",
        (DOWN,),
        {"waits": SIX, "threads": 1},
        caught={"backoff"},
        true={"backoff grows"},
        timed=True,
    ),
    Program(
        "tight loop, busy",
        "Six attempts without a wait, on a machine that has too much to do.",
        (DOWN,),
        {"waits": SIX, "busy": True},
        true={"backoff", "backoff grows"},
    ),
    Program(
        "tight loop, busy, one by one",
        "The same by one thread.",
        (DOWN,),
        {"waits": SIX, "busy": True, "threads": 1},
        true={"backoff", "backoff grows"},
    ),
    Program(
        "backoff, many threads",
        "Five attempts with full jitter up to 1, 2, 4 and 4 s, in 130 threads.",
        (DOWN,),
        {"waits": exponential, "threads": MANY, "times": 4},
        either={"thundering herd"},
        timed=True,
    ),
    Program(
        "short waits",
        "Five attempts after 52 to 110 ms each.",
        (DOWN,),
        {"waits": short},
        either={"backoff grows", "jitter", "thundering herd"},
    ),
    Program(
        "short waits, busy",
        "The same on a machine that has too much to do.",
        (DOWN,),
        {"waits": short, "busy": True},
        either={"backoff grows", "jitter", "thundering herd"},
    ),
)
def read(endpoint, waits, busy=False, threads=FEW, times=1):
    """Read thirty documents, or so many times as many, by several threads."""
    paths = [f"/documents/{number}" for number in range(30 * times)]
    client = Sender(endpoint, "reader")

    def get(path):
        retried(lambda: client.get(path), waits())

    with too_much_to_do() if busy else nullcontext():
        in_threads(get, paths, threads)


@program("tight loop, many threads", DOWN, true={"backoff", "jitter", "backoff grows", "thundering herd"})
def tight_loop_in_many_threads(endpoint):
    """Six attempts without a wait by urllib in 130 threads, each late as the others work."""

    def get(number):
        for _ in range(6):
            with suppress(HTTPError), urlopen(f"{endpoint}/documents/{number}"):
                pass

    in_threads(get, range(MANY), MANY)

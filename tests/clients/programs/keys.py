"""Many threads over few keys."""

from __future__ import annotations

import random

from .program import STORE, program
from .sending import Sender, at_once, full_jitter, in_threads, retried

KEYS = [f"/photos/cat-{number}.jpg" for number in range(5)]
HALF = "s3:SlowDown,method=GET,probability=0.5"


def read(endpoint, waits, number=160):
    """Sixteen threads read any of five objects."""
    client = Sender(endpoint, "reader")
    draw = random.Random(1)
    paths = [draw.choice(KEYS) for _ in range(number)]
    in_threads(lambda path: retried(lambda: client.get(path), waits()), paths, threads=16)


@program("16 threads, 5 keys", HALF, app=STORE, timed=True)
def sixteen_threads(endpoint):
    """Four attempts with full jitter, while half of everything fails."""
    read(endpoint, lambda: full_jitter(3, first=0.1, longest=0.4))


@program("16 threads, 5 keys, outage", "s3:SlowDown,method=GET", app=STORE, timed=True)
def sixteen_threads_in_an_outage(endpoint):
    """The same while everything fails."""
    read(endpoint, lambda: full_jitter(3, first=0.1, longest=0.4), 64)


@program(
    "16 threads, 5 keys, endless",
    "s3:SlowDown,method=GET",
    app=STORE,
    true={"gives up", "backoff", "thundering herd"},
)
def sixteen_endless_threads(endpoint):
    """Thirty attempts at once while everything fails."""
    read(endpoint, lambda: at_once(29), 64)


@program("16 threads, keys of their own", HALF, app=STORE, passes={"retries*"}, timed=True)
def keys_of_their_own(endpoint):
    """Sixteen threads read an object each, in four attempts with full jitter."""
    client = Sender(endpoint, "reader")
    paths = [f"/photos/cat-{number}.jpg" for number in range(80)]
    in_threads(lambda path: retried(lambda: client.get(path), full_jitter(3, 0.1, 0.4)), paths, threads=16)


@program(
    "16 threads, keys of their own, endless",
    "s3:SlowDown,method=GET,key=cat-1*.jpg",
    app=STORE,
    caught={"gives up", "backoff"},
    timed=True,
)
def endless_keys_of_their_own(endpoint):
    """The same, and thirty attempts at once of what always fails."""
    client = Sender(endpoint, "reader")
    paths = [f"/photos/cat-{number}.jpg" for number in range(40)]
    in_threads(lambda path: retried(lambda: client.get(path), at_once(29)), paths, threads=16)

"""Clients that failed together, and when they come back."""

from __future__ import annotations

import time

from .program import program
from .sending import PASSING, WARM, Sender, full_jitter, in_threads

DOWN = "http:503,path=/documents/*,times=1,per=call"


def come_back(endpoint, wait):
    """A few writes, and forty calls that begin one after the other; each is retried once."""
    client = Sender(endpoint, "herd")
    for number in range(WARM):
        client.put(f"/objects/{number}", b"meow")

    def read(number):
        time.sleep(0.05 * number)
        if client.get(f"/documents/{number}").status in PASSING:
            wait()
            client.get(f"/documents/{number}")

    in_threads(read, range(40), threads=40)


def until_the_next(period):
    """Wait until the clock shows a multiple of it."""
    time.sleep(period - time.time() % period)


@program("the next half second", DOWN, caught={"thundering herd"}, timed=True)
def next_half_second(endpoint):
    """All come back at the next full half second."""
    come_back(endpoint, lambda: until_the_next(0.5))


@program("half a second", DOWN, caught={"thundering herd"}, either={"jitter"}, timed=True)
def half_a_second(endpoint):
    """All come back after half a second."""
    come_back(endpoint, lambda: time.sleep(0.5))


@program("anywhere in a second", DOWN, passes={"thundering herd"})
def anywhere_in_a_second(endpoint):
    """Full jitter up to 1.2 s."""
    come_back(endpoint, lambda: time.sleep(full_jitter(1, first=1.2)[0]))

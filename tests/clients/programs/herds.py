"""Clients that failed together, and when they come back."""

import time
from functools import partial

from .program import Program, programs
from .sending import PASSING, WARM, Sender, full_jitter, in_threads

DOWN = "http:503,path=/documents/*,times=1,per=call"


def until_the_next_half_second():
    """Wait until the clock shows a multiple of it."""
    time.sleep(0.5 - time.time() % 0.5)


def up_to_a_second():
    """Wait with full jitter."""
    time.sleep(full_jitter(1, first=1.2)[0])


@programs(
    Program(
        "the next half second",
        "All come back at the next full half second.",
        (DOWN,),
        {"wait": until_the_next_half_second},
        caught={"thundering herd"},
        timed=True,
    ),
    Program(
        "half a second",
        "All come back after half a second.",
        (DOWN,),
        {"wait": partial(time.sleep, 0.5)},
        caught={"thundering herd"},
        either={"jitter"},
        timed=True,
    ),
    Program(
        "anywhere in a second",
        "Full jitter up to 1.2 s.",
        (DOWN,),
        {"wait": up_to_a_second},
        passes={"thundering herd"},
    ),
)
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

"""Outages in which the server asks for a wait, and what a client spends on retries."""

import threading
import time

from .program import Program, programs
from .sending import PASSING, Sender, call, full_jitter, in_threads

PLAIN = "http:503,path=/documents/**"
ASKED_LATER = ("http:503,path=/documents/a-*", "http:503,path=/documents/b-*,retry_after=60s")
NAMES = [f"{'a' if number < 60 else 'b'}-{number:03}" for number in range(120)]


@programs(
    Program(
        "no budget",
        "Four attempts each to the end of the outage.",
        (PLAIN,),
        {"budget": 10_000},
        named=True,
        caught={"retry budget"},
    ),
    Program(
        "a budget",
        "Four attempts each, and no more than forty repetitions in all.",
        (PLAIN,),
        {"budget": 40},
        named=True,
        passes={"retry budget"},
    ),
    Program(
        "no budget, asked to wait",
        "Four attempts each; later ones end at once, because Retry-After is a minute.",
        ASKED_LATER,
        {"budget": 10_000},
        named=True,
        true={"retry budget"},
    ),
)
def outage(endpoint, budget):
    """Make 120 calls of up to four attempts within a budget, and none after a long Retry-After."""
    client, lock = Sender(endpoint, "reader"), threading.Lock()
    left = [budget]

    def spend():
        with lock:
            left[0] -= 1
            return left[0] >= 0

    def read(name):
        with call("outage", name):  # its error is for the report only
            for wait in (*full_jitter(3, first=0.05, longest=0.2), None):
                answer = client.get(f"/documents/{name}")
                long = float(answer.headers.get("retry-after", 0)) > 5
                if answer.status not in PASSING or wait is None or long or not spend():
                    break
                time.sleep(wait)
            if answer.status in PASSING:
                raise OSError(f"{answer.status}")

    in_threads(read, NAMES, threads=6)


ASKED = ("http:503,path=/documents/?,times=1,per=call,retry_after=1s",)


@programs(
    Program("Retry-After", "Waits as long as it is asked to.", ASKED, {"heeds": True}),
    Program(
        "Retry-After ignored",
        "Waits a tenth of a second, whatever it is asked.",
        ASKED,
        {"heeds": False},
        caught={"retry-after: seconds"},
    ),
)
def obedient(endpoint, heeds):
    """Reads that are retried after the server's Retry-After, or not."""
    client = Sender(endpoint, "reader")

    def read(number):
        for attempt in range(2):
            answer = client.get(f"/documents/{number}")
            if answer.status not in PASSING:
                break
            if attempt == 0:
                time.sleep(float(answer.headers["retry-after"]) if heeds else 0.1)

    in_threads(read, range(8))

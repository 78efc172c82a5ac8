"""Many threads over few keys."""

import random
from functools import partial

from .program import STORE, Program, programs
from .sending import Sender, at_once, full_jitter, in_threads, retried

HALF, ALL = "s3:SlowDown,method=GET,probability=0.5", "s3:SlowDown,method=GET"
DRAW = random.Random(1)
KEYS = [f"/photos/cat-{DRAW.randrange(5)}.jpg" for _ in range(160)]
"""Any of five objects, again and again."""
OWN = [f"/photos/cat-{number}.jpg" for number in range(80)]
JITTER, AT_ONCE = partial(full_jitter, 3, first=0.1, longest=0.4), partial(at_once, 29)


@programs(
    Program(
        "16 threads, 5 keys",
        "Four attempts with full jitter, while half of everything fails.",
        (HALF,),
        {"paths": KEYS, "waits": JITTER},
        app=STORE,
        timed=True,
    ),
    Program(
        "16 threads, 5 keys, outage",
        "The same while everything fails.",
        (ALL,),
        {"paths": KEYS[:64], "waits": JITTER},
        app=STORE,
        timed=True,
    ),
    Program(
        "16 threads, 5 keys, endless",
        "Thirty attempts at once while everything fails.",
        (ALL,),
        {"paths": KEYS[:64], "waits": AT_ONCE},
        app=STORE,
        true={"gives up", "backoff", "thundering herd"},
    ),
    Program(
        "16 threads, keys of their own",
        "Sixteen threads read an object each, in four attempts with full jitter.",
        (HALF,),
        {"paths": OWN, "waits": JITTER},
        app=STORE,
        passes={"retries*"},
        timed=True,
    ),
    Program(
        "16 threads, keys of their own, endless",
        "The same, and thirty attempts at once of what always fails.",
        (f"{ALL},key=cat-1*.jpg",),
        {"paths": OWN[:40], "waits": AT_ONCE},
        app=STORE,
        caught={"gives up", "backoff"},
        timed=True,
    ),
)
def read(endpoint, paths, waits):
    """Sixteen threads read the objects."""
    client = Sender(endpoint, "reader")
    in_threads(lambda path: retried(lambda: client.get(path), waits()), paths, threads=16)

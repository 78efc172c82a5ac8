"""The app's own answers, which come late, and those that a fault gave."""

import requests

from .program import Program, programs
from .sending import insist

LATE = "latency,delay=20ms,path=/objects/*"
REFUSED = "http:404,path=/objects/*"
NAMES = [f"/objects/cat-{number}.jpg" for number in range(6)]


@programs(
    Program(
        "the app's own 404, late",
        "requests: what the app says is not there is asked for three times; who knows why.",
        (LATE,),
        {"number": 3},
    ),
    Program(
        "the app's own 404, late, once",
        "requests: what the app says is not there is asked for once.",
        (LATE,),
        {"number": 1},
    ),
    Program(
        "a 404 by a fault",
        "requests: what a fault says is not there is asked for three times.",
        (REFUSED,),
        {"number": 3},
        caught={"permanent"},
    ),
    Program(
        "a 404 by a fault, late",
        "requests: the same, and the fault's answer comes late.",
        ("http:404,delay=20ms,path=/objects/*",),
        {"number": 3},
        caught={"permanent"},
    ),
    Program(
        "a 404 by a fault, once",
        "requests: what a fault says is not there is asked for once.",
        (REFUSED,),
        {"number": 1},
        passes={"permanent"},
    ),
)
def ask(endpoint, number):
    """Ask for each so often."""
    with requests.Session() as session:
        for name in NAMES:
            insist(number, 404, session.get, endpoint + name)

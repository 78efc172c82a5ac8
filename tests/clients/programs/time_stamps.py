"""Bodies with a time stamp."""

import json
import time

import requests
import tenacity

from .program import Program, program, programs
from .sending import call

DOWN = "http:503,path=/log"
PASSING = "http:503,path=/status/**,times=2,per=call"


def stamped():
    """A body that says when it was made."""
    return json.dumps({"at": time.time_ns(), "cat": "purrs"})


@program("time stamp, tight loop", DOWN, true={"gives up", "backoff", "same bytes"})
def tight_loop(endpoint):
    """requests: 1,200 attempts in a tight loop, each with the time in its body."""
    with requests.Session() as session:
        for _ in range(1200):
            if session.put(f"{endpoint}/log", data=stamped()).status_code != 503:
                break


@program(
    "time stamp, tight loop, named",
    DOWN,
    named=True,
    caught={"answers", "gives up", "backoff", "same bytes"},
    timed=True,
)
def named_tight_loop(endpoint):
    """The same, three times forty attempts, where a test says what belongs together."""
    with requests.Session() as session:
        for _ in range(3):
            with call("log", None):
                for _ in range(40):
                    session.put(f"{endpoint}/log", data=stamped())


@programs(
    Program(
        "time stamp of the call",
        "requests and tenacity: the time in a body is that of the call, in all of its attempts.",
        (PASSING,),
        {"anew": False},
        passes={"same bytes"},
    ),
    Program(
        "time stamp of the attempt",
        "requests and tenacity: the time in a body is that of the attempt.",
        (PASSING,),
        {"anew": True},
        true={"same bytes"},
    ),
)
def report(endpoint, anew):
    """Send six reports with tenacity; each attempt makes a new body, or all use one."""

    @tenacity.retry(
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=0.4), stop=tenacity.stop_after_attempt(4)
    )
    def send(number, made):
        body = stamped() if anew else made
        if session.put(f"{endpoint}/status/{number}", data=body).status_code == 503:
            raise OSError(503)

    with requests.Session() as session:
        for number in range(6):
            send(number, stamped())

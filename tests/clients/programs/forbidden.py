"""An answer 403 that is wanted, and one that is not believed."""

from contextlib import nullcontext

import httpx
import requests

from .program import Program, program, programs
from .sending import call

SECRET = "http:403,path=/documents/**"


TESTS = ("anonymous", "reader", "writer")


@programs(
    Program(
        "three tests",
        "requests: three tests, each with a call that has to be refused.",
        (SECRET,),
        {"tests": TESTS, "tries": 1},
        named=True,
        passes={"permanent"},
    ),
    Program(
        "three tests, nobody says so",
        "The same, where nobody tells where a test begins.",
        (SECRET,),
        {"tests": [None], "tries": 3},
    ),
    Program(
        "three tries",
        "requests: three tests, in each of which the client tries three times.",
        (SECRET,),
        {"tests": TESTS, "tries": 3},
        named=True,
        caught={"permanent"},
    ),
)
def refused(endpoint, tests, tries):
    """Tests that expect a 403; the client of each may not believe it."""
    for name in tests:
        with call(name, None) if name else nullcontext():
            insisted(endpoint, "/documents/secret", tries)


def insisted(endpoint, path, tries):
    """Expect a 403 so many times."""
    for _ in range(tries):
        with requests.Session() as session:
            assert session.get(endpoint + path).status_code == 403


@program("three tries of each", SECRET, caught={"permanent"})
def three_tries_of_each(endpoint):
    """requests: six documents, for each of which the client tries three times."""
    for number in range(6):
        insisted(endpoint, f"/documents/{number}", 3)


@program("one by one", SECRET, passes={"permanent"})
def one_by_one(endpoint):
    """httpx: each document is asked for once, and refused."""
    with httpx.Client(base_url=endpoint, headers={"User-Agent": "crawler/1.0"}, trust_env=False) as client:
        for number in range(10):
            client.get(f"/documents/{number}")

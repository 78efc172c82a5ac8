"""An answer 403 that is wanted, and one that is not believed."""

from __future__ import annotations

import httpx
import requests

from .program import program
from .sending import call

SECRET = "http:403,path=/documents/**"


def refused(endpoint, path="/documents/secret"):
    """A test that expects a 403."""
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(endpoint + path).status_code == 403


def insisted(endpoint, path="/documents/secret"):
    """A test that expects a 403, and whose client tries three times."""
    for _ in range(3):
        refused(endpoint, path)


@program("three tests", SECRET, named=True, passes={"permanent"})
def three_tests(endpoint):
    """requests: three tests, each with a call that has to be refused."""
    for name in ("anonymous", "reader", "writer"):
        with call(name, None):
            refused(endpoint)


@program("three tests, nobody says so", SECRET)
def three_unnamed_tests(endpoint):
    """The same, where nobody tells where a test begins."""
    insisted(endpoint)


@program("three tries", SECRET, named=True, caught={"permanent"})
def three_tries(endpoint):
    """requests: three tests, in each of which the client tries three times."""
    for name in ("anonymous", "reader", "writer"):
        with call(name, None):
            insisted(endpoint)


@program("three tries of each", SECRET, caught={"permanent"})
def three_tries_of_each(endpoint):
    """requests: six documents, for each of which the client tries three times."""
    for number in range(6):
        insisted(endpoint, f"/documents/{number}")


@program("one by one", SECRET, passes={"permanent"})
def one_by_one(endpoint):
    """httpx: each document is asked for once, and refused."""
    with httpx.Client(base_url=endpoint, headers={"User-Agent": "crawler/1.0"}, trust_env=False) as client:
        for number in range(10):
            client.get(f"/documents/{number}")

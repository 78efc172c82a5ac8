"""The app's own answers, which come late, and those that a fault gave."""

from __future__ import annotations

import requests

from .program import program

LATE = "latency,delay=20ms,path=/objects/*"
REFUSED = "http:404,path=/objects/*"
NAMES = [f"/objects/cat-{number}.jpg" for number in range(6)]


def ask(endpoint, number):
    """Ask for each so often."""
    with requests.Session() as session:
        session.trust_env = False
        for name in NAMES:
            for _ in range(number):
                if session.get(endpoint + name).status_code != 404:
                    break


@program("the app's own 404, late", LATE)
def own_404(endpoint):
    """requests: what the app says is not there is asked for three times; who knows why."""
    ask(endpoint, 3)


@program("the app's own 404, late, once", LATE)
def own_404_once(endpoint):
    """requests: what the app says is not there is asked for once."""
    ask(endpoint, 1)


@program("a 404 by a fault", REFUSED, caught={"permanent"})
def given_404(endpoint):
    """requests: what a fault says is not there is asked for three times."""
    ask(endpoint, 3)


@program("a 404 by a fault, late", "http:404,delay=20ms,path=/objects/*", caught={"permanent"})
def late_404(endpoint):
    """requests: the same, and the fault's answer comes late."""
    ask(endpoint, 3)


@program("a 404 by a fault, once", REFUSED, passes={"permanent"})
def given_404_once(endpoint):
    """requests: what a fault says is not there is asked for once."""
    ask(endpoint, 1)

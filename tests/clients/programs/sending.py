"""Requests over http.client, waits, threads and named calls of the small programs."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException

from tests.clients.corpus.connections import Answer, Connections

BROKEN = Answer(0, {}, b"")
"""An answer that did not arrive whole."""
PASSING = frozenset((0, 429, 500, 502, 503, 504))

NAMED: list[dict[str, object]] = []
"""The calls that were named, as `told.CallWindow` has them."""


class Sender:
    """A client of one server; safe to use from many threads.

    Args:
        endpoint: the server's address.
        agent: what it calls itself.
    """

    def __init__(self, endpoint, agent):
        self.connections = Connections(endpoint)
        self.agent = {"User-Agent": f"{agent}/1.0"}

    def send(self, method, path, body=b"", **headers):
        """One request; the status of its answer is 0 where none came."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return self.connections.send(method, path, {**self.agent, **named}, body)
        except (OSError, HTTPException):
            return BROKEN

    def get(self, path, **headers):
        """Read."""
        return self.send("GET", path, **headers)

    def put(self, path, body, **headers):
        """Write."""
        return self.send("PUT", path, body, **headers)

    def post(self, path, body=b"", **headers):
        """Have something done."""
        return self.send("POST", path, body, **headers)


def retried(attempt, waits, again=PASSING):
    """The answer of the last attempt; before each repetition one of the waits, in seconds."""
    answer = attempt()
    for wait in waits:
        if answer.status not in again:
            break
        time.sleep(wait)
        answer = attempt()
    return answer


def insist(number, again, ask, *arguments, **named):
    """Ask so many times at once, as long as the answer of whatever library has this status."""
    for _ in range(number):
        answer = ask(*arguments, **named)
        if getattr(answer, "status_code", None) != again and getattr(answer, "status", None) != again:
            break


def full_jitter(number, first=0.3, longest=1.2):
    """Anything up to a bound that doubles."""
    return [random.uniform(0, min(longest, first * 2**each)) for each in range(number)]


def at_once(number):
    """No waits at all."""
    return [0.0] * number


WARM = 21
"""Successes one after the other that show how fast a client is."""


def in_threads(function, items, threads=20):
    """Call it with each item, many at a time."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


@contextmanager
def call(name, key):
    """A named call for its block, as tests name theirs; the caller's error ends in it."""
    began, error = time.monotonic(), None
    try:
        yield
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"
    found = {"name": name, "key": key, "began": began, "ended": time.monotonic()}
    NAMED.append({**found, "returned": error is None, "error": error})

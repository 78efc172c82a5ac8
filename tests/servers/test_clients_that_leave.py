"""A client that leaves during a delay: the fault was not given."""

from time import monotonic

import pytest

from .apps import photo
from .launch import SERVERS
from .probe import PATIENCE, request
from .test_matrix import QUICK, started

HIDES_IT = "granian WSGI"
"""It tells an app nothing of its client."""


EACH = pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in SERVERS
        if name != HIDES_IT
    ],
)


@EACH
def test_one_that_has_left_has_seen_nothing(pool, name):
    """And the journal says so; a client that comes meanwhile is not taken for it."""
    server = started(pool, name)
    for rule in "late-plain", "reset-later":
        client, path = server.connect(), f"/{rule}/left-{next(server.numbers)}/photos/10"
        client.send(request("GET", path))
        # The line that the wait begins with.
        server.outcome(path)
        client.close()
        with server.connect() as other:
            assert server.outcome(path, until=lambda outcome: outcome.get("final"))["did"] == "failed"
            assert other.ask("GET", "/else/photos/10").body == photo(10)


@EACH
def test_one_that_leaves_in_the_middle(pool, name):
    """The fault ends with it."""
    server = started(pool, name)
    path = f"/drip-long/left-{next(server.numbers)}/photos/1000"
    with server.connect() as client:
        client.send(request("GET", path))
        answer = b""
        # Some of the body, too: nothing was slowed before that.
        while not answer.partition(b"\r\n\r\n")[2]:
            answer += (piece := client.take(monotonic() + PATIENCE))
            assert piece, answer
    outcome = server.outcome(path, until=lambda outcome: outcome.get("final"))
    assert (outcome["left"], outcome["response_bytes"] < 1000) == (True, True)

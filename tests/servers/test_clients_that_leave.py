"""A client that leaves during a delay: the fault was not given."""

from __future__ import annotations

from itertools import count

import pytest

from .launch import SERVERS
from .probe import request
from .test_matrix import QUICK, started

HIDES_IT = "granian WSGI"
"""It tells an app nothing of its client."""
_numbers = count()


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in SERVERS
        if name != HIDES_IT
    ],
)
def test_one_that_has_left_has_seen_nothing(pool, name):
    """And the journal says so."""
    server = started(pool, name)
    client, path = server.connect(), f"/late-plain/left-{next(_numbers)}/photos/10"
    client.send(request("GET", path))
    # The line that the wait begins with.
    server.outcome(path)
    client.close()
    assert server.outcome(path, until=lambda outcome: outcome.get("final"))["did"] == "failed"

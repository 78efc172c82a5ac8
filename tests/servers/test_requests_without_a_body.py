"""Every server passes on whether a request announces a body: no header means zero bytes."""

from __future__ import annotations

from itertools import count

import pytest

from .launch import SERVERS
from .probe import request
from .test_matrix import QUICK, started

MARKED = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SERVERS]
CHUNKS = "Transfer-Encoding: chunked\r\n"
_numbers = count()


@pytest.mark.parametrize("name", MARKED)
def test_it_is_known_where_it_was_announced(pool, name):
    """A retry that lost its body does not look like a body of unknown length, nor the reverse."""
    server = started(pool, name)
    found = {}
    for more, sent in (("", b""), (CHUNKS, b"4\r\nmeow\r\n0\r\n\r\n")):
        path = f"/else/no-body-{next(_numbers)}"
        with server.connect() as client:
            client.send(request("PUT", path, more=f"{more}Connection: close\r\n") + sent)
            client.answer("PUT")
        found[more] = server.outcome(path)["request_bytes"]
    assert found[""] == 0
    assert found[CHUNKS] in (4, None)

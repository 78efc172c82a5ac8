"""Each server gives the whole last answer of a connection, though the client is sending."""

from __future__ import annotations

from itertools import count

import pytest

from tests.pairs import pairs

from .launch import SENT_AWAY, SERVERS
from .test_matrix import QUICK, started, way

SIZE = 8_000_000
"""More than the systems of both sides hold."""
LAST = {
    "close": ("error-undrained", "HTTP/1.1\r\nConnection: close"),
    "HTTP/1.0": ("error-undrained", "HTTP/1.0"),
    "the answer's": ("error-undrained-last", "HTTP/1.1"),
}
"""The reasons for the end: the rule, and the begin of the request."""
_numbers = count()


@pytest.mark.parametrize(
    ("name", "wish"),
    [
        pytest.param(*case, marks=() if case[0] in QUICK else pytest.mark.slow)
        for case in pairs(
            name=[name for name in SERVERS if name not in SENT_AWAY],
            wish=LAST,
            alike={"name": way, "wish": lambda wish: wish == "the answer's"},
        )
    ],
)
def test_the_answer_to_an_upload_that_nobody_reads(pool, name, wish):
    """With `drain=no`: what still comes is read away, and nothing is reset."""
    server = started(pool, name)
    rule, line = LAST[wish]
    path = f"/{rule}/last-{next(_numbers)}"
    head = f"PUT {path} {line}\r\nHost: a.example\r\nContent-Length: {SIZE}\r\n\r\n"
    with server.connect() as client:
        client.send_whole(head.encode() + bytes(SIZE))
        answer = client.answer("PUT")
        assert (answer.status, answer.whole) == (503, True)
        assert b"<Code>SlowDown</Code>" in answer.body
        assert client.end() == ("FIN", b"")
    server.outcome(path)

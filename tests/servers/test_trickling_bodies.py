"""On every server, a trickling body gets its fault after ten seconds, and frees a worker."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from .launch import KINDS
from .probe import request
from .table import BUFFERS, LATE, SLOW_BODY, slow_body

pytestmark = pytest.mark.slow

NAMES = [name for name, kind in KINDS.items() if not kind.missing]
LONGEST = 10.0
"""Seconds that a body is waited for, as the documents say."""
MARGIN = 6.0
PAUSE = 0.2
WAYS = {
    "length": ("Content-Length: 100000\r\n", b"x"),
    "chunks": ("Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n"),
    # Others than cheroot do not wait for the rest of a chunk.
    "one chunk": ("Transfer-Encoding: chunked\r\n\r\nffff", b"x"),
}


def trickle(server, way):
    """Send five bytes a second until there is an answer: its path, the seconds, and the answer."""
    more, piece = WAYS[way]
    path = f"/error/trickle-{next(server.numbers)}"
    head = request("PUT", path, more=more)
    if way == "one chunk":
        head = head.removesuffix(b"\r\n\r\n") + b"\r\n"
    with server.connect() as client:
        began = time.monotonic()
        client.send(head)
        while client.silent() and time.monotonic() - began < LONGEST + MARGIN:
            client.send(piece)
            time.sleep(PAUSE)
        return path, time.monotonic() - began, client.answer("PUT", patience=1)


@pytest.mark.parametrize("way", WAYS)
def test_ten_seconds_are_ten_seconds(pool, way):
    """All servers at once: each answers in time with the fault, and then answers somebody else."""
    # cheroot gives no byte of a chunk before it has all of it.
    names = [name for name in NAMES if way != "one chunk" or not name.startswith("cheroot")]
    servers, wrong = [pool.get(name) for name in names], {}
    with ThreadPoolExecutor(len(servers)) as threads:
        found = list(threads.map(partial(trickle, way=way), servers))
    for server, (path, took, answer) in zip(servers, found, strict=True):
        in_time = took < LONGEST + MARGIN
        if in_time != (slow_body(server.name) == SLOW_BODY):
            wrong[server.name] = took
        elif in_time:
            outcome = server.outcome(path)
            seen = answer.status, answer.whole, outcome["did"] in ("drain_cut", "answered")
            if seen != (503, True, True) or outcome["body_complete"]:
                wrong[server.name] = seen
    assert wrong == {}
    for server in servers:
        assert server.ask("/else/photos/100").status == 200, server.name


def test_the_servers_that_buffer():
    """The table names them, and no others."""
    assert {name for name in KINDS if slow_body(name) == LATE} == set(BUFFERS)

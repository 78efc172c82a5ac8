"""On every server, a trickling body gets its fault after ten seconds, and frees a worker."""

import threading
import time

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


class Trickle(threading.Thread):
    """A client that sends five bytes a second, and never stops before it has its answer."""

    def __init__(self, server, way):
        super().__init__(daemon=True)
        self.server = server
        self.answer = None
        self.took = 0.0
        more, self.piece = WAYS[way]
        self.path = f"/error/trickle-{next(server.numbers)}"
        self.head = request("PUT", self.path, more=more)
        if way == "one chunk":
            self.head = self.head.removesuffix(b"\r\n\r\n") + b"\r\n"

    def run(self):
        with self.server.connect() as client:
            began = time.monotonic()
            client.send(self.head)
            while client.silent() and time.monotonic() - began < LONGEST + MARGIN:
                client.send(self.piece)
                time.sleep(PAUSE)
            self.took = time.monotonic() - began
            self.answer = client.answer("PUT", patience=1)


@pytest.mark.parametrize("way", WAYS)
def test_ten_seconds_are_ten_seconds(pool, way):
    """All servers at once: each answers in time with the fault, and then answers somebody else."""
    # cheroot gives no byte of a chunk before it has all of it.
    names = [name for name in NAMES if way != "one chunk" or not name.startswith("cheroot")]
    clients = [Trickle(pool.get(name), way) for name in names]
    for each in clients:
        each.start()
    wrong = {}
    for each in clients:
        each.join()
        in_time = each.took < LONGEST + MARGIN
        if in_time != (slow_body(each.server.name) == SLOW_BODY):
            wrong[each.server.name] = each.took
        elif in_time:
            outcome = each.server.outcome(each.path)
            seen = each.answer.status, each.answer.whole, outcome["did"] in ("drain_cut", "answered")
            if seen != (503, True, True) or outcome["body_complete"]:
                wrong[each.server.name] = seen
    assert wrong == {}
    for each in clients:
        assert each.server.ask("/else/photos/100").status == 200, each.server.name


def test_the_servers_that_buffer():
    """The table names them, and no others."""
    assert {name for name in KINDS if slow_body(name) == LATE} == set(BUFFERS)

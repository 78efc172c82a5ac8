"""Every fault on every real server, seen by a client on a raw socket."""

from __future__ import annotations

import re

import pytest

from .faults import FAULTS
from .launch import SERVERS, VARIANTS, Server
from .results import RESULTS, check
from .trial import Trial

OVER_OTHER_TRANSPORTS = (
    "latency",
    "hang",
    "hang, five and others",
    "reset",
    "reset, after",
    "close",
    "truncate",
    "truncate, of=cos:SlowDown",
    "drip",
    "corrupt",
    "exact=yes",
    "status=200, late",
    "keep-alive",
)
CASES = [(server, fault) for server in SERVERS for fault in FAULTS]
CASES += [(server, fault) for server in VARIANTS for fault in OVER_OTHER_TRANSPORTS]


def started(pool, name):
    """The running server, or the reason why it cannot run here."""
    if why := (SERVERS | VARIANTS)[name].missing:
        pytest.skip(why)
    return pool.get(name)


@pytest.mark.parametrize(("server", "fault"), CASES)
def test_fault(pool, server, fault):
    """What the client sees and what the journal says, as in the table."""
    check(server, fault, FAULTS[fault](Trial(started(pool, server), fault)))


def test_the_results_are_of_these_servers_and_faults():
    """Nothing is in the file that is not tested, and the other way round."""
    assert sorted((server, fault) for server, found in RESULTS.items() for fault in found) == sorted(CASES)


ASKED = [
    ("GET", "/photos/1000", None),
    ("GET", "/photos/0", None),
    ("HEAD", "/photos/1000", None),
    ("PUT", "/put", b"data"),
    ("GET", "/stream", None),
    ("HEAD", "/stream", None),
]


def wire(server):
    """Every byte that comes for these requests, but for the time of day."""
    found = []
    for method, target, body in ASKED:
        with server.connect() as client:
            assert client.ask(method, target, body, more="Connection: close\r\n").whole
            assert client.end()[0] == "FIN"
            found.append(re.sub(rb"(?i)(\r\ndate: )[^\r]+", rb"\1", client.raw))
    return found


@pytest.mark.parametrize("server", SERVERS)
def test_requests_that_no_rule_matches_are_untouched(pool, server, tmp_path):
    """Byte by byte as from the server without us."""
    faulty = started(pool, server)
    plain = Server(server, tmp_path)
    try:
        assert wire(faulty) == wire(plain)
    finally:
        plain.stop()

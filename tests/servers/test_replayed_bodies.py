"""Middleware outside ours that replays the request's body without end: every ASGI server goes on with the others."""

from __future__ import annotations

import pytest

from .launch import SERVERS, Server
from .probe import request
from .rules import RULES
from .test_matrix import FEW

NAMES = [
    name if name in FEW else pytest.param(name, marks=pytest.mark.slow)
    for name, kind in SERVERS.items()
    if kind.interface == "asgi"
]
RULES_OF = (
    "then-error",
    "then-error-late",
    "then-error-after-late",
    "then-error-undrained-late",
    "then-latency",
    "then-hang",
    "then-reset",
    "then-close",
    "then-truncate",
    "then-truncate-error",
    "then-exact",
    "then-success",
    "late",
)


@pytest.mark.parametrize("name", NAMES)
def test_others_are_served(name, tmp_path):
    """One POST, and the next request is answered."""
    if why := SERVERS[name].missing:
        pytest.skip(why)
    server = Server(name, tmp_path, RULES, REPLAYED="1")
    try:
        for rule in RULES_OF:
            path = f"/{rule}/put"
            with server.connect() as first:
                first.send(request("POST", path, b"x" * 1000))
                with server.connect() as other:
                    answer = other.ask("GET", "/else/photos/100", more="Connection: close\r\n")
                    assert answer.status == 200, rule
                first.answer("POST")
            outcome = server.outcome(path, until=lambda outcome: outcome.get("final"))
            assert outcome["did"] != "failed", rule
    finally:
        server.stop()

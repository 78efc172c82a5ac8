"""A client that retries reads alone is judged by throttled reads, not by the outage."""

import random

import pytest

from faultinject.conformance.plan import PHASES
from tests.journals import FINE, INTERNAL, SLOW_DOWN, call, judged

LASTING = {"": FINE, "{writing}{brief}": SLOW_DOWN, "{own}{brief}": SLOW_DOWN, "{broken}": INTERNAL}
"""The answer to each request of a phase, by its fault, without phases of passing faults."""
METHODS = {"get": "GET", "put": "PUT"}
LONGEST = (1.0, 2.0, 4.0)
"""Seconds before each retry, at most."""
IDLE = 8.0
"""Seconds from one phase to the next, in which every call ends."""
BY_READS = ("jitter", "thundering herd", "backoff", "backoff grows", "gives up")
"""The checks that nothing but reads can decide."""
ADD_JITTER = "Add a random part to each wait."


def drawn(draw):
    """Half of each wait at random."""
    return [longest * draw.uniform(0.5, 1) for longest in LONGEST]


def fixed(_draw):
    """The same waits in every call."""
    return LONGEST


def made(waits):
    """The calls of a client whose reads are tried four times, and whose uploads once."""
    draw, begin, found = random.Random(1), 0.0, []
    for phase in (each for each in PHASES if each.fault in LASTING):
        kind = LASTING[phase.fault]
        for asked in phase.planned():
            gaps = waits(draw) if asked.kind == "get" and kind is not FINE else ()
            more = {"method": METHODS[asked.kind], "path": f"/bucket/{asked.key}", "by": None}
            at, returned = begin + asked.at, kind is FINE
            found.append(call(*gaps, at=at, kind=kind, name=phase.name, returned=returned, **more))
        begin += phase.lasts + IDLE
    return found


@pytest.mark.parametrize(
    ("waits", "advice"),
    [(drawn, {}), (fixed, {"jitter": ADD_JITTER, "thundering herd": ADD_JITTER})],
)
def test_waits_are_decided_by_throttled_reads(waits, advice):
    """They are enough for each check of waits; a check asks for what such a client can do."""
    findings = {each.check: each for each in judged(made(waits), driven=True).findings}
    assert {
        check: findings[check].action for check in BY_READS if findings[check].verdict != "PASS"
    } == advice
    shown = {one.name for check in ("jitter", "backoff", "backoff grows") for one in findings[check].calls}
    assert shown == {"throttled-read"}

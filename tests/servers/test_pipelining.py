"""A fault waits for the answers before it: nothing overtakes or cuts what the server still holds for a late reader."""

from __future__ import annotations

import json
from itertools import count

import pytest

from tests.pairs import pairs

from .afterwards import keeps
from .apps import photo
from .faults import code, empty
from .launch import KINDS
from .probe import request
from .rules import CUT, NONE, THEN
from .test_afterwards import WITHOUT_A_WORD
from .test_matrix import started, way

BIG = 8_000_000
"""Bytes that the kernel's buffers do not hold."""
SMALL = 100_000
"""Bytes of the client's own buffer."""
LATE = 0.2
"""Seconds after which the client begins to read: the fault has been decided on long before."""
LATER = {"error-closes": 0.8}
"""Where servers get that long to close the connection behind an answer: longer."""
FAULTS = (
    "hang",
    "hang-after",
    "reset",
    "reset-after",
    "close",
    "truncate",
    "truncate-error",
    "drip",
    "drip-error",
    "exact",
    "error-closes",
    "success",
)
MARKED = [name if name == "uvicorn h11" else pytest.param(name, marks=pytest.mark.slow) for name in KINDS]
TRIED = pairs(name=KINDS, rule=FAULTS, alike={"name": way, "rule": lambda rule: THEN[rule][1]})
_numbers = count()


def is_the_fault(rule, answer):
    """Whether an answer is that rule's, or the gateway's instead of it."""
    gives = THEN[rule][1]
    if answer.status == 502:
        return answer.whole and (gives in (NONE, CUT) or "exact" in rule)
    if gives is NONE:
        return empty(answer) and answer.end in ("FIN", "RST")
    if gives is CUT:
        return bool(answer.line) and not answer.whole and answer.end in ("FIN", "RST")
    if rule == "drip":
        return (answer.status, answer.body) == (200, photo(1000))
    return answer.whole and code(answer.body) in ("SlowDown", "InternalError")


def tried(server, rule):
    """What is wrong with the answers to three requests that are sent at once and read late; empty when nothing is."""
    number = next(_numbers)
    before, then = f"/else/p{number}/photos/{BIG}", f"/else/p{number}/photos/{60 + number % 30}"
    with server.connect(buffer=SMALL) as client:
        first = request("GET", before) + request("GET", f"/then-{rule}/p{number}/photos/1000")
        client.send(first + request("GET", then))
        client.stay_silent(LATER.get(rule, LATE))
        big = client.answer(patience=20)
        if not (big.whole and big.body == photo(BIG)):
            return f"the answer before: {big!r}"
        if not keeps(big) or server.name.startswith(WITHOUT_A_WORD):
            return ""  # it does not take the second request
        answer = client.answer(patience=15)
        if not is_the_fault(rule, answer):
            return f"the fault: {answer!r}"
        found = client.answer() if keeps(answer) else None
    if found is None or not found.line:
        with server.connect() as client:
            found = client.ask("GET", then, more="Connection: close\r\n")
    if found.body != photo(60 + number % 30):
        return f"the answer behind: {found!r}"
    with server.connect() as client:
        met = json.loads(client.ask("GET", "/counts", more="Connection: close\r\n").body)
    return "" if met[then] == 1 else f"the request behind was met {met[then]} times"


@pytest.mark.slow
@pytest.mark.parametrize("name", MARKED)
def test_a_fault_behind_a_big_answer(pool, name):
    """The answer comes whole, then the fault, and the request behind it is met once."""
    server = started(pool, name)
    found = {rule: tried(server, rule) for each, rule in TRIED if each == name}
    assert {rule: wrong for rule, wrong in found.items() if wrong} == {}

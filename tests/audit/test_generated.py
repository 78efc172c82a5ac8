"""Some hundreds of generated clients; thousands by `python tests/audit/generated.py`."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from faultinject import Finding
from faultinject.audit.checks import CHECKS

from .generated import (
    BLAMED,
    CAUGHT,
    PASSED,
    UNDECIDED,
    UNNAMED,
    compared,
    examined,
    judged,
    shown,
    table,
    tallied,
)
from .generation.clients import BUGS, PASSING, PHASES, Client
from .generation.runs import Run, run
from .generation.truth import BREAKS
from .rows import FAIL, INCONCLUSIVE, PASS, WARN

UNSEEN = {
    "breaker stays open": {"breaker stays open"},  # it takes a minute
    "budget is not refilled": {"budget is not refilled"},  # it takes ten calls behind the last retry
    "stumbles over Retry-After": {
        "stumbles over Retry-After"
    },  # it takes the same failure without the header
    "two layers": {"two layers"},  # with jitter they look like one
    "waits are constant": {"waits are constant"},  # it takes waits that the machine cannot explain
}
"""By bug: the deeds of which a few named calls do not show enough."""
LONG = "never gives up"
"""A bug with as many requests as all others together."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["a", "b"])
def test_nobody_is_blamed_and_what_is_wrong_is_seen(seed):
    """A FAIL says what the client did, and no wrong deed of a named call passes."""
    tallies = tallied(seed, 80)
    cases = [(kind, what) for calls, it in tallies.items() for kind, what, _ in it.cases if kind == BLAMED or (kind == PASSED and calls != UNNAMED)]  # fmt: skip
    assert cases == [], table(tallies)


@pytest.mark.parametrize(
    ("seed", "number"),
    [
        ("115001", 1604),  # an SDK that does not rewind its body, below a second layer
        ("115001", 7738),  # refusals that two layers retry, while a breaker hides the rest
        ("116001", 1710),  # a breaker that opens before the waits of parallel calls are over
        ("117001", 539),  # a new token whose short digest is that of the old one
        ("118001", 6068),  # a budget that an outage has used up just before
        ("118002", 2889),  # a breaker that an outage has opened just before
        ("117001", 6950),  # a budget that is used up, while the transport resends lost requests
    ],
)
def test_clients_that_were_judged_wrongly(seed, number):
    """They are neither blamed for what they did not do, nor passed."""
    *_, found = examined(seed, number)
    assert [case for case in found if case.kind in (BLAMED, PASSED)] == []


@pytest.mark.parametrize(
    "bug", [pytest.param(each, marks=[pytest.mark.slow] * (each == LONG)) for each in sorted(BUGS)]
)
def test_each_bug_is_caught(bug):
    """In named calls that are made one by one, in the phases that show it."""
    wrong = BUGS[bug]
    client = wrong.change(Client(0, "0", "cos", (), told=True), Random(1))
    phases = [replace(each, calls=max(each.calls, 12)) for each in PHASES if each.name in (*wrong.phases, "twice")]  # fmt: skip
    made = run(replace(client, phases=tuple(phases)))
    assert made.deeds
    assert [
        each
        for each in compared(made, judged(client, made))
        if each.kind != CAUGHT and (each.kind == PASSED or each.what not in UNSEEN.get(bug, ()))
    ] == []


LAYERED = Client(0, "0", "cos", (), told=True, retried=PASSING - {"transport"}, outer=3, outer_kinds=frozenset(("transport",)))  # fmt: skip


@pytest.mark.parametrize(
    ("client", "deeds"),
    [
        # A client that never retries does not retry the failures that the layer above it retried.
        (BUGS["never retries"].change(LAYERED, Random(1)), {"does not retry": 8}),
        # The waits of a second layer without jitter are the client's, too.
        (replace(LAYERED, jitter="none"), {"has no jitter": 8}),
    ],
    ids=["gone", "without jitter"],
)
def test_a_second_layer(client, deeds):
    """Its deeds are the client's own, while it is there."""
    made = run(replace(client, phases=tuple(each for each in PHASES if each.name == "reset")))
    assert made.deeds == deeds


def test_findings_are_compared_with_deeds():
    """A FAIL without its deed is blame; a deed is caught, undecided with its cause, or passed."""
    deeds = {"retries refusals": 3, "has no jitter": 9, "copies writes": 3, "mixes versions": 2}
    said = [
        Finding(check=check, verdict=verdict, n=3, message=f"3 of 4: {check}")
        for check, verdict in (("permanent", WARN), ("jitter", INCONCLUSIVE), ("overlap", PASS), ("backoff", FAIL), ("gives up", WARN))
    ]  # fmt: skip
    found = compared(Run([], [], Counter(deeds), 0.0, 1.0), said)
    assert [(each.kind, each.what, each.why) for each in found] == [
        (BLAMED, "backoff", "3 of 4: backoff"),
        (CAUGHT, "retries refusals", ""),
        (UNDECIDED, "has no jitter", "jitter: N of N"),
        (PASSED, "copies writes", "3 of 4: overlap"),
        (UNDECIDED, "mixes versions", "done less than 3 times"),
    ]


def test_a_client_can_be_run_alone_and_shown():
    """Its description, its journal, the findings, and what they come to: each time the same."""
    client, made, findings, _ = examined("a", 3)
    lines = list(shown("a", 3))
    assert ([str(client), *lines[1:]], lines) == (lines, list(shown("a", 3)))
    assert len(lines) >= 2 + len(made.outcomes) + len(made.windows) + len(findings)


def test_deeds_break_checks_that_exist():
    """No name is out of date."""
    assert {check for checks in BREAKS.values() for check in checks} <= {*CHECKS}

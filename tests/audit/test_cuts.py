"""A journal that was cut, or mixed with another one, never makes a client look worse than it is."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultinject.audit.findings import FAIL, PASS
from faultinject.audit.judge import judge
from faultinject.audit.profiles import names

from .made import DENIED, FINE, HIDDEN, INTERNAL, LOST, RESET, SLOW_DOWN, TOOK, attempt

FAULTS = (SLOW_DOWN, INTERNAL, RESET, LOST, HIDDEN, DENIED)
NEVER = 99
"""Faults in a row, more than any client here tries."""

policies = st.fixed_dictionaries(
    {
        "attempts": st.integers(1, 6),
        "base": st.sampled_from([0.0003, 0.05, 0.3, 1.0]),
        "factor": st.sampled_from([1.0, 2.0]),
        "jitter": st.sampled_from([0.0, 0.5, 1.0]),
        "obeys": st.booleans(),
        "asks_forbidden": st.booleans(),
        "rewinds": st.booleans(),
    }
)
traffic = st.fixed_dictionaries(
    {
        "calls": st.integers(1, 40),
        "apart": st.sampled_from([0.04, 0.5, 3.0]),
        "faults": st.lists(st.sampled_from(FAULTS), min_size=1, max_size=3),
        "times": st.sampled_from([1, 2, NEVER]),
        "method": st.sampled_from(["PUT", "GET", "POST"]),
        "hint": st.sampled_from([None, None, "seconds", "unreadable"]),
        "seed": st.integers(0, 10_000),
    }
)
quick = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def journal(policy, asked, user_agent="acme/1.0"):
    """What a client of this policy leaves behind, in order of arrival."""
    draw = random.Random(asked["seed"])
    found = []
    for number in range(asked["calls"]):
        fault = draw.choice(asked["faults"])
        at = number * asked["apart"]
        most = 1 if fault is DENIED and not policy["asks_forbidden"] else policy["attempts"]
        for tried in range(most):
            hint = asked["hint"] if tried == 0 and fault is not RESET else None
            more = {"hint_form": hint, "hint": 3.0 if hint == "seconds" else None} if hint else {}
            if tried and not policy["rewinds"]:
                more["request_bytes"] = 0
                more["request_digest"] = None
            kind = fault if tried < asked["times"] else FINE
            path = f"/bucket/{user_agent}/{asked['seed']}/{number}"
            more |= {"path": path, "method": asked["method"], "user_agent": user_agent, "connection": number}
            found.append(attempt(at, kind, **more))
            if kind is FINE:
                break
            longest = policy["base"] * policy["factor"] ** tried
            wait = draw.uniform(longest * (1 - policy["jitter"]), longest)
            if hint == "seconds" and policy["obeys"]:
                wait = max(wait, 3.0)
            at += TOOK + wait
    return sorted(found, key=lambda each: each.arrived)


def verdicts(attempts, client=None, **how):
    """Verdicts by the finding's name, of one client."""
    found = judge(attempts, **how)
    return {each.name: each.verdict for each in found.findings if each.client in (None, client)}


@quick
@given(policies, traffic, st.floats(0.02, 1), st.floats(0, 12), st.sampled_from(names()))
def test_a_cut_journal_fails_nobody_who_passes(policy, asked, share, later, profile):
    """Cut anywhere, and read at once or some time after: what cannot be told any more is not decided."""
    whole = journal(policy, asked)
    passes = verdicts(whole, until=whole[-1].arrived + 600, profile=profile)
    cut = whole[: max(1, int(share * len(whole)))]
    ends = whole[len(cut)].arrived if len(cut) < len(whole) else cut[-1].arrived + later
    seen = verdicts(cut, until=min(cut[-1].arrived + later, ends), profile=profile)
    assert not [name for name, verdict in seen.items() if verdict == FAIL and passes.get(name) == PASS]


@pytest.mark.slow
@quick
@given(policies, traffic, policies, traffic)
def test_the_journal_of_another_client_changes_no_verdict(policy, asked, other, others):
    """However they are interleaved: each is judged by its own."""
    mine = journal(policy, asked)
    mixed = sorted([*mine, *journal(other, others, "other/2.0")], key=lambda each: each.arrived)
    until = mixed[-1].arrived + 600
    alone = verdicts(mine, until=until)
    beside = verdicts(mixed, "acme/1.0", until=until)
    assert not [name for name, verdict in beside.items() if verdict == FAIL != alone[name]]
    assert {name: alone[name] for name in beside} == beside


@pytest.mark.slow
@quick
@given(policies, traffic, traffic)
def test_two_journals_of_one_client_that_pass_do_not_fail_together(policy, asked, others):
    """More of the same does not make it worse."""
    one, two = journal(policy, asked), journal(policy, others | {"seed": asked["seed"] + 1})
    both = sorted([*one, *two], key=lambda each: each.arrived)
    until = both[-1].arrived + 600
    apart = [verdicts(each, until=until) for each in (one, two)]
    together = verdicts(both, until=until)
    passes = {name for name, verdict in apart[0].items() if verdict == PASS == apart[1].get(name)}
    assert not [name for name in passes if together[name] == FAIL]


@pytest.mark.parametrize("read", [0.0, 1.5, 5.0])
def test_a_journal_can_be_cut_at_every_line(read):
    """A client that makes four attempts is not said to make two or three as long as it may go on, read when it will."""
    policy = {
        "attempts": 4, "base": 0.9, "factor": 2.0, "jitter": 0.0, "obeys": True, "asks_forbidden": False, "rewinds": True,
    }  # fmt: skip
    asked = {"apart": 0.04, "faults": [SLOW_DOWN], "method": "GET"}
    waits = journal(policy, asked | {"calls": 12, "hint": None, "times": NEVER, "seed": 1})
    junk = journal(policy, asked | {"calls": 4, "hint": "unreadable", "times": 1, "seed": 2})
    whole = sorted([*waits, *junk], key=lambda each: each.arrived)
    passes = verdicts(whole, until=600.0, profile="cos")
    assert (passes["attempts"], passes["malformed retry-after"]) == (PASS, PASS)
    for number in range(1, len(whole)):
        until = min(whole[number - 1].arrived + read, whole[number].arrived)
        seen = verdicts(whole[:number], until=until, profile="cos")
        assert not [name for name, verdict in seen.items() if verdict == FAIL and passes.get(name) == PASS]

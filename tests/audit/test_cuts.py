"""A journal that is cut, or mixed with another, never makes a client look worse than it is."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultinject.audit.judging import judge
from faultinject.audit.profiles import names
from tests.journals import (
    DENIED,
    HIDDEN,
    INTERNAL,
    LATER,
    LOST,
    RESET,
    SLOW_DOWN,
    Policy,
    Traffic,
    attempts,
    client,
)  # fmt: skip

from .rows import FAIL, PASS

policies = st.builds(
    Policy,
    attempts=st.integers(1, 6),
    base=st.sampled_from([0.0003, 0.05, 0.3, 1.0]),
    factor=st.sampled_from([1.0, 2.0]),
    jitter=st.sampled_from([0.0, 0.5, 1.0]),
    obeys=st.booleans(),
    asks_forbidden=st.booleans(),
    rewinds=st.booleans(),
)
traffic = st.builds(
    Traffic,
    calls=st.integers(1, 40),
    apart=st.sampled_from([0.04, 0.5, 3.0]),
    faults=st.lists(
        st.sampled_from([SLOW_DOWN, INTERNAL, RESET, LOST, HIDDEN, DENIED]), min_size=1, max_size=3
    ),
    times=st.sampled_from([1, 2, 99]),
    method=st.sampled_from(["PUT", "GET", "POST"]),
    hint=st.sampled_from([None, None, "seconds", "unreadable"]),
    seed=st.integers(0, 10_000),
)


def verdicts(read, whose=None, **how):
    """Verdicts by the finding's name, of one client."""
    found = judge(read, **how)
    return {each.name: each.verdict for each in found.findings if each.client in (None, whose)}


def worse(seen, passes):
    """Find the checks that fail, and that passed in the whole journal."""
    return [name for name, verdict in seen.items() if verdict == FAIL and passes.get(name) == PASS]


@given(policies, traffic, st.floats(0.02, 1), st.floats(0, 12), st.sampled_from(names()))
def test_a_cut_journal_fails_nobody_who_passes(policy, asked, share, later, profile):
    """In a journal that is cut anywhere, the checks that lack evidence are undecided."""
    whole = attempts(client(policy, asked))
    passes = verdicts(whole, until=whole[-1].arrived + LATER, profile=profile)
    cut = whole[: max(1, int(share * len(whole)))]
    ends = whole[len(cut)].arrived if len(cut) < len(whole) else cut[-1].arrived + later
    seen = verdicts(cut, until=min(cut[-1].arrived + later, ends), profile=profile)
    assert not worse(seen, passes)


@pytest.mark.slow
@settings(max_examples=60)
@given(policies, traffic, policies, traffic)
def test_the_journal_of_another_client_changes_no_verdict(policy, asked, other, others):
    """However they are interleaved: each is judged by its own."""
    mine, yours = client(policy, asked), client(other, others, user_agent="other/2.0")
    mixed = attempts(mine, yours)
    until = mixed[-1].arrived + LATER
    alone = verdicts(attempts(mine), until=until)
    beside = verdicts(mixed, "acme/1.0", until=until)
    assert {name: alone[name] for name in beside} == beside


@pytest.mark.slow
@settings(max_examples=60)
@given(policies, traffic, traffic)
def test_two_journals_of_one_client_that_pass_do_not_fail_together(policy, asked, others):
    """More of the same does not make it worse."""
    one, two = client(policy, asked), client(policy, replace(others, seed=asked.seed + 1))
    both = attempts(one, two)
    until = both[-1].arrived + LATER
    apart = [verdicts(attempts(each), until=until) for each in (one, two)]
    together = verdicts(both, until=until)
    passes = {name for name, verdict in apart[0].items() if verdict == PASS == apart[1].get(name)}
    assert not [name for name in passes if together[name] == FAIL]


def test_a_journal_can_be_cut_at_every_line():
    """A client of four attempts per call is never said to make fewer while a call may go on."""
    policy = Policy(base=0.9, jitter=0.0)
    waits = client(policy, Traffic(calls=12, method="GET"))
    junk = client(policy, Traffic(calls=4, method="GET", hint="unreadable", times=1, seed=2))
    whole = attempts(waits, junk)
    passes = verdicts(whole, until=LATER, profile="cos")
    assert (passes["attempts"], passes["malformed retry-after"]) == (PASS, PASS)
    for later, number in product((0.0, 1.5, 5.0), range(1, len(whole))):
        until = min(whole[number - 1].arrived + later, whole[number].arrived)
        assert not worse(verdicts(whole[:number], until=until, profile="cos"), passes)

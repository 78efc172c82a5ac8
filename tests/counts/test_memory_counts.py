"""Counts in memory: exact, and bounded whatever is counted."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from faultinject import Injector
from faultinject.counts.memory import KEPT, MemoryCounts
from faultinject.engine.counting import Take

MIB = 1024 * 1024


def n_of(counts, identity, rule=0):
    """How often an identity had matched a rule before."""
    return counts.match([(rule, "", identity, None)], 0.0)[0][1]


def place_of(counts, scope, rule=0):
    """How many matches a scope had before."""
    return counts.match([(rule, scope, "same", None)], 0.0)[0][0]


def test_so_many_pairs_are_kept():
    """The contract's number."""
    assert KEPT == 65_536


@pytest.mark.parametrize(
    "count", [n_of, pytest.param(place_of, marks=pytest.mark.slow)], ids=["identities", "scopes"]
)
def test_exactly_the_pairs_matched_last_are_kept(count):
    """A table that is full forgets the pair that was matched longest ago, and no other."""
    counts = MemoryCounts()
    for number in range(KEPT):
        assert count(counts, f"/{number}") == 0
    assert count(counts, "/0") == 1, "nothing is forgotten while the table is not overfull"
    assert count(counts, "/new") == 0
    # /1 had waited longest; /0 was matched again, so it stays, and so do all from /2.
    for number in (2, 3, KEPT // 2, KEPT - 1, 0):
        assert count(counts, f"/{number}") == (2 if number == 0 else 1)
    assert count(counts, "/1") == 0
    assert count(counts, "/new") == 1
    assert count(counts, "/4") == 0, "/4 made room for /1"
    assert count(counts, "/6") == 1, "/5 made room for /4"


@pytest.mark.slow
@pytest.mark.parametrize("count", [n_of, place_of], ids=["identities", "scopes"])
def test_all_rules_share_the_table(count):
    """65,536 pairs in all, and the same identity of another rule is another pair."""
    counts = MemoryCounts()
    for number in range(KEPT // 2):
        assert [count(counts, f"/{number}", rule) for rule in (0, 1)] == [0, 0]
    assert count(counts, "/new", 7) == 0
    assert count(counts, "/0", 1) == 1, "only the pair of rule 0 had to go"
    assert count(counts, "/0", 0) == 0


@pytest.mark.slow
def test_the_tables_do_not_crowd_each_other_out():
    """A flood of identities forgets no scope, and a flood of scopes no identity."""
    counts = MemoryCounts()
    assert counts.match([(0, "scope", "identity", None)], 0.0) == [(0, 0, True)]
    for number in range(KEPT):
        counts.match([(1, "", f"/{number}", None)], 0.0)
    assert counts.match([(0, "scope", "identity", None)], 0.0) == [(1, 0, True)]
    for number in range(KEPT):
        counts.match([(1, f"/{number}", "same", None)], 0.0)
    assert counts.match([(0, "scope", "identity", None)], 0.0) == [(0, 1, True)]


@pytest.mark.slow
def test_taking_is_a_use_of_a_scope_too():
    """Between its match and its take no scope is lost, and the rule's own count lies outside of the table."""
    counts = MemoryCounts()
    place_of(counts, "mine")
    for number in range(KEPT - 1):
        place_of(counts, f"/{number}")
    assert counts.take(Take(0, "mine", 1))
    place_of(counts, "/new")
    assert not counts.take(Take(0, "mine", 1))


@pytest.mark.slow
def test_a_flood_of_scopes_never_forgets_what_the_whole_rule_took():
    """`times` of a rule holds for good; only scopes of its own that were long not matched begin anew."""
    counts = MemoryCounts()
    assert [counts.take(Take(0, "", 2)) for _ in range(3)] == [True, True, False]
    assert [counts.take(Take(1, "old", 1)) for _ in range(2)] == [True, False]
    for number in range(KEPT + 10):
        counts.match([(0, "", f"/{number}", None), (1, f"/{number}", f"/{number}", None)], 0.0)
    assert not counts.take(Take(0, "", 2))
    assert counts.take(Take(1, "old", 1))
    assert [counts.matched(rule) for rule in (0, 1, 2)] == [KEPT + 10, KEPT + 10, 0]


@pytest.mark.slow
def test_memory_is_bounded():
    """Twice as many distinct keys need no more memory than the full tables."""
    counts = MemoryCounts()

    def flood(first, last):
        for number in range(first, last):
            counts.match([(0, f"PUT /bucket/key-{number}", f"PUT /bucket/key-{number}", None)], 0.0)

    gc.collect()
    tracemalloc.start()
    try:
        flood(0, KEPT + 1000)
        full, _ = tracemalloc.get_traced_memory()
        flood(KEPT + 1000, 2 * KEPT)
        still, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert still < 1.25 * full
    assert peak < 80 * MIB


def test_long_texts_cost_no_more_than_short_ones():
    """A flood of 64 KiB paths is known by digests: it counts as exactly, in little memory."""
    counts = MemoryCounts()
    tail = "name-" * 13_107
    tracemalloc.start()
    try:
        for number in range(2000):
            key = (0, f"PUT /{number}/{tail}", f"PUT /{number}/{tail}", None)
            assert counts.match([key], 0.0) == [(0, 0, True)]
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 8 * MIB
    for number in (0, 1999):
        key = (0, f"PUT /{number}/{tail}", f"PUT /{number}/{tail}", None)
        assert counts.match([key], 0.0) == [(1, 1, True)]
        asks = [Take(0, f"PUT /{number}/{tail}", 2) for _ in range(4)]
        assert [counts.take(each) for each in asks[:3]] == [True, True, False]
        counts.give_back(asks[0])
        assert counts.take(asks[3])


@pytest.mark.slow
def test_the_tables_stay_bounded_under_threads(in_many_threads):
    """Threads that all add and drop pairs neither fail nor let the tables grow, and forget nothing recent."""
    counts = MemoryCounts()
    for number in range(KEPT - 100):
        counts.match([(9, f"/{number}", f"/{number}", None)], 0.0)

    def work(thread):
        own = f"mine-{thread}"
        found = []
        for number in range(500):
            counts.match([(0, f"/{thread}/{number}", f"/{thread}/{number}", None)], 0.0)
            found.append(counts.match([(0, own, own, None)], 0.0)[0][:2])
        return found

    assert in_many_threads(16, work) == [[(number, number) for number in range(500)]] * 16
    assert len(counts._scopes) <= KEPT >= len(counts._identities)


@pytest.mark.parametrize("round_", range(3))
def test_threads_take_exactly_so_many(in_many_threads, round_):
    """64 threads that take, and give some back, never hold more than 100 and in the end exactly 100."""
    counts = MemoryCounts()
    ask = Take(0, "", 100)

    def work(thread):
        held = 0
        for number in range(40):
            if counts.take(ask):
                if (thread + number) % 3:
                    counts.give_back(ask)
                else:
                    held += 1
        return held

    held = sum(in_many_threads(64, work))
    assert held <= 100
    rest = 0
    while counts.take(ask):
        rest += 1
    assert held + rest == 100


def test_a_give_back_is_worth_one_take():
    """It is not lost, and it is not worth two."""
    counts = MemoryCounts()
    ask = Take(0, "scope", 1)
    for _ in range(5):
        assert [counts.take(ask), counts.take(ask)] == [True, False]
        counts.give_back(ask)
    assert [counts.take(ask), counts.take(ask)] == [True, False]


def test_counts_begin_at_zero_with_each_scenario():
    """`use()` forgets; `add()` does not."""
    injector = Injector("http:503,times=1", environ={})
    first = injector.own_plan.counts
    assert first.take(Take(0, "", 1))
    injector.add("http:502")
    assert injector.own_plan.counts is first
    injector.use("http:503,times=1")
    assert injector.own_plan.counts.take(Take(0, "", 1))

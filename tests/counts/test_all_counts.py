"""What all counts have in common, wherever they are kept."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultinject.counts.memory import MemoryCounts
from faultinject.engine.counting import Take

TAIL = "name-" * 13_107


@pytest.fixture(params=["memory", "file", "redis"])
def counts(request):
    return (
        MemoryCounts()
        if request.param == "memory"
        else request.getfixturevalue(f"make_{request.param}_counts")()
    )


def test_numbers_begin_at_zero_and_count_each_thing_apart(counts):
    """Place in the scope, number of the identity: rules, scopes and identities do not mix."""
    assert counts.match([(0, "", "PUT /a", None)], 0.0) == [(0, 0, True)]
    assert counts.match([(0, "", "PUT /b", None), (1, "", "PUT /a", None)], 0.0) == [
        (1, 0, True),
        (0, 0, True),
    ]
    assert counts.match([(0, "PUT /a", "PUT /a", None)], 0.0) == [(0, 1, True)]
    assert counts.match([(0, "PUT /a", "PUT /b", None)], 0.0) == [(1, 1, True)]
    assert counts.match([(0, "", "PUT /a", None)], 0.0) == [(4, 2, True)]
    assert [counts.matched(rule) for rule in (0, 1, 2)] == [5, 1, 0]


def test_no_keys_count_nothing(counts):
    """A request that no rule matches."""
    assert counts.match([], 0.0) == []
    assert counts.matched(0) == 0


@pytest.mark.parametrize("scope", ["", "mine", "x" * 128, TAIL])
def test_a_scope_injects_so_often(counts, scope):
    """Never more than `times`; what was given back may be taken again, once."""
    ask = Take(3, scope, 2)
    assert [counts.take(ask) for _ in range(4)] == [True, True, False, False]
    for _ in range(3):
        counts.give_back(ask)
        assert [counts.take(ask), counts.take(ask)] == [True, False]
    assert counts.take(Take(3, "other", 2))
    assert counts.take(Take(4, scope, 2))
    assert not counts.take(Take(5, scope, 0))


def test_what_was_never_taken_can_be_given_back(counts):
    """It is worth a take of its own."""
    counts.give_back(Take(0, "", 1))
    assert [counts.take(Take(0, "", 1)) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("scope", ["", "mine"])
@pytest.mark.parametrize("jump", [-86_400.0, -120.0, 86_400.0])
def test_the_clock_is_set(counts, scope, jump):
    """By a day or some minutes, back or forward: from then on the rate is counted anew, and nothing exceeds it for a day."""

    def exceeds(now):
        return counts.match([(0, scope, "/", (5, 1.0))], now)[0][2]

    assert [exceeds(1_000_000.0) for _ in range(7)] == [False] * 5 + [True] * 2
    assert [exceeds(1_000_000.0 + jump) for _ in range(7)] == [False] * 5 + [True] * 2
    assert not exceeds(1_000_001.0 + jump)


@pytest.mark.parametrize("scope", ["", "mine"])
def test_a_rate_lets_through_what_does_not_exceed_it(counts, scope):
    """Five a second: the first five of a moment do not exceed it, nor does one more each fifth of a second."""
    key = (0, scope, "PUT /a", (5, 1.0))
    now = 1_700_000_000.0
    assert [counts.match([key], now)[0][2] for _ in range(7)] == [False] * 5 + [True] * 2
    assert [counts.match([key], now + 0.2)[0][2] for _ in range(2)] == [False, True]
    assert [counts.match([key], now - 5.0)[0][2] for _ in range(2)] == [True, True], "the clock went back"
    assert [counts.match([key], now + 9.0)[0][2] for _ in range(6)] == [False] * 5 + [True]


def test_long_and_strange_texts_count_as_exactly(counts):
    """64 KiB paths that differ in one character, lone surrogates, NUL."""
    for text in (f"PUT /0{TAIL}", f"PUT /1{TAIL}", "\ud800", "a\0b", "\0", "é"):
        for number in range(3):
            assert counts.match([(0, text, text, None)], 0.0) == [(number, number, True)]
        assert [counts.take(Take(0, text, 1)) for _ in range(2)] == [True, False]


def test_threads_count_every_match_once(counts, in_many_threads):
    """16 threads get each number once, and in all exactly `times` takes."""
    ask = Take(0, "scope", 100)

    def work(thread):
        found = []
        for number in range(100):
            [(place, n, _)] = counts.match([(0, "scope", "same", None)], 0.0)
            taken = counts.take(ask)
            if taken and (thread + number) % 3 == 0:
                counts.give_back(ask)
                taken = False
            found.append((place, n, taken))
        return found

    found = [each for some in in_many_threads(16, work) for each in some]
    assert sorted(place for place, _, _ in found) == sorted(n for _, n, _ in found) == list(range(1600))
    left = 0
    while counts.take(ask):
        left += 1
    assert sum(taken for _, _, taken in found) + left == 100


TIMES = (0, 1, 3)
RATES = (None, None, (2, 1.0), (3, 0.5))
scopes = st.sampled_from(["", "a", "b"])
rules = st.integers(0, 2)
steps = st.one_of(
    st.tuples(
        st.just("match"),
        st.lists(st.tuples(rules, scopes, st.sampled_from(["x", "y"]), st.sampled_from(RATES)), max_size=3),
        st.floats(0, 5),
    ),
    st.tuples(st.sampled_from(["take", "give_back"]), rules, scopes),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(steps, max_size=40))
def test_shared_counts_are_those_in_memory(make_shared_counts, steps):
    """Whatever happens in whatever order: the same answers."""
    one, other = MemoryCounts(), make_shared_counts()
    for name, *values in steps:
        if name == "match":
            assert one.match(*values) == other.match(*values)
        else:
            rule, scope = values
            ask = Take(rule, scope, TIMES[rule])
            assert getattr(one, name)(ask) == getattr(other, name)(ask)
    assert [one.matched(rule) for rule in range(4)] == [other.matched(rule) for rule in range(4)]


def test_all_who_share_them_count_together(make_shared_counts):
    """Two that stand for two processes."""
    one = make_shared_counts()
    other = make_shared_counts(0)

    def n_of(counts):
        return counts.match([(0, "", "/a", None)], 0.0)[0][1]

    assert [n_of(each) for each in (one, other, one)] == [0, 1, 2]
    assert other.matched(0) == 3
    ask = Take(0, "mine", 2)
    assert [each.take(ask) for each in (one, other, one, other, one)] == [True, True, False, False, False]
    other.give_back(ask)
    assert [each.take(ask) for each in (one, other)] == [True, False]
    one.note_injected(0)
    other.note_injected(0)
    one.note_undone(0)
    other.note_failed(1)
    # Nobody waits until a server has a note; who asks behind it on the same connection does.
    one.matched(0)
    other.matched(0)
    assert one.totals([0, 1]) == other.totals([0, 1]) == [(3, 1, 0), (0, 0, 1)]
    assert make_shared_counts(0).injected(0) == 1
    assert make_shared_counts().injected(0) == 0

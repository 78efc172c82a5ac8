"""The contract of all counts, in memory, in a directory and on a Redis server."""

import json
import subprocess
import sys
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultinject.counts.store import Take
from faultinject.exceptions import ConflictError
from tests.until import until

from .opened import begun, open_counts

TAIL = "name-" * 13_107
KEPT = 65_536
"""The number of pairs of a rule and a scope, or an identity, that are remembered.

The pairs that were matched last.
"""


def test_numbers_begin_at_zero_and_count_each_thing_apart(counts):
    """Place in the scope, number of the identity: rules, scopes and identities do not mix."""
    asked = [
        [],
        [(0, "", "PUT /a", None)],
        [(0, "", "PUT /b", None), (1, "", "PUT /a", None)],
        [(0, "PUT /a", "PUT /a", None)],
        [(0, "PUT /a", "PUT /b", None)],
        [(0, "", "PUT /a", None)],
    ]
    assert [counts.match(keys, 0.0) for keys in asked] == [
        [],
        [(0, 0, True)],
        [(1, 0, True), (0, 0, True)],
        [(0, 1, True)],
        [(1, 1, True)],
        [(4, 2, True)],
    ]
    assert [counts.matched(rule) for rule in (0, 1, 2)] == [5, 1, 0]


def test_a_scope_injects_so_often(counts):
    """A scope injects at most `times`; a returned count is given out once more, for any name.

    A long name is a name too.
    """
    for scope in ("", "mine", "x" * 128, "x" * 129, TAIL):
        ask = Take(3, scope, 2)
        assert [counts.take(ask) for _ in range(4)] == [True, True, False, False]
        for _ in range(3):
            counts.give_back(ask)
            assert [counts.take(ask), counts.take(ask)] == [True, False]
    others = Take(3, "other", 2), Take(4, TAIL, 2), Take(5, "", 0)
    assert [counts.take(each) for each in others] == [True, True, False]
    counts.give_back(Take(6, "", 1))
    assert [counts.take(Take(6, "", 1)) for _ in range(3)] == [True, True, False], "what was never taken"


def test_rules_that_others_have_replaced_meanwhile(shared_url):
    """A change of what is not in force any more is refused, and changes nothing."""
    one, other = begun(shared_url), begun(shared_url)
    seen = one.version
    data = {"scenario": "{}", "seed": "2", "next_place": 1}
    other.publish(data, after=other.version, anew=True)
    with pytest.raises(ConflictError, match="was changed since"):
        one.publish({**data, "seed": "3"}, after=seen, anew=True)
    assert begun(shared_url, seed="2").counts()[1]["seed"] == "2"


def test_the_clock_is_set(counts):
    """If the clock jumps, the rate is counted from then on.

    By a day or some minutes, back or forward; nothing exceeds it for a day.
    """
    for rule, jump in enumerate((-86_400.0, -120.0, 86_400.0)):
        for scope in ("", "mine"):
            assert passing(counts, (2 * rule + bool(scope), scope), (0, 7), (jump, 7), (jump + 1, 1)) == [
                5,
                5,
                1,
            ]


def passing(counts, place, *asked):
    """Count the requests of each moment that do not exceed five a second; the others come last."""
    found = []
    for seconds, times in asked:
        exceed = [counts.match([(*place, "/", (5, 1.0))], 1.7e9 + seconds)[0][2] for _ in range(times)]
        assert exceed == sorted(exceed)
        found.append(exceed.count(False))
    return found


def test_a_rate_lets_through_what_does_not_exceed_it(counts):
    """Five a second: the first five of a moment pass, and then one more each fifth of a second.

    A clock that goes back by seconds gives nothing.
    """
    for scope in ("", "mine"):
        assert passing(counts, (0, scope), (0, 7), (0.2, 2), (-5, 2), (9, 6)) == [5, 1, 0, 5]


def test_long_and_strange_texts_count_as_exactly(counts):
    """64 KiB paths that differ in one character, lone surrogates, NUL."""
    for text in (f"PUT /0{TAIL}", f"PUT /1{TAIL}", "\ud800", "a\0b", "\0", "é"):
        for number in range(3):
            assert counts.match([(0, text, text, None)], 0.0) == [(number, number, True)]
        assert [counts.take(Take(0, text, 1)) for _ in range(2)] == [True, False]


def test_threads_count_every_match_once(counts, in_many_threads):
    """16 threads get each number once, and exactly `times` takes, with those returned."""

    def work(thread):
        found = []
        for number in range(60):
            for ask in (Take(0, "", 100), Take(0, "scope", 100)):
                [(place, n, _)] = counts.match([(0, ask.scope, f"of {ask.scope}", None)], 0.0)
                taken = counts.take(ask)
                if taken and (thread + number) % 3 == 0:
                    counts.give_back(ask)
                    taken = False
                found.append((ask.scope, place, n, taken))
        return found

    found = [each for some in in_many_threads(16, work) for each in some]
    assert sorted(place for scope, place, _, _ in found if scope) == list(range(960))
    for scope in ("", "scope"):
        assert sorted(n for name, _, n, _ in found if name == scope) == list(range(960))
        ask = Take(0, scope, 100)
        left = sum(counts.take(ask) for _ in range(101))
        assert sum(taken for name, _, _, taken in found if name == scope) + left == 100
    assert counts.matched(0) == 2 * 960


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


@pytest.mark.parametrize("kind", ["file", "redis"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(steps, max_size=40))
def test_shared_counts_are_those_in_memory(new_url, kind, steps):
    """Whatever happens in whatever order: the same answers."""
    one, other = open_counts("memory:"), open_counts(new_url(kind))
    for name, *values in steps:
        if name == "match":
            assert one.match(*values) == other.match(*values)
        else:
            rule, scope = values
            ask = Take(rule, scope, TIMES[rule])
            assert getattr(one, name)(ask) == getattr(other, name)(ask)
    assert [one.matched(rule) for rule in range(4)] == [other.matched(rule) for rule in range(4)]


@pytest.mark.slow
def test_what_was_matched_last_is_kept(counts):
    """The 65,536 scopes and identities matched last are kept, and older ones are forgotten.

    Almost none of the last ones is lost, nor one that was matched now and then. A rule's own count stays.
    """

    def match(names):
        return counts.match([(number % 2, name, name, None) for number, name in names], 0.0)

    def found(numbers):
        return [each[:2] for each in match((number, f"/{number}") for number in numbers)]

    whole, part = Take(0, "", 2), Take(1, "old", 1)
    assert [counts.take(each) for each in (whole, whole, part, part)] == [True] * 3 + [False]
    for times, first in enumerate(range(0, 3 * KEPT, 512)):
        match((number, f"/{number}") for number in range(first, first + 512))
        assert match([(0, "again")])[0][:2] == (times, times)
    end = first + 512
    last = found(range(end - 1, end - KEPT + 600, -97))
    assert sum(each == (1, 1) for each in last) >= len(last) - 4
    assert sum(each != (0, 0) for each in found(range(0, KEPT // 4, 97))) < 4
    assert [counts.take(whole), counts.take(part), counts.matched(3)] == [False, True, 0]


@contextmanager
def traced():
    """Memory is traced meanwhile."""
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_long_texts_cost_no_more_than_short_ones(new_url):
    """A flood of 64 KiB paths is counted exactly, by digests, in little memory."""
    for kind in ("memory", "file"):
        counts = open_counts(new_url(kind))

        def match(number, counts=counts):
            return counts.match([(0, f"PUT /{number}/{TAIL}", f"PUT /{number}/{TAIL}", None)], 0.0)

        with traced():
            assert all(match(number) == [(0, 0, True)] for number in range(2000))
            assert tracemalloc.get_traced_memory()[0] < 8 << 20
        assert [match(number) for number in (0, 1999)] == [[(1, 1, True)]] * 2


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "most"), [("memory", KEPT), ("file", 5000)])
def test_memory_is_bounded(new_url, kind, most):
    """Twice as many keys, matched once and again, need no more memory than full tables."""
    counts = open_counts(new_url(kind))

    def flood(first, last):
        for number in range(first, last):
            key = f"PUT /bucket/key-{number}"
            for _ in range(2):
                counts.match([(0, key, key, None)], 0.0)
            assert counts.take(Take(0, key, 1))
        return tracemalloc.get_traced_memory()

    with traced():
        full, _ = flood(0, most + 1000)
        still, peak = flood(most + 1000, 2 * most)
    assert still < 1.25 * full + (1 << 16)
    assert peak < 80 << 20


def test_all_who_share_them_count_together(shared_url):
    """Two that stand for two processes; a scenario of its own begins at zero."""
    one, other = open_counts(shared_url), open_counts(shared_url)

    def n_of(counts):
        return counts.match([(0, "", "/a", None)], 0.0)[0][1]

    assert [*map(n_of, (one, other, one)), other.matched(0)] == [0, 1, 2, 3]
    ask = Take(0, "mine", 2)
    assert [each.take(ask) for each in (one, other, one, other, one)] == [True, True, False, False, False]
    other.give_back(ask)
    assert [each.take(ask) for each in (one, other)] == [True, False]
    one.note_injected(0)
    other.note_injected(0)
    one.note_injected(0, -1)
    other.note_failed(1)
    for each in (one, other):
        each.matched(
            0
        )  # nobody waits until a server has a note; the next question on the same connection does
    for each in (one, other):
        assert [each.totals([0, 1]), each.requests(), each.injected()] == [[(3, 1, 0), (0, 0, 1)], 3, 1]
    assert (one.totals([]), open_counts(shared_url).totals([0])[0][1]) == ([], 1)
    again = f"{shared_url}{'&' if '?' in shared_url else '?'}replace"
    assert open_counts(again, '{"rules": ["http:500"]}').totals([0]) == [(0, 0, 0)]


def test_where_nothing_depends_on_a_number(shared_url):
    """It is only noted that rules matched; the number tells this process from others."""
    one, other = open_counts(shared_url), open_counts(shared_url)
    keys = [(0, "", "/a", None), (1, "mine", "/a", None)]
    for each in (one, other):
        each.note_injected(2)
    found = one.match(keys, 0.0, False, [0, 0])
    assert found == [(0, found[0][1], True)] * 2
    assert found[0][1] < 0
    assert one.match(keys, 0.0, False, [0, 0]) == found != other.match(keys, 0.0, False, [0, 0])
    assert one.match(keys, 0.0, False, [0, 2]) == [(0, 0, True), (0, 0, True)], (
        "of identities nothing was counted"
    )
    other.totals([0])
    assert (one.totals([0, 1]), one.requests(), one.injected()) == ([(4, 0, 0), (4, 0, 0)], 4, 2)


PLACES = [("fork", "file"), ("spawn", "file"), ("preload", "file"), ("spawn", "redis"), ("preload", "redis")]


@pytest.mark.parametrize(
    ("how", "kind"), [pytest.param(*each, marks=[pytest.mark.slow] * (each != PLACES[0])) for each in PLACES]
)
def test_processes_count_exactly(new_url, how, kind):
    """Four processes with four threads, 10,000 matches: each number once, exactly `times` takes."""
    ran = subprocess.run(
        [sys.executable, Path(__file__).with_name("hammer.py"), how, new_url(kind)],
        stdout=subprocess.PIPE,
        check=True,
    )
    told = json.loads(ran.stdout)
    found = told["found"]
    assert told["matched"] == told["injected"] == len(found) == 10_000
    assert sorted(n for _, _, n, _, _ in found) == list(range(10_000))
    assert sorted(place for scope, place, _, _, _ in found if scope == "half") == list(range(4 * 4 * 312))
    assert [sum(taken) for taken in list(zip(*found, strict=True))[3:]] == [100, 50]


def test_answers_of_a_process_that_has_not_heard_that_faults_are_on_again(shared_url):
    """They count no more."""
    told = []
    first, late = (begun(shared_url).answers("5/20s", 3600.0) for _ in range(2))
    for answers in (4, 1):
        before = len(told)
        first.add(2, 7, answers, 1, lambda *found: told.append(found[:2]))
        until(lambda before=before: len(told) > before)
        late.add(1, 7, 50, 0, None)
    assert told == [(4, 1), (5, 2)]


def test_answers_within_a_window(new_url):
    """The last twenty parts count; after the clock is set back, no part that is ahead does."""
    answers, told = begun(new_url("file")).answers("5/20s", 1.0), []
    for part in (100, 101, 119, 120, 3, 4):
        answers.add(1, part, 2, 1, lambda *found: told.append(found[:2]))
    assert told == [(2, 1), (4, 2), (6, 3), (6, 3), (2, 1), (4, 2)]

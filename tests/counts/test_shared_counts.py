"""A store that fails is left alone for a while, and the log says so once."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from itertools import count

import pytest

from faultinject.counts import SharedCounts, Take
from faultinject.exceptions import StoreBusy, StoreUnavailable

AWAY = "faultinject: nothing is injected while the store is unavailable: "
BUSY = "faultinject: another process held the store's lock for too long: {} passed without a decision"

SOURCE = SharedCounts.match.__code__.co_filename


class Counts(SharedCounts):
    """Counts that fail on demand."""

    def __init__(self):
        super().__init__()
        self.error = None
        self.asked = []
        self.noted = []
        self.then = None

    def ask(self, answer, *values):
        self.asked.append(values)
        if self.then is not None:
            then, self.then = self.then, None
            return then()
        if self.error is not None:
            raise self.error
        return answer

    def _match(self, keys, now, hold):
        return self.ask([(0, 0, True)], "match", keys, now, hold)

    def _take(self, ask, held):
        return self.ask(True, "take", ask, held)

    def _give_back(self, ask):
        self.ask(None, "give_back", ask)

    def match_without_lock(self, keys, enough):
        return [(0, -1, True)] if enough == [0] else None

    def note_injected(self, rule, by=1):
        self.noted.append((rule, by))

    def note_failed(self, rule):
        self.noted.append(rule)

    def totals(self, rules):
        return [(3, 2, 0)] * len(rules)


@pytest.fixture
def counts(now):
    return Counts()


KEY = (5, "", "/a", None)
ASKS = {
    "match": lambda counts: counts.match([KEY], 0.0),
    "take": lambda counts: counts.take(Take(0, "", 1)),
}
TOLD = {"give_back": lambda counts: counts.give_back(Take(0, "", 1))}


def test_a_store_that_is_there_answers_everything(counts, caplog):
    """And is asked as the request says."""
    ask = Take(0, "", 1)
    assert counts.match([], 0.0) == [(0, 0, True)]
    assert counts.match([KEY], 0.0, True, [1]) == [(0, 0, True)]
    assert counts.take(ask, True) is True
    counts.release()
    counts.give_back(ask)
    assert counts.matched(0) == 3
    assert counts.asked == [
        ("match", [], 0.0, False), ("match", [KEY], 0.0, True), ("take", ask, True), ("give_back", ask),
    ]  # fmt: skip
    assert (counts.missed, counts.away, caplog.messages) == (0, False, [])


@pytest.mark.parametrize("error", [StoreUnavailable("held"), OSError(28, "No space left on device")])
@pytest.mark.parametrize("name", ASKS)
def test_a_failure_is_told_and_the_store_left_alone(counts, now, caplog, name, error):
    """One second in which nobody waits for it; then it is asked again, and is back."""
    counts.error = error
    with pytest.raises(StoreUnavailable, match=f"{error}".replace("[", r"\[")):
        ASKS[name](counts)
    assert counts.away
    assert caplog.messages == [f"{AWAY}{error}"]
    counts.error = None
    counts.asked.clear()
    now[0] += 0.999
    for each in ASKS.values():
        with pytest.raises(StoreUnavailable, match="faultinject pauses before it uses the store again"):
            each(counts)
    for each in TOLD.values():
        each(counts)
    assert counts.asked == []
    assert sorted(counts.noted) == sorted([{"match": 5, "take": 0}[name], 5, 0])
    now[0] += 0.001
    assert ASKS[name](counts)
    assert (counts.away, counts.missed) == (False, 4)
    assert caplog.messages[1:] == [
        "faultinject: the store is available again; 4 requests passed without a decision"
    ]
    for each in ASKS.values():
        assert each(counts)


def test_pauses_double_up_to_half_a_minute(counts, now, caplog):
    """1, 2, 4, 8, 16, 30, 30 s; one line in the log; after it was back, from the beginning."""
    for _ in range(2):
        caplog.clear()
        counts.error = OSError("broken")
        with pytest.raises(StoreUnavailable):
            ASKS["match"](counts)
        for pause in (1, 2, 4, 8, 16, 30, 30):
            counts.asked.clear()
            now[0] += pause - 0.01
            with pytest.raises(StoreUnavailable):
                ASKS["match"](counts)
            assert not counts.asked
            now[0] += 0.01
            with pytest.raises(StoreUnavailable):
                ASKS["take"](counts)
            assert len(counts.asked) == 1
        counts.error = None
        now[0] += 30
        assert ASKS["match"](counts)
        assert caplog.messages == [
            f"{AWAY}broken", "faultinject: the store is available again; 15 requests passed without a decision",
        ]  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_what_nobody_waits_for_fails_in_silence(counts, caplog, name):
    """A take that cannot be given back counts as taken; the request goes on."""
    counts.error = OSError("broken")
    TOLD[name](counts)
    assert (counts.away, counts.missed, caplog.messages) == (True, 1, [f"{AWAY}broken"])


def test_threads_that_fail_together_are_one_failure(counts, now, caplog):
    """The pause is not doubled for each of them, and one line is written."""

    def both():
        counts.error = OSError("second")
        with pytest.raises(StoreUnavailable, match="second"):
            counts.match([], 0.0)
        raise OSError("first")

    counts.then = both
    with pytest.raises(StoreUnavailable, match="first"):
        counts.match([], 0.0)
    assert caplog.messages == [f"{AWAY}second"]
    now[0] += 1
    counts.error = None
    assert counts.match([], 0.0)


def test_one_tries_and_the_others_wait_for_what_it_finds(counts, now, caplog):
    """When the pause is over, not all threads wait for a store that is still away."""
    counts.error = OSError("broken")
    TOLD["give_back"](counts)
    now[0] += 1
    counts.error = None
    inside = []

    def tried():
        with pytest.raises(StoreUnavailable, match="faultinject pauses before it uses the store again"):
            counts.match([], 0.0)
        inside.append(True)
        now[0] += 1
        assert counts.match([], 0.0), "it took so long that another tries too"
        return [(1, 1, True)]

    counts.then = tried
    assert counts.match([], 0.0) == [(1, 1, True)]
    assert inside
    assert len(caplog.messages) == 2
    assert not counts.away


@pytest.mark.parametrize(
    ("before", "error", "later", "told", "asked"),
    [
        pytest.param(None, OSError("broken"), 0, 1, 2, id="away"),
        pytest.param(None, StoreBusy("held"), 0, 1, 2, id="busy"),
        pytest.param(OSError("broken"), OSError("broken"), 0, 0, 2, id="one tries"),
        pytest.param(OSError("broken"), None, 1, 1, 3, id="back"),
    ],
)
def test_what_two_threads_find_at_once_is_told_once(now, caplog, before, error, later, told, asked):
    """At whichever line of the one the other comes between, `later` by so many seconds."""

    def ask():
        with suppress(StoreUnavailable):
            ASKS["match"](counts)

    def trace(frame, event, _):
        if event == "call":
            return trace if frame.f_code.co_filename == SOURCE else None
        if event == "line":
            lines.append(frame.f_lineno)
            if len(lines) == line:
                now[0] += later
                others.append(pool.submit(ask))
                wait(others, 0.05)  # for a lock that the traced one has it waits on
        return trace

    with ThreadPoolExecutor(1) as pool:
        for line in count(1):
            counts, lines, others = Counts(), [], []
            counts.error = before
            if before is not None:
                ask()
                now[0] += 1
            counts.error = error
            caplog.clear()
            traced = sys.gettrace()
            sys.settrace(trace)
            try:
                ask()
            finally:
                sys.settrace(traced)
            if not others:
                break
            others[0].result(30)
            where = f"the other came before {SOURCE}:{lines[line - 1]}"
            assert len(caplog.messages) == told, where
            assert len(counts.asked) <= asked, where
    assert line > 10


def test_a_store_that_is_back_is_seen_by_whoever_asks_first(counts, now):
    """Also when what it is asked is to undo a take."""
    counts.error = OSError("broken")
    with pytest.raises(StoreUnavailable):
        ASKS["match"](counts)
    counts.error = None
    now[0] += 1
    TOLD["give_back"](counts)
    assert not counts.away


@pytest.mark.parametrize("name", [*ASKS, *TOLD])
def test_a_lock_that_others_have_is_no_failure(counts, caplog, name):
    """The request goes on without, it is counted, and the very next one asks again."""
    counts.error = StoreBusy("held")
    if name in ASKS:
        with pytest.raises(StoreBusy, match="held"):
            ASKS[name](counts)
    else:
        TOLD[name](counts)
    assert (counts.away, counts.missed) == (False, 1)
    assert counts.noted == {"match": [5], "take": [0]}.get(name, [])
    counts.error = None
    counts.asked.clear()
    assert ASKS["match"](counts)
    assert len(counts.asked) == 1
    assert caplog.messages == [BUSY.format("1 request")]


def test_a_lock_that_others_have_is_told_now_and_then(counts, now, caplog):
    """The first at once, then the number every ten seconds."""
    counts.error = StoreBusy("held")

    def ask():
        with pytest.raises(StoreBusy):
            ASKS["match"](counts)

    for _ in range(5):
        ask()
    now[0] += 9.9
    ask()
    now[0] += 0.1
    ask()
    assert caplog.messages == [BUSY.format("1 request"), BUSY.format("6 requests")]


def test_what_needs_no_number_needs_no_store(counts):
    """It may be away for long."""
    counts.error = OSError("broken")
    for _ in range(2):
        assert counts.match([KEY], 0.0, True, [0]) == [(0, -1, True)]
    assert counts.asked == []
    with pytest.raises(StoreUnavailable):
        counts.match([KEY], 0.0, True, [2])


def test_our_own_mistakes_are_no_failure_of_the_store(counts):
    """They are seen as what they are."""
    counts.error = IndexError("rule")
    for each in (*ASKS.values(), *TOLD.values()):
        with pytest.raises(IndexError):
            each(counts)
    assert (counts.away, counts.missed) == (False, 0)


def test_a_log_that_asks_again(counts, now, caplog):
    """A handler whose own request misses the lock too ends in no circle: that one is told next time."""
    counts.error = StoreBusy("held")

    def again(record):
        if len(caplog.records) < 3:
            with pytest.raises(StoreBusy):
                ASKS["match"](counts)
        return True

    caplog.handler.addFilter(again)
    with pytest.raises(StoreBusy):
        ASKS["match"](counts)
    now[0] += 3600
    with pytest.raises(StoreBusy):
        ASKS["match"](counts)
    caplog.handler.removeFilter(again)
    assert caplog.messages == [BUSY.format("1 request"), BUSY.format("2 requests")]

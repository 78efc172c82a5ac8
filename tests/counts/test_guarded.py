"""A store that fails is left alone for a while, and the log says so once."""

from __future__ import annotations

import pytest

from faultinject.counts import Guarded, Take
from faultinject.exceptions import StoreBusy, StoreUnavailable

AWAY = "faultinject: nothing is injected while the store is unavailable: "
BUSY = "faultinject: another process held the store's lock for too long: {} passed without a decision"


class Store:
    """Counts that fail on demand."""

    def __init__(self):
        self.error = None
        self.asked = []
        self.noted = []
        self.then = None

    def __getattr__(self, name):
        def ask(*values):
            if name == "note_failed":
                self.noted.append(*values)
                return None
            self.asked.append((name, *values))
            if self.then is not None:
                then, self.then = self.then, None
                return then()
            if self.error is not None:
                raise self.error
            return {"match": [(0, 0, True)], "take": True, "matched": 3, "injected": 2}.get(name)

        return ask

    def match_without_lock(self, keys, enough):
        return [(0, -1, True)] if enough == [0] else None


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def guarded(store, clock):
    return Guarded(store, monotonic=lambda: clock[0])


KEY = (5, "", "/a", None)
ASKS = {
    "match": lambda guarded: guarded.match([KEY], 0.0),
    "take": lambda guarded: guarded.take(Take(0, "", 1)),
}
TOLD = {"give_back": lambda guarded: guarded.give_back(Take(0, "", 1))}


def test_it_hands_through(guarded, store, caplog):
    """A store that is there answers everything."""
    ask = Take(0, "", 1)
    assert guarded.match([], 0.0) == [(0, 0, True)]
    assert guarded.match([KEY], 0.0, True, [1]) == [(0, 0, True)]
    assert guarded.take(ask, True) is True
    guarded.release()
    guarded.give_back(ask)
    assert (guarded.matched(0), guarded.injected(0)) == (3, 2)
    guarded.totals([0])
    guarded.note_injected(1)
    guarded.note_undone(1)
    assert store.asked == [
        ("match", [], 0.0, False), ("match", [KEY], 0.0, True), ("take", ask, True), ("release",), ("give_back", ask),
        ("matched", 0), ("injected", 0), ("totals", [0]), ("note_injected", 1), ("note_undone", 1),
    ]  # fmt: skip
    assert (guarded.missed, guarded.away, caplog.messages) == (0, False, [])


@pytest.mark.parametrize("error", [StoreUnavailable("held"), OSError(28, "No space left on device")])
@pytest.mark.parametrize("name", ASKS)
def test_a_failure_is_told_and_the_store_left_alone(guarded, store, clock, caplog, name, error):
    """One second in which nobody waits for it; then it is asked again, and is back."""
    store.error = error
    with pytest.raises(StoreUnavailable, match=f"{error}".replace("[", r"\[")):
        ASKS[name](guarded)
    assert guarded.away
    assert caplog.messages == [f"{AWAY}{error}"]
    store.error = None
    store.asked.clear()
    clock[0] += 0.999
    for each in ASKS.values():
        with pytest.raises(StoreUnavailable, match="faultinject pauses before it uses the store again"):
            each(guarded)
    for each in TOLD.values():
        each(guarded)
    assert store.asked == []
    assert sorted(store.noted) == sorted([{"match": 5, "take": 0}[name], 5, 0])
    clock[0] += 0.001
    assert ASKS[name](guarded)
    assert (guarded.away, guarded.missed) == (False, 4)
    assert caplog.messages[1:] == [
        "faultinject: the store is available again; 4 requests passed without a decision"
    ]
    for each in ASKS.values():
        assert each(guarded)


def test_pauses_double_up_to_half_a_minute(guarded, store, clock, caplog):
    """1, 2, 4, 8, 16, 30, 30 s; one line in the log; after it was back, from the beginning."""
    for _ in range(2):
        caplog.clear()
        store.error = OSError("broken")
        with pytest.raises(StoreUnavailable):
            ASKS["match"](guarded)
        for pause in (1, 2, 4, 8, 16, 30, 30):
            store.asked.clear()
            clock[0] += pause - 0.01
            with pytest.raises(StoreUnavailable):
                ASKS["match"](guarded)
            assert not store.asked
            clock[0] += 0.01
            with pytest.raises(StoreUnavailable):
                ASKS["take"](guarded)
            assert len(store.asked) == 1
        store.error = None
        clock[0] += 30
        assert ASKS["match"](guarded)
        assert caplog.messages == [
            f"{AWAY}broken", "faultinject: the store is available again; 15 requests passed without a decision",
        ]  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_what_nobody_waits_for_fails_in_silence(guarded, store, caplog, name):
    """A take that cannot be given back counts as taken; the request goes on."""
    store.error = OSError("broken")
    TOLD[name](guarded)
    assert (guarded.away, guarded.missed, caplog.messages) == (True, 1, [f"{AWAY}broken"])


def test_threads_that_fail_together_are_one_failure(guarded, store, clock, caplog):
    """The pause is not doubled for each of them, and one line is written."""

    def both():
        store.error = OSError("second")
        with pytest.raises(StoreUnavailable, match="second"):
            guarded.match([], 0.0)
        raise OSError("first")

    store.then = both
    with pytest.raises(StoreUnavailable, match="first"):
        guarded.match([], 0.0)
    assert caplog.messages == [f"{AWAY}second"]
    clock[0] += 1
    store.error = None
    assert guarded.match([], 0.0)


def test_one_tries_and_the_others_wait_for_what_it_finds(guarded, store, clock, caplog):
    """When the pause is over, not all threads wait for a store that is still away."""
    store.error = OSError("broken")
    TOLD["give_back"](guarded)
    clock[0] += 1
    store.error = None
    inside = []

    def tried():
        with pytest.raises(StoreUnavailable, match="faultinject pauses before it uses the store again"):
            guarded.match([], 0.0)
        inside.append(True)
        clock[0] += 1
        assert guarded.match([], 0.0), "it took so long that another tries too"
        return [(1, 1, True)]

    store.then = tried
    assert guarded.match([], 0.0) == [(1, 1, True)]
    assert inside
    assert len(caplog.messages) == 2
    assert not guarded.away


def test_a_store_that_is_back_is_seen_by_whoever_asks_first(guarded, store, clock):
    """Also when what it is asked is to undo a take."""
    store.error = OSError("broken")
    with pytest.raises(StoreUnavailable):
        ASKS["match"](guarded)
    store.error = None
    clock[0] += 1
    TOLD["give_back"](guarded)
    assert not guarded.away


@pytest.mark.parametrize("name", [*ASKS, *TOLD])
def test_a_lock_that_others_have_is_no_failure(guarded, store, caplog, name):
    """The request goes on without, it is counted, and the very next one asks again."""
    store.error = StoreBusy("held")
    if name in ASKS:
        with pytest.raises(StoreBusy, match="held"):
            ASKS[name](guarded)
    else:
        TOLD[name](guarded)
    assert (guarded.away, guarded.missed) == (False, 1)
    assert store.noted == {"match": [5], "take": [0]}.get(name, [])
    store.error = None
    store.asked.clear()
    assert ASKS["match"](guarded)
    assert len(store.asked) == 1
    assert caplog.messages == [BUSY.format("1 request")]


def test_a_lock_that_others_have_is_told_now_and_then(guarded, store, clock, caplog):
    """The first at once, then the number every ten seconds; what was left unsaid, once all is well again."""
    store.error = StoreBusy("held")

    def ask():
        with pytest.raises(StoreBusy):
            ASKS["match"](guarded)

    for _ in range(5):
        ask()
    clock[0] += 9.9
    ask()
    clock[0] += 0.1
    ask()
    assert caplog.messages == [BUSY.format("1 request"), BUSY.format("6 requests")]
    for _ in range(2):
        ask()
    store.error = None
    assert ASKS["match"](guarded)
    assert len(caplog.messages) == 2
    clock[0] += 10
    for _ in range(2):
        assert ASKS["match"](guarded)
    assert caplog.messages[2:] == [BUSY.format("2 requests")]


def test_what_needs_no_number_needs_no_store(guarded, store):
    """It may be away for long."""
    store.error = OSError("broken")
    for _ in range(2):
        assert guarded.match([KEY], 0.0, True, [0]) == [(0, -1, True)]
    assert store.asked == []
    with pytest.raises(StoreUnavailable):
        guarded.match([KEY], 0.0, True, [2])


def test_our_own_mistakes_are_no_failure_of_the_store(guarded, store):
    """They are seen as what they are."""
    store.error = IndexError("rule")
    for each in (*ASKS.values(), *TOLD.values()):
        with pytest.raises(IndexError):
            each(guarded)
    assert (guarded.away, guarded.missed) == (False, 0)


def test_a_log_that_asks_again(guarded, store, clock, caplog):
    """A handler whose own request misses the lock too ends in no circle: that one is told next time."""
    store.error = StoreBusy("held")

    def again(record):
        if len(caplog.records) < 3:
            with pytest.raises(StoreBusy):
                ASKS["match"](guarded)
        return True

    caplog.handler.addFilter(again)
    with pytest.raises(StoreBusy):
        ASKS["match"](guarded)
    clock[0] += 3600
    with pytest.raises(StoreBusy):
        ASKS["match"](guarded)
    caplog.handler.removeFilter(again)
    assert caplog.messages == [BUSY.format("1 request"), BUSY.format("2 requests")]

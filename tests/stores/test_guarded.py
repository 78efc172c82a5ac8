"""A store that fails is left alone for a while, and the log says so once."""

from __future__ import annotations

import pytest

from faultinject.core.actions import Take
from faultinject.exceptions import StoreUnavailable
from faultinject.stores.guarded import Guarded

AWAY = "faultinject: nothing is injected while the store is away: "


class Store:
    """Counts that fail on demand."""

    def __init__(self):
        self.error = None
        self.asked = []

    def __getattr__(self, name):
        def ask(*values):
            self.asked.append((name, *values))
            if self.error is not None:
                raise self.error
            return {"match": [(0, 0, True)], "take": True, "matched": 3, "injected": 2}.get(name)

        return ask


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def guarded(store, clock):
    return Guarded(store, monotonic=lambda: clock[0])


ASKS = {
    "match": lambda guarded: guarded.match([], 0.0),
    "take": lambda guarded: guarded.take(Take(0, "", 1)),
}
TOLD = {
    "give_back": lambda guarded: guarded.give_back(Take(0, "", 1)),
    "note_injected": lambda guarded: guarded.note_injected(0),
    "note_undone": lambda guarded: guarded.note_undone(0),
}


def test_it_hands_through(guarded, store, caplog):
    """A store that is there answers everything."""
    ask = Take(0, "", 1)
    assert guarded.match([], 0.0) == [(0, 0, True)]
    assert guarded.take(ask) is True
    guarded.give_back(ask)
    assert (guarded.matched(0), guarded.injected(0)) == (3, 2)
    guarded.note_injected(1)
    guarded.note_undone(1)
    assert store.asked == [
        ("match", [], 0.0), ("take", ask), ("give_back", ask), ("matched", 0), ("injected", 0),
        ("note_injected", 1), ("note_undone", 1),
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
        with pytest.raises(StoreUnavailable, match="left alone"):
            each(guarded)
    for each in TOLD.values():
        each(guarded)
    assert store.asked == []
    clock[0] += 0.001
    assert ASKS[name](guarded)
    assert (guarded.away, guarded.missed) == (False, 6)
    assert caplog.messages[1:] == ["faultinject: the store is back; 6 decisions passed without it"]
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
            f"{AWAY}broken", "faultinject: the store is back; 15 decisions passed without it",
        ]  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_what_nobody_waits_for_fails_in_silence(guarded, store, caplog, name):
    """A take that cannot be given back counts as taken; the request goes on."""
    store.error = OSError("broken")
    TOLD[name](guarded)
    assert (guarded.away, guarded.missed, caplog.messages) == (True, 1, [f"{AWAY}broken"])


def test_threads_that_fail_together_are_one_failure(guarded, store, clock, caplog):
    """The pause is not doubled for each of them, and one line is written."""

    def both(*_):
        store.match = lambda *_: (_ for _ in ()).throw(OSError("second"))
        with pytest.raises(StoreUnavailable, match="second"):
            guarded.match([], 0.0)
        raise OSError("first")

    store.match = both
    with pytest.raises(StoreUnavailable, match="first"):
        guarded.match([], 0.0)
    assert caplog.messages == [f"{AWAY}second"]
    clock[0] += 1
    del store.match
    assert guarded.match([], 0.0)


def test_one_tries_and_the_others_wait_for_what_it_finds(guarded, store, clock, caplog):
    """When the pause is over, not all threads wait for a store that is still away."""
    store.error = OSError("broken")
    TOLD["give_back"](guarded)
    clock[0] += 1
    store.error = None
    inside = []

    def tried(*_):
        with pytest.raises(StoreUnavailable, match="left alone"):
            guarded.match([], 0.0)
        inside.append(True)
        del store.match
        clock[0] += 1
        assert guarded.match([], 0.0), "it took so long that another tries too"
        return [(1, 1, True)]

    store.match = tried
    assert guarded.match([], 0.0) == [(1, 1, True)]
    assert inside
    assert len(caplog.messages) == 2
    assert not guarded.away


def test_our_own_mistakes_are_no_failure_of_the_store(guarded, store):
    """They are seen as what they are."""
    store.error = IndexError("rule")
    for each in (*ASKS.values(), *TOLD.values()):
        with pytest.raises(IndexError):
            each(guarded)
    assert (guarded.away, guarded.missed) == (False, 0)

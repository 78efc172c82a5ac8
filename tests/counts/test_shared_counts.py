"""A failing store is not used for a while, and the log says so once."""

import sys
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from itertools import count

import pytest

from faultinject.counts.background_sender import BackgroundSender
from faultinject.counts.shared_counts import SharedCounts
from faultinject.counts.store import Take
from faultinject.exceptions import StoreBusyError, StoreUnavailableError
from tests.until import until

AWAY = "faultinject: nothing is injected while the store is unavailable: "
BUSY = "faultinject: another process held the store's lock for too long: {} passed without a decision"

SOURCE = SharedCounts.match.__code__.co_filename


class Counts(SharedCounts):
    """Counts that fail on demand."""

    def __init__(self):
        super().__init__()
        self.error = None
        self.asked = 0
        self.noted = []

    def ask(self, answer):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return answer

    def _match(self, keys, now, hold):
        return self.ask([(0, 0, True)])

    def _take(self, ask, held):
        return self.ask(True)

    def _give_back(self, ask):
        self.ask(None)

    def match_without_lock(self, keys, lock_free_after):
        return [(0, -1, True)] if lock_free_after == [0] else None

    def note_injected(self, rule, by=1):
        """Nobody asks for it here."""

    def note_failed(self, rule):
        self.noted.append(rule)

    def totals(self, rules):
        return [(3, 2, 0)] * len(rules)

    def requests(self):
        return 3

    def injected(self):
        return 2


@pytest.fixture
def counts(now):
    return Counts()


KEY = (5, "", "/a", None)
ASKS = {
    "match": lambda counts: counts.match([KEY], 0.0),
    "take": lambda counts: counts.take(Take(0, "", 1)),
}


@pytest.mark.parametrize("error", [StoreUnavailableError("held"), OSError(28, "No space left on device")])
@pytest.mark.parametrize("name", ASKS)
def test_a_failure_is_told_and_the_store_left_alone(counts, now, caplog, name, error):
    """One second in which nobody waits for it; then it is asked again, and is back."""
    counts.error = error
    with pytest.raises(StoreUnavailableError, match=f"{error}".replace("[", r"\[")):
        ASKS[name](counts)
    assert caplog.messages == [f"{AWAY}{error}"]
    counts.error = None
    counts.asked = 0
    now[0] += 0.999
    for each in ASKS.values():
        with pytest.raises(StoreUnavailableError, match="faultinject pauses before it uses the store again"):
            each(counts)
    counts.give_back(Take(0, "", 1))
    assert (counts.asked, counts.noted) == (0, [{"match": 5, "take": 0}[name], 5, 0])
    now[0] += 0.001
    assert ASKS[name](counts)
    assert caplog.messages[1:] == [
        "faultinject: the store is available again; 4 requests passed without a decision"
    ]
    for each in ASKS.values():
        assert each(counts)


@pytest.mark.parametrize(
    ("before", "error", "later", "told", "asked"),
    [
        pytest.param(None, OSError("broken"), 0, 1, 2, id="away"),
        pytest.param(None, StoreBusyError("held"), 0, 1, 2, id="busy"),
        pytest.param(OSError("broken"), OSError("broken"), 0, 0, 2, id="one tries"),
        pytest.param(OSError("broken"), None, 1, 1, 3, id="back"),
    ],
)
def test_what_two_threads_find_at_once_is_told_once(now, caplog, before, error, later, told, asked):
    """At whichever line of the one the other comes between, `later` by so many seconds."""

    def ask():
        with suppress(StoreUnavailableError):
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
            assert counts.asked <= asked, where
    assert line > 10


def fails(counts, error=StoreBusyError, ask="match"):
    """It is asked once, in vain."""
    with pytest.raises(error):
        ASKS[ask](counts)


def test_a_lock_that_others_have_is_told_now_and_then(counts, now, caplog):
    """The first at once, then the number every ten seconds."""
    counts.error = StoreBusyError("held")
    for later in (0, 0, 0, 0, 0, 9.9, 0.1):
        now[0] += later
        fails(counts)
    assert caplog.messages == [BUSY.format("1 request"), BUSY.format("6 requests")]


def test_a_log_that_asks_again(counts, now, caplog):
    """A log handler that asks the store itself starts no circle; its miss is reported later."""
    counts.error = StoreBusyError("held")

    def again(record):
        if len(caplog.records) < 3:
            fails(counts)
        return True

    caplog.handler.addFilter(again)
    fails(counts)
    now[0] += 3600
    fails(counts)
    caplog.handler.removeFilter(again)
    assert caplog.messages == [BUSY.format("1 request"), BUSY.format("2 requests")]


def test_a_store_that_is_back_is_seen_by_whoever_asks_first(counts, now, caplog):
    """Also when what it is asked is to undo a take."""
    counts.error = OSError("broken")
    fails(counts, StoreUnavailableError)
    counts.error = None
    now[0] += 1
    counts.give_back(Take(0, "", 1))
    assert "the store is available again" in caplog.text


def test_pauses_double_up_to_half_a_minute(counts, now, caplog):
    """1, 2, 4, 8, 16, 30, 30 s; one line in the log; after it was back, from the beginning."""
    for times in (1, 2):
        counts.error, counts.asked = OSError("broken"), 0
        fails(counts, StoreUnavailableError)
        for asked, pause in enumerate((1, 2, 4, 8, 16, 30, 30), 1):
            for seconds, more in ((pause - 0.01, 0), (0.01, 1)):
                now[0] += seconds
                fails(counts, StoreUnavailableError, "take")
                assert counts.asked == asked + more
        counts.error = None
        now[0] += 30
        assert ASKS["match"](counts)
        assert caplog.messages.count(f"{AWAY}broken") == times
        assert caplog.messages[-1].endswith("available again; 15 requests passed without a decision")


def test_what_needs_no_number_needs_no_store(counts):
    """It may be away for long."""
    counts.error = OSError("broken")
    with pytest.raises(StoreUnavailableError):
        counts.match([KEY], 0.0, True, [2])
    assert counts.match([KEY], 0.0, True, [0]) == [(0, -1, True)]


def test_our_own_mistakes_are_no_failure_of_the_store(counts, caplog):
    """They are seen as what they are."""
    counts.error = IndexError("rule")
    for ask in (*ASKS.values(), lambda counts: counts.give_back(Take(0, "", 1))):
        with pytest.raises(IndexError):
            ask(counts)
    assert caplog.messages == []


def test_what_passed_where_the_store_does_not_say(counts):
    """Is told of this process."""
    for why in (0, 2, 2):
        counts.note_passed(why)
    assert counts.passed() == (1, 0, 2)


def test_work_in_the_background(monkeypatch, caplog):
    """A thread that could not begin and work that failed keep nothing else from being done."""
    sender, done = BackgroundSender(), []

    def fail(error):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", lambda _: fail(RuntimeError("can't start new thread")))
        sender.do(lambda: fail(StoreUnavailableError("away")))
    for work in (lambda: done.append(1 / 0), lambda: done.append(2)):
        sender.do(work)
    until(lambda: done, "the last work is done")
    sender.do(lambda: done.append(3))
    until(lambda: done[1:], "later work is done")
    assert [str(each.exc_info[1]) for each in caplog.records] == ["division by zero"]
    assert done == [2, 3]

"""The window of the app's own failures: what passes the bound, what leaves the window, and what is told."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from textwrap import dedent

import pytest

from faultinject import Injector, Scenario
from faultinject.injector.failure_watch import BUCKETS, FailureWatch

BOUND = "5xx>50%/1h,min=4"


class Watched:
    """A watch, a clock that stands until it is moved, and what was told."""

    def __init__(self, text):
        self.now = 1000.0
        self.told = []
        self.watch = FailureWatch(text, lambda: self.now, self.told.append)

    def answers(self, good=0, bad=0):
        for failed in [False] * good + [True] * bad:
            self.watch.note(failed=failed)
        return self.told


def test_a_few_requests_say_nothing():
    """Below the least number no share does: 1 of 3 is no reason, 19 of 19 neither."""
    watched = Watched("5xx>5%/1m")
    assert watched.answers(2, 1) == []
    assert watched.answers(bad=16) == []
    assert watched.answers(bad=1) == ["5xx>5%/1m: 18 of 20 requests (90 %) failed by themselves within 1 m"]


@pytest.mark.parametrize(
    ("good", "bad", "tells"), [(95, 5, False), (94, 6, True), (190, 10, False), (189, 11, True)]
)
def test_more_than_the_share(good, bad, tells):
    """Exactly the share is not more."""
    assert bool(Watched("5xx>5%/1m,min=100").answers(good, bad)) is tells


def test_no_failure_at_all():
    """A share of 0 is passed by the first failure among enough answers."""
    watched = Watched("5xx>0%/1m,min=3")
    assert watched.answers(5) == []
    assert watched.answers(bad=1) == [
        "5xx>0%/1m,min=3: 1 of 6 requests (16.7 %) failed by themselves within 1 m"
    ]


def test_it_is_told_once():
    """Until it is reset; then everything is counted anew."""
    watched = Watched("5xx>5%/10s,min=2")
    assert len(watched.answers(bad=5)) == 1
    watched.watch.reset()
    assert len(watched.answers(bad=1)) == 1
    assert watched.answers(bad=1)[1:] == [
        "5xx>5%/10s,min=2: 2 of 2 requests (100 %) failed by themselves within 10 s"
    ]


def test_what_leaves_the_window():
    """Failures of longer ago count no more, nor do the answers beside them."""
    watched = Watched("5xx>50%/20s,min=4")
    watched.answers(bad=3)
    watched.now += 19
    assert watched.answers(good=1) == []
    watched.now += 1.5
    assert watched.answers(bad=2) == []
    watched.now += 1
    assert watched.answers(bad=2, good=0)[-1:] == [
        "5xx>50%/20s,min=4: 3 of 4 requests (75 %) failed by themselves within 20 s"
    ]


def test_a_long_silence():
    """Whatever the clock has passed, nothing old is left, and no more is kept than the buckets."""
    watched = Watched("5xx>5%/20s,min=2")
    watched.answers(good=1)
    watched.now += 1e9
    assert watched.answers(bad=1) == []
    assert len(watched.watch._answers) == len(watched.watch._failures) == BUCKETS == 20


def test_a_clock_that_stands_back():
    """Another thread's earlier look at it counts where the window is."""
    watched = Watched("5xx>5%/20s,min=2")
    watched.answers(bad=1)
    watched.now -= 5
    assert len(watched.answers(bad=1)) == 1


def test_late_failures():
    """An answer that breaks off was counted already: the failure is, the request not again."""
    watched = Watched("5xx>50%/20s,min=2")
    watched.answers(good=2)
    watched.watch.note_late()
    assert watched.told == []
    watched.watch.note_late()
    assert watched.told == ["5xx>50%/20s,min=2: 2 of 2 requests (100 %) failed by themselves within 20 s"]


def test_one_watch_as_long_as_the_bound_is_the_same():
    """Rules that are added, and a scenario of the same bound, go on with its window; another bound begins anew."""
    injector = Injector(Scenario("http:503", abort="5xx>5%/1m"), environ={})
    watch = injector.own_plan.watch
    injector.add("http:500")
    assert (injector.own_plan.watch, injector.scenario.abort) == (watch, "5xx>5%/1m")
    injector.use(Scenario("http:500", abort="5xx>5%/1m"))
    assert injector.own_plan.watch is watch
    injector.use(Scenario("http:500", abort="5xx>6%/1m"))
    assert injector.own_plan.watch.text == "5xx>6%/1m"
    injector.use("http:500")
    assert injector.own_plan.watch is None


def test_a_hand_that_armed_while_nobody_looked(tmp_path):
    """A process that had no request between off and on begins its window anew, too."""
    one, other = (
        Injector(Scenario("http:418", abort=BOUND), seed=1, store=f"file:{tmp_path}/store", environ={})
        for _ in range(2)
    )
    for _ in range(3):
        other.own_plan.watch.note(failed=True)
    one.disable()
    one.enable()
    other.catch_up()
    other.own_plan.watch.note(failed=True)
    assert (other.enabled, other.disarmed) == (True, "")
    one.enable()
    other.catch_up()
    for _ in range(3):
        other.own_plan.watch.note(failed=True)
    # Who enables what is on arms nothing anew. The others are told on a thread.
    end = time.monotonic() + 20
    while other.enabled:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert other.disarmed == f"{BOUND}: 4 of 4 requests (100 %) failed by themselves within 1 h"


def test_a_process_that_fails_and_ends_tells_the_others(tmp_path):
    """Apps that fail are often ended, and started anew: the others are told before."""
    store = f"file:{tmp_path}/store"
    other = Injector(Scenario("http:418", abort=BOUND), seed=1, store=store, environ={})
    program = f"""
        from faultinject import Injector, Scenario
        injector = Injector(Scenario("http:418", abort={BOUND!r}), seed=1, store={store!r}, environ={{}})
        for _ in range(4):
            injector.own_plan.watch.note(failed=True)
    """
    subprocess.run([sys.executable, "-c", dedent(program)], check=True)
    other.catch_up()
    assert not other.enabled


def test_a_process_that_has_no_room_for_a_thread(tmp_path, monkeypatch):
    """It tells the others, too."""

    def refuse(_):
        raise RuntimeError("can't start new thread")

    injector = Injector(Scenario("http:418", abort=BOUND), seed=1, store=f"file:{tmp_path}/store", environ={})
    monkeypatch.setattr(threading.Thread, "start", refuse)
    for _ in range(4):
        injector.own_plan.watch.note(failed=True)
    assert not injector.enabled


@pytest.mark.parametrize("first", ["told", "by itself"])
def test_it_is_said_once(tmp_path, caplog, monkeypatch, first):
    """A process that is told, and one that finds it out while another tells it, has one line in the log."""
    one, other = (
        Injector(Scenario("http:418", abort=BOUND), seed=1, store=f"file:{tmp_path}/store", environ={})
        for _ in range(2)
    )
    threads = []

    def wait(thread):
        threads.append(thread)

    monkeypatch.setattr(threading.Thread, "start", wait)

    def fails(injector):
        for _ in range(4):
            injector.own_plan.watch.note(failed=True)

    fails(one)
    if first == "by itself":
        fails(other)
    threads.pop(0).run()
    assert not one.enabled
    other.catch_up()
    assert not other.enabled
    if first == "told":
        fails(other)
    for each in threads:
        each.run()
    said = [each.getMessage().partition(": ")[0] for each in caplog.records]
    assert said.count("faultinject is off") == 2
    # It is said again when it was on meanwhile.
    caplog.clear()
    one.enable()
    other.catch_up()
    fails(other)
    assert [each.getMessage()[:18] for each in caplog.records if each.levelname == "ERROR"] == [
        "faultinject is off"
    ]


def test_the_variable_stands_above_every_scenario():
    """Whoever puts rules in force, its bound holds."""
    injector = Injector(Scenario("http:503", abort="5xx>5%/1m"), environ={"FAULTINJECT_ABORT": "5xx>1%/1m"})
    assert injector.own_plan.watch.text == "5xx>1%/1m"
    injector.use("http:500")
    assert injector.own_plan.watch.text == "5xx>1%/1m"

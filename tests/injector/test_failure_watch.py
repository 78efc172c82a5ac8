"""The window of the app's own failures: its bound, its end, and the messages."""

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from faultinject import Injector, Scenario
from tests.asking import get
from tests.full_disk import room_for
from tests.locked import locked
from tests.until import until
from tests.virtual_time import Time

BOUND = "5xx>50%/1h,min=4"


def answer(injector, *statuses, meanwhile=lambda: None):
    """The app answers a request with each of these statuses."""
    coming = iter(statuses)

    def app(environ, start_response):
        meanwhile()
        start_response(f"{next(coming)} Status", [])
        return [b"app"]

    for _ in statuses:
        get(injector, app=app)


def watched_in(store, **how):
    """An injector that watches the app's failures, and counts on that store."""
    return Injector(Scenario("http:418,path=none/", abort=BOUND), seed=1, store=store, environ={}, **how)


class Watched:
    """An app whose failures are watched, in given time."""

    def __init__(self, text, **environ):
        self.time = Time()
        self.time.now = 1000
        scenario = Scenario("http:418,path=none/", abort=text)
        self.injector = Injector(scenario, environ=environ, waits=self.time)

    def answers(self, good=0, bad=0):
        """Answer with these statuses, and return the reason why faults were switched off."""
        answer(self.injector, *[200] * good, *[500] * bad)
        return self.injector.disarmed


def test_a_few_requests_say_nothing():
    """Below the least number no share does: 1 of 3 is no reason, 19 of 19 neither."""
    watched = Watched("5xx>5%/1m")
    assert [watched.answers(*each) for each in ((2, 1), (0, 16), (0, 1))] == [
        "",
        "",
        "5xx>5%/1m: 18 of 20 requests (90 %) failed by themselves within 1 m",
    ]


@pytest.mark.parametrize(
    ("good", "bad", "tells"), [(95, 5, False), (94, 6, True), (190, 10, False), (189, 11, True)]
)
def test_more_than_the_share(good, bad, tells):
    """Exactly the share is not more."""
    assert bool(Watched("5xx>5%/1m,min=100").answers(good, bad)) is tells


def test_no_failure_at_all():
    """A share of 0 is passed by the first failure among enough answers."""
    watched = Watched("5xx>0%/1m,min=3")
    told = "5xx>0%/1m,min=3: 1 of 6 requests (16.7 %) failed by themselves within 1 m"
    assert [watched.answers(5), watched.answers(bad=1)] == ["", told]


def test_what_leaves_the_window():
    """Failures of longer ago count no more, nor do the answers beside them."""
    watched = Watched("5xx>50%/20s,min=4")
    told = "5xx>50%/20s,min=4: 3 of 4 requests (75 %) failed by themselves within 20 s"
    for later, good, bad, reason in ((0, 0, 3, ""), (19, 1, 0, ""), (1.5, 0, 2, ""), (1, 0, 2, told)):
        watched.time.now += later
        assert watched.answers(good, bad) == reason


def test_a_long_silence():
    """Whatever the clock has passed, nothing old is left."""
    watched = Watched("5xx>5%/20s,min=2")
    watched.answers(good=1)
    watched.time.now += 1e9
    assert watched.answers(bad=1) == ""


def test_a_clock_that_stands_back():
    """Another thread's earlier look at it counts where the window is."""
    now = [1000.0]
    waits = SimpleNamespace(monotonic=lambda: now[-1])
    injector = Injector(Scenario("http:418,path=none/", abort="5xx>5%/20s,min=2"), environ={}, waits=waits)
    answer(injector, 500)
    now.append(995.0)
    answer(injector, 500)
    assert injector.disarmed != ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda injector: injector.add("http:500,path=none/"), "5xx>5%/1m,min=2: 2 of 2"),
        (
            lambda injector: injector.use(Scenario("http:500,path=none/", abort="5xx>5%/1m,min=2")),
            "5xx>5%/1m,min=2: 2 of 2",
        ),
        (lambda injector: injector.use(Scenario("http:500,path=none/", abort="5xx>6%/1m,min=2")), ""),
        (lambda injector: injector.use("http:500,path=none/"), ""),
    ],
)
def test_one_watch_as_long_as_the_bound_is_the_same(change, told):
    """Added rules, or a scenario of the same bound, keep the window; another bound begins anew."""
    watched = Watched("5xx>5%/1m,min=2")
    watched.answers(bad=1)
    change(watched.injector)
    assert watched.answers(bad=1).startswith(told)
    assert bool(watched.injector.disarmed) is bool(told)


def test_a_hand_that_armed_while_nobody_looked(tmp_path):
    """A process that had no request between off and on begins its window anew, too."""
    one, other = (watched_in(f"file:{tmp_path}/store") for _ in range(2))
    answer(other, 200, 500, 500)
    one.disable()
    one.enable()
    other.catch_up()
    answer(other, 500)
    assert (other.enabled, other.disarmed) == (True, "")
    one.enable()
    other.catch_up()
    answer(other, 500, 500, 500)
    # Who enables what is on arms nothing anew. The others are told on a thread. An old window would be one of 3 in 4.
    until(lambda: not other.enabled)
    assert other.disarmed == f"{BOUND}: 4 of 4 requests (100 %) failed by themselves within 1 h"


FAILS = """
import sys
from faultinject import Injector, Scenario
from tests.asking import get

def app(environ, start_response):
    start_response("500 Status", [])
    return [b"app"]

scenario = Scenario("http:418,path=none/", abort=sys.argv[1])
injector = Injector(scenario, seed=1, store=sys.argv[2], environ={})
for _ in range(4):
    get(injector, app=app)
"""


def test_a_process_that_fails_and_ends_tells_the_others(tmp_path):
    """Apps that fail are often ended, and started anew: the others are told before."""
    store = f"file:{tmp_path}/store"
    other = watched_in(store)
    subprocess.run([sys.executable, "-c", FAILS, BOUND, store], cwd=Path(__file__).parents[2], check=True)
    other.catch_up()
    assert not other.enabled


def test_a_process_that_has_no_room_for_a_thread(tmp_path, monkeypatch):
    """It tells the others, too."""
    injector = watched_in(f"file:{tmp_path}/store")
    monkeypatch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
    answer(injector, 500, 500, 500, 500)
    assert not injector.enabled


@pytest.mark.parametrize("first", ["told", "by itself"])
def test_it_is_said_once(tmp_path, caplog, monkeypatch, first):
    """One line is logged, even if a process finds the failure while another reports it."""
    one, other = (watched_in(f"file:{tmp_path}/store") for _ in range(2))
    threads = []

    def wait(thread):
        threads.append(thread)

    monkeypatch.setattr(threading.Thread, "start", wait)
    answer(one, 500, 500, 500, 500)

    def tell():
        threads.pop(0).run()
        assert not one.enabled
        other.catch_up()
        assert not other.enabled

    if first == "by itself":
        answer(other, 500, 500, 500, 500)
        tell()
    else:
        answer(other, 500, 500, 500)
        answer(other, 500, meanwhile=tell)
    for each in threads:
        each.run()
    assert [each.getMessage().partition(": ")[0] for each in caplog.records].count("faultinject is off") == 2
    # It is said again when it was on meanwhile.
    caplog.clear()
    one.enable()
    other.catch_up()
    answer(other, 500, 500, 500, 500)
    assert [each.getMessage()[:18] for each in caplog.records if each.levelname == "ERROR"] == [
        "faultinject is off"
    ]


@pytest.fixture
def two(looked_at_often, at_once):  # with a Redis server it is told by a thread
    """Two injectors of one store, and the time that passes."""

    def make(store):
        time = Time()
        time.now = 1000
        return watched_in(store, waits=time), watched_in(store, waits=time), time

    return make


def off(injector):
    injector.catch_up()
    return injector.disarmed


@pytest.mark.live
def test_processes_count_together(shared, two):
    """Each has too few answers of its own; a hand that arms lets all begin anew."""
    one, other, _ = two(shared)
    answer(one, 200, 500, 500)
    assert (off(one), off(other)) == ("", "")
    answer(other, 500)
    told = f"{BOUND}: 3 of 4 requests (75 %) failed by themselves within 1 h"
    until(lambda: off(one) == off(other) == told)
    other.enable()
    until(lambda: off(one) == "")
    for injector in (one, other, one):
        answer(injector, 500)
    answer(other, 200)
    assert one.enabled
    answer(other, 500)
    until(lambda: off(one) and off(other))
    assert off(one) == f"{BOUND}: 4 of 5 requests (80 %) failed by themselves within 1 h"


@pytest.mark.live
def test_an_answer_of_before_a_hand_armed(shared, two):
    """Counts no more: a process may not have seen it yet."""
    one, other, _ = two(shared)

    def arm():
        other.disable()
        other.enable()
        answer(other, 500)

    answer(one, 500, meanwhile=arm)
    answer(other, 500, 500, 500)
    until(lambda: not other.enabled)
    assert other.disarmed == f"{BOUND}: 4 of 4 requests (100 %) failed by themselves within 1 h"


@pytest.mark.live
def test_a_machine_that_was_started_again(tmp_path, two):
    """After a restart of the machine, notes of its earlier clock do not count.

    A file that was cut begins anew too.
    """
    one, other, time = two(f"file:{tmp_path}/store")
    answer(one, 500, 500, 500)
    time.now += 10_000_000
    answer(other, 500)
    assert off(other) == ""
    [path] = tmp_path.glob("store/answers-*")
    path.write_bytes(path.read_bytes()[:100])
    for injector in (one, other):
        answer(injector, 500)
    assert (off(one), off(other)) == ("", "")


@pytest.mark.live
def test_a_store_that_cannot_be_had(tmp_path, two):
    """Then each process counts for itself."""
    one, other, _ = two(f"file:{tmp_path}/store")
    with locked(tmp_path / "store" / "lock"):
        for injector in (one, other, one, other):
            answer(injector, 500)
    assert (off(one), off(other)) == ("", "")
    answer(one, 500, 500)
    until(lambda: off(other))


@pytest.mark.live
def test_a_disk_that_is_full(tmp_path, two):
    """A failure that cannot be noted for the others is no error of the request."""
    one, other, _ = two(f"file:{tmp_path}/store")
    with room_for(0):
        answer(one, 500, 500, 500)
    assert ([*one.errors], off(other)) == ([], "")
    answer(one, 500)
    until(lambda: off(other))


@pytest.mark.live
def test_a_server_that_is_away_for_a_while(start_redis, two):
    """It is told afterwards what was noted meanwhile."""
    server = start_redis()
    one, other, _ = two(server.url)
    answer(one, 200, 500)
    server.client().save()
    server.kill()
    answer(one, 500)
    server.start()
    answer(other, 500)
    assert (off(one), off(other)) == ("", "")
    answer(one, 200)
    until(lambda: off(one))
    assert off(one) == f"{BOUND}: 3 of 5 requests (60 %) failed by themselves within 1 h"


def test_the_variable_stands_above_every_scenario():
    """Whoever puts rules in force, its bound holds."""
    watched = Watched("5xx>50%/1m,min=2", FAULTINJECT_ABORT="5xx>1%/1m,min=3")
    watched.injector.use("http:500,path=none/")
    assert watched.answers(bad=2) == ""
    assert watched.answers(bad=1).startswith("5xx>1%/1m,min=3: 3 of 3 requests")

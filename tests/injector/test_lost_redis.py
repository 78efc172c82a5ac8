"""A Redis server that comes back without its data: never more than `times`, and what was switched off stays off."""

from __future__ import annotations

import os
import tempfile

import pytest

from faultinject import Injector, WSGIFaultMiddleware
from faultinject.counts import begun, guarded, redis_link, redis_store
from faultinject.counts.redis_beside import Beside
from faultinject.exceptions import StoreUnavailable
from faultinject.injector import elsewhere

pytestmark = pytest.mark.live
RULE = "http:503,times=5"


def get(injector):
    """The status of one request."""
    statuses = []

    def app(_, start_response):
        start_response("200 OK", [])
        return [b"app"]

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    list(
        WSGIFaultMiddleware(app, injector=injector)(
            environ, lambda status, _: statuses.append(int(status[:3]))
        )
    )
    return statuses[0]


@pytest.fixture
def now(monkeypatch, tmp_path):
    """The clock of what is tried again, a list of one number; what requests do not wait for is done with them."""
    found = [1000.0]
    for each in (elsewhere, redis_store):
        monkeypatch.setattr(each, "monotonic", lambda: found[0])
    monkeypatch.setattr(guarded.Guarded.__init__, "__kwdefaults__", {"monotonic": lambda: found[0]})
    monkeypatch.setattr(Beside, "do", lambda _, work: work())
    # The server is back at once: nobody takes an old connection for one that is there still.
    monkeypatch.setattr(redis_link, "FRESH", 0.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return found


@pytest.fixture
def redis(start_redis):
    """One that keeps nothing."""
    return start_redis()


def make(redis, rules=RULE, option="", **named):
    return Injector(rules, store=f"{redis.url}{option}", environ={}, **named)


def lose(redis, now):
    """It is started again, and everybody looks at it at the next request."""
    redis.kill()
    redis.start()
    now[0] += 60


def test_who_has_counted_tells_what_was_in_force(redis, now, caplog):
    """A process that begins then joins it, and injects nothing where a count is needed; the log says why."""
    one = make(redis, seed="s")
    assert get(one) == 503
    one.add("http:404,path=never")
    lose(redis, now)
    caplog.clear()
    assert get(one) == 200
    late = make(redis, seed="s")
    assert [get(late) for _ in range(3)] == [200] * 3
    assert (late.standing.generation, len(late.scenario.rules)) == (one.standing.generation, 2) == (2, 2)
    assert len([each for each in caplog.messages if "put the rules in force again" in each]) == 2
    late.reset()
    now[0] += 60
    assert [get((one, late)[number % 2]) for number in range(7)] == [503] * 5 + [200] * 2


def test_what_is_gone_is_told_after_an_outage(redis, now, caplog):
    """Redis was away first, which the log says: that it came back empty is another thing, which needs somebody. Then it is available."""
    injector = make(redis, seed="s")
    assert get(injector) == 503
    redis.kill()
    caplog.clear()
    assert get(injector) == 200
    redis.start()
    for _ in range(2):
        now[0] += 60
        assert get(injector) == 200
    [away, gone] = caplog.messages
    assert away.startswith(
        "faultinject: nothing is injected while the store is unavailable: the store unix://"
    )
    assert gone.endswith(
        f"the store {redis.url}: the counts are not there any more: put the rules in force again"
    )
    make(redis, seed="s").reset()
    now[0] += 60
    assert get(injector) == 503
    assert caplog.messages[-1].startswith("faultinject: the store is available again; ")


def test_what_was_switched_off_stays_off(redis, now):
    """Also for a rule that needs no count."""
    one = make(redis, "http:503", seed="s")
    one.disable(why="enough")
    lose(redis, now)
    assert get(one) == 200
    late = make(redis, "http:503", seed="s")
    assert get(late) == 200
    assert late.standing.why_off == "enough"
    late.enable()
    now[0] += 1
    assert (get(late), get(one)) == (503, 503)


def test_a_change_by_hand_tells_first(redis, now):
    """What is changed is what was in force, and its generation goes on."""
    one = make(redis, seed="s")
    lose(redis, now)
    assert one.add("http:404,path=never").generation == 2
    late = make(redis, seed="s")
    assert (get(late), len(late.scenario.rules)) == (200, 2)


def test_who_began_at_zero_is_stopped(redis, now):
    """By the first that knows of counts before, and with what was in force there."""
    one = make(redis, seed="s")
    one.add("http:404,path=never")
    lose(redis, now)
    late = make(redis, seed="s")
    assert get(late) == 503, "nobody could know"
    assert get(one) == 200
    assert get(late) == 200, "at once"
    now[0] += 60
    assert [get(each) for each in (one, late)] == [200, 200]
    assert [len(each.standing.scenario.rules) for each in (one, late)] == [2, 2]
    late.use(RULE)
    now[0] += 60
    assert [get(one), get(late)] == [503, 503]


def test_what_a_hand_has_done_since_stays(redis, now):
    """But for the counts that began at zero before; rules that were put in force anew count."""
    one = make(redis, seed="s")
    for change, expected in (
        (lambda each: each.add("http:404,path=never"), 200),
        (lambda each: each.use("http:500,times=2"), 500),
    ):
        lose(redis, now)
        late = make(redis, seed="s")
        change(late)
        get(one)
        now[0] += 60
        assert get(one) == expected
        assert str(one.scenario) == str(late.scenario)


def test_who_knows_the_newest_tells_it_last(redis, now):
    """Two processes know the server, and one of them a change that the other has not seen."""
    one, other = make(redis, seed="s"), make(redis, seed="s")
    one.add("http:404,path=never")
    lose(redis, now)
    assert get(other) == 200
    assert get(one) == 200
    now[0] += 60
    assert get(other) == 200
    assert len(other.scenario.rules) == 2


def test_other_rules_are_another_story(redis, now):
    """A server with other rules, which finds nothing, counts by them, and the others follow it."""
    one = make(redis, seed="s")
    lose(redis, now)
    other = make(redis, "http:500,times=3", seed="s")
    assert [get(other), get(one)] == [500, 500]
    now[0] += 60
    assert [get(one), get(other)] == [500, 200]


def test_a_server_that_replaces_begins_anew(redis, now):
    """Counts that are gone; those that are there go on."""
    one = make(redis, seed="s")
    lose(redis, now)
    get(one)
    replacing = [make(redis, seed="s", option="?replace") for _ in range(2)]
    now[0] += 60
    assert [get(each) for each in (*replacing, one, *replacing, one)] == [503] * 5 + [200]


@pytest.mark.parametrize("nobody", [True, False])
def test_a_later_worker_of_the_same_server(redis, now, monkeypatch, nobody):
    """It finds nothing, and knows that its server has counted: it rests until somebody tells, or puts rules in force by hand."""
    monkeypatch.setattr(begun, "server_process", os.getppid)
    one = make(redis, seed="s")
    assert get(one) == 503
    if nobody:
        del one
    lose(redis, now)
    late = make(redis, seed="s", option="?replace")
    assert "has lost what this server has counted" in late.missing_store
    assert get(late) == 200
    if nobody:
        with pytest.raises(StoreUnavailable):
            late.reset()
        late.use(RULE)
        assert get(late) == 503
        return
    assert get(one) == 200
    now[0] += 60
    assert [get(late), get(one)] == [200, 200]
    assert not late.missing_store
    assert late.standing.generation == one.standing.generation


def test_another_database_is_another_store(redis, now, monkeypatch):
    """A server that counts in two of one Redis begins in each of them."""
    monkeypatch.setattr(begun, "server_process", os.getppid)
    injectors = [make(redis, option=f"?db={number}") for number in range(2)]
    assert [get(each) for each in injectors] == [503, 503]


def test_a_later_worker_finds_one_who_began_at_zero(redis, now, monkeypatch):
    """Of a server on another host, which could not know: its counts end."""
    monkeypatch.setattr(begun, "server_process", os.getppid)
    assert get(make(redis, seed="s")) == 503
    lose(redis, now)
    with monkeypatch.context() as elsewhere_:
        elsewhere_.setattr(begun, "server_process", os.getpid)
        other = make(redis, seed="s")
    assert get(other) == 503
    assert get(make(redis, seed="s")) == 200
    assert get(other) == 200

"""After a Redis server lost its data, counts begin at zero, and switches stay off."""

import pytest

from faultinject import Injector
from tests.asking import get

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("at_once")]
RULE = "http:503,times=5"


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


def test_counts_begin_at_zero_and_the_log_says_so(redis, now, caplog):
    """All processes count from zero, with the same rules, seed and generation."""
    one, other = make(redis, seed="s"), make(redis, seed="s")
    one.add("http:404,path=never")
    assert [get(one), get(one)] == [503, 503]
    now[0] += 60
    assert get(other) == 503
    lose(redis, now)
    caplog.clear()
    assert [get((one, other)[number % 2]) for number in range(7)] == [503] * 5 + [200] * 2
    assert [each for each in caplog.messages if "lost" in each] == [
        f"faultinject: the store {redis.url} (prefix faultinject) has lost its data: counts begin at zero again"
    ]
    assert [(each.state.generation, len(each.scenario.rules)) for each in (one, other)] == [(2, 2)] * 2
    assert get(make(redis, seed="s")) == 200, "it finds what is in force"


def test_what_was_switched_off_stays_off(redis, now):
    """Also for a rule that needs no count."""
    one = make(redis, "http:503", seed="s")
    one.disable(why="enough")
    lose(redis, now)
    assert get(one) == 200
    late = make(redis, "http:503", seed="s")
    assert (get(late), late.state.why_off) == (200, "enough")
    late.enable()
    now[0] += 60
    assert [get(one), get(late)] == [503, 503]
    # A change by hand applies to the rules in force before the loss, in the next generation.
    generation = one.state.generation
    lose(redis, now)
    assert one.add("http:404,path=never").generation == generation + 1
    now[0] += 60
    assert (get(late), len(late.scenario.rules)) == (503, 2)


def test_a_server_that_starts_first_after_a_loss(redis, now):
    """The others follow it, with its rules and its counts."""
    one = make(redis, seed="s")
    one.add("http:404,path=never")
    lose(redis, now)
    other = make(redis, "http:500,times=3", seed="s")
    assert [get(other), get(one)] == [500, 500]
    now[0] += 60
    assert [get(one), get(other)] == [500, 200]


def test_another_database_is_another_store(redis, now):
    """A server that counts in two of one Redis begins in each of them."""
    injectors = [make(redis, option=f"?db={number}") for number in range(2)]
    assert [get(each) for each in injectors] == [503, 503]

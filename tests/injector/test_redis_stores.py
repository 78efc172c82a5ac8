"""Injectors that count on a Redis server, as processes of several hosts do."""

from unittest.mock import patch

import pytest

from faultinject import Injector, RuleCounts
from faultinject.counts.background_sender import BackgroundSender
from faultinject.exceptions import StoreInUseError
from tests.asking import get

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("at_once")]
RULES = "http:503,times=2 http:429,probability=0.5"


@pytest.fixture
def url(redis_server, redis_prefix):
    return f"{redis_server.url}?prefix={redis_prefix}"


def make(url, rules=RULES, **how):
    return Injector(rules, store=url, environ={}, **how)


def test_two_count_as_one(url, redis_server):
    """The same answers as one injector alone gives, also where nobody gave a seed."""
    one, other = make(url), make(url)
    assert one.store == redis_server.url, "as a log may have it"
    assert one.seed == other.seed
    with pytest.raises(StoreInUseError, match="in use with other rules or another seed"):
        make(url, seed="given")
    alone = make("memory:", seed=one.seed)
    expected = [get(alone, f"/{number % 3}") for number in range(40)]
    assert [get((one, other)[number % 2], f"/{number % 3}") for number in range(40)] == expected
    assert one.counts() == other.counts() == alone.counts()
    assert expected.count(503) == 2
    assert 429 in expected


def test_two_questions_at_most(url, monkeypatch):
    """A match and a take, however many rules are used up; none where nothing depends on a count."""
    unless = ",unless.path=always,unless.path=never"
    waits = (
        "http:500,times=1",
        "http:501,times=1",
        "http:502,times=2",
        "http:503,probability=0.5,path=half*",
    )
    never = ("http:504,path=always", "http:505,path=never,probability=0")
    injector = make(url, " ".join((*(f"{each}{unless}" for each in waits), *never)))
    import redis

    ask = redis.Redis.execute_command
    monkeypatch.setattr(BackgroundSender, "do", lambda *_: None)

    def questions(path):
        with patch.object(redis.Redis, "execute_command", autospec=True, side_effect=ask) as asked:
            return get(injector, path), asked.call_count

    questions("/")  # the server may have to be told the scripts
    injector.reset()
    assert [questions("/") for _ in range(5)] == [(500, 2), (501, 2), (502, 2), (502, 2), (200, 1)]
    assert {questions(f"/half{number}") for number in range(20)} == {(200, 1), (503, 1)}
    assert [questions(f"/{each}") for each in ("always", "never", "always")] == [(504, 0), (200, 0), (504, 0)]
    injector.replace("rule-3", "http:502,times=3")
    assert [questions("/") for _ in range(2)] == [(502, 2), (502, 2)]


def test_what_one_puts_in_force_all_have_a_second_later(url, now, caplog):
    """With the rules, the seed and the counts; a worker that comes later finds them, too."""
    one, other = make(url), make(url)
    assert [get(one), get(other)] == [503, 503]
    now[0] += 1
    assert get(other) in {200, 429}, "the same are in force"
    one.use("http:500,times=3", seed="new")
    assert get(other) in {200, 429}, "it looks once a second"
    now[0] += 1
    caplog.clear()
    assert [get(other), get(one), get(other)] == [500, 500, 500]
    assert other.seed == "new"
    server, prefix = url.split("?prefix=")
    assert caplog.messages == 2 * [
        "faultinject is on: seed new, rules http:500,times=3",
        f"faultinject: several processes share their counts in {server} (prefix {prefix}), seed new",
    ], "each says so"
    late = make(url)
    assert [get(late), get(one)] == [200, 200]
    assert late.counts() == one.counts() == other.counts() == {"rule-1": RuleCounts(5, 3)}
    replacing = make(f"{url}&replace", "http:404")
    now[0] += 1
    assert [get(each) for each in (one, other, late, replacing)] == [404] * 4


def test_counts_that_hardly_any_request_uses_live_on(url, now, redis_server, redis_prefix):
    """As long as there are requests: what was injected a week before counts as well."""
    injector = make(url, "http:503,times=1,path=rare http:404,path=often")
    assert get(injector, "/rare") == 503
    client = redis_server.client()
    keys = list(client.scan_iter(f"*{redis_prefix}*"))
    for each in keys:
        client.expire(each, 100)
    now[0] += 1
    assert get(injector, "/often") == 404
    assert len(keys) == 4
    assert all(client.ttl(each) > 6 * 86_400 for each in keys)
    assert get(injector, "/rare") == 200


def test_while_the_server_is_away_the_rules_stay(start_redis, now):
    """It is asked again after 1 s, then after longer waits; what is in force stays."""
    server = start_redis()
    injector = make(server.url, "http:503,times=9")
    assert get(injector) == 503
    server.kill()
    asked, store = [], injector._count_storage.store
    for number in range(70):
        now[0] += 1
        before = store._next_look
        assert get(injector) == 200
        asked += [number] * (store._next_look != before)
    assert (asked, str(injector.scenario)) == ([0, 1, 3, 7, 15, 31, 61], "http:503,times=9")


@pytest.mark.parametrize(("there", "seed"), [(False, None), (True, None), (False, "s")])
def test_a_server_that_is_not_there_at_the_start(start_redis, now, caplog, there, seed):
    """The app starts, and nothing is injected until the server answers; the log says so once.

    And once that it is there, also where the seed was given and stays.
    """
    server = start_redis()
    if there:
        assert get(make(server.url, "http:503,times=3", seed="first")) == 503
        server.client().save()
    caplog.clear()
    server.kill()
    late = make(server.url, "http:503,times=3", seed=seed)
    assert [get(late), get(late)] == [200, 200]
    now[0] += 1
    assert get(late) == 200
    away = [each for each in caplog.messages if "unavailable" in each]
    assert (away, len(caplog.messages)) == ([each for each in caplog.messages if server.url in each], 2)
    server.start()
    assert get(late) == 200, "asked again too soon"
    now[0] += 2
    assert [get(late) for _ in range(4)] == [503] * (2 if there else 3) + [200] * (2 if there else 1)
    assert late.seed == ("first" if there else seed or late.seed)
    assert [each for each in caplog.messages if "available again" in each] == [
        "faultinject: the store is available again; 5 requests passed without a decision"
    ]
    assert caplog.messages[-1] == (
        f"faultinject: several processes share their counts in {server.url} (prefix faultinject), seed {late.seed}"
    )


def test_a_server_that_has_other_rules_when_it_comes(start_redis, now, caplog):
    """They are not replaced: this process injects nothing, and says why."""
    server = start_redis()
    server.kill()
    late = make(server.url, "http:503")
    server.start()
    other = make(server.url, "http:500")
    for _ in range(3):
        now[0] += 60
        assert (get(late), get(other)) == (200, 500)
    assert len([each for each in caplog.messages if "is in use with other rules or" in each]) == 1
    late.use("http:503,times=1")
    assert [get(late), get(late)] == [503, 200]


@pytest.mark.parametrize(
    "change",
    [Injector.reset, lambda injector: injector.use("http:503"), lambda injector: injector.add("http:500")],
    ids=["reset", "use", "add"],
)
def test_a_change_before_the_next_request_says_that_the_server_is_back(start_redis, now, caplog, change):
    """Once, whether the counts begin anew with the change or at the request behind it."""
    server = start_redis()
    injector = make(server.url, seed="s")
    assert get(injector) == 503
    server.kill()
    assert [get(injector) for _ in range(3)] == [200, 200, 200]
    server.start()
    now[0] += 60
    change(injector)
    assert get(injector) == 503
    assert [each for each in caplog.messages if "available again" in each] == [
        "faultinject: the store is available again; 3 requests passed without a decision"
    ]

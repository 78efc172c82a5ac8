"""Injectors that count on a Redis server, as processes of several hosts do."""

from __future__ import annotations

import pytest

from faultinject import Injector, WSGIFaultMiddleware
from faultinject.exceptions import StoreInUse, StoreUnavailable
from faultinject.injector import count_storage

pytestmark = pytest.mark.live
RULES = "http:503,times=2 http:429,probability=0.5"


def app(environ, start_response):
    start_response("200 OK", [])
    return [b"app"]


def get(injector, path="/"):
    statuses = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
    list(
        WSGIFaultMiddleware(app, injector=injector)(
            environ, lambda status, _: statuses.append(int(status[:3]))
        )
    )
    return statuses[0]


@pytest.fixture
def url(redis_server, redis_prefix):
    return f"{redis_server.url}?prefix={redis_prefix}"


def make(url, rules=RULES, **how):
    return Injector(rules, store=url, environ={}, **how)


@pytest.fixture
def clock(monkeypatch):
    """The clock of the pauses; a list of one number."""
    moment = [1000.0]
    monkeypatch.setattr(count_storage, "monotonic", lambda: moment[0])
    return moment


def test_two_count_as_one(url):
    """The same answers as one injector alone gives, also where nobody gave a seed."""
    one, other = make(url), make(url)
    assert one.seed == other.seed
    alone = make("memory:", seed=one.seed)
    expected = [get(alone, f"/{number % 3}") for number in range(40)]
    assert [get((one, other)[number % 2], f"/{number % 3}") for number in range(40)] == expected
    assert one.counts() == other.counts() == alone.counts()
    assert expected.count(503) == 2
    assert 429 in expected


def test_use_begins_at_zero(url):
    """With the rules given, whatever others count by."""
    injector = make(url)
    assert [get(injector) for _ in range(2)] == [503, 503]
    injector.use("http:500,times=1")
    assert [get(injector) for _ in range(2)] == [500, 200]
    with pytest.raises(StoreInUse):
        make(url)


@pytest.mark.parametrize("there", [False, True])
def test_a_server_that_is_not_there_at_the_start(start_redis, clock, caplog, there):
    """The app starts, and nothing is injected until the server answers; the log says so once."""
    server = start_redis()
    if there:
        assert get(make(server.url, "http:503,times=3", seed="first")) == 503
        server.client().save()
    caplog.clear()
    server.kill()
    late = make(server.url, "http:503,times=3")
    assert [get(late), get(late)] == [200, 200]
    clock[0] += 1
    assert get(late) == 200
    assert [each for each in caplog.messages if "unavailable" in each] == [
        each for each in caplog.messages if server.url in each
    ]
    assert len(caplog.messages) == 2
    server.start()
    assert get(late) == 200, "asked again too soon"
    clock[0] += 2
    assert [get(late) for _ in range(4)] == [503] * (2 if there else 3) + [200] * (2 if there else 1)
    if there:
        assert late.seed == "first"


def test_a_server_that_has_other_rules_when_it_comes(start_redis, clock, caplog):
    """They are not replaced: this process injects nothing, and says why."""
    server = start_redis()
    server.kill()
    late = make(server.url, "http:503")
    server.start()
    other = make(server.url, "http:500")
    for _ in range(3):
        clock[0] += 60
        assert (get(late), get(other)) == (200, 500)
    assert len([each for each in caplog.messages if "is in use by other rules" in each]) == 1
    late.use("http:503,times=1")
    assert [get(late), get(late)] == [503, 200]


def test_use_while_the_server_is_not_there(start_redis, clock):
    """It raises, and the old rules stay; once it worked, nothing of the start is asked for again."""
    server = start_redis()
    server.kill()
    late = make(server.url, "http:503")
    with pytest.raises(StoreUnavailable):
        late.use("http:500")
    server.start()
    late.use("http:500")
    clock[0] += 60
    assert get(late) == 500

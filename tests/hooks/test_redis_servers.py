"""Servers on one Redis count exactly over workers and hosts, and no request fails for it.

They never exceed `times`.
"""

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from .launch import GRANIAN, GUNICORN, UVICORN, Way

# With as long as the app gives a Redis on a busy machine.
WAYS = {
    "gunicorn": Way(f"{GUNICORN} -w 4 served_failing:wsgi", "gunicorn"),
    "gunicorn --preload": Way(f"{GUNICORN} -w 4 --preload served_failing:wsgi", "gunicorn"),
    "uvicorn": Way(f"{UVICORN} --workers 4 served_failing:asgi", "uvicorn"),
    "granian": Way(f"{GRANIAN} --interface wsgi --workers 4 served_failing:wsgi", "granian"),
}
# Granian ends with the first of its workers unless it is told otherwise.
KILLED = WAYS | {"granian": Way(f"{WAYS['granian'].line} --respawn-failed-workers", "granian")}
# With the 100 ms that everybody has; `tests/adapters/test_asgi_thread.py` is about an event loop.
WORKERS = {
    "four that serve one request each": Way(f"{GUNICORN} -w 4 served_counted:wsgi", "gunicorn"),
    # The modules are loaded before gevent changes what they wait with.
    "one with greenlets": Way(
        f"{GUNICORN} -w 1 -k gevent --preload served_counted:wsgi", "gunicorn", "gevent"
    ),
}


def named(redis, rule="http:503,times=100,path=photos/"):
    return {
        "FAULTINJECT_ENABLED": "1",
        "FAULTINJECT_RULES": rule,
        "FAULTINJECT_SEED": "s",
        "FAULTINJECT_STORE": redis,
    }


def ask(servers, number, each=lambda _: None):
    """Statuses of requests from eight threads, to each server in turn; None if a worker died."""

    def get(count):
        each(count)
        return servers[count % len(servers)].get("/photos/cat")

    with ThreadPoolExecutor(8) as threads:
        return Counter(found and found[0] for found in threads.map(get, range(number)))


@pytest.fixture
def url(redis_server, redis_prefix):
    return f"{redis_server.url}?prefix={redis_prefix}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "names", [("gunicorn --preload", "uvicorn"), ("gunicorn", "granian")], ids=" and ".join
)
def test_exact_over_two_hosts(names, start, url):
    """Two servers that share only a Redis give 300 faults in 900 requests, with one seed."""
    environ = named(url, "http:503,times=300,path=photos/")
    servers = [start(WAYS[name], **environ) for name in names]
    found = ask(servers, 900)
    assert found == {503: 300, 200: 600}
    for server in servers:
        server.until_answered_by(4, lambda: found.update(ask(servers, 400)))
    assert found[503] == 300
    lines = [line for server in servers for line in server.lines("/photos/cat")]
    assert sorted(each["n"] for each in lines) == list(range(found.total()))


@pytest.mark.slow
@pytest.mark.parametrize("way", KILLED.values(), ids=KILLED)
def test_workers_and_the_redis_are_killed(way, start, start_redis):
    """The app answers all the time, and a killed worker costs at most its running counts.

    It goes on by itself.
    """
    redis = start_redis("--appendonly", "yes", "--appendfsync", "always")
    server = start(way, **named(redis.url, "http:503,times=400,path=photos/"))
    # Each of granian's workers listens by itself: where only one does so far and is killed, all connections are
    # refused.
    server.until(lambda: len({server.process_number() for _ in range(40)}) == 4)
    # Granian takes a place whose process ends twice within seconds for a loop of crashes, and ends.
    first, killed, one_at_a_time = server.workers(), [], threading.Lock()

    def of_the_first():
        found = [server.process_number()]
        server.until(lambda: found[-1] in first or found.append(server.process_number()))
        return found[-1]

    def kill(number):
        if number in (100, 200):
            with one_at_a_time:
                killed.append(of_the_first())
                os.kill(killed[-1], signal.SIGKILL)
        if number == 300:
            redis.kill()
        if number == 500:
            redis.start()

    found = ask([server], 800, kill)
    assert len(killed) == 2, server.log
    assert found[None] <= 24, server.log
    assert found.keys() <= {None, 200, 503}
    injected = found[503]
    end = time.monotonic() + 60
    while time.monotonic() < end and injected < 400:
        some = ask([server], 40)
        assert some.keys() <= {200, 503}
        injected += some[503]
        if not redis_left(redis):
            break
    # A take whose answer was lost counts as taken: with each kill of the Redis at most one for every worker and thread.
    assert 400 - 24 - 16 <= injected <= 400
    assert "Traceback" not in server.log


def redis_left(redis):
    """The number left of 400, by the Redis."""
    client = redis.client()
    [key] = client.scan_iter("*:rules:*")
    return 400 - int(client.hget(key, "o0") or 0)


def unmatched(server, each=lambda _: None):
    """The times of requests that no rule matches, one after another, in order of their length."""
    took = []
    for number in range(150):
        each(number)
        began = time.monotonic()
        assert server.get("/other") == (200, b"app: /other")
        took.append(time.monotonic() - began)
    return sorted(took)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("way", WORKERS.values(), ids=WORKERS)
def test_a_redis_that_does_not_answer_slows_no_worker(way, start, start_redis):
    """An unmatched request never waits for the Redis, even if the rules must be looked up."""
    redis = start_redis()
    server = start(way, **named(redis.url, "http:503,probability=0.5,path=photos/"))

    def matched(number):
        if number % 30 == 0:
            assert server.get("/photos/cat")[0] in {200, 503}
        time.sleep(0.02)

    before = unmatched(server, matched)
    redis.signal(signal.SIGSTOP)
    try:
        during = unmatched(server, matched)
    finally:
        redis.signal(signal.SIGCONT)
    # Each wait for the Redis would take 100 ms.
    quick = during[75] < 3 * before[75] + 0.01 and during[-8] < 3 * before[-8] + 0.05
    assert quick, (during, before)

"""What happened, in a stream of a Redis server: bounded, with a time to live, and never waited for."""

from __future__ import annotations

import multiprocessing.util
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from faultinject import Injector, WSGIFaultMiddleware
from faultinject.counts import redis_beside, redis_journal, redis_link, redis_scripts
from faultinject.counts.redis_beside import Beside
from faultinject.exceptions import StoreUnavailable


def app(environ, start_response):
    start_response("200 OK", [])
    return [b"app"]


def get(injector, path):
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
    return b"".join(WSGIFaultMiddleware(app, injector=injector)(environ, lambda *_: None))


def make(url, rules="http:503"):
    injector = Injector(rules, store=url, environ={})
    injector.let_watch()
    return injector


def paths(found):
    return [each.path for each in found]


@pytest.fixture
def url(redis_server, redis_prefix):
    return f"{redis_server.url}?prefix={redis_prefix}"


@pytest.fixture
def key(redis_prefix):
    return f"{{{redis_prefix}}}:journal"


@pytest.fixture
def by_hand(monkeypatch):
    """What is done beside the requests is done by `events` alone."""
    monkeypatch.setattr(Beside, "do", lambda *_: None)


def until(true):
    """Ask until it is so."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_it_comes_by_itself_and_does_not_stay_for_ever(url, key, redis_server):
    """Nobody needs to ask; the key has a time to live."""
    get(make(url), "/0")
    client = redis_server.client()
    until(lambda: client.xlen(key) == 1)
    assert 6 * 86_400 < client.ttl(key) <= 7 * 86_400
    [(_, fields)] = client.xrange(key)
    assert b'"path":"/0"' in fields[b"line"]


@pytest.mark.usefixtures("by_hand")
def test_the_stream_is_cut_and_what_is_gone_is_counted(url, redis_server, key):
    """For those who have read some of it, and for those who have not."""
    injector = make(url)
    get(injector, "/0")
    [_], cursor, _ = injector.events()
    for number in range(1, 10):
        get(injector, f"/{number}")
    injector.events(cursor, 1)
    redis_server.client().xtrim(key, maxlen=3, approximate=False)
    found, last, dropped = injector.events(cursor)
    assert (paths(found), dropped) == (["/7", "/8", "/9"], 6)
    assert injector.events()[2] == 7
    assert injector.events(last) == ([], last, 0)
    assert injector.events(last, 0) == ([], last, 0)


@pytest.mark.usefixtures("by_hand")
def test_a_long_journal_is_bounded(url, redis_server, key, monkeypatch):
    """About ten thousand lines."""
    monkeypatch.setattr(redis_journal, "_BATCH", 50)
    link = redis_link.Link(redis_journal_url(url))
    push = redis_link.Script(redis_scripts.PUSH)
    for _ in range(53):
        link.run(push, [key], 1, *[b"{}"] * 200)
    assert 10_000 <= redis_server.client().xlen(key) <= 10_100


def redis_journal_url(url):
    from faultinject.rules.redis_url import read_redis

    return read_redis(url)


@pytest.mark.usefixtures("by_hand")
def test_a_stream_that_was_lost_begins_anew(url, redis_server, key):
    """A reader finds the new one, also where the clock of the process that began it is behind."""
    injector = make(url)
    get(injector, "/0")
    [_], cursor, _ = injector.events()
    for number in ("1", "99999999999999"):
        client = redis_server.client()
        client.delete(key)
        assert injector.events(cursor) == ([], cursor, 0)
        client.xadd(key, {"line": '{"v":1,"lost":2}'}, id=f"{number}-3")
        get(injector, "/again")
        found, after, dropped = injector.events(cursor)
        assert (paths(found), dropped, after) == (["/again"], 4, f"{number}-4")
        assert injector.events(after) == ([], after, 0)
    client.xadd(key, {"line": "no line of ours"})
    assert injector.events(after)[0] == []


def test_a_server_that_is_away(start_redis, caplog, monkeypatch):
    """Requests go on, lines wait up to a bound, and readers are told what is missing."""
    monkeypatch.setattr(redis_journal, "KEPT", 5)
    monkeypatch.setattr(redis_beside, "PAUSE", 0.05)
    monkeypatch.setattr(redis_beside, "LONGEST_PAUSE", 0.05)
    server = start_redis()
    injector = make(server.url)
    server.kill()
    for number in range(9):
        get(injector, f"/{number}")
    with pytest.raises(StoreUnavailable):
        injector.events()
    server.start()
    client = server.client()
    until(lambda: client.xlen("{faultinject}:journal"))
    until(lambda: paths(injector.events()[0])[-1:] == ["/8"])
    found, _, dropped = injector.events()
    assert len(found) + dropped == 9
    assert paths(found) == [f"/{number}" for number in range(dropped, 9)]
    logged = [each for each in caplog.messages if "shared journal" in each]
    assert len(logged) == 2
    assert "more than 5 wait for it, " not in logged[1]


def test_what_was_not_answered_is_not_told_again(start_redis, monkeypatch):
    """A stopped server has it when it goes on."""
    monkeypatch.setattr(redis_link, "PATIENCE", 0.5)
    server = start_redis()
    injector = make(server.url)
    get(injector, "/0")
    until(lambda: paths(injector.events()[0]) == ["/0"])
    server.signal(signal.SIGSTOP)
    try:
        get(injector, "/1")
        with pytest.raises(StoreUnavailable):
            injector.events()
    finally:
        server.signal(signal.SIGCONT)
    monkeypatch.setattr(redis_link, "PATIENCE", 10.0)
    get(injector, "/2")
    until(lambda: paths(injector.events()[0]) == ["/0", "/1", "/2"])
    assert injector.counts() == {"rule-1": {"matched": 3, "injected": 3}}


def test_a_thread_that_cannot_be_had(url, monkeypatch):
    """What is left waits for the next time that something is to be done."""

    def refuse(_):
        raise RuntimeError("can't start new thread")

    injector = make(url)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        get(injector, "/0")
    get(injector, "/1")
    until(lambda: paths(injector.events()[0]) == ["/0", "/1"])


def test_work_that_raises_is_logged(caplog):
    """The thread goes on."""
    beside, done = Beside(), []

    def fail():
        raise ZeroDivisionError

    beside.do(fail)
    beside.do(lambda: done.append(1))
    until(lambda: done)
    assert [each.exc_info[0] for each in caplog.records if each.exc_info] == [ZeroDivisionError]


def test_work_that_is_to_be_done_again(monkeypatch):
    """After the seconds that it says; what is asked for meanwhile is done at once."""
    slept, go_on = [], threading.Event()

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) > 1:  # done once: nothing more before there is something else to do
            assert go_on.wait(30)

    monkeypatch.setattr(redis_beside, "time", SimpleNamespace(sleep=sleep))
    beside, done = Beside(), []

    def work():
        done.append(("work", sum(slept)))
        return 0.6 if len(done) == 1 else None

    beside.do(work)
    until(lambda: len(slept) == 2)
    beside.do(lambda: done.append(("other", sum(slept))))
    go_on.set()
    until(lambda: not beside._runs)
    (first, begun), (second, meanwhile), (third, again) = done
    assert (first, second, third) == ("work", "other", "work")
    assert meanwhile - begun <= redis_beside.STEP
    assert 0.6 <= again - begun < 0.6 + redis_beside.STEP
    assert SimpleNamespace(**vars(beside))._due == {}


@pytest.mark.parametrize("how", ["a process", "multiprocessing"])
def test_a_process_that_ends_tells_what_is_left(url, how):
    """Though it ends at once behind its last request."""
    program = (
        "import sys, multiprocessing as m; sys.path.insert(0, sys.argv[2]); import test_redis_journal as t\n"
        "t.redis_link.PATIENCE = 10.0\n"
        "def work():\n    t.get(t.make(sys.argv[1]), '/0')\n"
        "if sys.argv[3] == 'a process': work()\n"
        "else:\n    p = m.get_context('fork').Process(target=work); p.start(); p.join()"
    )
    subprocess.run([sys.executable, "-c", program, url, Path(__file__).parent, how], check=True)
    injector = make(url)
    assert paths(injector.events()[0]) == ["/0"]
    assert injector.counts() == {"rule-1": {"matched": 1, "injected": 1}}


def test_the_end_of_this_process(url, monkeypatch):
    """The same, without its end; what a parent has left is its own."""
    make(url)  # the first of a process has the standard library register an end as well
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)
    monkeypatch.setattr(redis_beside, "_heeded", 0)
    registered = []
    monkeypatch.setattr("atexit.register", registered.append)
    finalizers = []
    monkeypatch.setattr(multiprocessing.util, "Finalize", lambda _, end, exitpriority: finalizers.append(end))
    injector = make(url)
    get(injector, "/0")
    get(injector, "/1")
    [end] = registered
    assert finalizers == [end]
    other = make(url)
    assert other.events() == ([], "", 0)
    beside = injector._count_storage.beside
    beside._pid += 1
    end()
    assert other.events() == ([], "", 0)
    beside._pid -= 1
    end()
    assert paths(other.events()[0]) == ["/0", "/1"]
    monkeypatch.delitem(sys.modules, "multiprocessing.util")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    get(injector, "/of a child")
    assert (len(registered), len(finalizers)) == (1, 1)
    assert injector.events()[0][-1].path == "/of a child"


def test_a_child_does_not_tell_its_parents_lines(url, monkeypatch):
    """It begins with none, whatever it is asked first."""
    monkeypatch.setattr(Beside, "do", lambda *_: None)
    readers = [make(url) for _ in range(2)]
    for each in readers:
        get(each, "/parent")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert readers[0].events() == ([], "", 0)
    get(readers[1], "/child")
    assert paths(readers[1].events()[0]) == ["/child"]

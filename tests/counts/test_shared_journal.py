"""The journal as a Redis stream: bounded, with a time to live, and never waited for."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import pytest

from faultinject import Injector, RuleCounts
from faultinject.counts.patience import waiting
from faultinject.exceptions import StoreUnavailableError
from tests.asking import get
from tests.until import until


def make(url):
    """An injector whose journal is that of all who count there."""
    injector = Injector("http:503", store=url, environ={})
    injector.share_outcomes()
    return injector


def paths(found):
    return [each.path for each in found]


@pytest.fixture
def url(new_url):
    return new_url("redis")


@pytest.fixture
def key(url):
    return f"{{{url.partition('prefix=')[2]}}}:journal"


def test_it_comes_by_itself_and_does_not_stay_for_ever(url, key, redis_server):
    """Nobody needs to ask; the key has a time to live."""
    get(make(url), "/0")
    client = redis_server.client()
    until(lambda: client.xlen(key) == 1)
    assert 6 * 86_400 < client.ttl(key) <= 7 * 86_400
    [(_, fields)] = client.xrange(key)
    assert b'"path":"/0"' in fields[b"line"]


@pytest.mark.usefixtures("nothing_beside")
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
    assert (paths(found), dropped, injector.events()[2]) == (["/7", "/8", "/9"], 6, 7)
    assert injector.events(last) == injector.events(last, 0) == ([], last, 0)


@pytest.mark.usefixtures("nothing_beside")
def test_a_stream_that_was_lost_begins_anew(url, redis_server, key):
    """A reader finds the new one."""
    injector = make(url)
    get(injector, "/0")
    [_], cursor, _ = injector.events()
    client = redis_server.client()
    client.delete(key)
    assert injector.events(cursor) == ([], cursor, 0)
    client.xadd(key, {"line": "[]"}, id="99999999999999-3")
    get(injector, "/again")
    found, after, dropped = injector.events(cursor)
    assert (paths(found), dropped, after) == (["/again"], 2, "99999999999999-4")
    assert injector.events(after) == ([], after, 0)
    client.xadd(key, {"line": "no line of ours"})
    assert injector.events(after)[0] == []


@pytest.mark.slow
def test_it_is_bounded(start_redis, nothing_beside, caplog):
    """10,000 lines wait for an absent server, which keeps about as many.

    Requests go on meanwhile. Readers are told how many it has dropped.
    """
    server = start_redis()
    injector = make(server.url)
    get(injector, "/first")
    server.kill()
    for number in range(10_005):
        get(injector, f"/{number}")
    with pytest.raises(StoreUnavailableError):
        injector.events()
    server.start()
    get(injector, "/last")
    nothing_beside.set()
    client = server.client()
    until(lambda: client.xlen("{faultinject}:journal") >= 10_000)
    until(lambda: paths(injector.events(limit=20_000)[0])[-1:] == ["/last"])
    found, cursor, dropped = injector.events(limit=20_000)
    assert len(found) + dropped == 10_001, "10,000, and one more while the first are on their way"
    for number in range(300):
        get(injector, f"/{number}")
    until(lambda: paths(injector.events(cursor)[0])[-1:] == ["/299"])
    assert client.xlen("{faultinject}:journal") <= 10_200
    [logged] = [each for each in caplog.messages if "shared journal" in each]
    assert "more than 10,000 wait for it" in logged


def tell_while_stopped(server, injector):
    """Have a line to tell while the server stands still, and another one when it goes on."""
    server.signal(signal.SIGSTOP)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(waiting, "answer", 0.1)
            patch.setattr(waiting, "opening", 0.1)
            get(injector, "/1")
            with pytest.raises(StoreUnavailableError):
                injector.events()
            # An attempt that the server meets as it goes on may be cut off in the middle.
            until(lambda: "faultinject redis" not in [each.name for each in threading.enumerate()])
    finally:
        server.signal(signal.SIGCONT)
    server.client().ping()
    get(injector, "/2")


@pytest.fixture
def stopping(start_redis):
    """A server that is about to stop, and an injector that has told it a line."""
    server = start_redis()
    injector = make(server.url)
    get(injector, "/0")
    until(lambda: paths(injector.events()[0]) == ["/0"])
    return server, injector


def test_what_was_not_answered_is_not_told_again(stopping):
    """A stopped server has it when it goes on."""
    tell_while_stopped(*stopping)
    _, injector = stopping
    until(lambda: sorted(paths(injector.events()[0])) == ["/0", "/1", "/2"])


def test_a_server_that_takes_a_connection_and_says_nothing(stopping):
    """Lines that were not sent to a silent server are sent when it goes on."""
    server, injector = stopping
    with server.client() as other:
        other.client_kill_filter(_type="normal", skipme=True)
    tell_while_stopped(server, injector)
    until(lambda: paths(injector.events()[0]) == ["/0", "/1", "/2"])


def test_a_server_that_was_away_is_told_with_the_next(start_redis):
    """The lines of an outage are kept, and sent with the next one."""
    server = start_redis()
    injector = make(server.url)
    server.kill()
    get(injector, "/0")
    server.start()
    get(injector, "/1")
    until(lambda: paths(injector.events()[0]) == ["/0", "/1"])


def work(url):
    """A request, behind which a process ends at once."""
    waiting.answer = 10.0  # the machine may be busy
    get(make(url), "/0")


def of_python(url):
    """A process of its own."""
    program = "import sys; from tests.counts.test_shared_journal import work; work(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, url], check=True)


def of_multiprocessing(url):
    """A child, whose end `atexit` is not told of."""
    child = multiprocessing.get_context("fork").Process(target=work, args=[url])
    child.start()
    child.join()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("process", [of_python, of_multiprocessing])
def test_a_process_that_ends_tells_what_is_left(url, process):
    """Though it ends at once behind its last request."""
    process(url)
    injector = make(url)
    assert (paths(injector.events()[0]), injector.counts()) == (["/0"], {"rule-1": RuleCounts(1, 1)})


@pytest.mark.usefixtures("nothing_beside")
def test_a_child_does_not_tell_its_parents_lines(url, monkeypatch):
    """It begins with none, whatever it is asked first."""
    readers = [make(url) for _ in range(2)]
    for each in readers:
        get(each, "/parent")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert readers[0].events() == ([], "", 0)
    get(readers[1], "/child")
    assert paths(readers[1].events()[0]) == ["/child"]

"""Hundreds of requests on kept connections of many threads, a good part of them broken: nobody else is hurt."""

from __future__ import annotations

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.pairs import in_turn

from .apps import photo
from .faults import flipped
from .launch import SERVERS, UNREACHABLE, Server
from .probe import request

pytestmark = [pytest.mark.slow, pytest.mark.alone]

THREADS = 20
EACH = 25
BREAKING = "reset,path=reset/,name=reset close,path=close/,name=close"
WAITING = """
hang,duration=100ms,path=hang/,name=hang
hang,path=long/,name=long
drip,rate=10000,path=drip/,name=drip
drip,rate=10,path=slow/,name=slow
truncate,path=cut/,name=cut
corrupt,path=corrupt/,name=corrupt
"""


@contextmanager
def running(name, folder, rules):
    """A server of its own, or the reason why it cannot run here."""
    if why := SERVERS[name].missing:
        pytest.skip(why)
    server = Server(name, folder, rules)
    try:
        yield server
    finally:
        server.stop()


def head_of(answer):
    """The head without what must differ from one answer to the next."""
    passing = ("date", "content-length")
    return answer.line, *((name, value) for name, value in answer.fields if name.lower() not in passing)


def ask_all(server, thread, order, head):
    """One thread's requests, on one connection as long as it lives: what was seen of each."""
    seen = Counter()
    client = server.connect()
    closes = False
    for number in range(EACH):
        kind = order[number % len(order)]
        size = 100 + 10 * thread + number
        if closes:
            client.close()
            client = server.connect()
        answer = client.ask("GET", f"/{kind}/{thread}-{number}/photos/{size}")
        seen[kind, what(answer, size, head)] += 1
        closes = bool(answer.end) or answer.one("connection") == "close" or answer.line.startswith("HTTP/1.0")
        closes = closes or server.name == "uWSGI"
    client.close()
    return seen


def what(answer, size, head):
    """One answer in a word."""
    if not answer.line:
        return answer.end
    if answer.status != 200:
        return answer.line
    if not answer.whole:
        return "cut" if photo(size).startswith(answer.body) else "wrong"
    wrong = flipped(answer.body, photo(size))
    if wrong:
        return f"{wrong} wrong"
    return "clean" if head_of(answer) == head else "whole"


def ask_from_all_threads(server, order):
    """What was seen of all requests, and what the journal says of them; nothing is left of them afterwards."""
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda _: server.connect().close(), range(THREADS)))
        before = settled(server)
        with server.connect() as client:
            head = head_of(client.ask("GET", "/else/first/photos/10"))
        found = threads.map(lambda number: ask_all(server, number, order, head), range(THREADS))
        seen = sum(found, Counter())
    did = Counter(
        (path.split("/")[1], each["did"])
        for path, outcomes in server.outcomes().items()
        for each in outcomes
        if path.split("/")[1] in order and "first" not in path
    )
    assert settled(server, before) <= before
    assert idle(server) == [server]
    return seen, did


def settled(server, most=None):
    """The number of descriptors once it no longer changes, or is no more than `most`."""
    until = time.monotonic() + 15
    last = None
    while time.monotonic() < until:
        with server.connect() as client:
            # werkzeug leaves dead sockets to the collector.
            client.ask("GET", "/collect", more="Connection: close\r\n")
        time.sleep(0.2)
        if server.clients():
            continue
        now = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in server.pids())
        if now == last if most is None else now <= most:
            return now
        last = now
    return last


def idle(*servers):
    """Which of the servers use next to no processor time.

    Over five seconds: what it has still to do for its first requests, and what a busy machine charges for now and then,
    is little in all of them; what polls or spins does so in each.
    """

    def used(server):
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in server.pids()]
        return sum(int(fields[11]) + int(fields[12]) for fields in stats) / os.sysconf("SC_CLK_TCK")

    before = {server: used(server) for server in servers}
    time.sleep(5)
    return [server for server in servers if used(server) - before[server] < 5 * 0.15]


BROKEN, SLOW = (
    [name for name, what in in_turn(SERVERS, ("broken", "slow")) if what == mine]
    for mine in ("broken", "slow")
)
"""A server is one or the other: what faults do to a connection has the matrix for each."""


@pytest.mark.parametrize("name", BROKEN)
def test_broken_connections(name, tmp_path):
    """Of five requests one is reset, one is closed, three are the app's own, clean to the last byte."""
    with running(name, tmp_path, BREAKING) as server:
        seen, did = ask_from_all_threads(server, ("else", "reset", "else", "close", "else"))
        assert "Traceback" not in server.log
        assert "rror" not in server.log
    fifth = THREADS * EACH // 5
    if name in UNREACHABLE:
        gateway = "HTTP/1.1 502 Bad Gateway"
        assert seen == {
            ("else", "clean"): 3 * fifth,
            ("reset", gateway): fifth,
            ("close", gateway): fifth,
        }
        assert did == {
            ("else", "passed"): 3 * fifth,
            ("reset", "answered"): fifth,
            ("close", "answered"): fifth,
        }
        return
    assert seen == {("else", "clean"): 3 * fifth, ("reset", "RST"): fifth, ("close", "FIN"): fifth}
    assert did == {("else", "passed"): 3 * fifth, ("reset", "reset"): fifth, ("close", "closed"): fifth}


@pytest.mark.parametrize("name", SLOW)
def test_slow_short_and_wrong_answers(name, tmp_path):
    """Of five requests one hangs, one is slow, one cut, one wrong in a byte, and one is the app's own."""
    with running(name, tmp_path, WAITING) as server:
        seen, did = ask_from_all_threads(server, ("hang", "drip", "cut", "corrupt", "else"))
        if name not in UNREACHABLE:  # where an answer is cut by an error, which it logs
            assert "Traceback" not in server.log
            assert "rror" not in server.log
    fifth = THREADS * EACH // 5
    # A slow answer may go past the server, with a head that is worded otherwise.
    slow = seen.pop(("drip", "clean"), 0) + seen.pop(("drip", "whole"), 0)
    assert slow == fifth
    if name in UNREACHABLE:
        gateway = "HTTP/1.1 502 Bad Gateway"
        assert (seen.pop(("hang", gateway)), did.pop(("hang", "answered"))) == (fifth, fifth)
    else:
        assert (seen.pop(("hang", "FIN")), did.pop(("hang", "closed"))) == (fifth, fifth)
    assert seen == {("cut", "cut"): fifth, ("corrupt", "1 wrong"): fifth, ("else", "clean"): fifth}
    assert did == {
        ("drip", "dripped"): fifth,
        ("cut", "truncated"): fifth,
        ("corrupt", "corrupted"): fifth,
        ("else", "passed"): fifth,
    }


def test_waits_cost_nothing_and_end_with_the_server(tmp_path_factory):
    """Hanging and dripping connections use no processor time, and do not keep the server from its end.

    All servers are there together, so that they are watched for the same seconds.
    """
    with ExitStack() as stack:
        clients = {
            stack.enter_context(running(name, tmp_path_factory.mktemp("waits"), WAITING)): []
            for name, kind in SERVERS.items()
            if not kind.missing
        }
        for server, its in clients.items():
            for path in "/long/a/photos/9", "/slow/a/photos/900", "/long/b/photos/9", "/slow/b/photos/900":
                client = stack.enter_context(server.connect())
                client.send(request("GET", path))
                server.outcome(path)
                its.append(client)
        assert idle(*clients) == [*clients]
        for server in clients:
            server.leave()
        for server, its in clients.items():
            server.process.wait(30)
            assert (server.name, [each.end()[0] for each in its]) == (server.name, ["FIN"] * len(its))
            assert f"{os.sep}faultinject{os.sep}adapters" not in server.log

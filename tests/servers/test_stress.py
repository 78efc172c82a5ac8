"""Hundreds of requests on kept connections of many threads, a good part of them broken: nobody else is hurt."""

from __future__ import annotations

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.pairs import in_turn

from .apps import photo
from .faults import flipped
from .launch import SERVERS, UNREACHABLE, Server
from .probe import PATIENCE, request

pytestmark = pytest.mark.slow

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


def here(names):
    """Those of the servers that can run here."""
    return [name for name in names if not SERVERS[name].missing]


def with_each(names, folders, rules, check, for_all):
    """Check a server of each name, and then all of them: whoever has nothing to do any more uses no processor time."""
    with ExitStack() as stack:
        servers = []

        def start_and_check(name):
            servers.append(Server(name, folders.mktemp("stress"), rules))
            stack.callback(servers[-1].stop)
            check(servers[-1])

        for_all(here(names), start_and_check)
        assert idle(*servers) == servers


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


def ask_from_all_threads(server, order, wanted):
    """What was seen of all requests, of which the journal says in the end what is wanted; nothing is left of them afterwards."""
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda _: server.connect().close(), range(THREADS)))
        before = settled(server)
        with server.connect() as client:
            head = head_of(client.ask("GET", "/else/first/photos/10"))
        found = threads.map(lambda number: ask_all(server, number, order, head), range(THREADS))
        seen = sum(found, Counter())
    assert settled(server, before) <= before
    until = time.monotonic() + PATIENCE
    while (did := journaled(server, order)) != wanted and time.monotonic() < until:
        time.sleep(0.05)
    assert did == wanted
    return seen


def journaled(server, order):
    """How often the journal says what of each kind of request."""
    return Counter(
        (path.split("/")[1], each["did"])
        for path, outcomes in server.outcomes().items()
        for each in outcomes
        if path.split("/")[1] in order and "first" not in path
    )


def settled(server, most=None):
    """The number of descriptors once it no longer changes, or is no more than `most`."""
    until = time.monotonic() + 60
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


GATEWAY = "HTTP/1.1 502 Bad Gateway"
BROKEN, SLOW = (
    [name for name, what in in_turn(SERVERS, ("broken", "slow")) if what == mine]
    for mine in ("broken", "slow")
)
"""A server is one or the other: what faults do to a connection has the matrix for each."""


def check_broken_connections(server):
    """Of five requests one is reset, one is closed, three are the app's own, clean to the last byte."""
    fifth = THREADS * EACH // 5
    reset, close = ("reset", "closed") if server.name not in UNREACHABLE else ("answered", "answered")
    wanted = {("else", "passed"): 3 * fifth, ("reset", reset): fifth, ("close", close): fifth}
    seen = ask_from_all_threads(server, ("else", "reset", "else", "close", "else"), wanted)
    assert "Traceback" not in server.log
    assert "rror" not in server.log
    reset, close = ("RST", "FIN") if server.name not in UNREACHABLE else (GATEWAY, GATEWAY)
    assert seen == {("else", "clean"): 3 * fifth, ("reset", reset): fifth, ("close", close): fifth}


def test_broken_connections(tmp_path_factory, for_all):
    """Nobody else is hurt, and nothing of them is left."""
    with_each(BROKEN, tmp_path_factory, BREAKING, check_broken_connections, for_all)


def check_slow_short_and_wrong_answers(server):
    """Of five requests one hangs, one is slow, one cut, one wrong in a byte, and one is the app's own."""
    fifth = THREADS * EACH // 5
    reachable = server.name not in UNREACHABLE
    wanted = {
        ("hang", "closed" if reachable else "answered"): fifth,
        ("drip", "dripped"): fifth,
        ("cut", "truncated"): fifth,
        ("corrupt", "corrupted"): fifth,
        ("else", "passed"): fifth,
    }
    seen = ask_from_all_threads(server, ("hang", "drip", "cut", "corrupt", "else"), wanted)
    if reachable:  # elsewhere an answer is cut by an error, which is logged
        assert "Traceback" not in server.log
        assert "rror" not in server.log
    # A slow answer may go past the server, with a head that is worded otherwise.
    slow = seen.pop(("drip", "clean"), 0) + seen.pop(("drip", "whole"), 0)
    assert slow == fifth
    assert seen == {
        ("hang", "FIN" if reachable else GATEWAY): fifth,
        ("cut", "cut"): fifth,
        ("corrupt", "1 wrong"): fifth,
        ("else", "clean"): fifth,
    }


def test_slow_short_and_wrong_answers(tmp_path_factory, for_all):
    """Nobody else is hurt, and nothing of them is left."""
    with_each(SLOW, tmp_path_factory, WAITING, check_slow_short_and_wrong_answers, for_all)


def test_waits_cost_nothing_and_end_with_the_server(tmp_path_factory):
    """Hanging and dripping connections use no processor time, and do not keep the server from its end.

    All servers are there together, so that they are watched for the same seconds.
    """
    with ExitStack() as stack:
        clients = {}
        for name in here(SERVERS):
            server = Server(name, tmp_path_factory.mktemp("waits"), WAITING)
            stack.callback(server.stop)
            clients[server] = []
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
            server.process.wait(300)
            assert (server.name, [each.end()[0] for each in its]) == (server.name, ["FIN"] * len(its))
            assert f"{os.sep}faultinject{os.sep}adapters" not in server.log

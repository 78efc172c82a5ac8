"""Hundreds of requests on kept connections, many of them broken, hurt no other request."""

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
from .probe import request

pytestmark = pytest.mark.slow

THREADS = 20
EACH = 25
RULES = """
reset,path=reset/,name=reset
close,path=close/,name=close
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


def ask_all(server, thread, order):
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
        seen[kind, what(answer, size)] += 1
        closes = bool(answer.end) or answer.one("connection") == "close" or answer.line.startswith("HTTP/1.0")
        closes = closes or server.name == "uWSGI"
    client.close()
    return seen


def what(answer, size):
    """One answer in a word."""
    if not answer.line:
        return answer.end
    if answer.status != 200:
        return answer.line
    if not answer.whole:
        return "cut" if photo(size).startswith(answer.body) else "wrong"
    wrong = flipped(answer.body, photo(size))
    return f"{wrong} wrong" if wrong else "clean"


def settled(server, most=None):
    """The number of descriptors once it no longer changes, or is no more than `most`."""
    until = time.monotonic() + 60
    last = None
    while time.monotonic() < until:
        # werkzeug leaves dead sockets to the collector.
        server.ask("/collect")
        time.sleep(0.2)
        if server.clients():
            continue
        now = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in server.pids())
        if now == last if most is None else now <= most:
            return now
        last = now
    return last


def idle(*servers):
    """Find the servers that use almost no processor time.

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
SAW = {
    "reset": "RST",
    "close": "FIN",
    "hang": "FIN",
    "drip": "clean",
    "cut": "cut",
    "corrupt": "1 wrong",
    "else": "clean",
}
"""The client's view of each kind of request; the matrix has the journal's."""
WITHOUT_SOCKET = SAW | dict.fromkeys(("reset", "close", "hang"), GATEWAY)
ORDERS = ("else", "reset", "else", "close", "else"), ("hang", "drip", "cut", "corrupt", "else")
"""The kinds of requests for each server; the matrix has all the others."""


def check(server, order):
    """Answers without a fault are complete to the last byte, and nothing is left of the others."""
    hidden = server.name in UNREACHABLE
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda _: server.connect().close(), range(THREADS)))
        before = settled(server)
        seen = sum(threads.map(lambda number: ask_all(server, number, order), range(THREADS)), Counter())
    assert settled(server, before) <= before
    if not hidden or "cut" not in order:  # elsewhere an answer is cut by an error, which is logged
        assert "Traceback" not in server.log
        assert "rror" not in server.log
    expected = Counter((kind, (WITHOUT_SOCKET if hidden else SAW)[kind]) for kind in order)
    assert seen == Counter({each: THREADS * EACH // len(order) * number for each, number in expected.items()})


def test_many_requests_at_once(tmp_path_factory):
    """Some of five kept connections break; idle ones use no processor time."""
    with ExitStack() as stack:
        servers = []
        for name, order in in_turn(here(SERVERS), ORDERS):
            servers.append(Server(name, tmp_path_factory.mktemp("stress"), RULES))
            stack.callback(servers[-1].stop)
            check(servers[-1], order)
        assert idle(*servers) == servers


def test_waits_cost_nothing_and_end_with_the_server(tmp_path_factory):
    """Hanging and dripping connections use no processor time, and do not delay the server's end.

    All servers are there together, so that they are watched for the same seconds.
    """
    with ExitStack() as stack:
        clients = {}
        for name in here(SERVERS):
            server = Server(name, tmp_path_factory.mktemp("waits"), RULES)
            stack.callback(server.stop)
            clients[server] = []
        for server, its in clients.items():
            # The slow body comes last: it holds the worker of a server that has one.
            for path in "/long/a/photos/9", "/long/b/photos/9", "/slow/a/photos/900":
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

"""Hundreds of requests on kept connections of many threads, a good part of them broken: nobody else is hurt."""

from __future__ import annotations

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .apps import photo
from .launch import SERVERS, Server

pytestmark = pytest.mark.slow

THREADS = 20
EACH = 25
# Of five requests one is reset, one is closed, three are the app's own.
ORDER = ("else", "reset", "else", "close", "else")
RULES = "reset,path=reset/,name=reset close,path=close/,name=close"


def ask_all(server, thread):
    """One thread's requests, on one connection as long as it lives: what was seen of each."""
    seen = Counter()
    client = server.connect()
    closes = False
    for number in range(EACH):
        kind = ORDER[number % len(ORDER)]
        size = 100 + 10 * thread + number
        if closes:
            client.close()
            client = server.connect()
        answer = client.ask("GET", f"/{kind}/{thread}-{number}/photos/{size}")
        if answer.line:
            clean = (answer.status, answer.whole, answer.body) == (200, True, photo(size))
            seen[kind, "clean" if clean else answer.line] += 1
        else:
            seen[kind, answer.end] += 1
        closes = bool(answer.end) or answer.one("connection") == "close" or answer.line.startswith("HTTP/1.0")
        closes = closes or server.name == "uWSGI"
    client.close()
    return seen


def descriptors(server):
    """How many descriptors the server's processes hold."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in server.pids())


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
        now = descriptors(server)
        if now == last if most is None else now <= most:
            return now
        last = now
    return last


def cpu(server):
    """Seconds of processor time that the server has used."""
    ticks = 0
    for pid in server.pids():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("name", SERVERS)
def test_stress(name, tmp_path):
    """As many RST and FIN as the rules say, everything else clean; no descriptor, no processor time, no traceback left."""
    if why := SERVERS[name].missing:
        pytest.skip(why)
    server = Server(name, tmp_path, RULES)
    try:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(lambda _: server.connect().close(), range(THREADS)))
            before = settled(server)
            seen = sum(threads.map(lambda number: ask_all(server, number), range(THREADS)), Counter())
        did = Counter(
            (path.split("/")[1], each["did"])
            for path, outcomes in server.outcomes().items()
            for each in outcomes
            if path.startswith(("/else/", "/reset/", "/close/"))
        )
        fifth = THREADS * EACH // 5
        if name == "granian WSGI":
            # It tells an app no port: among several connections nothing is broken, and the journal says so.
            assert seen["else", "clean"] == 3 * fifth
            for kind, end in ("reset", "RST"), ("close", "FIN"):
                assert seen[kind, end] == did[kind, "reset" if end == "RST" else "closed"]
                assert seen[kind, "HTTP/1.1 502 Bad Gateway"] == did[kind, "answered"]
                assert seen[kind, end] + did[kind, "answered"] == fifth
        else:
            assert seen == {("else", "clean"): 3 * fifth, ("reset", "RST"): fifth, ("close", "FIN"): fifth}
            assert did == {
                ("else", "passed"): 3 * fifth,
                ("reset", "reset"): fifth,
                ("close", "closed"): fifth,
            }
        assert settled(server, before) <= before
        used = cpu(server)
        time.sleep(1)
        assert cpu(server) - used < 0.1
        assert "Traceback" not in server.log
        assert "rror" not in server.log.replace("--error", "")
    finally:
        server.stop()

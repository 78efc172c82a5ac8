"""Exact counts under load: many threads, several workers, busy processors."""

import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection

import pytest

from .launch import GUNICORN, Way

TIMES = 300
FAULTS = ("http:503", "cos:SlowDown,probability=0.5")
# A client thread that gets no processor for two seconds would find its connection closed.
LASTING = GUNICORN + "--keep-alive 75 "
WAYS = {
    "1 worker of 64 threads": Way(LASTING + "-w 1 -k gthread --threads 64 served_counted:wsgi", "gunicorn"),
    "4 workers of 64 threads": Way(LASTING + "-w 4 -k gthread --threads 64 served_counted:wsgi", "gunicorn"),
    "4 event loops": Way(LASTING + "-w 4 -k asgi served_counted:asgi", "gunicorn"),
}


@contextmanager
def busy_processors(number=2):
    """Something else wants to run all the time."""
    with ExitStack() as ended:
        for _ in range(number):
            spinning = ended.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            ended.callback(spinning.kill)
        yield


def hammer(port, path, clients, each):
    """The statuses of so many requests on so many connections at once."""

    def client(_):
        found = []
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(each):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            found.append(answer.status)
        connection.close()
        return found

    with ThreadPoolExecutor(clients) as threads:
        return Counter(status for some in threads.map(client, range(clients)) for status in some)


def check(start, way, rounds, clients, each):
    """Check each round's exact number of faults.

    Only a request that waited 50 ms for a worker without a processor has no decision.
    """
    paths = [f"/round-{number}/cat" for number in rounds]
    rules = "\n".join(f"{FAULTS[each % 2]},times={TIMES},path=round-{each}/" for each in rounds)
    server = start(WAYS[way], FAULTINJECT_ENABLED="1", FAULTINJECT_RULES=rules, FAULTINJECT_SEED="load")
    with busy_processors():
        found = {path: hammer(server.port, path, clients, each) for path in paths}
    assert found == {path: {503: TIMES, 200: clients * each - TIMES} for path in paths}
    did = Counter((line["path"], line["did"]) for line in server.lines(*paths))
    for path in paths:
        assert did[path, "answered"] == TIMES
        assert did[path, "passed"] + did[path, "failed"] == clients * each - TIMES
        assert did[path, "failed"] < clients * each / 2
    assert not re.search("is away|rule .* failed", server.log)
    server.stop()


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("way", list(WAYS))
def test_exact_twenty_times_of_twenty(start, way):
    """64 threads in each worker, all of them at work: five rounds on each of four servers."""
    clients, each = (256, 5) if way.startswith("4 workers") else (64, 15)
    for first in range(0, 20, 5):
        check(start, way, range(first, first + 5), clients, each)

"""Under gevent a waiting greenlet lets others run, whenever gevent patched the process."""

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection

import pytest

from tests.locked import locked
from tests.slowly import others_slowly

from .launch import GUNICORN, Way

TIMES = 300
CLIENTS = 12
REQUESTS = 100
"""Requests of each client; half of all come when no fault is left."""
GEVENT = GUNICORN.replace("--graceful-timeout 2", "--graceful-timeout 0") + "--keep-alive 75 -k gevent "
WAYS = {
    "run": Way(GEVENT + "-w 2 served:wsgi", "gunicorn", "gevent"),
    "install": Way(GEVENT + "-w 2 served_counted:wsgi", "gunicorn", "gevent"),
    "install, --preload": Way(GEVENT + "--preload -w 2 served_counted:wsgi", "gunicorn", "gevent"),
    "gevent's server": Way("python serving.py gevent {port} served_counted:wsgi", "gevent"),
    "gevent's server, patched late": Way("python serving.py late-gevent {port} served_counted:wsgi", "gevent"),
}  # fmt: skip


@pytest.fixture
def begin(start, tmp_path):
    """Starts a server in that way with a rule.

    One of several processes has a directory of its own for its counts.
    """

    def begin(name, rule):
        if name == "run":
            return start(WAYS[name], rule)
        store = {} if "server" not in name else {"FAULTINJECT_STORE": f"file:{tmp_path}/store"}
        return start(WAYS[name], FAULTINJECT_ENABLED="1", FAULTINJECT_RULES=rule, **store)

    return begin


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


@contextmanager
def another_process(server, tmp_path):
    """For its block another process seems to have every lock of the server's."""
    with ExitStack() as ended:
        for path in [*server.folder.rglob("lock"), *tmp_path.rglob("lock")]:
            ended.enter_context(locked(path))
        yield


@pytest.mark.parametrize("name", others_slowly(WAYS, "run".__eq__))
def test_greenlets_that_wait_for_another_process(name, begin, tmp_path):
    """Requests that wait for another process get no decision, and the server goes on."""
    server = begin(name, f"http:503,times={CLIENTS},path=photos/")
    with another_process(server, tmp_path), ThreadPoolExecutor(CLIENTS) as threads:
        found = list(threads.map(server.get, ["/photos/cat"] * CLIENTS))
    assert {each and each[0] for each in found} == {200}
    assert (set(server.statuses("/photos/cat", CLIENTS)), server.get("/photos/cat")[0]) == ({503}, 200)


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS)
def test_exact_counts_under_load(name, begin):
    """Each request of twelve clients is answered, and exactly so many have the fault."""
    server = begin(name, f"http:503,times={TIMES},probability=0.5,path=photos/")
    found = hammer(server.port, "/photos/cat", CLIENTS, REQUESTS)
    assert found == {503: TIMES, 200: CLIENTS * REQUESTS - TIMES}
    assert "WORKER TIMEOUT" not in server.log


def test_a_hangup_of_a_server_that_does_nothing(start, tmp_path):
    """Its file of rules is read; gevent's loop, which calls the handler, may not wait for that."""
    way = WAYS["gevent's server"]
    path = tmp_path / "rules.toml"
    path.write_text('[[rules]]\nfault = "http:503"\n')
    server = start(way, FAULTINJECT_ENABLED="1", FAULTINJECT_FILE=str(path))
    for status in (500, 501):
        path.write_text(f'[[rules]]\nfault = "http:{status}"\n')
        os.kill(server.process.pid, signal.SIGHUP)
        server.until(lambda status=status: server.get("/photos/cat")[0] == status)

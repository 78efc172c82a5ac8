"""A Redis server that drips its answers, or never ends one, is bounded in time and size."""

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from faultinject import Injector
from faultinject.counts.patience import waiting
from faultinject.exceptions import StoreUnavailableError
from tests.adapters.conftest import Asgi
from tests.asking import get

from .opened import open_counts

DRIP = b"drip"
"""A sign for one byte every 50 ms."""
BEGUN = {
    "a line": b"+",
    "an error": b"-",
    "a bulk": b"$1000\r\n",
    "an array": b"*9\r\n:1\r\n+",
}
ENDLESS = {
    "a line": (b"+", b"a" * 65_536),
    "a number": (b":", b"1" * 65_536),
    "a bulk": (b"$1073741824\r\n", b"a" * 65_536),
    "an array": (b"*1073741824\r\n", b":1\r\n" * 16_384),
}
MALFORMED = {
    "arrays in arrays": b"*1\r\n" * 5_000,
    "a size of 5,000 digits": b"$" + b"9" * 5_000 + b"\r\n",
    "a size of 50 digits": b"$" + b"9" * 50 + b"\r\n",
    "a word in place of a number": b":one\r\n",
    "a long error": b"-" + b"e" * 60_000 + b"\r\n",
    "no type": b"x" * 60_000 + b"\r\n",
}


class Between:
    """Stands between a client and its server, and answers in its place what it is told to.

    Attributes:
        begin: of the answer to each question from now on.
        more: what follows without an end.
        url: where it is.
    """

    def __init__(self, server):
        self.begin = self.more = b""
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.url = f"redis://127.0.0.1:{port}?prefix={os.urandom(8).hex()}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        with suppress(OSError), client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._server.url.removeprefix("unix://"))
            while question := client.recv(1 << 20):
                if not self.begin and not self.more:
                    server.sendall(question)
                    client.sendall(server.recv(1 << 20))
                    continue
                client.sendall(self.begin)
                while self.more == DRIP:
                    client.sendall(b"a")
                    time.sleep(0.05)
                while self.more:
                    client.sendall(self.more)


@pytest.fixture
def between(redis_server):
    found = Between(redis_server)
    yield found
    found.close()


def get_async(injector):
    """As `get`, of an ASGI app."""
    return Asgi()(injector).status


def place(counts):
    return counts.match([(0, "", "/a", None)], 0.0)[0][0]


@pytest.mark.parametrize("begin", BEGUN.values(), ids=BEGUN)
def test_a_server_that_drips_its_answer(between, begin, monkeypatch):
    """The time limit holds for the whole answer, not for each byte; then the store pauses."""
    counts = open_counts(between.url)
    assert place(counts) == 0
    monkeypatch.setattr(waiting, "answer", 0.2)
    between.begin, between.more = begin, DRIP
    for told in ("Timeout", "pauses"):
        with pytest.raises(StoreUnavailableError, match=told):
            place(counts)


def test_a_server_that_drips_when_it_is_connected_to(between, monkeypatch):
    """The handshake of a connection counts as part of the question that needs it."""
    monkeypatch.setattr(waiting, "answer", 0.2)
    monkeypatch.setattr(waiting, "opening", 0.2)
    between.begin, between.more = b"+", DRIP
    with pytest.raises(StoreUnavailableError, match="Timeout"):
        open_counts(between.url)


@pytest.mark.parametrize(("begin", "more"), ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_an_end(between, begin, more, monkeypatch):
    """No more than 64 KiB are read."""
    counts = open_counts(between.url)
    monkeypatch.setattr(waiting, "answer", 60.0)
    between.begin, between.more = begin, more
    with pytest.raises(StoreUnavailableError, match=r"longer than 65,536 bytes$"):
        place(counts)


@pytest.mark.parametrize("begin", MALFORMED.values(), ids=MALFORMED)
def test_an_answer_that_is_none(between, begin, monkeypatch, caplog):
    """It is a failure of the store, which the log tells in a line of some length."""
    counts = open_counts(between.url)
    monkeypatch.setattr(waiting, "answer", 60.0)
    between.begin = begin
    with pytest.raises(StoreUnavailableError):
        place(counts)
    assert [len(each) < 500 for each in caplog.messages] == [True]


@pytest.mark.parametrize("ask", [get, get_async])
@pytest.mark.parametrize("more", [DRIP, b"a" * 65_536])
def test_requests_pass(between, ask, more, monkeypatch, caplog, nothing_beside):
    """The app answers, the failure is counted, and the log has one line."""
    injector = Injector("http:503,times=5", store=between.url, environ={})
    assert ask(injector) == 503
    monkeypatch.setattr(waiting, "answer", 0.2)
    between.begin, between.more = b"+", more
    assert [ask(injector) for _ in range(20)] == [200] * 20
    between.begin = between.more = b""
    (counts,) = injector.counts().values()
    nothing_beside.set()
    assert counts.failed == 20
    assert sum("the store is unavailable" in each for each in caplog.messages) == 1


def test_a_long_answer_to_a_long_question(redis_server, redis_prefix):
    """Long answers are read: 700 rules are 140 KiB, and the counts of 30,000 have more than 64."""
    rules = [f"http:503,path=/{'a' * 200}{each}" for each in range(700)]
    store = f"{redis_server.url}?prefix={redis_prefix}"
    Injector(rules, store=store, environ={})
    injector = Injector(rules, store=store, environ={})
    assert get(injector, f"/{'a' * 200}7") == 503
    assert injector.counts()[injector.scenario.display_names[7]].injected == 1
    one, other = (open_counts(f"{store}-more") for _ in range(2))
    one.note_injected(29_999)
    assert one.totals([29_999]) == other.totals(list(range(30_000)))[-1:] == [(0, 1, 0)]


@pytest.mark.slow
def test_the_bounds_hold_for_hiredis():
    """redis-py reads by it where it is installed: all of this file, with it."""
    if "HIREDIS" not in os.environ:
        pytest.skip("HIREDIS names no folder with it")
    environ = {**os.environ, "PYTHONPATH": os.environ["HIREDIS"]}
    used = [sys.executable, "-c", "import redis.utils; assert redis.utils.HIREDIS_AVAILABLE"]
    subprocess.run(used, env=environ, check=True)
    tests = [*"-m pytest -q -n 0 -p no:cacheprovider -m".split(), "not slow", __file__]
    ended = subprocess.run([sys.executable, *tests], env=environ, capture_output=True, text=True, check=False)
    assert (ended.returncode, " passed" in ended.stdout) == (0, True), ended.stdout

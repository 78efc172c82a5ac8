"""A named directory is cut, moved, removed or claimed by others while workers count in it."""

import os
import re
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from .launch import GUNICORN, Way

TIMES = 50
BEGUN = "faultinject is on: "
RULE = f"http:503,times={TIMES},path=photos/"
GUNICORN_4 = Way(f"{GUNICORN} -w 4 served_counted:wsgi", "gunicorn")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def start_all(start):
    """Start a server, and wait for its last worker.

    One that still begins makes files where a test takes them away.
    """

    def start_all(way, **variables):
        server = start(way, **variables)
        workers = int(way.line.rpartition("-w ")[2].split()[0])
        server.until(lambda: server.log.count(BEGUN) == workers)
        return server

    return start_all


def named(place, rule=RULE, **more):
    return {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": rule, "FAULTINJECT_SEED": "s"} | {
        "FAULTINJECT_STORE": f"file:{place}",
        **more,
    }


def ask(server, number):
    """The number of faults among requests of eight threads; every request is answered."""
    found = server.asked("/photos/cat", number)
    assert found.keys() <= {200, 503}, found
    return found[503]


def replace_a_worker(server):
    """Kill one, and wait until the master has another in its place that serves."""
    victim = server.answering_process()
    before = server.log.count("Booting worker")
    os.kill(victim, signal.SIGKILL)
    server.until(lambda: server.log.count("Booting worker") > before)
    number = int(re.findall(r"Booting worker with pid: (\d+)", server.log)[-1])
    server.until(lambda: server.process_number() == number)


def moved(place):
    place.rename(place.with_name("away"))


def cut(place):
    os.truncate(place / "counts-1", 0)


LOSSES = {"removed": shutil.rmtree, "moved": moved, "cut": cut}
"""Losses of the directory; `tests/counts/test_directory.py` has those of each file."""


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_never_more_than_there_are(start_all, place, loss):
    """Whatever happens to the directory, faults never exceed the limit, and the log says why.

    The app goes on, though a worker is replaced afterwards.
    """
    server = start_all(GUNICORN_4, **named(place))
    given = ask(server, 20)
    assert given == 20
    LOSSES[loss](place)
    given += ask(server, 200)
    replace_a_worker(server)
    given += ask(server, 200)
    assert given <= TIMES
    assert server.process.poll() is None
    away = re.findall("nothing is injected while the store is unavailable: (.*)", server.log)
    # Each worker says it once. Of a file that only later workers need, those that have it open need not know.
    assert len(away) <= 5, server.log
    if given < TIMES:
        assert away or "cannot be read" in server.log, server.log
    assert "Traceback" not in server.log


@pytest.mark.slow
def test_what_is_put_back_goes_on(start_all, place):
    """After the directory is back, exactly the rest is injected, by newer workers too.

    Nothing was injected meanwhile.
    """
    server = start_all(Way(f"{GUNICORN} -w 2 served_counted:wsgi", "gunicorn"), **named(place))
    given = ask(server, 10)
    moved(place)
    given += ask(server, 60)
    replace_a_worker(server)
    given += ask(server, 20)
    assert given < TIMES
    assert not place.exists()
    place.with_name("away").rename(place)
    end = time.monotonic() + 60
    while given < TIMES:
        assert time.monotonic() < end, server.log
        given += ask(server, 8)
    given += ask(server, 100)
    assert given == TIMES
    assert "nothing is injected while the store is unavailable" in server.log


@pytest.mark.slow
def test_cut_all_the_time(start, place):
    """While 4 workers begin and serve: no process dies."""
    server = start(GUNICORN_4, **named(place, f"{RULE};http:500,path=docs/"))
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(server.get, path) for path in ("/photos/cat", "/docs/a") * 400]
        number = 0
        while not all(each.done() for each in asked):
            number += 1
            for each in place.glob("counts-*"):
                # A worker that meets a cut file takes it away, perhaps between these two looks at it.
                with suppress(FileNotFoundError):
                    os.truncate(each, (0, 4096, 1 << 20, each.stat().st_size)[number % 4])
            os.truncate(place / "lock", number % 9)
    assert {each.result() and each.result()[0] for each in asked} <= {200, 500, 503}, server.log
    # A worker whose store comes back says again what is in force.
    server.until(lambda: server.log.count(BEGUN) >= 4)
    assert server.log.count("Booting worker") == 4, server.log

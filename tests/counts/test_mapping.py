"""Mapped files that are cut while they are used: nobody dies of it, and nothing false is read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faultinject import Injector
from faultinject.counts import mapping
from faultinject.counts.directory import StoreDirectory
from faultinject.counts.filelock import FileLock
from faultinject.counts.generation import CUT
from faultinject.counts.table import SIZE
from faultinject.engine.counting import Take
from faultinject.exceptions import ConfigurationError, StoreUnavailable

KEY = [(0, "", "/", None)]
SCOPED = [(0, "mine", "/", None)]
LENGTHS = (0, 4096, 4097, SIZE - 9)
CALLS = {
    "match": lambda counts: counts.match(SCOPED, 0.0),
    "match and hold": lambda counts: counts.match(KEY, 0.0, True),
    "take": lambda counts: counts.take(Take(0, "", 99)),
    "take of a scope": lambda counts: counts.take(Take(0, "mine", 99)),
    "give back": lambda counts: counts.give_back(Take(0, "", 99)),
}


@pytest.fixture
def store(tmp_path):
    made = StoreDirectory(str(tmp_path / "store"))
    made.publish({}, rules=1)
    return made


def of(store, name):
    return Path(store.path, name)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("again", [False, True])
def test_cut_between_the_look_and_the_access(store, call, length, again, monkeypatch):
    """Behind whatever look there is; also when the file is as long as before a moment later."""
    counts = store.join()[2]
    counts.match(SCOPED, 0.0)
    assert counts.take(Take(0, "", 1))

    def cut(lock, *patience):
        acquire(lock, *patience)
        os.truncate(of(store, "counts-1"), length)
        if again:
            os.truncate(of(store, "counts-1"), SIZE)

    acquire = FileLock.acquire
    monkeypatch.setattr(FileLock, "acquire", cut)
    monkeypatch.setattr(counts, "_acquire", store.lock.acquire)
    with pytest.raises(StoreUnavailable, match=r"/counts-1 (was cut short|is damaged)$"):
        CALLS[call](counts)
    assert store.lock.acquire_at_once(), "nobody is left with the lock"
    store.lock.release()
    counts.note_injected(0)
    with pytest.raises(StoreUnavailable, match=r"/counts-1 (was cut short|is damaged)$"):
        counts.match_without_lock(KEY, [0])
    assert counts.totals([0]) == [(0, 1, 0)], "what this process knows itself"


@pytest.mark.parametrize("length", [0, 1, 8, 15])
def test_the_word_is_cut(store, length):
    """And true again once somebody publishes."""
    assert store.number.read() == 1
    os.truncate(of(store, "generation"), length)
    assert store.number.read() == CUT
    os.truncate(of(store, "generation"), 16)
    assert store.number.read() == CUT, "as long as before"
    assert store.publish({}, rules=1) == 2
    assert store.number.read() == 2


def test_a_word_that_is_cut_again_and_again(store, monkeypatch):
    """Cut between the two looks at it, too."""
    os.truncate(of(store, "generation"), 0)
    real = store.number._is_whole

    def late():
        store.number.write(7)
        found = real()
        os.truncate(of(store, "generation"), 0)
        return found

    monkeypatch.setattr(type(store.number), "_is_whole", lambda _: late())
    assert store.number.read() == CUT


@pytest.fixture
def cut_before_the_map(monkeypatch):
    """Has the next so many files cut when their lengths have been looked at, and before they are mapped."""
    left = []

    def cut(file, size):
        if left and left.pop():
            os.ftruncate(file, 3)
        return real(file, size)

    real = mapping.mmap
    monkeypatch.setattr(mapping, "mmap", cut)
    return lambda number: left.extend([True] * number)


def test_cut_before_it_is_mapped(store, cut_before_the_map):
    """A damaged file like any other: for who begins, who takes part, and who serves."""
    cut_before_the_map(1)
    with pytest.raises(
        ConfigurationError, match=r"cannot be used \(it was cut short\): name another directory$"
    ):
        StoreDirectory(store.path)
    assert store.publish({}, rules=1) == 2
    cut_before_the_map(1)
    with pytest.raises(StoreUnavailable, match=r"it was cut short$"):
        store.join()


def test_cut_before_a_worker_has_mapped_it(store, cut_before_the_map, monkeypatch):
    """A server goes on: its next worker tries again."""
    monkeypatch.setattr("faultinject.counts.holders.begun_with", lambda _: True)
    cut_before_the_map(3)
    environ = {"FAULTINJECT_STORE": f"file:{store.path}"}
    assert Injector("http:503", environ=environ).errors == []


def test_somebody_elses_signal(store):
    """Who had it before the store gets it."""
    store.join()
    caught = []
    before = signal.signal(signal.SIGBUS, lambda number, _: caught.append(number))
    try:
        store.join()
        os.kill(os.getpid(), signal.SIGBUS)
        assert caught == [signal.SIGBUS]
    finally:
        signal.signal(signal.SIGBUS, before or signal.SIG_DFL)
    store.join()


FOREIGN = """
import mmap, os, signal, sys
from faultinject.counts.directory import StoreDirectory
path, what, begins = sys.argv[1:]
if begins == "handled":
    import faulthandler
    faulthandler.enable()
store = StoreDirectory(path, make=False)
counts = store.join()[2]
if what == "signal":
    os.kill(os.getpid(), signal.SIGBUS)
elif what == "fault":
    with open(path + ".other", "wb+") as file:
        file.truncate(4096)
        other = mmap.mmap(file.fileno(), 4096)
        file.truncate(0)
        other[0]
print("alive")
"""


@pytest.mark.parametrize("begins", ["plain", "handled"])
@pytest.mark.parametrize("what", ["signal", "fault"])
def test_the_faults_of_others_are_theirs(store, what, begins):
    """The process ends as it would without a store, with what it has for that."""
    # A process that is killed leaves half a file of coverage behind.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    ran = subprocess.run(
        [sys.executable, "-c", FOREIGN, store.path, what, begins],
        capture_output=True,
        text=True,
        timeout=60,
        env=environ,
    )
    assert (ran.returncode, ran.stdout) == (-signal.SIGBUS, "")
    assert ("Fatal Python error: Bus error" in ran.stderr) is (begins == "handled")


CUT_ALL_THE_TIME = """
import os, sys
from threading import Thread
from faultinject.engine.counting import Take
from faultinject.exceptions import ConfigurationError, StoreUnavailable
from faultinject.counts.directory import StoreDirectory

path, rounds = sys.argv[1], int(sys.argv[2])
store = StoreDirectory(path)
for number in range(rounds):
    generation = store.publish({}, rules=2)
    counts = store.join()[2]
    taken = []
    for _ in range(5):
        assert counts.take(Take(0, "", 5))
    gate = []

    def work():
        gate.append(1)
        for _ in range(3000):
            try:
                counts.match([(0, "", "/", None), (1, "s", "/", None)], 0.0, True)
                try:
                    taken.append(counts.take(Take(0, "", 5), True))
                finally:
                    counts.release()
                taken.append(counts.take(Take(0, "", 5)))
                counts.note_injected(1)
                store.number.read()
            except StoreUnavailable:
                return

    threads = [Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    while len(gate) < 3:
        pass
    for name in (f"counts-{generation}", "generation"):
        os.truncate(f"{path}/{name}", (0, 4096, 4100, 1 << 20)[number % 4])
    for each in threads:
        each.join()
    assert not any(taken), taken
print("alive")
"""


def test_cut_at_any_moment(tmp_path):
    """Threads that count, and somebody who cuts: nobody dies, and nothing is taken beyond what there is."""
    ran = subprocess.run(
        [sys.executable, "-c", CUT_ALL_THE_TIME, tmp_path / "store", "40"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ran.returncode, ran.stdout) == (0, "alive\n"), ran.stderr


def test_what_is_guarded_is_let_go(store):
    """Of a map that is closed nothing is kept."""
    counts = store.join()[2]
    before = len(mapping._maps)
    other = store.join()[2]
    assert len(mapping._maps) == before + 1
    del other
    assert len(mapping._maps) == before
    del counts


def test_a_child_guards_its_own(store):
    """Though a thread of its parent was just about to."""
    with mapping._lock:
        mapping.after_fork()
    store.join()
    assert not mapping._lock.locked()


def test_a_python_without_ctypes(tmp_path, monkeypatch):
    """The length is looked at before each access: only the moment between the two is left."""
    monkeypatch.setitem(sys.modules, "ctypes", None)
    store = StoreDirectory(str(tmp_path / "store"))
    store.publish({}, rules=1)
    counts = store.join()[2]
    assert counts.match(KEY, 0.0)
    assert counts.take(Take(0, "", 9))
    os.truncate(of(store, "generation"), 0)
    assert store.generation == CUT
    os.truncate(of(store, "counts-1"), 0)
    with pytest.raises(StoreUnavailable, match="was cut short"):
        counts.match(KEY, 0.0)
    assert counts.totals([0]) == [(0, 0, 0)], "of this process alone"

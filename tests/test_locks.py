"""Locks made before gevent patches the process let other greenlets run while one waits."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from faultinject.locks import Lock, ReentrantLock
from tests.until import until

LOCKS = [Lock, ReentrantLock]
SCRIPT = """
import signal
from faultinject import locks

made = {"Lock": (locks.Lock(), [0.01]), "ReentrantLock": (locks.ReentrantLock(), [])}
import gevent
from gevent import monkey
monkey.patch_all()
import time

def work(number):
    global inside, most
    with lock:
        inside += 1
        most = max(most, inside)
        time.sleep(0.01)
        inside -= 1
    done.append(number)

for name, (lock, bounds) in made.items():
  inside, most, done = 0, 0, []
  gevent.joinall([gevent.spawn(work, number) for number in range(5)], raise_error=True)
  print(most, sorted(done))
  with lock:
    print([gevent.spawn(lock.acquire, each).get(timeout=60) for each in (0, *bounds)])
    waits = gevent.spawn(work, 5)
    gevent.sleep(0.01)
    print(waits.ready())
  waits.join()

# The loop calls a signal's handler while the one greenlet that there is waits, and has the reentrant lock.
def handle(*_):
    with lock:
        told.append("handled")
told = []
signal.signal(signal.SIGALRM, handle)
with lock, lock:
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    while not told:
        time.sleep(0.01)
    print(gevent.spawn(lock.acquire, 0).get(timeout=60))
print(gevent.spawn(lock.acquire, 0).get(timeout=60))
"""


@pytest.mark.live
def test_greenlets_of_a_process_that_was_patched_later():
    """One at a time has it, and the loop goes on."""
    pytest.importorskip("gevent")
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=100
    )
    ran = "1 [0, 1, 2, 3, 4]"
    lines = [ran, "[False, False]", "False", ran, "[False]", "False", "False", "True"]
    assert (found.stderr, found.stdout.splitlines()) == ("", lines)


@pytest.mark.parametrize("lock", LOCKS)
def test_threads(lock):
    """The next one has it when it is released."""
    lock = lock()
    begun, had = threading.Event(), []

    def work():
        begun.set()
        with lock:
            had.append(True)

    thread = threading.Thread(target=work)
    with lock:
        thread.start()
        assert begun.wait(60)
        thread.join(0.05)
        assert not had
    thread.join(60)
    assert had == [True]


def test_a_bound():
    """A caller that may not wait, or not so long, does not get the lock."""
    lock = Lock()
    with lock:
        assert [lock.acquire(each) for each in (0, 0.001)] == [False, False]
    assert lock.acquire(0.001)


def test_a_signal():
    """A handler has what its own thread has; another thread does not."""
    lock, handled = ReentrantLock(), []

    def handle(*_):
        with lock:
            handled.append(lock.acquire(blocking=False))
            lock.release()

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with lock, ThreadPoolExecutor() as pool:
            signal.raise_signal(signal.SIGUSR1)
            until(lambda: handled == [True])
            assert not pool.submit(lock.acquire, blocking=False).result(60)
    finally:
        signal.signal(signal.SIGUSR1, before)

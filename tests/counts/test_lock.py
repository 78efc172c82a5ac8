"""The lock of a store: threads, processes, stopped and killed ones, and forks."""

import fcntl
import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread

import pytest

from faultinject.counts.filelock import CUT, FileLock
from faultinject.counts.patience import waiting
from faultinject.exceptions import StoreBusyError, StoreUnavailableError
from tests.descriptors import opened

HOLDER = """
import sys
from faultinject.counts.filelock import CUT, FileLock
lock = FileLock.open(sys.argv[1])
for line in sys.stdin:
    getattr(lock, line.strip())()
    print("done", flush=True)
"""


@pytest.fixture
def lock(tmp_path):
    return FileLock.open(str(tmp_path / "lock"))


@pytest.fixture
def holder(process, lock):
    """Another process that has the lock."""
    other = process(HOLDER, lock.path)
    tell(other, "acquire")
    return other


def tell(other, word):
    other.stdin.write(f"{word}\n")
    other.stdin.flush()
    assert other.stdout.readline() == "done\n"


def stop(other):
    """It neither runs nor waits for a processor when this returns."""
    other.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, other.pid, os.WSTOPPED)


def waited(lock, now, *patience):
    """Seconds until the lock was not got, by the clock of the pauses."""
    began = now[0]
    with pytest.raises(StoreBusyError, match=r"^another process held .*/lock for more than \d+ ms$"):
        lock.acquire(*patience)
    return now[0] - began


def test_another_process_keeps_it(lock, holder, now):
    """A lock kept by another process costs 50 ms once, then nothing, except for a publisher.

    A holder that outlasted the patience is not waited for again.
    """
    stop(holder)
    assert 0.05 <= waited(lock, now) < 0.1
    assert waited(lock, now) == waited(lock, now) == 0
    assert 1.9 < waited(lock, now, 2.0) < 2.1
    holder.send_signal(signal.SIGCONT)
    tell(holder, "release")
    with lock:
        pass
    tell(holder, "acquire")
    assert waited(lock, now) >= 0.05, "the next hold is waited for as the first"


def test_it_is_waited_for(lock, holder, monkeypatch):
    """Released within the patience, it is got."""
    monkeypatch.setattr(waiting, "clock", lambda: 0.0)  # no time goes by
    holder.stdin.write("release\n")
    holder.stdin.flush()
    lock.acquire(60.0)
    lock.release()


def test_threads_behind_a_stopped_holder_do_not_queue_up(lock, holder, in_many_threads, monkeypatch):
    """16 threads wait together: once one has waited long enough, none waits again."""
    pauses = []
    monkeypatch.setattr(waiting, "pause", lambda seconds: (pauses.append(seconds), time.sleep(seconds)))
    stop(holder)

    def work(_):
        with pytest.raises(StoreBusyError):
            lock.acquire()

    in_many_threads(16, work)
    holder.send_signal(signal.SIGCONT)
    assert sum(pauses) < 2 * 0.06


def test_a_thread_that_is_slow_is_waited_for(lock, monkeypatch):
    """A slow thread is waited for without a limit, and nobody asks for the file meanwhile.

    A thread that was torn out of its turn hangs nobody for ever.
    """
    pauses, got, begun = [], [], Event()
    monkeypatch.setattr(waiting, "pause", pauses.append)
    lock.acquire()
    behind = Thread(target=lambda: (begun.set(), lock.acquire(), got.append(True), lock.release()))
    behind.start()
    begun.wait()
    assert got == []
    lock.release()
    behind.join()
    assert (got, pauses) == ([True], [])
    monkeypatch.setattr(waiting, "queue_timeout", 0.01)
    with (
        lock,
        pytest.raises(StoreUnavailableError, match=r"threads of this process have held .*/lock for 0.01 s$"),
    ):
        lock.acquire()
    with pytest.raises(ZeroDivisionError), lock:
        _ = 1 / 0
    with lock:
        pass


def test_a_lock_whose_descriptor_somebody_has_closed(lock, tmp_path):
    """If a program closed the lock's descriptor, the next user opens the file again.

    A program that becomes a daemon does so. Nobody's file is closed.
    """
    [number] = opened(lock.path)
    os.close(number)
    assert lock.read() == CUT
    with pytest.raises(OSError, match="Bad file descriptor"):
        lock.acquire()
    again = FileLock.open(lock.path)
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    if other != number:
        os.dup2(other, number)
    with FileLock.open(lock.path):
        pass
    with pytest.raises(StoreUnavailableError, match="gone"):
        again.acquire()
    del lock
    gc.collect()
    os.fstat(other)
    low = os.dup(other)
    late = FileLock.open(str(tmp_path / "late"))
    for each in (low, *opened(late.path)):
        os.close(each)
    with FileLock.open(late.path):  # by another number than before
        pass
    with FileLock.open(str(tmp_path / "other")):
        pass


def test_the_number_of_a_removed_file_is_another_s(lock, tmp_path):
    """Nor is the old lock the new file's, where somebody has closed its descriptor."""
    moved = str(tmp_path / "moved")
    os.link(lock.path, moved)  # as a system does that gives the number to the next file
    for each in opened(lock.path):
        os.close(each)
    Path(lock.path).unlink()
    other = FileLock.open(moved)
    with other:
        other.check()
    with pytest.raises(StoreUnavailableError, match="gone"):
        lock.acquire()


def test_it_is_got_between_two_looks(lock, monkeypatch):
    """Whoever asks what is wrong may find that nothing is any more."""
    outside = os.open(lock.path, os.O_RDWR)
    fcntl.flock(outside, fcntl.LOCK_EX)
    monkeypatch.setattr(waiting, "pause", lambda _: fcntl.flock(outside, fcntl.LOCK_UN))
    with lock, pytest.raises(BlockingIOError):
        fcntl.flock(outside, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(outside)


def test_an_interrupted_wait_leaves_it_free(lock, holder, monkeypatch):
    """Ctrl-C while another process has the lock leaves it free for threads and processes."""

    def interrupt(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(waiting, "pause", interrupt)
        lock.acquire()
    tell(holder, "release")
    with lock:
        pass


def test_one_file_is_one_lock(tmp_path, lock):
    """One file is one lock in a process, by any path; it is private, and closed after use.

    No link is followed.
    """
    os.link(lock.path, tmp_path / "same")
    assert FileLock.open(str(tmp_path / "same")) is lock
    directory = os.open(tmp_path, os.O_RDONLY)
    assert FileLock.open(lock.path, directory=directory) is lock
    os.close(directory)
    [number] = opened(lock.path)
    assert (os.fstat(number).st_mode & 0o777, os.get_inheritable(number)) == (0o600, False)
    other = FileLock.open(str(tmp_path / "other"))
    assert other is not lock
    del other
    assert opened(tmp_path / "other") == {}
    (tmp_path / "link").symlink_to(lock.path)
    with pytest.raises(OSError, match="symbolic link"):
        FileLock.open(str(tmp_path / "link"))
    with pytest.raises(FileNotFoundError):
        FileLock.open(str(tmp_path / "missing" / "lock"))


FORKED = """
import os, sys, threading
from faultinject.exceptions import StoreUnavailableError
from faultinject.counts.filelock import CUT, FileLock

lock = FileLock.open(sys.argv[1])
how = sys.argv[2]
held = threading.Event()
go_on = threading.Event()

def hold():
    with lock:
        held.set()
        go_on.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
real = os.open
if how in ("unlinked", "gone"):
    os.unlink(lock.path)
if how == "replaced":
    os.rename(lock.path, lock.path + ".old")
    FileLock.open(lock.path)
if how in ("gone", "replaced", "put back"):
    def without_proc(path, *rest, **named):
        if path.startswith("/proc"):
            raise FileNotFoundError
        return real(path, *rest, **named)
    os.open = without_proc
ready, told = os.pipe()
pid = os.fork()
if not pid:
    def tried():
        try:
            lock.acquire()
        except StoreUnavailableError as error:
            return "gone" if str(error).endswith("is gone") else "held"
        lock.release()
        return "got"
    said = [tried()]
    os.write(told, b".")
    sys.stdin.readline()
    said.append(tried())
    print(*said, flush=True)
    if not os.fork():
        tried()
else:
    os.read(ready, 1)
    go_on.set()
    thread.join()
    print("free", flush=True)
    os.waitpid(pid, 0)
"""


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("", "held got"),
        ("unlinked", "held got"),
        ("gone", "gone gone"),
        ("replaced", "gone gone"),
        ("put back", "held got"),
    ],
)
def test_a_child_has_a_lock_of_its_own(process, tmp_path, how, said):
    """A child's lock excludes its parent, and the parent's thread does not hold it.

    What it inherits would be its parent's. It is the very same file, also when its name is gone; another file of that
    name is not taken for it.
    """
    forked = process(FORKED, tmp_path / "lock", how)
    assert forked.stdout.readline() == "free\n"
    forked.stdin.write("\n")
    forked.stdin.flush()
    assert (forked.stdout.read(), forked.wait()) == (f"{said}\n", 0)


# uWSGI forks its workers so. With its parent's lock the child would come in whenever the parent has it.
UNTOLD = """
import ctypes, os, sys
from faultinject.counts.filelock import CUT, FileLock
from faultinject.exceptions import StoreBusyError

lock = FileLock.open(sys.argv[1])
lock.acquire()
child = ctypes.PyDLL(None).fork()
if not child:
    try:
        lock.acquire()
        os._exit(1)
    except StoreBusyError:
        os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
lock.release()
child = ctypes.PyDLL(None).fork()
if not child:
    lock.acquire()
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
lock.acquire()
"""
# There is nothing to inherit, and no error is told.
CLOSED = """
import os, sys
from faultinject.counts.filelock import CUT, FileLock
number = os.open(os.devnull, os.O_RDONLY)
os.close(number)
lock = FileLock.open(sys.argv[1])
os.close(number)
if not os.fork():
    with lock:
        os._exit(3)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
# Those that it inherits; so does a grandchild, and a second lock.
LEAVING_NONE = """
import os, sys
from faultinject.counts.filelock import CUT, FileLock
locks = [FileLock.open(f"{sys.argv[1]}{number}") for number in range(2)]
before = len(os.listdir("/proc/self/fd"))
for _ in range(2):
    if pid := os.fork():
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
for lock in locks:
    with lock:
        pass
os._exit(len(os.listdir("/proc/self/fd")) - before)
"""


@pytest.mark.parametrize(
    ("program", "out", "code"),
    [
        pytest.param(UNTOLD, "0\n0\n", 0, id="forked behind Python's back it has a lock of its own"),
        pytest.param(CLOSED, "", 3, id="it opens anew what somebody has closed"),
        pytest.param(
            LEAVING_NONE,
            "",
            0,
            id="it closes descriptors",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc"),
        ),
    ],
)
def test_a_child_and_its_descriptors(process, tmp_path, program, out, code):
    """A child has a lock of its own, in whatever state is the one that it inherits."""
    ran = process(program, tmp_path / "lock", stderr=subprocess.PIPE)
    told, errors = ran.communicate(timeout=60)
    assert (told, ran.returncode, "Exception ignored" in errors) == (out, code, False)

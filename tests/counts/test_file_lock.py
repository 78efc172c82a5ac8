"""The lock of a store: threads, processes, stopped and killed ones, and forks."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import sys
import time
from pathlib import Path
from threading import Event, Thread

import pytest

from faultinject.counts import filelock, owner
from faultinject.counts.filelock import LONG_PATIENCE, PATIENCE, FileLock
from faultinject.exceptions import StoreBusy, StoreUnavailable

HOLDER = """
import sys
from faultinject.counts.filelock import FileLock
lock = FileLock.open(sys.argv[1])
for line in sys.stdin:
    if line.strip() == "work":
        print("done", flush=True)
        while True:
            pass
    getattr(lock, line.strip())()
    print("done", flush=True)
"""


@pytest.fixture(params=["flock_of_c", "flock_of_python"])
def lock(request, tmp_path, monkeypatch):
    """Also where Python has no ctypes."""
    made = getattr(filelock, request.param)
    monkeypatch.setattr(filelock, "_system", made() if request.param == "flock_of_c" else made)
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


def waited(lock, patience=PATIENCE):
    """Seconds until the lock was not got."""
    began = time.monotonic()
    with pytest.raises(StoreBusy, match=r"^another process held .*/lock for more than \d+ ms$"):
        lock.acquire(patience)
    return time.monotonic() - began


@pytest.fixture
def pauses(monkeypatch):
    """How long the lock asked to sleep, each time."""
    slept = []
    real = filelock.sleep
    monkeypatch.setattr(filelock, "sleep", lambda seconds: (slept.append(seconds), real(seconds)))
    return slept


def test_a_request_waits_50_ms_at_most():
    """The contract's number; a second for one that is at work and only waits for a processor."""
    assert (PATIENCE, LONG_PATIENCE) == (0.05, 1.0)


def test_another_process_keeps_it(lock, holder):
    """Whoever wants it meanwhile goes away empty-handed, and gets it afterwards."""
    assert waited(lock) >= PATIENCE
    tell(holder, "release")
    lock.acquire()
    lock.release()


def test_it_is_waited_for(lock, holder):
    """Released within the patience, it is got."""
    holder.stdin.write("release\n")
    holder.stdin.flush()
    lock.acquire(60.0)
    lock.release()


def test_a_stopped_holder_blocks_nobody(lock, holder):
    """Others time out and go on; once it goes on too, all is well."""
    os.kill(holder.pid, signal.SIGSTOP)
    try:
        assert PATIENCE <= waited(lock) < 20 * PATIENCE
    finally:
        os.kill(holder.pid, signal.SIGCONT)
    tell(holder, "release")
    lock.acquire(5.0)
    lock.release()


def test_threads_behind_a_stopped_holder_do_not_queue_up(lock, holder, in_many_threads):
    """16 threads wait together, not one after the other."""
    os.kill(holder.pid, signal.SIGSTOP)
    try:
        assert max(in_many_threads(16, lambda _: waited(lock, 0.5))) < 16 * 0.5
    finally:
        os.kill(holder.pid, signal.SIGCONT)


def test_a_killed_holder_leaves_it_free(lock, holder):
    """kill -9."""
    holder.kill()
    holder.wait()
    lock.acquire()
    lock.release()


def test_threads_exclude_each_other(lock, in_many_threads):
    """However many, one at a time; a busy interpreter makes nobody give up."""
    inside, most = [], []

    def work(thread):
        for _ in range(50):
            with lock:
                inside.append(thread)
                most.append(len(inside))
                inside.remove(thread)

    in_many_threads(32, work)
    assert len(most) == 32 * 50
    assert set(most) == {1}


def test_threads_queue_without_a_bound(lock, in_many_threads):
    """They have no patience at all with other processes, and each gets its turn: their own process is none."""

    def work(thread):
        for _ in range(50):
            lock.acquire(0.0)
            lock.release()
        return thread

    assert in_many_threads(64, work) == list(range(64))


def test_a_thread_that_is_slow_is_waited_for(lock, pauses):
    """Longer than another process would be, and nobody asks for the file meanwhile."""
    got, begun = [], Event()
    lock.acquire()
    waiting = Thread(target=lambda: (begun.set(), lock.acquire(), got.append(True), lock.release()))
    waiting.start()
    begun.wait()
    waiting.join(3 * PATIENCE)
    assert got == []
    lock.release()
    waiting.join()
    assert got == [True]
    assert pauses == []


def test_a_turn_that_never_ends(lock, monkeypatch):
    """A thread that was torn out of its turn hangs nobody for ever."""
    monkeypatch.setattr(filelock, "LOST", 0.01)
    with (
        lock,
        pytest.raises(StoreUnavailable, match=r"threads of this process have held .*/lock for 0.01 s$"),
    ):
        lock.acquire()
    with pytest.raises(ZeroDivisionError), lock:
        _ = 1 / 0
    with lock:
        pass


def test_what_outlasted_somebodys_patience_is_not_waited_for_again(lock, holder, pauses):
    """Everybody asks once until it ends; then it is got, and the next hold is waited for as the first."""
    waited(lock)
    assert len(pauses) > 5
    pauses.clear()
    waited(lock)
    waited(lock)
    assert pauses == []
    tell(holder, "release")
    lock.acquire()
    lock.release()
    tell(holder, "acquire")
    assert waited(lock) >= PATIENCE
    assert len(pauses) > 5


@pytest.mark.skipif(sys.platform != "linux", reason="looked up in /proc")
def test_one_that_is_at_work_is_waited_for_longer(lock, holder, monkeypatch):
    """On a busy machine the holder itself may have to wait for a processor."""
    tell(holder, "work")
    monkeypatch.setattr(filelock, "LONG_PATIENCE", 4 * PATIENCE)
    assert waited(lock) >= 4 * PATIENCE


@pytest.mark.skipif(sys.platform != "linux", reason="looked up in /proc")
def test_whether_the_holder_works(lock, holder, tmp_path, monkeypatch):
    """It does while it runs; not while it is stopped, or when nobody has the file, or where nobody tells."""
    inode = os.fstat(lock._file).st_ino
    while owner.holder_works(inode):
        time.sleep(0.001)  # until it has gone to sleep for its next line
    tell(holder, "work")
    while not owner.holder_works(inode):
        time.sleep(0.001)
    os.kill(holder.pid, signal.SIGSTOP)
    while owner.holder_works(inode):
        time.sleep(0.001)
    monkeypatch.setattr(owner, "_PROC", str(tmp_path / "none"))
    assert not owner.holder_works(inode)
    monkeypatch.undo()
    holder.kill()
    holder.wait()
    assert not owner.holder_works(inode)


@pytest.mark.parametrize("reused", [True, False])
def test_a_lock_whose_descriptor_somebody_has_closed(lock, tmp_path, reused):
    """As a program does that becomes a daemon: another file that gets the number of the removed one has a lock of its own."""
    number = lock._file
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    os.close(number)
    if reused:
        os.dup2(other, number)
    # What a file system does with the number of a file that is gone.
    found = os.fstat(other)
    filelock._known.pop(lock._identity)
    lock._identity = found.st_dev, found.st_ino if not reused else 0
    filelock._known[found.st_dev, found.st_ino] = lock
    os.close(other)
    again = FileLock.open(str(tmp_path / "other"))
    assert again is not lock
    with again:
        pass
    assert FileLock.open(str(tmp_path / "other")) is again
    del lock
    gc.collect()
    if reused:
        os.close(number)  # which nobody else has closed
    with again:
        pass


def test_a_lock_whose_descriptor_is_nobodys(lock):
    """Closed by somebody, and its number not given again: the next one opens the file anew."""
    number, lock._file = lock._file, fcntl.fcntl(lock._file, fcntl.F_DUPFD_CLOEXEC, 200)
    os.close(number)
    os.close(lock._file)
    again = FileLock.open(lock.path)
    assert again is not lock
    with again:
        pass


def test_a_file_that_cannot_be_locked(lock):
    """The system's own words, not a lock that is held."""
    os.close(lock._file)
    with pytest.raises(OSError, match="Bad file descriptor"):
        lock.acquire()
    lock._file = os.open(lock.path, os.O_RDWR)
    with lock:
        pass


def test_it_is_got_between_two_looks(lock, monkeypatch):
    """Whoever asks what is wrong may find that nothing is any more."""
    refused = [True]
    real = lock._flock
    monkeypatch.setattr(lock, "_flock", lambda *given: refused.pop() if refused else real(*given))
    with lock, pytest.raises(BlockingIOError):
        fcntl.flock(other := os.open(lock.path, os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_at_once_or_not_at_all(lock, holder):
    """What takes no waiting: nobody has it."""
    assert not lock.acquire_at_once()
    tell(holder, "release")
    assert lock.acquire_at_once()
    assert not lock.acquire_at_once()
    lock.release()


def test_who_publishes_waits_all_the_same(lock, holder):
    """Though requests have given up on this hold: a scenario is put in force once, and for all."""
    waited(lock)
    holder.stdin.write("release\n")
    holder.stdin.flush()
    lock.acquire(60.0)
    lock.release()


def test_an_interrupted_wait_leaves_it_free(lock, holder, monkeypatch):
    """Ctrl-C while another process has it: neither the threads nor the processes behind are kept waiting."""

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(filelock, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        lock.acquire()
    monkeypatch.undo()
    tell(holder, "release")
    with lock:
        pass


def test_one_file_is_one_lock(tmp_path, lock):
    """By whatever path, in one process; it is closed when nobody uses it any more."""
    os.link(lock.path, tmp_path / "same")
    assert FileLock.open(str(tmp_path / "same")) is lock
    directory = os.open(tmp_path, os.O_RDONLY)
    assert FileLock.open(lock.path, directory=directory) is lock
    os.close(directory)
    other = FileLock.open(str(tmp_path / "other"))
    assert other is not lock
    file = other._file
    os.fstat(file)
    del other
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


def test_it_is_private_and_no_link(tmp_path, lock):
    """0600, not inherited by programs, and a symbolic link is not followed."""
    assert os.fstat(lock._file).st_mode & 0o777 == 0o600
    assert not os.get_inheritable(lock._file)
    (tmp_path / "link").symlink_to(lock.path)
    with pytest.raises(OSError, match="symbolic link"):
        FileLock.open(str(tmp_path / "link"))


FORKED = """
import os, sys, threading
from faultinject.exceptions import StoreUnavailable
from faultinject.counts import filelock
from faultinject.counts.filelock import FileLock

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
if how == "unlinked":
    os.unlink(lock.path)
if how == "gone":
    os.unlink(lock.path)
    real = os.open
    def without_proc(path, *rest, **named):
        if path.startswith("/proc"):
            raise FileNotFoundError
        return real(path, *rest, **named)
    os.open = without_proc
if how == "replaced":
    os.rename(lock.path, lock.path + ".old")
    FileLock.open(lock.path)
    real = os.open
    os.open = lambda path, *rest, **named: real(path.replace(f"/proc/self/fd/{inherited}", lock.path), *rest, **named)
inherited = lock._file
ready, told = os.pipe()
pid = os.fork()
if not pid:
    def tried():
        try:
            lock.acquire()
        except StoreUnavailable as error:
            return "gone" if str(error).endswith("is gone") else "held"
        lock.release()
        return "got"
    said = [tried()]
    filelock.after_fork()
    os.write(told, b".")
    sys.stdin.readline()
    said.append(tried())
    print(*said, flush=True)
    os._exit(0)
os.read(ready, 1)
go_on.set()
thread.join()
print("free", flush=True)
os.waitpid(pid, 0)
"""


@pytest.mark.parametrize(
    ("how", "said"),
    [("", "held got"), ("unlinked", "held got"), ("gone", "gone gone"), ("replaced", "gone gone")],
)
def test_a_child_has_a_lock_of_its_own(process, tmp_path, how, said):
    """What it inherits would be its parent's: its lock excludes the parent, and the parent's thread does not hold it.

    It is the very same file, also when its name is gone; another file of that name is not taken for it.
    """
    forked = process(FORKED, tmp_path / "lock", how)
    assert forked.stdout.readline() == "free\n"
    forked.stdin.write("\n")
    forked.stdin.flush()
    assert forked.stdout.read() == f"{said}\n"
    assert forked.wait() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_a_child_leaves_no_descriptor_behind(process, tmp_path):
    """What it inherited is closed; a grandchild and a second lock do as well."""
    ran = process(
        """
import os, sys
from faultinject.counts.filelock import FileLock
locks = [FileLock.open(f"{sys.argv[1]}{number}") for number in range(2)]
before = len(os.listdir("/proc/self/fd"))
for _ in range(2):
    if pid := os.fork():
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
for lock in locks:
    with lock:
        pass
os._exit(len(os.listdir("/proc/self/fd")) - before)
""",
        tmp_path / "lock",
    )
    assert ran.wait() == 0


@pytest.mark.parametrize("left", ["proc", "path", "nothing", "another"])
def test_what_a_child_opens_anew(lock, monkeypatch, left):
    """By the descriptor that it inherited, else by the path, and only the very same file; it may come back."""
    lock.acquire()
    inherited, real, pid = lock._file, os.open, os.getpid()

    def opened(path, *rest, **named):
        if path.startswith("/proc") and left != "proc":
            raise FileNotFoundError
        return real(path, *rest, **named)

    monkeypatch.setattr(filelock.os, "open", opened)
    monkeypatch.setattr(filelock.os, "getpid", lambda: pid + 1)
    if left != "path":
        Path(lock.path).rename(f"{lock.path}.old")
    if left == "another":
        os.close(os.open(lock.path, os.O_CREAT, 0o600))
    filelock.after_fork()
    if left in ("nothing", "another"):
        with pytest.raises(StoreUnavailable, match=r"^the store's .*/lock is gone$"):
            lock.acquire()
        monkeypatch.setattr(os, "getpid", lambda: pid + 2)
        filelock.after_fork()
        Path(f"{lock.path}.old").rename(lock.path)
    with lock, pytest.raises(BlockingIOError):
        fcntl.flock(
            other := os.open(f"/proc/self/fd/{lock._file}" if left == "proc" else lock.path, os.O_RDWR), 6
        )
    os.close(other)
    assert lock._file >= 0 <= inherited


def test_a_lock_that_was_never_opened_again_is_dropped_in_peace(tmp_path, monkeypatch):
    """Nothing to close."""
    lock = FileLock.open(str(tmp_path / "lock"))
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    monkeypatch.setattr(lock, "_open", lambda *_: -1)
    lock.after_fork()
    assert lock._file == -1
    del lock
    monkeypatch.undo()
    gc.collect()


def test_after_fork_in_the_parent_changes_nothing(lock):
    """It may be called at any time."""
    before = lock._file, lock._take_turn
    lock.after_fork()
    filelock.after_fork()
    assert (lock._file, lock._take_turn) == before


def test_a_lock_that_cannot_be_opened_is_none(tmp_path):
    """The system's own error."""
    with pytest.raises(FileNotFoundError):
        FileLock.open(str(tmp_path / "missing" / "lock"))

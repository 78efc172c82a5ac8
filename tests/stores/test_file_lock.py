"""The lock of a store: threads, processes, stopped and killed ones, and forks."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from faultinject.exceptions import StoreUnavailable
from faultinject.stores import filelock
from faultinject.stores.filelock import PATIENCE, FileLock

HOLDER = """
import sys
from faultinject.stores.filelock import FileLock
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


def waited(lock, patience=PATIENCE):
    """Seconds until the lock was not got."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"^another process held .*/lock for more than \d+ ms$"):
        lock.acquire(patience)
    return time.monotonic() - began


def test_a_request_waits_50_ms_at_most():
    """The contract's number."""
    assert PATIENCE == 0.05


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


def test_a_thread_that_keeps_it_blocks_nobody(lock):
    """As a process that keeps it."""
    with lock:
        assert waited(lock) >= PATIENCE
    with pytest.raises(ZeroDivisionError), lock:
        _ = 1 / 0
    with lock:
        pass


def test_while_others_have_their_turns_a_thread_waits_on(lock):
    """Patience begins anew whenever the lock has changed hands: its holders are alive."""
    lock.acquire()
    got = []
    waiting = Thread(target=lambda: (lock.acquire(1.0), got.append(True), lock.release()))
    waiting.start()
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        time.sleep(0.01)
        lock._turns += 1
    lock.release()
    waiting.join()
    assert got == [True]


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
from faultinject.stores import filelock
from faultinject.stores.filelock import FileLock

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
from faultinject.stores.filelock import FileLock
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
    before = lock._file, lock._threads
    lock.after_fork()
    filelock.after_fork()
    assert (lock._file, lock._threads) == before


def test_a_lock_that_cannot_be_opened_is_none(tmp_path):
    """The system's own error."""
    with pytest.raises(FileNotFoundError):
        FileLock.open(str(tmp_path / "missing" / "lock"))

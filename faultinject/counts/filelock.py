"""The one lock of a store: a lock for the threads of this process, `flock` for processes.

The locked file also holds the generation of the scenario in force.

`flock` belongs to an open file, which a forked child would share with its parent; the child therefore opens it again.

While a thread has locked the file, all other processes wait, so this thread must not wait for anything. `fcntl.flock`
releases the GIL during the call, and the thread might then wait for the GIL behind all other threads of its process.
So `flock` is called through ctypes, which keeps the GIL. That is safe, as the call never blocks. For the same reason
a thread does not hand the locked file to the next thread of its process, which would first have to get the GIL.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from sys import byteorder, is_finalizing
from weakref import WeakValueDictionary

from faultinject.counts import per_process
from faultinject.counts.patience import monotonic, sleep, waiting
from faultinject.counts.per_process import PerProcess
from faultinject.exceptions import StoreBusyError, StoreUnavailableError
from faultinject.locks import Lock
from faultinject.rules.files import OwnFile, close_own, identity, is_open

# From descriptor and operation to 0, or to another number if it failed.
Flock = Callable[[int, int], int]

try:
    from ctypes import PyDLL
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock

    # The function of the C library, called without releasing the GIL.
    _flock: Flock = PyDLL(None).flock
# No flock (Windows), no ctypes, or a statically linked Python, which cannot look up its own functions.
except (ImportError, OSError, AttributeError):  # pragma: no cover
    AVAILABLE = False
else:
    AVAILABLE = True
    _NOW = LOCK_EX | LOCK_NB

PATIENCE = 0.05
"""Seconds to wait for another process with the lock; then a request is undecided."""
_SHORTEST, _LONGEST = 0.00005, 0.001
"""Seconds of the shortest and the longest pause between two attempts to lock the file."""

CUT = -1
"""The number that is read from a file that was cut short while in use."""
_NONE = -1

USERS = "users"
"""A file on which each process that uses a store holds a shared `flock`.

The system releases the lock however the process ends.
"""

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | _NO_LINKS

_locks: WeakValueDictionary[tuple[int, int], FileLock] = WeakValueDictionary()


class FileLock(PerProcess):
    """The lock of one file, made by `FileLock.open`; each process has one object a file.

    Attributes:
        path: the path, for messages and to open the file again.
        users: the processes that use the store; None until this process uses it.
    """

    def __init__(self, path: str, file: int) -> None:
        self.path = path
        self.users: Users | None = None
        self._file = file
        self._identity = identity(file)
        self._use_threads()
        self._waited = 0.0  # seconds spent in vain since this process last got the lock
        self._pid = os.getpid()
        self._flock = _flock

    @classmethod
    def open(cls, path: str, *, directory: int | None = None) -> FileLock:
        """Open the lock of a file, which is made if it does not exist.

        Args:
            path: the path; the file must not be opened in any other way.
            directory: a descriptor of its directory, so that no symbolic link is followed.

        Raises:
            OSError: it cannot be opened.
        """
        name = path if directory is None else path.rpartition("/")[2]
        file = os.open(name, _FLAGS | os.O_CREAT, 0o600, dir_fd=directory)
        with per_process.lock:
            lock = _locks.get(identity(file))
            if lock is not None and lock.is_open(file):
                os.close(file)
                return lock
            lock = cls(path, file)
            _locks[lock._identity] = lock
            return lock

    def acquire(self, patience: float = PATIENCE) -> None:
        """Get the lock, first among the threads of this process, then among the processes.

        A thread waits for other threads without limit, and for other processes up to `patience` seconds. If the first
        thread has waited in vain for another process, each later thread asks only once, until one gets the lock.

        Args:
            patience: seconds to wait for another process.

        Raises:
            StoreBusyError: another process held it for all that time.
            StoreUnavailableError: the file was removed, or a thread of this process never released it.
            OSError: it cannot be locked.
        """
        self._begin_once()  # uWSGI forks without calling Python's hooks
        if not self._take_turn(False):
            self._wait_for_threads()
        try:
            if self._flock(self._file, _NOW):
                self._wait_for_process(patience)
        except BaseException:
            self.release()
            raise
        self._waited = 0.0

    def release(self) -> None:
        """Release the lock for the next thread or process."""
        self._flock(self._file, LOCK_UN)
        self._end_turn()

    def check(self) -> None:
        """Raise `StoreUnavailableError` if the file at the path is another one, or missing."""
        try:
            status = os.stat(self.path)
        except OSError as error:
            raise StoreUnavailableError(f"the store's {self.path} was removed: {error.strerror}") from None
        if (status.st_dev, status.st_ino) != self._identity:
            raise StoreUnavailableError(f"the store's {self.path} was removed, another one is in its place")

    def read(self) -> int:
        """The number in the file; it may be read without the lock.

        It is `CUT` if the file was cut short.
        """
        try:
            content = os.pread(self._file, 8, 0)
        except OSError:
            return CUT
        return int.from_bytes(content, byteorder) if len(content) == 8 else CUT

    def write(self, number: int) -> None:
        """Write another number; call it under the lock.

        Raises:
            OSError: no space left.
        """
        os.pwrite(self._file, number.to_bytes(8, byteorder), 0)

    def _begin(self) -> None:
        self._use_threads()
        inherited, reopened = self._file, _NONE
        # The parent's descriptor comes first: it opens the same file even if the path is gone. So the generation can
        # still be read, `check` raises the right error, and a directory that is moved back works again.
        for path, flags in ((f"/proc/self/fd/{inherited}", _FLAGS & ~_NO_LINKS), (self.path, _FLAGS)):
            with suppress(OSError):
                file = os.open(path, flags)
                if identity(file) == self._identity:
                    reopened = file
                    break
                os.close(file)
        self._file = reopened
        if inherited != reopened:
            close_own(inherited, self._identity)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _use_threads(self) -> None:
        self._threads = threads = Lock()
        self._take_turn, self._end_turn = threads.take, threads.release

    def _wait_for_threads(self) -> None:
        """Wait for the threads that came before."""
        if not self._threads.acquire(waiting.queue_timeout):
            raise StoreUnavailableError(
                f"the other threads of this process have held {self.path} for {waiting.queue_timeout:g} s"
            )

    def _wait_for_process(self, patience: float) -> None:
        """Try again until another process releases the file; raise the reason of any other failure."""
        file = self._file
        if file == _NONE:
            raise StoreUnavailableError(f"the store's {self.path} is gone")
        try:
            flock(file, _NOW)  # raises an error with the reason
        except BlockingIOError:
            pass
        else:
            return
        measured = monotonic()
        seconds_left = patience - self._waited
        pause = 0.0
        while self._flock(file, _NOW):
            if seconds_left <= 0:
                self._waited = max(self._waited, patience)
                raise StoreBusyError(
                    f"another process held {self.path} for more than {patience * 1000:.0f} ms"
                )
            sleep(pause)
            now = monotonic()
            # A pause that took much longer than asked for shows a busy machine, not a long hold, and counts only in
            # part.
            seconds_left -= min(now - measured, 2 * pause)
            measured = now
            pause = min(2 * pause or _SHORTEST, _LONGEST)

    def is_open(self, other: int) -> bool:
        """Whether the descriptor is still open.

        A new descriptor gets this one's number only if this one was closed. So this one was closed if `other`, a newer
        descriptor of the same file, has the same number.
        """
        if self._file == other or not is_open(self._file, self._identity):
            self._file = _NONE
        return self._file != _NONE

    def __del__(self, ends: Callable[[], bool] = is_finalizing) -> None:
        if not ends():  # `OwnFile` gives the reason
            close_own(self._file, self._identity)


class Users:
    """The use of a store by one process and the processes that it forks.

    Args:
        directory: a descriptor of the store's directory.

    Raises:
        OSError: the file cannot be opened, or another program has locked it.
    """

    def __init__(self, directory: int) -> None:
        self._file = OwnFile(os.open(USERS, _FLAGS | os.O_CREAT, 0o600, dir_fd=directory))
        flock(self._file.number, LOCK_SH | LOCK_NB)

    def others(self) -> bool:
        """Whether other processes use the store; call it under the store's lock."""
        try:
            flock(self._file.number, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            flock(self._file.number, LOCK_SH | LOCK_NB)
        return False


def _after_fork() -> None:
    """Open the files of all locks again in a child, including locks that the child does not use."""
    for lock in list(_locks.values()):
        lock._begin_once()  # noqa: SLF001 - one module


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)

"""The one lock of a store: a lock of the process for its threads, `flock` for processes.

Its file holds the number of the thing that the lock protects: the generation of the scenario in force.

A lock of `flock` belongs to the open file, so a child would share its parent's: after a fork both are made anew.

While a thread has the file, all other processes wait, so it must wait for nothing. `fcntl.flock` gives up the
interpreter for the call: a thread that has got the file may then wait for the interpreter behind all other threads of
its process. Here the call keeps the interpreter; it may, because it never blocks. For the same reason no thread hands
the file on to the next one of its process: that one would have to get the interpreter first.
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

# Descriptor and operation to 0, or to something else when it fails.
Flock = Callable[[int, int], int]

try:
    from ctypes import PyDLL
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock

    # As the C library has it: called without giving up the interpreter.
    _flock: Flock = PyDLL(None).flock
# No flock (Windows), no ctypes, or a Python linked statically, which cannot look into itself.
except (ImportError, OSError, AttributeError):  # pragma: no cover
    AVAILABLE = False
else:
    AVAILABLE = True
    _NOW = LOCK_EX | LOCK_NB

PATIENCE = 0.05
"""Seconds to wait for another process that holds the lock; then the request goes on without."""
_SHORTEST, _LONGEST = 0.00005, 0.001

CUT = -1
"""The number of a file that was cut short under a running process."""
_NONE = -1

USERS = "users"
"""A file on which each process that uses a store keeps a shared `flock`.

The system gives the `flock` up in whatever way the process ends.
"""

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | _NO_LINKS

_known: WeakValueDictionary[tuple[int, int], FileLock] = WeakValueDictionary()


class FileLock(PerProcess):
    """The lock of one file; made by `FileLock.open`, one object a file in each process.

    Attributes:
        path: the file, for messages and to open it again.
        users: who uses what it protects, once this process does.
    """

    def __init__(self, path: str, file: int) -> None:
        self.path = path
        self.users: Users | None = None
        self._file = file
        self._identity = identity(file)
        self._use_threads()
        self._waited = 0.0  # for a hold that has not ended yet
        self._pid = os.getpid()
        self._flock = _flock

    @classmethod
    def open(cls, path: str, *, directory: int | None = None) -> FileLock:
        """The lock of a file, which is made if it is not there.

        Args:
            path: the file; nothing but locks may ever open it.
            directory: a descriptor of the directory that holds it, so that no link on the way is followed.

        Raises:
            OSError: it cannot be opened.
        """
        name = path if directory is None else path.rpartition("/")[2]
        file = os.open(name, _FLAGS | os.O_CREAT, 0o600, dir_fd=directory)
        with per_process.lock:
            known = _known.get(identity(file))
            if known is not None and known.is_open(file):
                os.close(file)
                return known
            made = cls(path, file)
            _known[made._identity] = made
            return made

    def acquire(self, patience: float = PATIENCE) -> None:
        """Get the lock, first from the threads of this process, then from the other processes.

        Threads are waited for as long as they take, other processes for `patience`. A wait for one hold of another
        process is not repeated by the next thread: behind one that was as patient, each asks only once.

        Args:
            patience: seconds to wait for another process.

        Raises:
            StoreBusyError: another process held it all the time.
            StoreUnavailableError: the file is gone, or a thread of this process never gave it back.
            OSError: it cannot be locked.
        """
        self._here()  # a fork by uWSGI runs no hook
        if not self._take_turn(False):
            self._queue()
        try:
            if self._flock(self._file, _NOW):
                self._ask(patience)
        except BaseException:
            self.release()
            raise
        self._waited = 0.0

    def release(self) -> None:
        """Give the lock to the next one."""
        self._flock(self._file, LOCK_UN)
        self._end_turn()

    def check(self) -> None:
        """Raise `StoreUnavailableError` if later processes would lock another file, or none."""
        try:
            found = os.stat(self.path)
        except OSError as error:
            raise StoreUnavailableError(f"the store's {self.path} was removed: {error.strerror}") from None
        if (found.st_dev, found.st_ino) != self._identity:
            raise StoreUnavailableError(f"the store's {self.path} was removed, another one is in its place")

    def read(self) -> int:
        """The number that the file holds, also for threads without the lock.

        `CUT` if the file was cut short.
        """
        try:
            content = os.pread(self._file, 8, 0)
        except OSError:
            return CUT
        return int.from_bytes(content, byteorder) if len(content) == 8 else CUT

    def write(self, number: int) -> None:
        """Write another number; under the lock.

        Raises:
            OSError: no space left.
        """
        os.pwrite(self._file, number.to_bytes(8, byteorder), 0)

    def _begin(self) -> None:
        self._use_threads()
        inherited, own = self._file, _NONE
        # First the very same file, even when its name is gone: then its number still says that nothing has changed,
        # and `check` says what is wrong; a directory that is moved back goes on.
        for path, flags in ((f"/proc/self/fd/{inherited}", _FLAGS & ~_NO_LINKS), (self.path, _FLAGS)):
            with suppress(OSError):
                file = os.open(path, flags)
                if identity(file) == self._identity:
                    own = file
                    break
                os.close(file)
        self._file = own
        if inherited != own:
            close_own(inherited, self._identity)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _use_threads(self) -> None:
        self._threads = threads = Lock()
        self._take_turn, self._end_turn = threads.take, threads.release

    def _queue(self) -> None:
        """Wait for the threads before."""
        if not self._threads.acquire(waiting.queue_timeout):
            raise StoreUnavailableError(
                f"the other threads of this process have held {self.path} for {waiting.queue_timeout:g} s"
            )

    def _ask(self, patience: float) -> None:
        """Ask repeatedly: another process has the file, or it is unavailable at all."""
        file = self._file
        if file == _NONE:
            raise StoreUnavailableError(f"the store's {self.path} is gone")
        try:
            flock(file, _NOW)  # raises an error with the reason
        except BlockingIOError:
            pass
        else:
            return
        before = monotonic()
        left = patience - self._waited
        pause = 0.0
        while self._flock(file, _NOW):
            if left <= 0:
                self._waited = max(self._waited, patience)
                raise StoreBusyError(
                    f"another process held {self.path} for more than {patience * 1000:.0f} ms"
                )
            sleep(pause)
            now = monotonic()
            # What the system adds to a pause says how busy it is, not how long the lock is held.
            left -= min(now - before, 2 * pause)
            before = now
            pause = min(2 * pause or _SHORTEST, _LONGEST)

    def is_open(self, other: int) -> bool:
        """Whether its descriptor is still open.

        It is not if somebody has closed it, or if `other`, a descriptor of the same file, has its number.
        """
        if self._file == other or not is_open(self._file, self._identity):
            self._file = _NONE
        return self._file != _NONE

    def __del__(self, ends: Callable[[], bool] = is_finalizing) -> None:
        if not ends():  # as for `OwnFile`
            close_own(self._file, self._identity)


class Users:
    """The use of a store by one process, and by those that it forks.

    Args:
        directory: a descriptor of the store's directory.

    Raises:
        OSError: the file cannot be opened, or somebody else has locked it.
    """

    def __init__(self, directory: int) -> None:
        self._own = OwnFile(os.open(USERS, _FLAGS | os.O_CREAT, 0o600, dir_fd=directory))
        flock(self._own.number, LOCK_SH | LOCK_NB)

    def others(self) -> bool:
        """Whether other processes use the store; under its lock."""
        try:
            flock(self._own.number, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            flock(self._own.number, LOCK_SH | LOCK_NB)
        return False


def _after_fork() -> None:
    """Renew all locks in a child: also an unused lock must not keep its parent's."""
    for lock in list(_known.values()):
        lock._here()  # noqa: SLF001 - one module


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)

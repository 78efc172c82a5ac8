"""The one lock of a store: threads exclude each other by a lock of the process, processes by `flock`.

A lock of `flock` belongs to what was opened, so a child would share its parent's: after a fork both are made anew.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from time import monotonic, sleep
from weakref import WeakValueDictionary

from faultinject.exceptions import StoreUnavailable

try:
    from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
except ImportError:  # pragma: no cover - Windows
    AVAILABLE = False
else:
    AVAILABLE = True

PATIENCE = 0.05
"""Seconds after which a request goes on without the store."""
_SHORTEST, _LONGEST = 0.00005, 0.001
_ASKED = 5

_NONE = -1

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | _NO_LINKS

_known: WeakValueDictionary[tuple[int, int], FileLock] = WeakValueDictionary()
_lock = allocate_lock()


class FileLock:
    """The lock of one file; made by `FileLock.open`, one object a file in each process.

    Attributes:
        path: the file, for messages and to open it again.
    """

    def __init__(self, path: str, file: int) -> None:
        self.path = path
        self._file = file
        found = os.fstat(file)
        self._identity = (found.st_dev, found.st_ino)
        self._threads = allocate_lock()
        self._turns = 0
        self._process = os.getpid()

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
        with _lock:
            found = os.fstat(file)
            known = _known.get((found.st_dev, found.st_ino))
            if known is not None:
                os.close(file)
                return known
            made = cls(path, file)
            _known[made._identity] = made
            return made

    def acquire(self, patience: float = PATIENCE) -> None:
        """Get the lock.

        A busy interpreter is no reason to give up: threads wait on while others of this process have their turns,
        and another process is asked a few times, however long each time took.

        Raises:
            StoreUnavailable: somebody held it all the time.
        """
        threads = self._threads
        began = None if threads.acquire(blocking=False) else self._queue(patience)
        try:
            try:
                flock(self._opened(), LOCK_EX | LOCK_NB)
            except BlockingIOError:
                self._ask(monotonic() if began is None else began, patience)
        except BaseException:
            threads.release()
            raise
        self._turns += 1

    def release(self) -> None:
        """Let the next one have it."""
        flock(self._file, LOCK_UN)
        self._threads.release()

    def after_fork(self) -> None:
        """In a child: what it inherited is its parent's."""
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        self._threads = allocate_lock()
        inherited, self._file = self._file, _NONE
        if inherited != _NONE:
            # The very same file, even when its name is gone.
            self._file = self._open(f"/proc/self/fd/{inherited}", _FLAGS & ~_NO_LINKS)
            os.close(inherited)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _queue(self, patience: float) -> float:
        """Wait for the threads before; gives when it began to wait for the last of them."""
        began, turns = monotonic(), self._turns
        while not self._threads.acquire(timeout=patience):
            if self._turns == turns:
                raise self._held(patience)
            began, turns = monotonic(), self._turns
        return began

    def _ask(self, began: float, patience: float) -> None:
        until = began + patience
        pause = _SHORTEST
        asked = 0
        while asked < _ASKED or monotonic() < until:
            sleep(pause)
            pause = min(2 * pause, _LONGEST)
            asked += 1
            try:
                flock(self._file, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                continue
            return
        raise self._held(patience)

    def _opened(self) -> int:
        if self._file == _NONE:
            self._file = self._open(self.path, _FLAGS)
            if self._file == _NONE:
                raise StoreUnavailable(f"the store's {self.path} is gone")
        return self._file

    def _open(self, path: str, flags: int) -> int:
        try:
            file = os.open(path, flags)
        except OSError:
            return _NONE
        found = os.fstat(file)
        if (found.st_dev, found.st_ino) == self._identity:
            return file
        os.close(file)
        return _NONE

    def _held(self, patience: float) -> StoreUnavailable:
        return StoreUnavailable(f"another process held {self.path} for more than {patience * 1000:.0f} ms")

    def __del__(self) -> None:
        if self._file != _NONE:
            os.close(self._file)


def after_fork() -> None:
    """In a child, before it uses any lock: runs by itself, and does nothing the second time."""
    global _lock  # noqa: PLW0603
    _lock = allocate_lock()
    for each in list(_known.values()):
        each.after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=after_fork)

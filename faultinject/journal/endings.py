"""A process notes its end in each journal that it has written: nobody waits for more.

One line for each file, with every field of a journal's line and null in it but for `v`, `time`, `arrived` and `pid`,
and `"ended": true`: a search for requests by path, status or action finds none in it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from faultinject.journal.outcome import line_without_request
from faultinject.rules.files import TO_APPEND

# The process that may start another one when this one ends, as text; None: nobody does.
Parent = Callable[[], str | None]

before: list[Callable[[], None]] = []
"""Functions that are called first when a process ends.

They let requests under way write their last line.
"""

_places: dict[tuple[int, int], Written] = {}


class ProcessEnd:
    """Has a function called at the end of each process that asks for it.

    Args:
        work: the function.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._pid = 0

    def register(self, pid: int) -> None:
        """Have it called at the end of this process, once.

        Args:
            pid: this process.
        """
        if self._pid == pid:
            return
        import atexit

        if not self._pid:  # a forked child has its parent's
            atexit.register(self._work)
        self._pid = pid
        # Children of multiprocessing leave by os._exit(), behind their own finalizers; these forget their parent's.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, self._work, exitpriority=-100)


class Written:
    """A journal's file, as this process has written it.

    Args:
        path: of the file; absolute, for the directory may change.
        identity: its device and number there.

    Attributes:
        files: descriptors of this process that append to it.
        limit: bytes at which it takes no more.
        parent: the process that may start another one in the place of this one.
        pid: the process that has appended lines since it last noted its end; 0: none has.
    """

    __slots__ = ("_identity", "_path", "_size", "files", "limit", "parent", "pid")

    def __init__(self, path: str, identity: tuple[int, int]) -> None:
        self._path = path
        self._identity = identity
        self._size = 0
        self.pid = 0
        self.files: set[int] = set()
        self.limit = 0
        self.parent: Parent | None = None

    def write(self, pid: int, size: int) -> None:
        """Note that this process appends a line, and so has to note its end.

        It does so unless it is killed.

        Args:
            pid: the process.
            size: of the file after the line, bytes.
        """
        self._size = size
        if self.pid != pid:
            self.pid = pid
            _at_the_end.register(pid)

    def failed(self) -> None:
        """Note that a line of this process is lost: its end would say that all are there."""
        self.pid = 0

    def end(self) -> None:
        """Append the line of the end, if this process has appended any since the last one."""
        pid, self.pid = self.pid, 0
        if pid != os.getpid():
            return
        parent = None if self.parent is None else self.parent()
        data = line_without_request(
            time=time.time(), arrived=time.monotonic(), pid=pid, ended=True, parent=parent
        )
        own = next(iter(self.files), None)
        # The descriptor of the writer is closed by now; a file that is gone is not made anew.
        file = os.open(self._path, TO_APPEND) if own is None else own
        try:
            status = os.fstat(file)
            # Numbers of files that are gone are given again.
            same = (status.st_dev, status.st_ino) == self._identity and (
                own is not None or status.st_size >= self._size
            )
            if same and status.st_size + len(data) <= self.limit:
                os.write(file, data)
        finally:
            if own is None:
                os.close(file)


def place_of(path: str, file: int) -> Written:
    """The place of an open file, one for all descriptors of the same file."""
    status = os.fstat(file)
    identity = status.st_dev, status.st_ino
    place = _places.get(identity)
    if place is None or not (place.files or status.st_size):
        absolute = os.path.abspath(path)
        place = _places[identity] = Written(absolute, identity)
    place.files.add(file)
    return place


def end(*, wait: bool = True) -> None:
    """Note the end in every journal that this process has written, unless it is noted already.

    Args:
        wait: whether requests under way are ended first, and waited for a moment.
    """
    pid = os.getpid()
    if not any(place.pid == pid for place in _places.values()):
        return
    for work in before if wait else ():
        _quietly(work)
    for place in list(_places.values()):
        _quietly(place.end)


def _quietly(work: Callable[[], None]) -> None:
    """Call it: where an interpreter ends, no error is worth a traceback."""
    from contextlib import suppress

    with suppress(Exception):
        work()


_at_the_end = ProcessEnd(end)

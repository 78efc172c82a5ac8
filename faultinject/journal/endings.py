"""A process that has written into a journal says there that it has ended, so that nobody waits for more of it.

One line for each file, with every field of a journal's line and null in it but for `v`, `time`, `arrived` and `pid`, and
`"ended": true`: who looks for requests by path, status or what was done finds none in it.
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
"""Called first when a process ends: lets what is under way write its last line."""

_places: dict[tuple[int, int], Written] = {}


class ProcessEnd:
    """Has something done at the end of each process that asks for it.

    Args:
        work: what is done.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._pid = 0

    def register(self, pid: int) -> None:
        """Have it done at the end of this process, once.

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
        path: where it is; absolute, for the directory may change.
        identity: its device and number there.

    Attributes:
        files: descriptors of this process that append to it.
        limit: bytes at which it takes no more.
        parent: who may start another process in the place of this one.
        pid: the process that has appended lines since it last said that it ended; 0: none has.
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
        """Note that this process appends a line: from then on its end will be said, unless it is killed.

        Args:
            pid: the process.
            size: of the file behind the line, bytes.
        """
        self._size = size
        if self.pid != pid:
            self.pid = pid
            _at_the_end.register(pid)

    def failed(self) -> None:
        """Note that a line of this process is lost: its end would say that all are there."""
        self.pid = 0

    def end(self) -> None:
        """Append the line that says so, if this process has appended any since the last one."""
        pid, self.pid = self.pid, 0
        if pid != os.getpid():
            return
        parent = None if self.parent is None else self.parent()
        data = line_without_request(
            time=time.time(), arrived=time.monotonic(), pid=pid, ended=True, parent=parent
        )
        own = next(iter(self.files), None)
        # Whoever has written is closed by now; a file that is gone is not made anew.
        file = os.open(self._path, TO_APPEND) if own is None else own
        try:
            found = os.fstat(file)
            # Numbers of files that are gone are given again.
            same = (found.st_dev, found.st_ino) == self._identity and (
                own is not None or found.st_size >= self._size
            )
            if same and found.st_size + len(data) <= self.limit:
                os.write(file, data)
        finally:
            if own is None:
                os.close(file)


def place_of(path: str, file: int) -> Written:
    """The place of an open file, one for all descriptors of the same file."""
    found = os.fstat(file)
    identity = found.st_dev, found.st_ino
    place = _places.get(identity)
    if place is None or not (place.files or found.st_size):
        place = _places[identity] = Written(os.path.abspath(path), identity)  # noqa: PTH100 - pathlib takes its time to load
    place.files.add(file)
    return place


def end(*, wait: bool = True) -> None:
    """Say in every journal that this process has written that it has ended; again is nothing until it writes more.

    Args:
        wait: whether what is under way is ended first, and waited for a moment.
    """
    pid = os.getpid()
    if not any(each.pid == pid for each in _places.values()):
        return
    for each in before if wait else ():
        _quietly(each)
    for place in list(_places.values()):
        _quietly(place.end)


def _quietly(work: Callable[[], None]) -> None:
    """Do it: where an interpreter ends, no error is worth a traceback."""
    from contextlib import suppress

    with suppress(Exception):
        work()


_at_the_end = ProcessEnd(end)

"""The line by which a process notes its end in each journal that it has written.

All fields of a journal's line are null in it but `v`, `time`, `arrived` and `pid`, and it has `"ended": true`: so a
search for requests by path, status or action does not find it. A reader need not wait for more lines of the process.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from faultinject.journal.outcome import line_without_request
from faultinject.rules.files import TO_APPEND

# Gives the process that may start another one when this one ends, as text; None: no process does.
Parent = Callable[[], str | None]

at_exit: list[Callable[[], None]] = []
"""Functions that are called first when a process ends.

They let requests under way write their last line.
"""

_places: dict[tuple[int, int], Written] = {}


class ProcessEnd:
    """Calls a function at the end of each process that asks for it.

    Args:
        work: the function.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._pid = 0

    def register(self, pid: int) -> None:
        """Call the function at the end of this process, once.

        Args:
            pid: this process.
        """
        if self._pid == pid:
            return
        import atexit

        if not self._pid:  # a forked child has its parent's registration
            atexit.register(self._work)
        self._pid = pid
        # Children of multiprocessing leave by os._exit(), after their own finalizers, without their parent's.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, self._work, exitpriority=-100)


class Written:
    """A journal's file that this process has written.

    Args:
        path: of the file; absolute, as the directory may change.
        identity: its device and inode.

    Attributes:
        files: descriptors of this process that append to it.
        limit: bytes at which it takes no more lines.
        parent: gives the process that may start another one in place of this one.
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
        """Note that this process appends a line, so that it notes its end unless it is killed.

        Args:
            pid: the process.
            size: of the file after the line, bytes.
        """
        self._size = size
        if self.pid != pid:
            self.pid = pid
            _at_the_end.register(pid)

    def failed(self) -> None:
        """Note that a line of this process is lost: its end would say that all lines are there."""
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
        open_file = next(iter(self.files), None)
        # If the writer has closed its descriptor, the file is opened by its path, and not made if it is gone.
        file = os.open(self._path, TO_APPEND) if open_file is None else open_file
        try:
            status = os.fstat(file)
            # Another file may have got the inode of a removed one.
            same = (status.st_dev, status.st_ino) == self._identity and (
                open_file is not None or status.st_size >= self._size
            )
            if same and status.st_size + len(data) <= self.limit:
                os.write(file, data)
        finally:
            if open_file is None:
                os.close(file)


def place_of(path: str, file: int) -> Written:
    """The one `Written` of all descriptors of the same file."""
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
        wait: whether to end requests under way first, and to wait for them a moment.
    """
    pid = os.getpid()
    if not any(place.pid == pid for place in _places.values()):
        return
    for work in at_exit if wait else ():
        _quietly(work)
    for place in list(_places.values()):
        _quietly(place.end)


def _quietly(work: Callable[[], None]) -> None:
    """Call it without an error: as an interpreter ends, no error is worth a traceback."""
    from contextlib import suppress

    with suppress(Exception):
        work()


_at_the_end = ProcessEnd(end)

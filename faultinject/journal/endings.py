"""A process that has written into a journal says there that it has ended, so that nobody waits for more of it.

One line for each file, with every field of a journal's line and null in it but for `v`, `time`, `arrived` and `pid`, and
`"ended": true`: who looks for requests by path, status or what was done finds none in it.
"""

from __future__ import annotations

import os
import time

from faultinject.journal.outcome import line_without_request
from faultinject.journal.process_end import ProcessEnd
from faultinject.rules.files import TO_APPEND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # The process that may start another one when this one ends, as text; None: nobody does.
    Parent = Callable[[], str | None]

before: list[Callable[[], None]] = []
"""Called first when a process ends: lets what is under way write its last line."""

_places: dict[tuple[int, int], Written] = {}


class Written:
    """A journal's file, as this process has written it.

    Args:
        path: where it is; absolute, for the directory may change.
        identity: its device and number there.
        limit: bytes at which it takes no more.
        parent: who may start another process in the place of this one.

    Attributes:
        pid: the process that has appended lines since it last said that it ended; 0: none has.
        size: of the file behind the last line of this process, bytes.
    """

    __slots__ = ("_identity", "_limit", "_parent", "_path", "pid", "size")

    def __init__(self, path: str, identity: tuple[int, int], limit: int, parent: Parent) -> None:
        self._path = path
        self._identity = identity
        self._limit = limit
        self._parent = parent
        self.pid = self.size = 0

    def write(self, pid: int, size: int) -> None:
        """Note that this process appends a line: from then on its end will be said, unless it is killed.

        Args:
            pid: the process.
            size: of the file behind the line, bytes.
        """
        self.size = size
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
        data = line(pid, time.time(), time.monotonic(), self._parent())
        # Whoever has written may be closed by now. A file that is gone is not made anew.
        file = os.open(self._path, TO_APPEND)
        try:
            found = os.fstat(file)
            # Numbers of files that are gone are given again.
            same = (found.st_dev, found.st_ino) == self._identity
            if same and self.size <= found.st_size <= self._limit - len(data):
                os.write(file, data)
        finally:
            os.close(file)


def place_of(path: str, file: int, limit: int, parent: Parent) -> Written:
    """The place of an open file, one for all descriptors of the same file.

    Args:
        path: where it is; absolute.
        file: its descriptor.
        limit: as for `Written`.
        parent: likewise.
    """
    found = os.fstat(file)
    identity = found.st_dev, found.st_ino
    place = _places.get(identity)
    if place is None or found.st_size < place.size:
        place = _places[identity] = Written(path, identity, limit, parent)
    return place


def line(pid: int, now: float, monotonic: float, parent: str | None) -> bytes:
    """The line that says that a process has ended.

    Args:
        pid: the process.
        now: unix seconds.
        monotonic: seconds of the clock that requests arrive by.
        parent: who may start another process in its place.
    """
    return line_without_request(time=now, arrived=monotonic, pid=pid, ended=True, parent=parent)


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

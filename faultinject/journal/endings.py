"""The line by which a process notes its end, in each journal to which it has written.

It tells a reader not to wait for more lines of the process. It has `"ended": true`, and the fields `v`, `time`,
`arrived` and `pid` of a request. The others are null, so a search for requests does not find it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from faultinject.journal.outcome import line_without_request
from faultinject.journal.writing import LARGEST_FILE
from faultinject.rules.files import TO_APPEND

# Names the process that may start a successor when this one ends, as text; None: there is no such process.
Parent = Callable[[], str | None]

at_exit: list[Callable[[], None]] = []
"""Functions that are called first when a process ends.

They let the requests under way write their last lines.
"""

_written_files: dict[tuple[int, int], WrittenFile] = {}


class ProcessEnd:
    """Calls a function at the end of each process that registers for it.

    Args:
        work: the function.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._pid = 0

    def register(self, pid: int) -> None:
        """Call the function once, at the end of this process.

        Args:
            pid: the id of this process.
        """
        if self._pid == pid:
            return
        import atexit

        if not self._pid:  # a forked child has its parent's registration
            atexit.register(self._work)
        self._pid = pid
        # Children of multiprocessing end by os._exit(), which calls multiprocessing's finalizers but not atexit's.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, self._work, exitpriority=-100)


class WrittenFile:
    """A journal's file to which this process has written.

    Args:
        path: the file's absolute path, as the working directory may change.
        identity: its device and inode.
        parent: names the process that may start a successor of this one.

    Attributes:
        files: this process's descriptors for it.
        pid: the process that has appended lines since it last noted its end; 0: no process has.
    """

    __slots__ = ("_identity", "_parent", "_path", "_size", "files", "pid")

    def __init__(self, path: str, identity: tuple[int, int], parent: Parent) -> None:
        self._path = path
        self._identity = identity
        self._parent = parent
        self._size = 0
        self.pid = 0
        self.files: set[int] = set()

    def write(self, pid: int, size: int) -> None:
        """Note that this process appends a line, so that it will also append the line of its end.

        Args:
            pid: the process.
            size: bytes of the file with the line.
        """
        self._size = size
        if self.pid != pid:
            self.pid = pid
            _at_the_end.register(pid)

    def failed(self) -> None:
        """Note that a line is lost: the process then writes no line of its end.

        That line promises that no line is lost.
        """
        self.pid = 0

    def end(self) -> None:
        """Append the line of the end, if this process has appended other lines since the last end."""
        pid, self.pid = self.pid, 0
        if pid != os.getpid():
            return
        data = line_without_request(
            time=time.time(), arrived=time.monotonic(), pid=pid, ended=True, parent=self._parent()
        )
        open_file = next(iter(self.files), None)
        # If the writer has closed its descriptor, the file is opened by its path; a removed file is not replaced.
        file = os.open(self._path, TO_APPEND) if open_file is None else open_file
        try:
            status = os.fstat(file)
            # A new file may have the inode of the removed one; then it is smaller.
            is_same_file = (status.st_dev, status.st_ino) == self._identity and (
                open_file is not None or status.st_size >= self._size
            )
            if is_same_file and status.st_size + len(data) <= LARGEST_FILE:
                os.write(file, data)
        finally:
            if open_file is None:
                os.close(file)


def written_file(path: str, file: int, parent: Parent) -> WrittenFile:
    """The `WrittenFile` that all descriptors of a file share, with the parent of the first."""
    status = os.fstat(file)
    identity = status.st_dev, status.st_ino
    written = _written_files.get(identity)
    # An empty file without a descriptor of ours is a new one with the inode of a removed one.
    if written is None or not (written.files or status.st_size):
        written = _written_files[identity] = WrittenFile(path, identity, parent)
    written.files.add(file)
    return written


def end(*, wait: bool = True) -> None:
    """Append the line of this process's end to every journal to which it has written.

    Args:
        wait: whether to end the requests under way first, which takes a moment.
    """
    pid = os.getpid()
    if not any(written.pid == pid for written in _written_files.values()):
        return
    for work in at_exit if wait else ():
        _call_quietly(work)
    for written in list(_written_files.values()):
        _call_quietly(written.end)


def _call_quietly(work: Callable[[], None]) -> None:
    """Call a function, and drop its error: the interpreter is ending."""
    from contextlib import suppress

    with suppress(Exception):
        work()


_at_the_end = ProcessEnd(end)

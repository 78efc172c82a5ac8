"""The journal: one line a request, kept in a bounded ring and perhaps appended to a file."""

from __future__ import annotations

import os
from collections import deque
from errno import EBADF, EPERM
from stat import S_ISREG
from sys import is_finalizing, modules

from faultinject.engine.counting import Counter
from faultinject.engine.entry import NOT_INJECTED, Entry
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError, Problem
from faultinject.journal import log
from faultinject.locks import Lock
from faultinject.rules.files import TO_APPEND, close_own, identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from logging import Logger

    from faultinject.journal.call_window import CallWindow
    from faultinject.journal.changes import ControlChange
    from faultinject.journal.endings import Parent, WrittenFile
    from faultinject.journal.outcome import Outcome
    from faultinject.vendors.addressing import Addressing

RING_SIZE = 10_000
"""The number of lines that the ring keeps; older lines are dropped and counted."""
PLUGIN = "faultinject.testing.pytest_plugin"
"""The module of the pytest plugin; if it is loaded, the environment has the running test."""
INJECTIONS = "faultinject.injections"
"""The logger of injected faults, at its level `DEBUG`."""
DEBUG = 10
LARGEST_FILE = 1 << 30
"""The most bytes of a journal file."""
report_files: list[str] = []
"""The paths of the journals of test runs' reports; the last one is in use.

A journal with another file writes its lines to the report's journal, too.
"""


class Journal:
    """The outcomes of requests, newest last.

    Args:
        path: a file to which each outcome is appended as a JSON line (mode 0600), or None.
        test: returns the id of the running test; None: no test is noted.
        parent: names the process that may start a successor of this one. If given, a line notes the end of this
            process.

    Raises:
        ConfigurationError: the file cannot be opened.
    """

    def __init__(
        self,
        *,
        path: str | None = None,
        test: Callable[[], str | None] | None = None,
        parent: Parent | None = None,
    ) -> None:
        self.path = path
        self.test = _running_test if test is None and path is not None and PLUGIN in modules else test
        self._lines: deque[Entry] = deque(maxlen=RING_SIZE)
        self._added = Counter()
        self._request_count = Counter()
        self._files = [] if path is None else [JournalFile(path, parent=parent)]
        absolute = path and os.path.abspath(path)
        if path is not None and report_files and report_files[-1] != absolute:
            self._files.append(JournalFile(report_files[-1], parent=parent))
        self._followers: tuple[Callable[[Outcome], None], ...] = ()
        self.reading: Addressing | None = None
        """Reads every request's bucket and key; None: the rule that a request matched decides that."""
        self.count: Callable[[int], None] | None = None
        """Called with the number of requests for each new request, on its thread; may raise."""
        self.share: Callable[[Entry, Addressing | None], None] | None = None
        """Called with each line and `reading`, to share it with other processes."""

    def add(self, line: Entry) -> None:
        """Keep one line; an error in this is logged, and does not reach the request."""
        if self.test is not None:
            line.test = self.test()
        self._lines.append(line)
        self._added.next()
        if line.final is None:
            self._request_count.next()
            if self.count is not None:
                self.count(self._request_count.value)
        # The first line of a fault, or a later line of a fault that was not carried out.
        logged = (
            line.fault is not None
            and (line.final is None) is (line.did not in NOT_INJECTED)
            and _logs_injections()
        )
        try:
            if self.share is not None:
                self.share(line, self.reading)
            if not (self._files or self._followers or logged):
                return
            outcome = self._outcome(line)
            if logged:
                _log(outcome)
            for file in self._files:
                file.append(outcome)
            for observe in self._followers:
                observe(outcome)
        except Exception as error:
            log.log_rule_failure(error, line.rule or "")

    def follow(self, observe: Callable[[Outcome], None]) -> None:
        """Call `observe` with each outcome when its line is written, on the request's thread.

        A request that has two lines is reported twice, the second time with `final` true.
        """
        self._followers = (*self._followers, observe)

    @property
    def dropped(self) -> int:
        """The number of lines that the ring no longer holds."""
        return max(0, self._added.value - RING_SIZE)

    @property
    def requests(self) -> int:
        """The number of requests so far, including those that the ring no longer holds."""
        return self._request_count.value

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcomes in order of decision; a request's final line replaces its first one."""
        merged: dict[int, Outcome] = {}
        for line in self._lines.copy():
            merged[line.seq] = self._outcome(line)
        return list(merged.values())

    def events(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
        """The outcomes since a cursor, one for each line; a request may have two lines.

        Args:
            after: the cursor of an earlier call; an empty cursor, or one of another journal, begins at the oldest line.
            limit: the maximum number of outcomes.

        Returns:
            The outcomes in order, the next cursor, and the number of lines between the two cursors that the ring no
            longer holds.
        """
        lines = list(self._lines.copy())
        oldest = max(0, self._added.value - len(lines))
        count, _, last_id = after.partition(":")
        # Search for the cursor's line: its number may be wrong, as concurrent threads may be counted in another order
        # than their lines have in the ring.
        begin = next((at for at in range(len(lines), 0, -1) if _line_id(lines[at - 1]) == last_id), None)
        dropped = 0
        if begin is None:
            begin, dropped = 0, oldest
            if last_id.startswith(f"{os.getpid()}.") and count.isdecimal():
                dropped = max(0, oldest - int(count))
        lines = lines[begin : begin + max(0, limit)]
        if lines:
            after = f"{oldest + begin + len(lines)}:{_line_id(lines[-1])}"
        return [self._outcome(line) for line in lines], after, dropped

    def _outcome(self, line: Entry) -> Outcome:
        # Imported here as it loads msgspec, which an app needs only if its outcomes are read.
        from faultinject.journal.line_fields import outcome_of

        return outcome_of(line, self.reading)

    def write_calls(self, windows: Iterable[CallWindow], others: Iterable[Outcome] = ()) -> None:
        """Write a test's calls, and outcomes of other processes, to the file if there is one.

        Args:
            windows: the calls, and the block in which they were made.
            others: the outcomes of other processes.
        """
        if not self._files:
            return
        from faultinject.journal.named_calls import named_call_line

        pid = os.getpid()
        lines = [
            *(outcome.to_line() for outcome in others),
            *(named_call_line(window, pid) for window in windows),
        ]
        for file in self._files:
            for line in lines:
                file.write(line, pid)

    def note_change(self, change: ControlChange, generation: int) -> None:
        """Write a change of rules or switches to the file, if there is one.

        Args:
            change: the change by the control API.
            generation: the generation in force since the change.
        """
        if not self._files:
            return
        from faultinject.journal.change_lines import change_line

        for file in self._files:
            file.write(change_line(change, generation), os.getpid())

    def end(self) -> None:
        """Write the line of this process's end to the file, if there is one."""
        for file in self._files:
            file.end()

    def clear(self) -> None:
        """Drop the lines in memory; a file keeps its lines."""
        self._lines.clear()
        self._added = Counter()
        self._request_count = Counter()


def _logs_injections() -> bool:
    """Whether injected faults are logged, by the level of the logger `faultinject.injections`.

    If `logging` is not loaded, no level has been set.
    """
    return "logging" in modules and _logger().isEnabledFor(DEBUG)


def _logger() -> Logger:
    import logging

    return logging.getLogger(INJECTIONS)


def _log(outcome: Outcome) -> None:
    """Log a fault that was injected, or that was not carried out after all.

    The log record gets the journal's fields as attributes.
    """
    text = (
        "injected %s (%s) into %s %s by %s"
        if outcome.injected
        else "did not inject %s (%s) into %s %s by %s after all"
    )
    action = f"{outcome.did} {outcome.status}" if outcome.status else outcome.did
    _logger().debug(
        text,
        quoted(outcome.fault or ""),
        action,
        quoted(outcome.method),
        quoted(outcome.path),
        quoted(outcome.rule or ""),
        extra=_escape_texts(outcome.to_dict()),
    )


def _escape_texts(fields: dict[str, object]) -> dict[str, object]:
    """Escape every text in plain data for a log."""
    return {
        name: quoted(value)
        if isinstance(value, str)
        else _escape_texts(value)
        if isinstance(value, dict)
        else value
        for name, value in fields.items()
    }


def _running_test() -> str | None:
    """The test that runs, as pytest names it; None between two tests."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0] or None


def _line_id(line: Entry) -> str:
    """The id of a line, unique among all processes."""
    return f"{os.getpid()}.{line.seq}.{line.final}"


class JournalFile:
    """A file to which several processes append outcomes, each line in one write.

    A file that was removed or renamed meanwhile is opened again.

    Args:
        path: the file's path. A regular file must belong to our user; an existing one gets mode 0600, too.
        parent: as for `Journal`.
        option: the option that names the file, for an error message.

    Raises:
        ConfigurationError: it cannot be opened.
    """

    def __init__(
        self, path: str, *, parent: Parent | None = None, option: str = "FAULTINJECT_JOURNAL"
    ) -> None:
        self.path = path
        self._file: int | None = None
        # The path that the system showed for the open file when it was last compared with the file at `path`.
        self._open_path: str | None = None
        self._written: WrittenFile | None = None
        self._parent = parent
        self._lock = Lock()
        # Loaded now, so that the first request does not wait for it.
        import faultinject.journal.line_fields  # noqa: F401

        try:
            # The program may change its working directory later.
            self._absolute = os.path.abspath(path)
            self._file = _open(self._absolute)
            self._begin(self._file)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigurationError([Problem(f"cannot write to {path!r}: {reason}", where=option)]) from None

    def append(self, outcome: Outcome) -> None:
        """Write the line of an outcome."""
        if self._file is not None:
            self.write(outcome.to_line(), outcome.pid)

    def write(self, data: bytes, pid: int) -> None:
        """Write a line; the first failure closes the file, and is logged.

        Args:
            data: the line.
            pid: the id of this process.
        """
        file = self._file
        if file is None:
            return
        try:
            size = self._size(file) + len(data)
            full = size > LARGEST_FILE
            if self._written is not None:
                self._written.write(pid, size)
            if not full and os.write(file, data) == len(data):
                return
            reason = "it has reached 1 GiB" if full else "no space left"
        except OSError as error:
            reason = error.strerror or str(error)
        if self._written is not None:
            self._written.failed()
        self.close()
        # A journal's file cannot be written any more.
        log.error("faultinject: writing to the journal %s has stopped: %s", self.path, reason)

    def _begin(self, file: int) -> None:
        """Remember the identity of the file, and register it for the line of this process's end."""
        self._identity = identity(file)
        if self._parent is not None:
            from faultinject.journal.endings import written_file

            self._written = written_file(self._absolute, file, self._parent)

    def _size(self, file: int) -> int:
        """The file's size in bytes; a file that was removed or renamed is opened again first.

        On Linux `stat` doubles the cost of the next write. So as long as the system shows an unchanged path for the
        open file, it is not compared with the file at the journal's path.
        """
        where = _path_of_open_file(file)
        if where is not None and where == self._open_path:
            return os.lseek(file, 0, os.SEEK_END)
        status = os.fstat(file)
        if not self._file_at_path() == (status.st_dev, status.st_ino) == self._identity:
            with self._lock:
                if identity(file) != self._identity:
                    raise OSError(EBADF, "somebody has closed it")
                if self._file_at_path() != self._identity:  # else another thread has opened it
                    new = _open(self._absolute)
                    try:
                        # The descriptor keeps its number, as another thread may be about to write.
                        os.dup2(new, file, inheritable=False)
                    finally:
                        os.close(new)
                    if self._written is not None:
                        self._written.files.discard(file)
                    self._begin(file)
                    # A journal's file was removed or renamed, as log rotation does; another one takes the lines.
                    log.warning(
                        "faultinject: the journal %s was removed or renamed; a new file is opened", self.path
                    )
                return os.fstat(file).st_size
        # A pipe has no end to seek.
        self._open_path = where if S_ISREG(status.st_mode) else None
        return status.st_size

    def _file_at_path(self) -> tuple[int, ...]:
        """Device and inode of the file at the path, or of the open file if `stat` is not permitted."""
        try:
            status = os.stat(self._absolute)
        except FileNotFoundError:
            return ()
        except OSError:  # a process that has given up its rights
            return self._identity
        return status.st_dev, status.st_ino

    def end(self) -> None:
        """Write the line of this process's end, if the process has written to the file."""
        if self._written is not None:
            self._written.end()

    def close(self) -> None:
        """Write no more lines."""
        file, self._file = self._file, None
        if file is not None:
            if self._written is not None:
                self._written.files.discard(file)
            close_own(file, self._identity)

    def __del__(self, ends: Callable[[], bool] = is_finalizing) -> None:
        if not ends():  # `OwnFile` gives the reason
            self.close()


def _path_of_open_file(file: int) -> str | None:
    """The current path of an open file; None if the system does not show it.

    It changes when the file is renamed, removed or closed.
    """
    try:
        return os.readlink(f"/proc/self/fd/{file}")
    except OSError:
        return None


def _open(path: str) -> int:
    """Open a file for appending, without following a link.

    A regular file is ours, with mode 0600; some file systems have no modes.

    Raises:
        OSError: it cannot be opened, or belongs to another user.
    """
    file = os.open(path, TO_APPEND | os.O_CREAT, 0o600)
    status = os.fstat(file)
    if hasattr(os, "geteuid") and S_ISREG(status.st_mode):
        if status.st_uid != os.geteuid():
            os.close(file)
            raise OSError(EPERM, "it belongs to another user")
        if status.st_mode & 0o077:
            from contextlib import suppress

            with suppress(OSError):
                os.fchmod(file, 0o600)
    return file

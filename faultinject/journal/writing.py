"""The journal: one line a request, kept in a bounded ring and, if asked, appended to a file."""

from __future__ import annotations

import os
from collections import deque
from errno import EBADF, EPERM
from stat import S_ISREG
from sys import is_finalizing, modules

from faultinject.engine.counting import Counter
from faultinject.engine.request import NOT_INJECTED, Entry
from faultinject.exceptions import ConfigurationError, Problem
from faultinject.journal import log
from faultinject.locks import Lock
from faultinject.rules.files import TO_APPEND, close_own, identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.journal.endings import Parent, Written
    from faultinject.journal.outcome import Outcome
    from faultinject.vendors.vendor import Addressing

KEPT = 10_000
"""Lines that the ring keeps; older ones are dropped and counted."""
LARGEST_FILE = 1 << 30
"""Bytes at which a journal file takes no more lines."""


class Journal:
    """What happened to requests, newest last.

    Args:
        path: a file that each outcome is appended to as a JSON line (mode 0600), or None.
        test: a function to the id of the test that runs, or None.
        parent: a function to the process that may start another one when this one ends, as text, or None. Given, the
            file says when this process has ended.

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
        self.test = test
        self._lines: deque[Entry] = deque(maxlen=KEPT)
        self._taken = Counter()
        self._begun = Counter()
        self._file = None if path is None else JournalFile(path, parent=parent)
        self._make: Callable[[Entry, Addressing | None], Outcome] | None = None
        self._followers: tuple[Callable[[Outcome], None], ...] = ()
        self._tells_injections: Callable[[int], bool] | None = None
        self.reading: Addressing | None = None
        """How every request is read, whatever the vendor of the rule that it met; None: as that rule does."""
        self.count: Callable[[int], None] | None = None
        """Called with the number of requests so far when one more is noted, on its thread; may raise."""
        self.share: Callable[[Entry, Addressing | None], None] | None = None
        """Called with each line, and how its request is read, to let other processes have it; None: it stays here."""

    def add(self, line: Entry) -> None:
        """Keep one line; what goes wrong with it is no concern of the request."""
        if self.test is not None:
            line.test = self.test()
        self._lines.append(line)
        self._taken.next()
        if line.final is None:
            self._begun.next()
            if self.count is not None:
                self.count(self._begun.value)
        file = self._file
        # The first line of a fault, or a later one of a fault that was not carried out.
        told = False
        if line.fault is not None and "logging" in modules:
            # Where nobody has loaded it, nobody has set a level.
            wanted = self._tells_injections
            if wanted is None:
                wanted = self._tells_injections = log.injections_told()
            told = wanted(log.DEBUG) and (line.final is None) is (line.did not in NOT_INJECTED)
        try:
            if self.share is not None:
                self.share(line, self.reading)
            if file is None and not self._followers and not told:
                return
            outcome = self._outcome(line)
            if told:
                log.injection(outcome)
            if file is not None:
                file.append(outcome)
            for tell in self._followers:
                tell(outcome)
        except Exception as error:
            log.failed(error, line.rule or "")

    def follow(self, tell: Callable[[Outcome], None]) -> None:
        """Call `tell` with each outcome when its line is written, on the thread of the request.

        A request whose end is not known at once is reported twice, the second time with `final` true.
        """
        self._followers = (*self._followers, tell)

    @property
    def dropped(self) -> int:
        """How many lines the ring no longer holds."""
        return max(0, self._taken.value - KEPT)

    @property
    def requests(self) -> int:
        """How many requests were noted, also those that the ring no longer holds."""
        return self._begun.value

    @property
    def outcomes(self) -> list[Outcome]:
        """One outcome a request, in the order they were decided; a final line stands for its first."""
        merged: dict[int, Outcome] = {}
        for line in self._lines.copy():
            merged[line.seq] = self._outcome(line)
        return list(merged.values())

    def events(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
        """What happened since a moment: an outcome a line, so that the end of a request comes as an outcome of its own.

        Args:
            after: the cursor that an earlier call gave; empty, or one that is not of this journal: from the oldest line on.
            limit: the maximum number of outcomes.

        Returns:
            The outcomes in order, the cursor to go on from, and how many lines between the two the ring no longer holds.
        """
        lines = list(self._lines.copy())
        oldest = max(0, self._taken.value - len(lines))
        seen, _, last = after.partition(":")
        # Threads that write at once are counted in another order than they stand in the ring: the line itself tells.
        begin = next((at for at in range(len(lines), 0, -1) if _tag(lines[at - 1]) == last), None)
        dropped = 0
        if begin is None:
            begin, dropped = 0, oldest
            if last.startswith(f"{os.getpid()}.") and seen.isdecimal():
                dropped = max(0, oldest - int(seen))
        found = lines[begin : begin + max(0, limit)]
        if found:
            after = f"{oldest + begin + len(found)}:{_tag(found[-1])}"
        return [self._outcome(each) for each in found], after, dropped

    def _outcome(self, line: Entry) -> Outcome:
        make = self._make
        if make is None:
            # Loads msgspec, and an app whose outcomes nobody reads needs none.
            from faultinject.journal.line_fields import outcome_of

            make = self._make = outcome_of
        return make(line, self.reading)

    def end(self) -> None:
        """Say in the file, if there is one, that no more comes of this process."""
        if self._file is not None:
            self._file.end()

    def clear(self) -> None:
        """Forget the lines in memory; a file keeps its own."""
        self._lines.clear()
        self._taken = Counter()
        self._begun = Counter()


def _tag(line: Entry) -> str:
    """What tells a line from the others of its process, and of others."""
    return f"{os.getpid()}.{line.seq}.{line.final}"


class JournalFile:
    """A file that outcomes are appended to, one write a line, by any number of processes.

    One that somebody removes or renames meanwhile is opened anew.

    Args:
        path: where; a regular file must be ours, and can be read by nobody else (mode 0600), also when it is not new.
        parent: as for `Journal`.
        option: what named it, for the message that it cannot be opened.

    Raises:
        ConfigurationError: it cannot be opened.
    """

    def __init__(
        self, path: str, *, parent: Parent | None = None, option: str = "FAULTINJECT_JOURNAL"
    ) -> None:
        self.path = path
        self._file: int | None = None
        # Where the system said it was when it was last compared with the file at its path.
        self._where: str | None = None
        self._place: Written | None = None
        self._parent = parent
        self._lock = Lock()
        # Loaded when a file is wanted, before the first request comes.
        import faultinject.journal.line_fields  # noqa: F401

        try:
            # The program may go to another directory.
            self._absolute = os.path.abspath(path)  # noqa: PTH100 - pathlib takes its time to load
            self._file = _open(self._absolute)
            self._begin(self._file)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigurationError([Problem(f"cannot write to {path!r}: {why}", where=option)]) from None

    def append(self, outcome: Outcome) -> None:
        """Write the line of an outcome; at the first that cannot be written the file ends, and the log says so."""
        file = self._file
        if file is None:
            return
        data = outcome.to_line()
        try:
            size = self._size(file) + len(data)
            full = size > LARGEST_FILE
            if self._place is not None:
                self._place.write(outcome.pid, size)
            if not full and os.write(file, data) == len(data):
                return
            why = "it has reached 1 GiB" if full else "no space left"
        except OSError as error:
            why = error.strerror or str(error)
        if self._place is not None:
            self._place.failed()
        self.close()
        log.journal_ends(self.path, why)

    def _begin(self, file: int) -> None:
        """Note which file it is, and where its end is said."""
        self._identity = identity(file)
        if self._parent is not None:
            from faultinject.journal.endings import place_of

            self._place = place_of(self._absolute, file)
            self._place.limit, self._place.parent = LARGEST_FILE, self._parent

    def _size(self, file: int) -> int:
        """Bytes of the file, which is opened anew if it is not there any more.

        Where the system tells where an open file is, it is compared with the one at its path only when that has changed: on
        Linux, whoever asks a file for its times makes the next write to it cost twice as much.
        """
        where = _where(file)
        if where is not None and where == self._where:
            return os.lseek(file, 0, os.SEEK_END)
        found = os.fstat(file)
        if not self._there() == (found.st_dev, found.st_ino) == self._identity:
            with self._lock:
                if identity(file) != self._identity:
                    raise OSError(EBADF, "somebody has closed it")
                if self._there() != self._identity:  # else another thread has opened it
                    new = _open(self._absolute)
                    try:
                        # The number stays: another thread may be about to write.
                        os.dup2(new, file, inheritable=False)
                    finally:
                        os.close(new)
                    if self._place is not None:
                        self._place.files.discard(file)
                    self._begin(file)
                    log.journal_anew(self.path)
                return os.fstat(file).st_size
        # A pipe has no end to seek.
        self._where = where if S_ISREG(found.st_mode) else None
        return found.st_size

    def _there(self) -> tuple[int, ...]:
        """Device and inode of what has the path now; of what nobody may look at those of the open file."""
        try:
            found = os.stat(self._absolute)  # noqa: PTH116 - pathlib takes its time to load
        except FileNotFoundError:
            return ()
        except OSError:  # a process that has given up its rights
            return self._identity
        return found.st_dev, found.st_ino

    def end(self) -> None:
        """Say that no more comes of this process, if it has written anything."""
        if self._place is not None:
            self._place.end()

    def close(self) -> None:
        """Take no more lines."""
        file, self._file = self._file, None
        if file is not None:
            if self._place is not None:
                self._place.files.discard(file)
            close_own(file, self._identity)

    def __del__(self, ends: Callable[[], bool] = is_finalizing) -> None:
        if not ends():  # as for `OwnFile`
            self.close()


def _where(file: int) -> str | None:
    """The path of an open file; another one where it was renamed, removed or closed; None: the system does not tell."""
    try:
        return os.readlink(f"/proc/self/fd/{file}")  # noqa: PTH115 - pathlib takes its time to load
    except OSError:
        return None


def _open(path: str) -> int:
    """A file to append to: no link is followed, and a regular file is ours, with mode 0600; some file systems have no modes.

    Raises:
        OSError: it cannot be opened, or belongs to another user.
    """
    file = os.open(path, TO_APPEND | os.O_CREAT, 0o600)
    found = os.fstat(file)
    if hasattr(os, "geteuid") and S_ISREG(found.st_mode):
        if found.st_uid != os.geteuid():
            os.close(file)
            raise OSError(EPERM, "it belongs to another user")
        if found.st_mode & 0o077:
            from contextlib import suppress

            with suppress(OSError):
                os.fchmod(file, 0o600)
    return file

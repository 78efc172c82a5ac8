"""The outcomes of all processes of a directory, as JSON lines in files of bounded size.

The last two files are kept. The N in the name `journal-N` is the number of lines in earlier files, so that a reader
knows how many lines were removed.
"""

from __future__ import annotations

import os
from math import inf

from faultinject.counts.files import EVENTS, read_file, remove_file
from faultinject.exceptions import StoreUnavailableError
from faultinject.journal import log
from faultinject.journal.line_fields import outcome_of
from faultinject.journal.outcome import Outcome, outcome_in
from faultinject.rules.files import TO_APPEND, OwnFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from faultinject.counts.filelock import FileLock
    from faultinject.engine.entry import Entry
    from faultinject.vendors.addressing import Addressing

    class Opened(Protocol):
        """An open directory, which stays open as long as a reference is kept."""

        directory: int
        lock: FileLock
        shown: str
        token: str


LARGEST = 8 << 20
"""The most bytes of a file, about ten thousand lines."""
_PIECE = 1 << 20
_FROM_START = (-1, 0, 0)


class _Segment(OwnFile):
    """One of the files, open for appending.

    It is closed with its last reference, so that a thread may write to it while another thread opens the next file.
    """

    @property
    def full(self) -> bool:
        """Whether the next file must be begun, or this file was removed."""
        status = os.fstat(self.number)
        return status.st_size >= LARGEST or not status.st_nlink


class FileJournal:
    """The outcomes in one directory.

    Args:
        store: the directory; it stays open as long as this object.
    """

    def __init__(self, store: Opened) -> None:
        self._store = store
        self._segment: _Segment | None = None
        self._drops_lines = False

    def add(self, line: Entry, reading: Addressing | None) -> None:
        """Append a line; a line that cannot be written is lost, and the first loss is logged."""
        data = outcome_of(line, reading).to_line()
        try:
            segment = self._segment
            if segment is None or segment.full:
                segment = self._segment = self._next(segment)
            reason = "" if os.write(segment.number, data) == len(data) else "no space left"
        except (OSError, StoreUnavailableError) as error:
            reason = getattr(error, "strerror", None) or str(error)
        if reason and not self._drops_lines:
            # Other processes cannot get the outcomes; logged for the first lost line.
            log.error(
                "faultinject: the shared journal in %s cannot be written to, lines are dropped: %s",
                self._store.shown,
                reason,
            )
        self._drops_lines = bool(reason)

    def read(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
        """As `Journal.events`, for all processes.

        Raises:
            StoreUnavailableError: the files cannot be read.
        """
        try:
            return self._read(after, max(0, limit))
        except OSError as error:
            raise StoreUnavailableError(f"the journal in {self._store.shown}: {error.strerror}") from None

    def _read(self, after: str, limit: int) -> tuple[list[Outcome], str, int]:
        token, *numbers = after.split(".")
        file_number, offset, lines_read = _FROM_START
        if (
            token == self._store.token
            and len(numbers) == len(_FROM_START)
            and all(map(str.isdecimal, numbers))
        ):
            file_number, offset, lines_read = map(int, numbers)
        numbers_there = self._numbers()
        dropped = 0
        if numbers_there and file_number not in numbers_there:
            # Lines after the cursor, or after the very first line, were in files that are removed by now.
            dropped = max(0, numbers_there[0] - (file_number + lines_read if file_number >= 0 else 0))
            file_number, offset, lines_read = numbers_there[0], 0, 0
        outcomes_found: list[Outcome] = []
        while numbers_there:
            data = read_file(f"{EVENTS}{file_number}", self._store.directory, offset, _PIECE)
            lines, count, length = outcomes(
                data or b"", limit - len(outcomes_found)
            )  # it may have been removed meanwhile
            outcomes_found += lines
            offset += length
            lines_read += count
            later = [number for number in numbers_there if number > file_number]
            if length and len(outcomes_found) < limit:
                continue
            if len(outcomes_found) >= limit or not later:
                break
            file_number, offset, lines_read = later[0], 0, 0
        cursor = f"{self._store.token}.{file_number}.{offset}.{lines_read}" if numbers_there else after
        return outcomes_found, cursor, dropped

    def _next(self, full: _Segment | None) -> _Segment:
        """The file to which the next lines are appended.

        If the lock is unavailable, the full file gets a few more lines.
        """
        try:
            with self._store.lock:
                return self._newest()
        except StoreUnavailableError:
            if full is None:
                raise
            return full

    def _newest(self) -> _Segment:
        """The newest file, or the one after it; its name has the number of earlier lines."""
        numbers = self._numbers()
        newest = numbers[-1] if numbers else 0
        segment = self._open(newest)
        if segment.full:
            lines = read_file(f"{EVENTS}{newest}", self._store.directory) or b""
            segment = self._open(newest + max(1, lines.count(b"\n")))
            for number in numbers[:-1]:
                remove_file(f"{EVENTS}{number}", self._store.directory)
        return segment

    def _open(self, number: int) -> _Segment:
        return _Segment(
            os.open(f"{EVENTS}{number}", TO_APPEND | os.O_CREAT, 0o600, dir_fd=self._store.directory)
        )

    def _numbers(self) -> list[int]:
        names = os.listdir(self._store.directory)
        suffixes = (name.removeprefix(EVENTS) for name in names if name.startswith(EVENTS))
        return sorted(int(suffix) for suffix in suffixes if suffix.isdecimal())


def outcomes(data: bytes, limit: float = inf) -> tuple[list[Outcome], int, int]:
    """Read the outcomes of a journal's whole lines.

    Args:
        data: lines; the last one may be half written.
        limit: the maximum number of outcomes.

    Returns:
        The outcomes, and the numbers of lines and bytes that were read.
    """
    read: list[Outcome] = []
    count = length = 0
    whole = data[: data.rfind(b"\n") + 1]
    while len(read) < limit and length < len(whole):
        end = whole.index(b"\n", length)
        outcome = outcome_in(whole[length:end])
        count += 1
        length = end + 1
        if outcome is not None:
            read.append(outcome)
    return read, count, length

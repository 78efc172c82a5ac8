"""Reads the lines of one file, gzipped or not."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from io import BufferedReader
from typing import cast

from faultinject.engine.shown import quoted
from faultinject.exceptions import ReportError
from faultinject.journal.lines import TOO_LONG, TORN
from faultinject.rules.files import open_to_read

LONGEST = 1 << 20
"""The most bytes of a line."""
_GZIP = b"\x1f\x8b"

MOST_BEFORE_FIRST = 64 << 20
"""The most bytes that are read to find a journal's first line, as a device may have no end."""


class LineSource:
    """The lines of a file, as an iterable.

    Args:
        path: the file's path; `-` is the standard input.
        skipped: counts lines that cannot be read, by reason.
        standard: a file that is read from its beginning instead of the standard input.

    Attributes:
        has_journal_line: whether it has a line of a journal; the reader of the lines sets it.
    """

    def __init__(self, path: str, skipped: dict[str, int], standard: BufferedReader | None = None) -> None:
        self.has_journal_line = False
        self._path = path
        self._standard = standard
        self._name = "the standard input" if path == "-" else quoted(path)
        self._skipped = skipped
        self._reasons: dict[str, int] = {}

    def skip(self, reason: str) -> None:
        """Count a skipped line."""
        for counts in (self._skipped, self._reasons):
            counts[reason] = counts.get(reason, 0) + 1

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines, without empty ones.

        Raises:
            ReportError: the file cannot be read, or has lines and none is of a journal.
        """
        import zlib
        from gzip import BadGzipFile

        count = size = 0
        with ExitStack() as stack:
            try:
                file = open_unpacked(self._path, stack, self._standard)
            except (OSError, ValueError) as error:
                raise self._unreadable(error) from None
            part = False
            read = file.readline
            while True:
                try:
                    piece = read(LONGEST)
                except (EOFError, zlib.error, BadGzipFile) as error:
                    # A gzip file that is still being written, or whose writer was killed.
                    if not self.has_journal_line:
                        raise self._unreadable(error) from None
                    self.skip(TORN)
                    break
                except OSError as error:
                    raise self._unreadable(error) from None
                if not piece:
                    break
                size += len(piece)
                if size > MOST_BEFORE_FIRST and not self.has_journal_line:
                    raise ReportError(f"{self._name}: no line of a faultinject journal in its first 64 MiB")
                whole = piece.endswith(b"\n")
                if part or (not whole and len(piece) == LONGEST):
                    if not part:
                        count += 1
                        self.skip(TOO_LONG)
                    part = not whole
                elif not piece.isspace():
                    count += 1
                    if whole or piece.endswith(b"}"):
                        yield piece
                    else:
                        self.skip(TORN)
        # An empty file is no error: a server makes its file before the first request comes.
        if count and not self.has_journal_line:
            raise ReportError(f"{self._name}: {_no_journal_line(count, self._reasons)}")

    def _unreadable(self, error: Exception) -> ReportError:
        return ReportError(f"cannot read {self._name}: {getattr(error, 'strerror', None) or error}")


def noted_lines(paths: Sequence[str], standard: BufferedReader | None = None) -> list[bytes]:
    """The lines of drivers and tests in journals; a journal that cannot be read is left out.

    Args:
        paths: the journals; `-` is the standard input.
        standard: a file that is read from its beginning instead of the standard input.
    """
    noted = []
    for path in paths:
        source = LineSource(path, {}, standard)
        with suppress(ReportError):  # reading the journal's requests raises the same error
            for line in source:
                source.has_journal_line = source.has_journal_line or may_be_journal(line)
                # The last field of a request's line is not an object, so that line has one brace at its end.
                if line.endswith((b"}}\n", b"}}")):
                    noted.append(line)
    return noted


def may_be_journal(piece: bytes) -> bool:
    """Whether a piece of a file has the beginning of a journal's line, or of a gzip file."""
    return b'{"v":' in piece or piece.startswith(_GZIP)


def open_unpacked(path: str, stack: ExitStack, standard: BufferedReader | None = None) -> BufferedReader:
    """Open a file, gzipped or not, to read its unpacked bytes; the stack closes it.

    The path `-` is the standard input, or `standard` in its place.

    Raises:
        OSError: it cannot be opened.
        ValueError: the standard input is closed.
    """
    file: BufferedReader
    if path == "-" and standard is not None:
        file = standard
        file.seek(0)
    elif path == "-":
        if sys.stdin is None:
            raise ValueError("it is closed")
        file = cast("BufferedReader", sys.stdin.buffer)
    else:
        file = stack.enter_context(open_to_read(path))
    if file.peek(2)[:2] != _GZIP:
        return file
    from gzip import GzipFile

    return cast("BufferedReader", stack.enter_context(GzipFile(fileobj=file)))


def _no_journal_line(count: int, skipped: dict[str, int]) -> str:
    """Say that a file has no line of a journal."""
    lines = "1 line" if count == 1 else f"{count:,} lines"
    reason = ", ".join(
        f"{number:,} {reason}" if len(skipped) > 1 else reason for reason, number in skipped.items()
    )
    return f"{lines}, none of them from a faultinject journal: {reason}"

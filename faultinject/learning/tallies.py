"""Counts the requests of a log by second, kind and error."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice

from faultinject.exceptions import ConfigurationError
from faultinject.journal.sources import open_unpacked
from faultinject.learning.formats import FORMATS, Format, OperationNames, Skip
from faultinject.rules.descriptions import counted

LONGEST_LINE = 65_536
"""The most bytes that are read of a line; the rest is skipped."""
LOOKED_AT = 200
"""The number of first lines from which a format is detected."""
EXAMPLES = 3
"""The number of lines of another form that are listed."""
BEGUN_AS_A_SUCCESS = 200
"""The status of an answer that began before its error was known.

S3 begins the answers to CopyObject and CompleteMultipartUpload in this way.
"""
Kind = tuple[str, bool]
"""An operation and True; or, if the log shows no operation, a method and False."""
Error = tuple[int, str]
"""A status and a code."""


@dataclass(frozen=True)
class Broken:
    """The place of a line of another form.

    The text of the line is not kept: it may contain an address or a token.

    Attributes:
        file: The file's name, as the user wrote it.
        line: The line's number, from 1.
    """

    file: str
    line: int


@dataclass
class Tally:
    """The counts of a log.

    Attributes:
        format: the format's value of `--format`.
        title: the name of the log.
        vendor: the vendor of its operations and codes, or None.
        requests: by kind, the number of requests in each second.
        errors: by kind and error, the number of errors in each second.
        operations: by method, the operations that the log shows.
        lines: the number of lines that were read.
        broken: the number of lines of another form.
        examples: the first lines of another form.
        skipped: for each reason, the number of lines that do not count.
    """

    format: str = ""
    title: str = ""
    vendor: str | None = None
    requests: dict[Kind, Counter[int]] = field(default_factory=dict)
    errors: dict[Kind, dict[Error, Counter[int]]] = field(default_factory=dict)
    operations: dict[str, set[str]] = field(default_factory=dict)
    lines: int = 0
    broken: int = 0
    examples: list[Broken] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def span(self) -> tuple[int, int]:
        """The first second, and the second after the last."""
        seconds = [second for counts in self.requests.values() for second in counts]
        return (min(seconds), max(seconds) + 1) if seconds else (0, 1)


def read_logs(paths: Iterable[str], name: str | None, vendor: str | None) -> Tally:
    """Count the lines of logs, plain or gzipped; `-` is the standard input.

    Args:
        paths: the files, which must all be of one format.
        name: the format; None: the first format that fits most of the first lines.
        vendor: the vendor of its operations; None: the format's own.

    Raises:
        ConfigurationError: a file cannot be read, or has another format.
    """
    tally = Tally()
    log_format = None if name is None else _make_format(name, vendor)
    for path in paths:
        lines = enumerate(_lines(path), 1)
        first = [*islice(lines, LOOKED_AT)]
        if log_format is None:
            if not any(_may_be_request(line) for _, line in first):
                continue
            log_format = _detect([line for _, line in first], vendor)
            if log_format is None:
                known = ", ".join(FORMATS)
                raise ConfigurationError(
                    f"{path}: its lines have none of the known formats ({known}); choose one with --format"
                )
        elif name is None:
            # Lines of another format may fit this one, too.
            detected = _detect([line for _, line in first], vendor)
            if detected is not None and detected.name != log_format.name:
                raise ConfigurationError(
                    f"{path}: its lines are of the {detected.title}, not of the {log_format.title}"
                )
        lines_before, broken_before = tally.lines, tally.broken
        _count(first, log_format, tally, path)
        _count(lines, log_format, tally, path)
        read = tally.lines - lines_before
        if read and tally.broken - broken_before == read:
            raise ConfigurationError(
                f"{path}: none of {counted(read, 'line')} has the form of the {log_format.title}"
            )
    if log_format is None or not tally.requests:
        skipped = "".join(f"; {counted(n, 'line')} left out: {reason}" for reason, n in tally.skipped.items())
        raise ConfigurationError(f"there is no request in it{skipped}")
    tally.format, tally.title, tally.vendor = log_format.name, log_format.title, log_format.vendor
    return tally


def _make_format(name: str, vendor: str | None) -> Format:
    form = FORMATS[name]
    return form(OperationNames(vendor or form.vendor))


def _may_be_request(line: str) -> bool:
    return bool(line.strip()) and line[:1] != "#"


def _detect(first: list[str], vendor: str | None) -> Format | None:
    for name in FORMATS:
        log_format = _make_format(name, vendor)
        requests = readable = 0
        for line in first:
            if log_format.is_header(line):
                continue
            requests += 1
            try:
                readable += log_format.read(line) is not None
            except Skip:
                readable += 1
        if readable * 2 > requests:
            return _make_format(name, vendor)
    return None


def _count(lines: Iterable[tuple[int, str]], log_format: Format, tally: Tally, path: str) -> None:
    for number, line in lines:
        if log_format.is_header(line):
            continue
        tally.lines += 1
        try:
            record = log_format.read(line)
        except Skip as skip:
            tally.skipped[str(skip)] += 1
            continue
        if record is None:
            tally.broken += 1
            if len(tally.examples) < EXAMPLES:
                tally.examples.append(Broken(path, number))
            continue
        kind = (record.method, False) if record.operation is None else (record.operation, True)
        if record.operation is not None:
            tally.operations.setdefault(record.method, set()).add(record.operation)
        second = int(record.time)
        tally.requests.setdefault(kind, Counter())[second] += 1
        if record.status >= 400 or (record.status == BEGUN_AS_A_SUCCESS and record.code):
            errors = tally.errors.setdefault(kind, {})
            errors.setdefault((record.status, record.code), Counter())[second] += 1


def _lines(path: str) -> Iterator[str]:
    """Read the lines of a file without their ends, and without a byte order mark."""
    try:
        with ExitStack() as stack:
            file = open_unpacked(path, stack)
            begun = False
            while piece := file.readline(LONGEST_LINE):
                if not begun:
                    yield piece.decode("utf-8", "replace").lstrip("\ufeff").rstrip("\r\n")
                begun = not piece.endswith(b"\n")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ConfigurationError(f"{path}: the gzipped file is cut or damaged: {error}") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: {getattr(error, 'strerror', None) or error}") from None

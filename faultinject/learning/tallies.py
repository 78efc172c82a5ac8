"""How many requests of each kind got which answer, second by second."""

from __future__ import annotations

import gzip
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from faultinject.exceptions import ConfigurationError
from faultinject.learning.formats import FORMATS, Skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from faultinject.learning.formats import Format

LONGEST_LINE = 65_536
"""Bytes; what is longer is no line of these logs."""
LOOKED_AT = 200
"""Lines by which a format is told."""
Kind = tuple[str, bool]
"""An operation, or a method where the log does not tell the operation; and whether it is one."""
Error = tuple[int, str]
"""A status and a code."""


@dataclass
class Tally:
    """What was counted.

    Attributes:
        title: whose log it was.
        vendor: whose operations and codes it has, or None.
        requests: by kind, the requests of each second.
        errors: by kind and error, likewise.
        lines: how many were read.
        broken: how many are of another form.
        skipped: how many count for nothing, by the reason.
    """

    title: str = ""
    vendor: str | None = None
    requests: dict[Kind, Counter[int]] = field(default_factory=dict)
    errors: dict[Kind, dict[Error, Counter[int]]] = field(default_factory=dict)
    lines: int = 0
    broken: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def span(self) -> tuple[int, int]:
        """The first second and the one behind the last."""
        seconds = [each for some in self.requests.values() for each in some]
        return (min(seconds), max(seconds) + 1) if seconds else (0, 1)


def read_logs(
    paths: Iterable[str], name: str | None, operation: Callable[[str, str, str], str | None]
) -> Tally:
    """Count the lines of logs, plain or gzipped; `-` is the standard input.

    Args:
        paths: the files; all of one format.
        name: the format; None: the first that most of the first lines have.
        operation: from method, target and Host to the vendor's name of the operation.

    Raises:
        ConfigurationError: a file cannot be read, or is of no such format.
    """
    tally = Tally()
    made: Format | None = None if name is None else FORMATS[name](operation)
    for path in paths:
        lines = _lines(path)
        if made is None:
            first = [line for line, _ in zip(lines, range(LOOKED_AT), strict=False)]
            made = _told(first, operation, path)
            _count(first, made, tally)
        before, broken = tally.lines, tally.broken
        _count(lines, made, tally)
        read = tally.lines - before
        if read and tally.broken - broken == read and not tally.requests:
            raise ConfigurationError(f"{path}: none of {read} lines is of a {made.title}")
    assert made is not None
    if not tally.requests:
        raise ConfigurationError("there is no request in it")
    tally.title, tally.vendor = made.title, made.vendor
    return tally


def _told(first: list[str], operation: Callable[[str, str, str], str | None], path: str) -> Format:
    for each in FORMATS.values():
        made = each(operation)
        read = right = 0
        for line in first:
            if made.heed(line):
                continue
            read += 1
            try:
                right += made.read(line) is not None
            except Skip:
                right += 1
        if right * 2 > read:
            return each(operation)
    known = ", ".join(FORMATS)
    raise ConfigurationError(
        f"{path}: its lines are of no format that is known ({known}); --format says which it is"
    )


def _count(lines: Iterable[str], made: Format, tally: Tally) -> None:
    for line in lines:
        if made.heed(line):
            continue
        tally.lines += 1
        try:
            record = made.read(line)
        except Skip as skip:
            tally.skipped[str(skip)] += 1
            continue
        if record is None:
            tally.broken += 1
            continue
        kind = (record.method, False) if record.operation is None else (record.operation, True)
        second = int(record.time)
        tally.requests.setdefault(kind, Counter())[second] += 1
        if record.status >= 400:
            errors = tally.errors.setdefault(kind, {})
            errors.setdefault((record.status, record.code), Counter())[second] += 1


def _lines(path: str) -> Iterator[str]:
    try:
        with _opened(path) as file:
            while line := file.readline(LONGEST_LINE):
                whole = line.endswith(b"\n") or len(line) < LONGEST_LINE
                yield line.decode("utf-8", "replace")
                while not whole and (rest := file.readline(LONGEST_LINE)):
                    whole = rest.endswith(b"\n")
    except (EOFError, gzip.BadGzipFile) as error:
        raise ConfigurationError(f"{path}: the gzipped file is cut or damaged: {error}") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from None


def _opened(path: str) -> BinaryIO:
    if path == "-":
        return sys.stdin.buffer
    file = Path(path).open("rb")  # noqa: SIM115 - closed by who reads it
    if file.peek(2)[:2] == b"\x1f\x8b":
        return gzip.open(file)  # type: ignore[return-value]
    return file

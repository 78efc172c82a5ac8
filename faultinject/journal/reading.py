"""Reads journals: any number of files, whatever is in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush, heappushpop, merge
from io import BufferedReader
from operator import attrgetter

from msgspec.structs import asdict

from faultinject.journal.attempts import Attempt
from faultinject.journal.lines import TWICE, End, LineReader
from faultinject.journal.outcome import Outcome
from faultinject.journal.sources import Source

AHEAD = 5_000
"""The number of requests that are read ahead to put them in order."""
APART = 1.0
"""Seconds by which the clocks of two machines differ at least."""
NEVER = float("-inf")

_arrival = attrgetter("arrived")


def read(
    paths: Sequence[str],
    *,
    skipped: dict[str, int] | None = None,
    one_machine: bool = False,
    writers: Writers | None = None,
    standard: BufferedReader | None = None,
) -> Iterator[Attempt]:
    """The requests of journals, in order of arrival, one attempt a request.

    A request whose end comes late is given at its beginning; the attempt gets its end when that line is read.

    Args:
        paths: files, gzipped or not; `-` is the standard input.
        skipped: counts lines that are not read, by reason.
        one_machine: whether one machine has seen all requests, although its unix clock may have been set.
        writers: notes the processes that have written, and those that have ended.
        standard: a file that is read from its beginning instead of the standard input.

    Raises:
        ReportError: a file cannot be read, or has no line of a journal.
    """
    skipped = {} if skipped is None else skipped
    reading = _Reading(None if one_machine else Clocks(), Writers() if writers is None else writers)
    sources = [Source(path, skipped, standard) for path in paths]
    ahead = max(100, AHEAD // max(1, len(sources)))
    files = (reading.ordered(number, source, ahead) for number, source in enumerate(sources))
    yield from merge(*files, key=_arrival)


def of_outcomes(outcomes: Iterable[Outcome]) -> list[Attempt]:
    """The requests of a journal in memory, in order of arrival; all of one machine."""
    attempts: dict[tuple[int, int, float], Attempt] = {}
    for outcome in outcomes:
        attempt = Attempt.of(asdict(outcome))
        attempts[attempt.pid, attempt.seq, attempt.arrived] = attempt
    return sorted(attempts.values(), key=_arrival)


class _Reading:
    """Several files, read together."""

    def __init__(self, clocks: Clocks | None, writers: Writers) -> None:
        self._writers = writers
        self._lines = LineReader()
        self._clocks = clocks
        # All requests, for their final lines, and to recognise a line that is there twice.
        self._known: dict[tuple[int, int, float], Attempt] = {}

    def ordered(self, number: int, source: Source, ahead: int) -> Iterator[Attempt]:
        """Yield the requests of one file, sorted among those that are read ahead."""
        heap: list[tuple[float, int, Attempt]] = []
        read_line = self._lines.read
        for place, line in enumerate(source):
            read = read_line(line)
            if isinstance(read, str):
                source.skip(read)
                continue
            source.good = True
            if read is None:
                continue
            if isinstance(read, End):
                self._writers.ended(number, read)
                continue
            attempt = self._request(read, number, source)
            if attempt is None:
                continue
            if len(heap) < ahead:
                heappush(heap, (attempt.arrived, place, attempt))
            else:
                yield heappushpop(heap, (attempt.arrived, place, attempt))[2]
        while heap:
            yield heappop(heap)[2]

    def _request(self, attempt: Attempt, number: int, source: Source) -> Attempt | None:
        """The request that a line begins; None for one that was begun before."""
        self._writers.wrote(number, attempt)
        first_line = self._known.setdefault((attempt.pid, attempt.seq, attempt.arrived), attempt)
        if first_line is not attempt:
            if not attempt.final:
                source.skip(TWICE)
                return None
            for name in Attempt.__struct_fields__:  # in place, as others hold the attempt
                setattr(first_line, name, getattr(attempt, name))
        if self._clocks is not None:
            self._clocks.set(first_line, number)
        return attempt if first_line is attempt else None


class Writers:
    """The processes that have written; it is told of each line, in the order of the file.

    Attributes:
        latest: the latest time in the lines, unix seconds; minus infinity without lines.
        parents: the processes that may start another one in place of one that has ended, as texts.
    """

    def __init__(self) -> None:
        self.latest = NEVER
        self.parents: set[str] = set()
        # By file and process: a file is of one machine, and a process number is unique on one machine only.
        self._writing: set[tuple[int, int]] = set()
        self._ended: set[tuple[int, int]] = set()

    def wrote(self, source: int, line: Attempt) -> None:
        """Note that a process has written a line about a request.

        Args:
            source: the number of the file.
            line: the line, with the times of its own file.
        """
        self._writing.add((source, line.pid))
        time, answered = line.time, line.answered
        at = time if answered is None else time + answered - line.arrived
        self.latest = max(self.latest, at)

    def ended(self, source: int, end: End) -> None:
        """Note the end of a process; a later line of the same process number revokes it."""
        self._writing.discard((source, end.pid))
        self._ended.add((source, end.pid))
        if end.parent is not None:
            self.parents.add(end.parent)

    @property
    def over(self) -> bool:
        """Whether every process that has written has ended, and at least one has."""
        return bool(self._ended) and not self._writing


class Clocks:
    """Puts requests that machines with different monotonic clocks saw on one scale."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, int], int] = {}
        self._bases: list[float] = []
        self._first: list[float] = []

    def set(self, attempt: Attempt, source: int) -> None:
        """Note the clock of an attempt, and express its times by the first clock.

        Args:
            attempt: with the times of its line.
            source: the number of the file that it is from.
        """
        base = attempt.time - attempt.arrived
        clock = self._of.get((source, attempt.pid))
        if clock is None:
            # A change of a machine's clock shows in the lines of a running process, too.
            near = (number for number, known in enumerate(self._bases) if abs(known - base) < APART)
            clock = next(near, len(self._bases))
            if clock == len(self._bases):
                self._bases.append(base)
                self._first.append(base)
            self._of[source, attempt.pid] = clock
        self._bases[clock] = base
        if clock:
            offset = self._first[clock] - self._first[0]
            attempt.clock = clock
            attempt.arrived += offset
            if attempt.answered is not None:
                attempt.answered += offset

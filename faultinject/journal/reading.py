"""Reads journals: any number of files, with damaged and foreign lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush, heappushpop, merge
from io import BufferedReader
from operator import attrgetter

from msgspec.structs import asdict

from faultinject.journal.attempts import Attempt
from faultinject.journal.lines import TWICE, EndLine, LineReader
from faultinject.journal.outcome import Outcome
from faultinject.journal.sources import LineSource

AHEAD = 5_000
"""The number of requests that are read ahead, so that they can be sorted by arrival."""
APART = 1.0
"""Two clocks that differ by at least this many seconds belong to two machines."""
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
    """Read the requests of journals, in order of arrival, one attempt a request.

    A request that has two lines is yielded with the first one. The second line later completes the same attempt.

    Args:
        paths: files, gzipped or not; `-` is the standard input.
        skipped: counts the lines that are skipped, by reason.
        one_machine: whether all journals are from one machine, even if its unix clock was changed meanwhile.
        writers: notes the processes that have written, and those that have ended.
        standard: a file that is read from its beginning instead of the standard input.

    Raises:
        ReportError: a file cannot be read, or has no journal line.
    """
    skipped = {} if skipped is None else skipped
    reading = _JournalReader(None if one_machine else Clocks(), Writers() if writers is None else writers)
    sources = [LineSource(path, skipped, standard) for path in paths]
    ahead = max(100, AHEAD // max(1, len(sources)))
    files = (reading.read_in_order(number, source, ahead) for number, source in enumerate(sources))
    yield from merge(*files, key=_arrival)


def of_outcomes(outcomes: Iterable[Outcome]) -> list[Attempt]:
    """Make attempts of outcomes in memory, all from one machine, in order of arrival."""
    attempts: dict[tuple[int, int, float], Attempt] = {}
    for outcome in outcomes:
        attempt = Attempt.of(asdict(outcome))
        attempts[attempt.pid, attempt.seq, attempt.arrived] = attempt
    return sorted(attempts.values(), key=_arrival)


class _JournalReader:
    """Reads several files together."""

    def __init__(self, clocks: Clocks | None, writers: Writers) -> None:
        self._writers = writers
        self._lines = LineReader()
        self._clocks = clocks
        # All requests by process, number and arrival: to complete them, and to find lines that are there twice.
        self._known: dict[tuple[int, int, float], Attempt] = {}

    def read_in_order(self, number: int, source: LineSource, ahead: int) -> Iterator[Attempt]:
        """Yield the requests of one file by arrival; `ahead` of them are read to be sorted."""
        heap: list[tuple[float, int, Attempt]] = []
        read_line = self._lines.read
        for place, line in enumerate(source):
            result = read_line(line)
            if isinstance(result, str):
                source.skip(result)
                continue
            source.has_journal_line = True
            if result is None:
                continue
            if isinstance(result, EndLine):
                self._writers.note_end(number, result)
                continue
            attempt = self._new_request(result, number, source)
            if attempt is None:
                continue
            if len(heap) < ahead:
                heappush(heap, (attempt.arrived, place, attempt))
            else:
                yield heappushpop(heap, (attempt.arrived, place, attempt))[2]
        while heap:
            yield heappop(heap)[2]

    def _new_request(self, attempt: Attempt, number: int, source: LineSource) -> Attempt | None:
        """The request of a line if this is the request's first line, otherwise None."""
        self._writers.note_line(number, attempt)
        first_line = self._known.setdefault((attempt.pid, attempt.seq, attempt.arrived), attempt)
        if first_line is not attempt:
            if not attempt.final:
                source.skip(TWICE)
                return None
            for name in Attempt.__struct_fields__:  # in place, as the reader's caller has the attempt already
                setattr(first_line, name, getattr(attempt, name))
        if self._clocks is not None:
            self._clocks.set(first_line, number)
        return attempt if first_line is attempt else None


class Writers:
    """The processes that have written, noted line by line in the order of each file.

    Attributes:
        latest: the latest time in the lines, unix seconds; minus infinity without lines.
        parents: the processes that may start a successor of one that has ended, as texts.
    """

    def __init__(self) -> None:
        self.latest = NEVER
        self.parents: set[str] = set()
        # By file and process: a file is from one machine, and process ids are unique only on one machine.
        self._writing: set[tuple[int, int]] = set()
        self._ended: set[tuple[int, int]] = set()

    def note_line(self, source: int, line: Attempt) -> None:
        """Note that a process has written a line about a request.

        Args:
            source: the number of the file.
            line: the line, with the times of its own machine.
        """
        self._writing.add((source, line.pid))
        time, answered = line.time, line.answered
        at = time if answered is None else time + answered - line.arrived
        self.latest = max(self.latest, at)

    def note_end(self, source: int, end: EndLine) -> None:
        """Note the end of a process; a later line with the same process id revokes it."""
        self._writing.discard((source, end.pid))
        self._ended.add((source, end.pid))
        if end.parent is not None:
            self.parents.add(end.parent)

    @property
    def over(self) -> bool:
        """Whether at least one process has ended, and none is still writing."""
        return bool(self._ended) and not self._writing


class Clocks:
    """Converts the times of several machines' monotonic clocks to the first machine's clock."""

    def __init__(self) -> None:
        # The number of the clock of each process, by file and process id.
        self._numbers: dict[tuple[int, int], int] = {}
        # By clock, its base in its latest and in its first line: unix time minus monotonic time.
        self._latest_bases: list[float] = []
        self._first_bases: list[float] = []

    def set(self, attempt: Attempt, source: int) -> None:
        """Find the clock of an attempt, and convert its times to the first clock.

        Args:
            attempt: the attempt, with the times of its line.
            source: the number of its file.
        """
        base = attempt.time - attempt.arrived
        clock = self._numbers.get((source, attempt.pid))
        if clock is None:
            # Compared with each clock's latest base, as a machine's unix clock may be changed while it writes.
            near = (number for number, known in enumerate(self._latest_bases) if abs(known - base) < APART)
            clock = next(near, len(self._latest_bases))
            if clock == len(self._latest_bases):
                self._latest_bases.append(base)
                self._first_bases.append(base)
            self._numbers[source, attempt.pid] = clock
        self._latest_bases[clock] = base
        if clock:
            offset = self._first_bases[clock] - self._first_bases[0]
            attempt.clock = clock
            attempt.arrived += offset
            if attempt.answered is not None:
                attempt.answered += offset

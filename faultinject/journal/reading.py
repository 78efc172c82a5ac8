"""Journals are read: any number of files, whatever is in them."""

from __future__ import annotations

from collections import OrderedDict
from heapq import heappop, heappush, heappushpop, merge
from operator import attrgetter

from msgspec.structs import asdict

from faultinject.journal.attempts import Attempt
from faultinject.journal.lines import TWICE, Driven, End, Lines
from faultinject.journal.sources import Source
from faultinject.journal.writers import Writers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from io import BufferedReader

    from faultinject.journal.outcome import Outcome

AHEAD = 5_000
"""How many requests are held back to put them in order."""
REMEMBERED = 10_000
"""How many more are remembered for their final line."""
HIGHEST = 1 << 26
"""The number of a request from which on it is not known whether it was there before."""
APART = 1.0
"""Seconds by which the clocks of two machines differ at least."""

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

    A request whose end comes late is given when it began; the attempt learns its end when that is read.

    Args:
        paths: files, gzipped or not; `-` is the standard input.
        skipped: where lines that are not read are counted, by reason.
        one_machine: whether all of it was seen by one machine, whatever its unix clock was set to, or pretended.
        writers: learns which processes have written, and which have ended.
        standard: read from its beginning, in the place of the standard input.

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
    found: dict[tuple[int, int, float], Attempt] = {}
    for outcome in outcomes:
        attempt = Attempt.of(asdict(outcome))
        found[attempt.pid, attempt.seq, attempt.arrived] = attempt
    return sorted(found.values(), key=_arrival)


class _Reading:
    """Several files, read together."""

    def __init__(self, clocks: Clocks | None, writers: Writers) -> None:
        self._writers = writers
        self._lines = Lines()
        self._clocks = clocks
        self._known: OrderedDict[tuple[int, int, float], Attempt] = OrderedDict()
        self._seen: dict[tuple[int, int], bytearray] = {}

    def ordered(self, number: int, source: Source, ahead: int) -> Iterator[Attempt]:
        """The requests of one file, put in order as far as one can see ahead."""
        heap: list[tuple[float, int, Attempt]] = []
        last = float("-inf")
        read_line = self._lines.read
        for place, line in enumerate(source):
            found = read_line(line)
            if isinstance(found, str):
                source.skip(found)
                continue
            source.good = True
            if isinstance(found, Driven):
                continue
            if isinstance(found, End):
                self._writers.ended(number, found)
                continue
            attempt = self._request(found, number, source, last)
            if attempt is None:
                continue
            if len(heap) < ahead:
                heappush(heap, (attempt.arrived, place, attempt))
            else:
                last, _, attempt = heappushpop(heap, (attempt.arrived, place, attempt))
                yield attempt
        while heap:
            yield heappop(heap)[2]

    def _request(self, attempt: Attempt, number: int, source: Source, last: float) -> Attempt | None:
        """The request that a line begins; None for one that was begun before."""
        known = self._known
        pid, seq = attempt.pid, attempt.seq
        self._writers.wrote(number, attempt)
        key = pid, seq, attempt.arrived
        before = known.get(key)
        if before is not None:
            if attempt.final:
                for name in Attempt.__struct_fields__:  # those who hold it learn its end
                    setattr(before, name, getattr(attempt, name))
                if self._clocks is not None:
                    self._clocks.set(before, number)
            else:
                source.skip(TWICE)
            return None
        if self._clocks is not None:
            self._clocks.set(attempt, number)
        if self._was_there(number, pid, seq) and attempt.arrived < last:
            source.skip(TWICE)
            return None
        known[key] = attempt
        if len(known) > AHEAD + REMEMBERED:
            known.popitem(last=False)
        return attempt

    def _was_there(self, source: int, pid: int, seq: int) -> bool:
        """Whether a file had a request of this process and number; process ids come again."""
        if not 0 <= seq < HIGHEST or (len(self._seen) > 100 and (source, pid) not in self._seen):
            return False
        seen = self._seen.setdefault((source, pid), bytearray())
        place, bit = seq >> 3, 1 << (seq & 7)
        if place >= len(seen):
            seen.extend(bytes(place + 1024 - len(seen)))
        found = bool(seen[place] & bit)
        seen[place] |= bit
        return found


class Clocks:
    """Puts requests that machines with different monotonic clocks saw on one scale."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, int], int] = {}
        self._bases: list[float] = []
        self._first: list[float] = []

    def set(self, attempt: Attempt, source: int) -> None:
        """Note the clock of an attempt, and tell its times by the first one.

        Args:
            attempt: with the times of its line.
            source: the number of the file that it is from.
        """
        base = attempt.time - attempt.arrived
        clock = self._of.get((source, attempt.pid))
        if clock is None:
            # One that was set while a process ran shows in that process too.
            near = (each for each, known in enumerate(self._bases) if abs(known - base) < APART)
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

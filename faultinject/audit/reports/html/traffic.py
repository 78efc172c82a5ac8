"""Requests over time, first attempts and retries."""

from __future__ import annotations

from faultinject.audit.checks.words import seconds
from faultinject.audit.reports import sentences
from faultinject.audit.reports.html.scales import Scale, counts, steps
from faultinject.audit.reports.html.times import begin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.journal.calls import Call

BARS = 30
UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
WIDTH, HEIGHT, LEFT, TOP = 460.0, 300.0, 44.0, 8.0


class Traffic:
    """What the picture shows, and what it comes to.

    Args:
        calls: at least one, of those whose times make sense.

    Attributes:
        across: from seconds after the first request to pixels.
        up: from numbers of requests to pixels.
        levels: numbers of requests that have a line.
        times: seconds that are named, and their names.
    """

    width, height, left = WIDTH, HEIGHT, LEFT

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = len(calls)
        # Wall clocks compare calls of several machines, the exact ones are for the time since the first attempt.
        start = min(each.first.time for each in calls)
        self._first = [each.first.time - start for each in calls]
        self._again = [
            after + each.arrived - begin(call)
            for after, call in zip(self._first, calls, strict=True)
            for each in call.attempts[1:]
        ]
        self._seconds = max([*self._first, *self._again]) or 1.0
        bins = [counts(each, 0, self._seconds, BARS) for each in (self._first, self._again)]
        self._columns = list(zip(*bins, strict=True))
        most = max(map(sum, self._columns))
        self.across = Scale(0, self._seconds, LEFT, WIDTH - 8)
        self.up = Scale(0, most, HEIGHT - 40, TOP)
        self.levels = steps(most, 4)
        unit, word = next((unit, word) for unit, word in UNITS if self._seconds >= 2 * unit or unit == 1)
        self.times = [(each * unit, f"{each:g} {word}") for each in steps(self._seconds / unit, 5)]

    @property
    def retries(self) -> int:
        """How many requests were retries."""
        return len(self._again)

    @property
    def per_call(self) -> float:
        """Requests per call."""
        return 1 + self.retries / self.calls

    @property
    def bars(self) -> list[tuple[float, float, float, float, str, str]]:
        """Place, size, look and tip of every bar, pixels."""
        found = []
        wide = (self.across.end - self.across.begin) / BARS
        for column, (first, again) in enumerate(self._columns):
            after = self._seconds * column / BARS
            tip = f"from {seconds(after)} on: {sentences.counted(first, 'first attempt')}, {again:,} retries"
            bottom = self.up.begin
            for many, look in ((first, "first bar"), (again, "again bar")):
                if many:
                    height = self.up.begin - self.up(many)
                    bottom -= height
                    found.append(
                        (self.across.begin + column * wide + 0.5, bottom, wide - 1, height, look, tip)
                    )
        return found

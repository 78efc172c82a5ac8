"""Requests over time, first attempts and retries."""

from __future__ import annotations

from faultinject.audit.checks.words import seconds
from faultinject.audit.reports import sentences
from faultinject.audit.reports.html.svg import Picture, Scale, at, counts, number, steps
from faultinject.audit.reports.html.times import begin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.journal.calls import Call

BARS = 30
UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
WIDTH, HEIGHT, LEFT, TOP = 460.0, 300.0, 44.0, 8.0


class Traffic:
    """The picture, and what it comes to.

    Args:
        calls: at least one, of those whose times make sense.
    """

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

    @property
    def retries(self) -> int:
        """How many requests were retries."""
        return len(self._again)

    @property
    def per_call(self) -> float:
        """Requests per call."""
        return 1 + self.retries / self.calls

    def __html__(self) -> str:
        """The picture as SVG."""
        told = f"{sentences.counted(self.calls, 'first attempt')} and {self.retries:,} retries over time."
        picture = Picture(WIDTH, "Requests over time", told)
        picture.height = HEIGHT
        bins = [counts(each, 0, self._seconds, BARS) for each in (self._first, self._again)]
        most = max(first + again for first, again in zip(*bins, strict=True))
        across = Scale(0, self._seconds, LEFT, WIDTH - 8)
        up = Scale(0, most, HEIGHT - 40, TOP)
        for each in steps(most, 4):
            picture.path([f"M{at(LEFT, up(each))}H{number(WIDTH)}"], "grid")
            if each == int(each):
                picture.text(LEFT - 6, up(each) + 4, f"{each:,.0f}", "tick", "end")
        unit, word = next((unit, word) for unit, word in UNITS if self._seconds >= 2 * unit or unit == 1)
        for each in steps(self._seconds / unit, 5):
            picture.text(
                across(each * unit),
                HEIGHT - 24,
                f"{each:g} {word}",
                "tick",
                "end" if each * unit > 0.96 * self._seconds else "middle",
            )
        wide = (across.end - across.begin) / BARS
        for column, (first, again) in enumerate(zip(*bins, strict=True)):
            after = self._seconds * column / BARS
            tip = f"from {seconds(after)} on: {sentences.counted(first, 'first attempt')}, {again:,} retries"
            bottom = HEIGHT - 40.0
            for many, look in ((first, "first bar"), (again, "again bar")):
                if many:
                    height = up.begin - up(many)
                    bottom -= height
                    picture.box(across.begin + column * wide + 0.5, bottom, wide - 1, height, look, tip)
        return str(picture)

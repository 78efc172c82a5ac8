"""Single calls, each on a row that begins with its first attempt."""

from __future__ import annotations

from typing import NamedTuple

from faultinject.audit.checks.words import seconds
from faultinject.audit.reports import sentences
from faultinject.audit.reports.html.rows import sorts
from faultinject.audit.reports.html.scales import Scale, counts, number, steps
from faultinject.audit.reports.html.times import asked, begin, end, heard, places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from faultinject.audit.reports.html.rows import Sort
    from faultinject.journal.calls import Call

ROW = 15.0
GAP = 9.0
"""Pixels from one sort to the next."""
BAR = 4
"""Pixels across, of a bar and the gap beside it."""
SLACK = 0.05
"""Seconds that an attempt may come before the end of the wait asked for."""
FAR = 20
"""A call that takes so many times as long as most others ends outside of the picture."""


class Timeline:
    """What the picture shows, and what is to be said of it.

    Args:
        calls: calls whose times make sense.
        telling: ids of those that findings point at.
        width: pixels.
        named: whether names of calls mean something.

    Attributes:
        wide: whether there is room for words beside the calls.
        axis: from seconds after the first attempt to pixels.
        ticks: seconds that the axis names.
        rows: of each sort the place of its name and of its numbers, its calls and the rest of them.
    """

    def __init__(self, calls: Sequence[Call], telling: Collection[int], width: int, *, named: bool) -> None:
        found = sorts(calls, telling, named=named)
        self.drawn = sum(len(each.drawn) for each in found)
        self.calls = len(calls)
        self.width = width
        self.wide = width > 600
        self.axis = Scale(0, _last(found), 8, width - (130 if self.wide else 84))
        self.ticks = steps(self.axis.high, 6 if self.wide else 3)
        self.rows = list(self._rows(found))
        heads = 1 if self.wide else 2
        self.bottom = sum(ROW * (heads + len(each.drawn) + bool(each.rest)) + GAP for each in found)
        self.height = self.bottom + 22

    @property
    def rest(self) -> int:
        """How many calls are not drawn one by one."""
        return self.calls - self.drawn

    def _rows(self, found: Sequence[Sort]) -> Iterator[Row]:
        y = ROW - 3
        for each in found:
            head = y
            y += 0 if self.wide else ROW
            numbers = y
            drawn = [DrawnCall(call, self.axis, (y := y + ROW) - 4) for call in each.drawn]
            rest = DrawnRest(each.rest, self.axis, (y := y + ROW)) if each.rest else None
            label = each.label if self.wide else sentences.shortened(each.label, 48)
            more = f"{sentences.counted(len(each.calls), 'call')}, {each.attempts}"
            yield Row(head, label, numbers, more, drawn, rest)
            y += ROW + GAP


class Row(NamedTuple):
    """Calls of one sort.

    Attributes:
        y: where its name stands.
        label: its name.
        below: where its numbers stand.
        numbers: how many calls and attempts.
        calls: those that are drawn one by one.
        rest: the others, or None.
    """

    y: float
    label: str
    below: float
    numbers: str
    calls: list[DrawnCall]
    rest: DrawnRest | None


class DrawnCall:
    """One call; places and lengths are pixels.

    Attributes:
        y: where it stands.
        tip: its story.
        asked: from where to where its answers asked it to wait.
        end: where its last attempt stands.
        busy: from where to where a request was under way, as paths write it; as far as that can be seen.
        bad: where its failed attempts stand.
        good: where the others stand.
        notes: what that does not show, or nothing.
    """

    def __init__(self, call: Call, axis: Scale, y: float) -> None:
        start, last = begin(call), end(call)
        self.y = y
        self.tip = sentences.story(call)
        waits = filter(None, (asked(each, start) for each in call.attempts))
        self.asked = [(axis(left), axis(right)) for left, right in waits]
        self.end = axis(last)
        busy = [(axis(each.arrived - start), axis(heard(each, start) or 0)) for each in call.attempts]
        self.busy = dict.fromkeys((number(left), number(right)) for left, right in busy if right - left > 1)
        self.bad, self.good = (
            places((each for each in call.attempts if each.failed is wanted), start, axis)
            for wanted in (True, False)
        )
        far = [f"▸ {seconds(last)}"] if last > axis.high else []
        self.notes = ", ".join(far + _notes(call))


class DrawnRest:
    """The attempts of many calls as bars; the first ones, which all stand at the beginning, are left out.

    Attributes:
        y: where they stand.
        calls: how many.
        bars: of each its place, size and look.
    """

    def __init__(self, calls: Sequence[Call], axis: Scale, y: float) -> None:
        self.y = y
        self.calls = len(calls)
        self.bars: list[tuple[float, float, float, float, str]] = []
        bins = int((axis.end - axis.begin) / BAR)
        late = [(each, each.arrived - begin(call)) for call in calls for each in call.attempts[1:]]
        bad, good = (
            counts((after for each, after in late if each.failed is wanted), 0, axis.high, bins)
            for wanted in (True, False)
        )
        most = max(map(sum, zip(bad, good, strict=True))) or 1
        for column in range(bins):
            bottom = y
            for many, look in ((bad[column], "bad bar"), (good[column], "good bar")):
                if many:
                    height = 1.5 + 9 * many / most
                    bottom -= height
                    self.bars.append((axis.begin + column * BAR, bottom, BAR - 1.0, height, look))


def _last(found: Sequence[Sort]) -> float:
    """Where the axis ends, seconds: at the end of the longest call or wait drawn, unless it is far off all others."""
    drawn = [call for sort in found for call in sort.drawn]
    ends = sorted(last for each in drawn if (last := end(each))) or [0.0]
    usual = ends[len(ends) * 3 // 4]
    high = usual * 2 if ends[-1] > FAR * usual else ends[-1]
    ends_of_waits = (
        wait[1] for call in drawn for each in call.attempts if (wait := asked(each, begin(call)))
    )
    return max([high, *(each for each in ends_of_waits if not high or each < 5 * high)]) or 1.0


def _notes(call: Call) -> list[str]:
    """What the marks of a call do not show."""
    found = []
    pairs = zip(call.attempts, call.gaps, strict=False)
    if any(each.hint and gap is not None and gap < each.hint - SLACK for each, gap in pairs):
        found.append("too early")
    if call.same_bytes is False:
        found.append("other bytes")
    return found

"""Single calls, each on a row that begins with its first attempt."""

from __future__ import annotations

from faultinject.audit.checks.words import seconds
from faultinject.audit.reports import sentences
from faultinject.audit.reports.html.rows import sorts
from faultinject.audit.reports.html.svg import Picture, Scale, at, counts, cross, dot, number, steps
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
    """The picture and what is to be said of it.

    Args:
        calls: calls whose times make sense.
        telling: ids of those that findings point at.
        width: pixels.
        named: whether names of calls mean something.
    """

    def __init__(self, calls: Sequence[Call], telling: Collection[int], width: int, *, named: bool) -> None:
        self.sorts = sorts(calls, telling, named=named)
        self.drawn = sum(len(each.drawn) for each in self.sorts)
        self.calls = len(calls)
        self._axis = Scale(0, _last(self.sorts), 8, width - (130 if width > 600 else 84))
        self._wide = width > 600
        self._picture = Picture(
            width,
            "Single calls",
            f"{self.drawn} of {sentences.counted(self.calls, 'call')}, each on a row that begins with its first attempt.",
        )

    @property
    def rest(self) -> int:
        """How many calls are not drawn one by one."""
        return self.calls - self.drawn

    def __html__(self) -> str:
        """The picture as SVG."""
        heads = 1 if self._wide else 2
        height = sum(ROW * (heads + len(each.drawn) + bool(each.rest)) + GAP for each in self.sorts)
        self._draw_axis(height)
        y = ROW - 3
        for each in self.sorts:
            y = self._draw_sort(each, y) + GAP
        self._picture.height = height + 22
        return str(self._picture)

    def _draw_axis(self, height: float) -> None:
        axis, picture = self._axis, self._picture
        for each in steps(axis.high, 6 if self._wide else 3):
            x = axis(each)
            picture.path([f"M{at(x, 4)}V{number(height)}"], "grid")
            picture.text(x, height + 14, f"{each:g} s", "tick", "middle" if each else "start")

    def _draw_sort(self, sort: Sort, y: float) -> float:
        picture = self._picture
        picture.text(0, y, sort.label if self._wide else sentences.shortened(sort.label, 48), "label")
        more = f"{sentences.counted(len(sort.calls), 'call')}, {sort.attempts}"
        if self._wide:
            picture.text(picture.width, y, more, "tick", "end")
        else:
            y += ROW
            picture.text(0, y, more, "tick")
        for each in sort.drawn:
            y += ROW
            self._draw_call(each, y - 4)
        if sort.rest:
            y += ROW
            self._draw_rest(sort.rest, y)
        return y + ROW

    def _draw_call(self, call: Call, y: float) -> None:
        axis, picture, start = self._axis, self._picture, begin(call)
        picture.begin(sentences.story(call))
        for left, right in filter(None, (asked(each, start) for each in call.attempts)):
            picture.box(axis(left), y - 5, axis(right) - axis(left), 10, "asked")
        last = end(call)
        picture.path([f"M{at(axis(0), y)}H{number(axis(last))}"], "line")
        picture.path(dict.fromkeys(self._busy(call, y)), "busy")
        for look, stroke, wanted in (("bad", cross, True), ("good", dot, False)):
            found = places((each for each in call.attempts if each.failed is wanted), start, axis)
            picture.path((stroke(x, y) for x in found), look)
        notes = _notes(call)
        x = axis(last) + 8
        if last > axis.high:
            notes.insert(0, f"▸ {seconds(last)}")
        if notes:
            picture.text(x, y + 3.5, ", ".join(notes), "note")
        picture.end()

    def _busy(self, call: Call, y: float) -> Iterator[str]:
        """Strokes for requests whose answer can be seen to take time."""
        start = begin(call)
        for each in call.attempts:
            left, right = self._axis(each.arrived - start), self._axis(heard(each, start) or 0)
            if right - left > 1:
                yield f"M{at(left, y)}H{number(right)}"

    def _draw_rest(self, calls: Sequence[Call], y: float) -> None:
        """Bars for the attempts of many calls; the first ones, which all stand at the beginning, are left out."""
        axis, picture = self._axis, self._picture
        bins = int((axis.end - axis.begin) / BAR)
        late = [(each, each.arrived - begin(call)) for call in calls for each in call.attempts[1:]]
        bad, good = (
            counts((after for each, after in late if each.failed is wanted), 0, axis.high, bins)
            for wanted in (True, False)
        )
        most = max(map(sum, zip(bad, good, strict=True))) or 1
        picture.begin(f"the retries of {sentences.counted(len(calls), 'more call')}: the taller, the more")
        picture.path([f"M{at(axis.begin, y + 0.5)}H{number(axis.end)}"], "line")
        for column in range(bins):
            bottom = y
            for many, look in ((bad[column], "bad bar"), (good[column], "good bar")):
                if many:
                    height = 1.5 + 9 * many / most
                    bottom -= height
                    picture.box(axis.begin + column * BAR, bottom, BAR - 1.0, height, look)
        picture.text(axis.end + 12, y, f"+ {len(calls):,}", "tick")
        picture.end()


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

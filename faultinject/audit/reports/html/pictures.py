"""The pictures of a client: calls, each on a row from its first attempt; waits as a table."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from faultinject.audit.checks.retry_after import SLACK
from faultinject.audit.checks.words import counted, seconds
from faultinject.audit.evidence import Evidence
from faultinject.audit.reports.content import story
from faultinject.audit.statistics import grouped, median
from faultinject.journal.calls import Call
from faultinject.rules.values import shown


class Scale:
    """Turns values into places in a picture.

    Args:
        high: the largest value.
        begin: the place of 0.
        end: the place of `high`.
    """

    def __init__(self, high: float, begin: float, end: float) -> None:
        self.high, self.begin, self.end = high, begin, end

    def __call__(self, value: float) -> float:
        """The place of `value`; a value outside of the scale is put at its edge."""
        return self.begin + min(max(value, 0.0), self.high) / self.high * (self.end - self.begin)


def steps(high: float, most: int) -> list[float]:
    """Choose round values for an axis from 0 to `high`: 0, and at most `most` others.

    >>> steps(3.4, 4)
    [0.0, 1.0, 2.0, 3.0]
    """
    power = 10.0 ** math.floor(math.log10(high / most))
    step = next(step for factor in (1, 2, 5, 10, 20) if (step := factor * power) * (most + 1) > high)
    return [round(number * step, 9) for number in range(int(high / step * (1 + 1e-9)) + 1)]


def number(value: object) -> str:
    """Write a value for an attribute of SVG; a number has at most one decimal digit.

    >>> number(3.04), number(3.06), number("middle")
    ('3', '3.1', 'middle')
    """
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def at(x: float, y: float) -> str:
    """Write a point for a path of SVG."""
    return f"{number(float(x))} {number(float(y))}"


WIDTH = 920
"""Pixels across."""
ROW = 15.0
"""Pixels from one row to the next."""
GAP = 9.0
"""Pixels between two sorts of calls."""
MOST_SORTS, MOST_CALLS = 8, 8
"""The most sorts of calls that are drawn, and the most calls of each."""
FAR = 20
"""A call whose length is more than this multiple of the median ends outside of the picture."""


class Timeline:
    """A picture of some calls of each sort: those of findings first, then the longest.

    Args:
        calls: at least one.
        in_findings: the ids of the calls that findings name.

    Attributes:
        axis: turns seconds after the first attempt into pixels.
        ticks: seconds that the axis names.
        rows: for each sort, the place of its name, its name, the number of its calls, and the drawn ones.
    """

    width = WIDTH

    def __init__(self, calls: Sequence[Call], in_findings: Collection[int]) -> None:
        first = sorted(calls, key=lambda call: (id(call) not in in_findings, -_length(call)))
        sorts = list(grouped(first, _sort).items())[:MOST_SORTS]
        drawn = [call for _, same in sorts for call in same[:MOST_CALLS]]
        self.drawn = len(drawn)
        self.calls = len(calls)
        self.axis = Scale(_last(drawn), 8, WIDTH - 130)
        self.ticks = steps(self.axis.high, 6)
        self.rows: list[tuple[float, str, str, list[DrawnCall]]] = []
        y = ROW - 3
        for sort, same in sorts:
            row = [
                DrawnCall(call, self.axis, y + ROW * place - 4)
                for place, call in enumerate(same[:MOST_CALLS], 1)
            ]
            self.rows.append((y, sort, counted(len(same), "call"), row))
            y += ROW * (len(row) + 1) + GAP
        self.bottom = y - ROW + 3
        self.height = self.bottom + 22


class DrawnCall:
    """One call; places and lengths are pixels.

    Attributes:
        y: its place from the top.
        tip: its requests in one line.
        asked: begin and end of each wait that an answer asked for.
        end: the place of its last attempt.
        busy: begin and end of each request that is long enough to be seen, as texts for a path of SVG.
        bad: the places of its failed attempts.
        good: the places of the others.
        notes: the properties that the marks do not show, or empty.
    """

    def __init__(self, call: Call, axis: Scale, y: float) -> None:
        start, last = call.first.arrived, _length(call)
        self.y = y
        self.tip = story(call)
        self.asked = [(axis(left), axis(right)) for left, right in _asked(call)]
        self.end = axis(last)
        busy = [
            (axis(attempt.arrived - start), axis((attempt.answered or start) - start))
            for attempt in call.attempts
        ]
        self.busy = dict.fromkeys((number(left), number(right)) for left, right in busy if right - left > 1)
        # Places are rounded to half a pixel, so that marks at one place are drawn once.
        self.bad, self.good = (
            list(
                dict.fromkeys(
                    round(axis(attempt.arrived - start) * 2) / 2
                    for attempt in call.attempts
                    if attempt.failed is wanted
                )
            )
            for wanted in (True, False)
        )
        far = [f"▸ {seconds(last)}"] if last > axis.high else []
        self.notes = ", ".join(far + _notes(call))


def _sort(call: Call) -> str:
    """The sort of a call, in words: first answer, end and method."""
    ended = f", {'then success' if call.succeeded else 'given up'}" if call.first.failed else ""
    return shown(f"{call.first.answer}{ended} · {call.first.method}", 80)


def _last(drawn: Sequence[Call]) -> float:
    """The end of the axis in seconds: calls and waits that are not far too long fit before it."""
    ends = sorted(filter(None, map(_length, drawn))) or [0.0]
    usual = ends[len(ends) // 2]
    high = usual * 2 if ends[-1] > FAR * usual else ends[-1]
    waits = [end for call in drawn for _, end in _asked(call)]
    return max([high, *(wait for wait in waits if not high or wait < 5 * high)]) or 1.0


def _length(call: Call) -> float:
    """Seconds from the first attempt to the last."""
    return call.last.arrived - call.first.arrived


def _asked(call: Call) -> list[tuple[float, float]]:
    """Begin and end of each wait that answers asked for, seconds after the first attempt."""
    start = call.first.arrived
    return [
        (attempt.answered - start, attempt.answered - start + attempt.hint)
        for attempt in call.attempts
        if attempt.hint and attempt.answered is not None
    ]


def _notes(call: Call) -> list[str]:
    """Notes on a call that its marks do not show."""
    pairs = zip(call.attempts, call.gaps, strict=False)
    early = any(attempt.hint and gap is not None and gap < attempt.hint - SLACK for attempt, gap in pairs)
    notes = {"too early": early, "other bytes": call.same_bytes is False}
    return [note for note, is_so in notes.items() if is_so]


KINDS = {
    "throttle": "after a throttle error",
    "server": "after a server error",
    "transport": "after a broken connection",
}
"""The kinds of failure, in words."""
LAST = 9
"""The retry number whose row has all later ones as well."""


def waits(evidence: Evidence) -> list[tuple[str, ...]]:
    """Rows by kind of failure and retry: n, shortest, median, longest and promised wait.

    They are the client's own waits, which the checks judge too.
    """
    seconds_of: dict[tuple[str, int], list[float]] = {}
    for (kind, retry), group in evidence.waits_by_number.items():
        seconds_of.setdefault((kind, min(retry, LAST)), []).extend(group.seconds)
    rows = []
    for (kind, retry), own in seconds_of.items():
        _, promised = evidence.profile.bounds(kind, retry) or (None, None)
        times = (min(own), median(own), max(own), promised)
        number = f"{retry}+" if retry == LAST else str(retry)
        texts = ("–" if time is None else seconds(time) for time in times)
        rows.append((KINDS[kind], number, f"{len(own):,}", *texts))
    return rows

"""Times of calls that can be drawn: a journal's may be anything that JSON calls a number."""

from __future__ import annotations

import math
from statistics import median_low

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultinject.audit.reports.html.scales import Scale
    from faultinject.journal.attempts import Attempt
    from faultinject.journal.calls import Call

YEAR = 365 * 86400.0


def timed(calls: Iterable[Call]) -> list[Call]:
    """The calls whose times make sense: in order, and within a year of each other."""
    found = [each for each in calls if 0 <= end(each) < YEAR]
    middle = median_low(each.first.time for each in found) if found else 0.0
    return [each for each in found if abs(each.first.time - middle) < YEAR]


def begin(call: Call) -> float:
    """When its first attempt arrived."""
    return call.first.arrived


def end(call: Call) -> float:
    """When its last attempt arrived, seconds after the first."""
    return call.last.arrived - begin(call)


def places(attempts: Iterable[Attempt], start: float, axis: Scale) -> list[float]:
    """Where the attempts stand on an axis, each place once."""
    found = (round(axis(each.arrived - start) * 2) / 2 for each in attempts)
    return list(dict.fromkeys(found))


def heard(attempt: Attempt, start: float) -> float | None:
    """When its answer began, seconds after `start`; None where that is not known, or makes no sense."""
    after = math.nan if attempt.answered is None else attempt.answered - start
    return after if abs(after) < YEAR else None


def asked(attempt: Attempt, start: float) -> tuple[float, float] | None:
    """From when to when its answer asked the client to wait, seconds after `start`."""
    after, hint = heard(attempt, start), attempt.hint
    return None if after is None or hint is None or not 0 < hint < YEAR else (after, after + hint)

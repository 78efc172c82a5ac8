"""Whether a client that was asked for calls has fallen silent, or only waits."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from faultinject.audit.grouping import SHORTEST, UNSEEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.journal.attempts import Attempt
    from faultinject.journal.call_window import CallWindow

FOR_EVER = float("inf")


class Silence(NamedTuple):
    """Nothing came of a client any more, though calls were open.

    Attributes:
        calls: the calls.
        seconds: for how long.
    """

    calls: Sequence[CallWindow]
    seconds: float


def fallen_silent(
    windows: Sequence[CallWindow], attempts: Sequence[Attempt], *, until: float, deadline: float
) -> Silence | None:
    """The silence at the end of a run; None where every call has ended, or those that have not may be waited out.

    A call that was never begun, or whose last answer was no failure, has nothing to wait for: two seconds without a sign
    are enough. As long as another call may be waiting before it tries again, it takes twice the longest wait that was
    seen, ten seconds where none was; and where no call has nothing to wait for, a wait that was seen.

    Args:
        windows: the calls that were begun.
        attempts: the requests, in order of arrival.
        until: when the run ended, seconds of the journal's clock.
        deadline: how long it was given, seconds.
    """
    left = [each for each in windows if each.ended is None]
    if not left:
        return None
    signs = [each.began if each.ended is None else each.ended for each in windows]
    signs += [each.arrived if each.answered is None else each.answered for each in attempts]
    quiet = until - max(signs)
    by_key = requests_by_key(windows, attempts)
    idle = [each for each in left if not (seen := by_key.get(each.key or "")) or not seen[-1].failed]
    waits = [
        after.arrived - before.answered
        for seen in by_key.values()
        for before, after in pairwise(seen)
        if before.answered is not None
    ]
    if len(idle) == len(left):
        needed = SHORTEST
    elif waits:
        needed = max(SHORTEST, 2 * max(waits))
    else:
        needed = UNSEEN if idle else FOR_EVER
    if idle:
        needed = min(needed, deadline / 2)
    return Silence(left, quiet) if quiet >= needed else None


def requests_by_key(windows: Sequence[CallWindow], attempts: Sequence[Attempt]) -> dict[str, list[Attempt]]:
    """The requests of each call: those whose path has its key as a segment."""
    found: dict[str, list[Attempt]] = {each.key: [] for each in windows if each.key is not None}
    for attempt in attempts:
        for segment in found.keys() & {*attempt.path.split("/")}:
            found[segment].append(attempt)
    return found

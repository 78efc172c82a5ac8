"""The waits of a client before it tries again, as far as the journal tells them."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from faultinject.journal.attempts import Attempt
    from faultinject.journal.calls import Call

KINDS = ("throttle", "server", "transport")
"""The kinds of failure that a client may wait out."""


LATEST = 0.5
"""Seconds that a machine is late by at most which still answers, in the middle of many cases."""
_IDLE, _PER_LOAD = 0.05, 0.45
SATURATED = 0.75
"""Share of a time in which work was kept waiting for a processor, from which on milliseconds of work may take seconds."""


class Wait(NamedTuple):
    """One wait.

    Attributes:
        call: whose.
        kind: what had failed: one of `KINDS`.
        retry: before which retry, from 1.
        seconds: from the answer to the next arrival.
        late: how much of that is likely the machine's doing, seconds; None where that is not known.
        latest: how much of it may be at most, however the machine shared its time; None likewise.
    """

    call: Call
    kind: str
    retry: int
    seconds: float
    late: float | None = None
    latest: float | None = None


class Hinted(NamedTuple):
    """One wait that an answer had asked for.

    Attributes:
        call: whose.
        before: the attempt whose answer asked.
        retry: before which retry, from 1.
        seconds: from the answer to the next arrival.
    """

    call: Call
    before: Attempt
    retry: int
    seconds: float


def waits_of(call: Call) -> Iterator[Wait]:
    """The client's own waits in a call, as long as it fails in the way in which it failed first.

    A wait that an answer asked for is not its own, and one that began before the answer is none.
    """
    kind = call.first.kind
    if kind not in KINDS:
        return
    for retry, (before, gap) in enumerate(zip(call.attempts, call.gaps, strict=False), 1):
        if before.kind != kind:
            return
        if gap is not None and gap >= 0 and before.hint_form is None:
            after = call.attempts[retry]
            yield Wait(
                call, kind, retry, gap, lateness(before, after, gap), most_lateness(before, after, gap)
            )


def lateness(before: Attempt, after: Attempt, gap: float) -> float | None:
    """How much of a wait between two requests is likely the machine's doing, seconds; None where that is not known.

    A client that waits for seconds works for milliseconds of them: of a longer wait the share counts in which work was
    kept waiting, 0.5 s at most. Of a machine that kept work waiting nearly all the time nobody knows how long: all of that
    may be its doing.
    """
    stalled = _stalled(before, after)
    if stalled is None:
        return None
    share = min(1.0, stalled / max(after.arrived - before.arrived, gap, 1e-6))
    return min(gap if share >= SATURATED else _IDLE + _PER_LOAD * share, 2 * stalled)


def most_lateness(before: Attempt, after: Attempt, gap: float) -> float | None:
    """How much of a wait between two requests may be the machine's doing at most, seconds; None where that is not known.

    The machine tells for how long it kept work waiting for a processor meanwhile; with several processors that is an
    average, so that one piece of work may have waited twice as long. A client with many threads works whenever one of them
    does: nothing says that it was not kept waiting all that time.
    """
    stalled = _stalled(before, after)
    return None if stalled is None else min(gap, 2 * stalled)


def _stalled(before: Attempt, after: Attempt) -> float | None:
    """Seconds between the arrivals of two requests for which work waited for a processor; None: not known of the client."""
    if before.stalled is None or after.stalled is None or before.clock != after.clock or not is_near(after):
        return None
    return max(0.0, after.stalled - before.stalled)


def is_near(attempt: Attempt) -> bool:
    """Whether client and server are on one machine, with one clock."""
    client = attempt.client or ""
    return (
        not client
        or client.startswith(("127.", "::1"))
        or client in (attempt.host, "localhost", "testclient")
    )


def hinted(calls: Iterable[Call]) -> Iterator[Hinted]:
    """The waits that answers had asked for, with the seconds asked for."""
    for call in calls:
        for retry, (before, gap) in enumerate(zip(call.attempts, call.gaps, strict=False), 1):
            if before.hint is not None and before.failed and gap is not None and gap >= 0:
                yield Hinted(call, before, retry, gap)


def by_number(waits: Iterable[Wait]) -> dict[tuple[str, int], list[Wait]]:
    """Waits by kind of failure and number of the retry, in that order."""
    found: dict[tuple[str, int], list[Wait]] = {}
    for wait in waits:
        found.setdefault((wait.kind, wait.retry), []).append(wait)
    return dict(sorted(found.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1])))

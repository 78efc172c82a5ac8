"""The waits of a client before its retries, and its turnaround without a wait."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import NamedTuple

from faultinject.audit.statistics import MANY, median, p95
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import Call

LONGEST_TURNAROUND = 0.05
"""Seconds; a longer gap contains more than a turnaround, or the machine is busy."""
SHORTEST, UNMEASURED = 0.02, 0.5
"""Seconds: the shortest measurable wait, and the machine's delay if it was not measured."""
LATE_STEPS = 4
"""The largest lateness of a wait, as a multiple of the lateness of a driver's calls.

The client reads its answer, waits, connects and sends. Each of these four steps may be that late.
"""
WORK = 0.005
"""The most seconds that a client takes to make one request (urllib: 1.4 ms; boto3: 4 ms)."""


@dataclass(frozen=True)
class Turnaround:
    """The time in which a client that does not wait sends its next request, in seconds.

    Attributes:
        median: the median; None with too few turnarounds.
        p95: the 95th percentile; None with too few turnarounds.
        n: the number of turnarounds.
        speed: the factor by which the clock of the times runs faster than the machine's. By that clock, the
            machine's own work and delays look that many times longer.
        late: the median delay with which a driver's calls began. It is measured while the client waits; the other
            values are measured first, with one call at a time.
        slow: the p95 of all gaps, also of those that are too long for a turnaround and show the machine's delay.
    """

    median: float | None = None
    p95: float | None = None
    n: int = 0
    speed: float = 1.0
    late: float = 0.0
    slow: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether the clock is no faster than the machine's; otherwise work looks like waits."""
        return self.speed == 1

    @property
    def zero(self) -> float:
        """Seconds below which a gap is not a wait."""
        return max(SHORTEST * self.speed, 2 * (self.p95 or 0))

    @property
    def certainly_zero(self) -> float:
        """Seconds below which a gap is certainly not a wait.

        The longer turnarounds may include pauses of the client's callers.
        """
        return min(self.zero, max(SHORTEST * self.speed, 2 * (self.median or 0)))

    @property
    def at_once(self) -> float:
        """Seconds below which the same caller made the next request, without other work before it."""
        return min(self.certainly_zero, 2 * (self.median or inf) + WORK * self.speed)

    @property
    def machine_delay(self) -> float:
        """Upper bound of the delay that the machine adds to one wait, in seconds.

        It is 2 × p95 of all gaps, including those too long for a turnaround; 0.5 if unmeasured. While they were
        measured, no other request was under way.
        """
        return (
            UNMEASURED * self.speed if self.p95 is None and not self.slow else max(self.zero, 2 * self.slow)
        )

    @property
    def unmeasured(self) -> bool:
        """Whether neither the client's turnaround nor its machine's delay is known."""
        return self.p95 is None and not (self.slow or self.late)

    @property
    def noise(self) -> float:
        """Upper bound of the delay of waits, in seconds: the machine's, or that of a driver's calls."""
        return max(self.machine_delay, self.late)

    @property
    def work(self) -> float:
        """The most seconds that the client needs to make one request."""
        return min(WORK * self.speed, self.p95 or inf)


def turnarounds(
    attempts: Iterable[Attempt],
    of: Callable[[Attempt], str],
    *,
    driven: bool = False,
    speed: float = 1.0,
) -> dict[str, Turnaround]:
    """Measure the gaps of each client from a success to the next request on its connection.

    No other request may be under way meanwhile. If a client opens a connection for each request, the gaps to its
    next request count, 20 in a row or more. Another caller may have made that request, so such gaps only bound the
    noise.

    Args:
        attempts: in order of arrival.
        of: returns the client of an attempt.
        driven: whether a driver makes one call after another, so that the next request counts on any connection:
            some clients keep none open.
        speed: as for `Turnaround`.
    """
    own_gaps: dict[str, list[float]] = {}
    elsewhere: dict[str, list[float]] = {}
    busy = -inf
    for last, attempt in pairwise(attempts):
        if last.answered is None:
            continue
        # A request that was still under way may have slowed the last answer, or the client.
        undisturbed, busy = busy <= last.answered, max(busy, last.answered)
        gap = attempt.arrived - last.answered
        succeeded = last.status is not None and not (last.injected or last.failed)
        here = driven or (last.client, last.connection) == (attempt.client, attempt.connection)
        one_client = of(last) == of(attempt) and last.client == attempt.client
        short = 0 <= gap < UNMEASURED / 2 * speed
        if undisturbed and succeeded and here and short and last.clock == attempt.clock:
            own_gaps.setdefault(of(attempt), []).append(gap)
        run = elsewhere.setdefault(of(attempt), [])
        if undisturbed and succeeded and one_client and not here and last.clock == attempt.clock:
            if short:
                run.append(gap)
        elif len(run) < MANY:
            run.clear()
    measured = {client: _turnaround(gaps, speed) for client, gaps in own_gaps.items()}
    for client, run in elsewhere.items():
        if len(run) >= MANY and (client not in measured or measured[client].p95 is None):
            # Any caller may have made the next request: the gaps bound the machine's delay, but are no speed
            # of the client.
            measured[client] = Turnaround(n=len(run), speed=speed, slow=p95(run))
    return measured


def _turnaround(gaps: Sequence[float], speed: float) -> Turnaround:
    """Compute the turnaround from the gaps that are not too long for one.

    All gaps show how busy the machine is.
    """
    own = [gap for gap in gaps if gap < LONGEST_TURNAROUND * speed]
    if len(own) < MANY:
        return Turnaround(n=len(own), speed=speed, slow=p95(gaps) if len(gaps) >= MANY else 0.0)
    return Turnaround(median(own), p95(own), len(own), speed, slow=p95(gaps))


KINDS = ("throttle", "server", "transport")
"""The kinds of failure that a client may wait out."""


class Wait(NamedTuple):
    """One wait.

    Attributes:
        call: the call.
        before: the failed attempt, whose answer may have asked for the wait.
        retry: the number of the retry after the wait, from 1.
        seconds: the time from the answer to the next arrival.
    """

    call: Call
    before: Attempt
    retry: int
    seconds: float

    @property
    def arrived(self) -> float:
        """The time of the retry."""
        return self.call.attempts[self.retry].arrived

    @property
    def kind(self) -> str:
        """The kind of the failure; before a client's own wait it is one of `KINDS`."""
        return self.before.kind or ""


@dataclass(eq=False)
class Group:
    """Waits that are judged together, and their statistics, each computed once.

    Args:
        waits: at least one.
        turnaround: the speed of their client.
        arrivals: the times of the client's requests, ascending.
        since: for each arrival, the time since which the client had sent requests without a pause.
    """

    waits: Sequence[Wait]
    turnaround: Turnaround
    arrivals: Sequence[float]
    since: Sequence[float]

    def __len__(self) -> int:
        return len(self.waits)

    @cached_property
    def seconds(self) -> list[float]:
        """The lengths of the waits in seconds, the shortest first."""
        return sorted(wait.seconds for wait in self.waits)

    @cached_property
    def median(self) -> float:
        """The median in seconds."""
        return median(self.seconds)

    @cached_property
    def work(self) -> float:
        """The median time of a wait that the client may spend on its other requests, seconds."""

        def requests(wait: Wait) -> int:
            end = wait.arrived
            return bisect_left(self.arrivals, end) - bisect_right(self.arrivals, end - wait.seconds)

        return self.turnaround.work * median(list(map(requests, self.waits)))

    @cached_property
    def busy(self) -> float:
        """The longest time of requests without a pause before one of these retries, seconds.

        A retry that queued behind these requests may have waited that much longer.
        """
        return max(wait.arrived - self.since[bisect_left(self.arrivals, wait.arrived)] for wait in self.waits)

    @cached_property
    def late(self) -> float:
        """The median delay with which a driver's calls began here, seconds.

        If the machine was busy then, it was also busy during the waits of these calls.
        """
        took = [
            wait.call.first.arrived - wait.call.window.began
            for wait in self.waits
            if wait.call.window is not None and wait.call.window.key is not None
        ]
        return median(took) - min(took) if took else 0.0

    @property
    def noise(self) -> float:
        """Upper bound of the delay of these waits, in seconds: the client's, or `late`."""
        return max(self.turnaround.noise, self.late)

    @property
    def doubt(self) -> float:
        """Seconds in which a client without a wait may send the next request: noise, or work.

        If the noise was not measured, it is their sum. Otherwise it is the larger one, as a measured noise is at least
        twice the p95, which has room for both.
        """
        noise = max(self.turnaround.noise, LATE_STEPS * self.late)
        return noise + self.work if self.turnaround.p95 is None else max(noise, self.work)


def calls_of(waits: Iterable[Wait]) -> list[Call]:
    """The calls of these waits, those with the most retries first."""
    return sorted({id(wait.call): wait.call for wait in waits}.values(), key=lambda call: -call.retries)


def waits_of(call: Call) -> Iterator[Wait]:
    """The client's own waits in a call, until the kind of its failures changes.

    A wait that an answer asked for is not the client's own, and a retry that came before the answer had no wait.
    """
    kind = call.first.kind
    if kind not in KINDS:
        return
    for retry, (before, gap) in enumerate(zip(call.attempts, call.gaps, strict=False), 1):
        if before.kind != kind:
            return
        if gap is not None and gap >= 0 and before.hint_form is None:
            yield Wait(call, before, retry, gap)


def is_near(attempt: Attempt) -> bool:
    """Whether client and server are on one machine, with one clock."""
    client = attempt.client or ""
    return (
        not client
        or client.startswith(("127.", "::1"))
        or client in (attempt.host, "localhost", "testclient")
    )


def hinted(calls: Iterable[Call]) -> Iterator[Wait]:
    """The waits that answers had asked for, with the seconds asked for."""
    for call in calls:
        for retry, (before, gap) in enumerate(zip(call.attempts, call.gaps, strict=False), 1):
            if before.hint is not None and before.failed and gap is not None and gap >= 0:
                yield Wait(call, before, retry, gap)

"""The waits of a client before it tries again, as far as the journal tells them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from faultinject.audit.statistics import median
from faultinject.audit.turnaround import Turnaround
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import Call

KINDS = ("throttle", "server", "transport")
"""The kinds of failure that a client may wait out."""


class Wait(NamedTuple):
    """One wait.

    Attributes:
        call: whose.
        before: the attempt that had failed, whose answer may have asked for the wait.
        retry: before which retry, from 1.
        seconds: from the answer to the next arrival.
    """

    call: Call
    before: Attempt
    retry: int
    seconds: float

    @property
    def kind(self) -> str:
        """What had failed: of a client's own wait one of `KINDS`."""
        return self.before.kind or ""


class Group:
    """Waits that are judged together, and what the checks ask of them: each is worked out once.

    Args:
        waits: at least one.
        turnaround: how fast their client is.
        arrivals: when the requests of its calls came, ascending.
    """

    def __init__(self, waits: Sequence[Wait], turnaround: Turnaround, arrivals: Sequence[float]) -> None:
        self.waits = waits
        self.turnaround = turnaround
        self._arrivals = arrivals

    def __len__(self) -> int:
        return len(self.waits)

    @cached_property
    def seconds(self) -> list[float]:
        """How long they are, the shortest first."""
        return sorted(each.seconds for each in self.waits)

    @cached_property
    def median(self) -> float:
        """Seconds of the middle one."""
        return median(self.seconds)

    @cached_property
    def work(self) -> float:
        """Seconds of them that the client may spend on the requests that it makes meanwhile, in the middle of them."""

        def requests(wait: Wait) -> int:
            end = wait.call.attempts[wait.retry].arrived
            return bisect_left(self._arrivals, end) - bisect_right(self._arrivals, end - wait.seconds)

        return self.turnaround.work * median(list(map(requests, self.waits)))

    @property
    def doubt(self) -> float:
        """Seconds after which a client that does not wait may send the next request: by the machine's noise, or its own work.

        By both where the noise was not measured: twice the p95 has room for either.
        """
        noise = self.turnaround.noise
        return noise + self.work if self.turnaround.p95 is None else max(noise, self.work)

    @property
    def is_crowded(self) -> bool:
        """Whether the client's other requests make most of the doubt."""
        return self.work > self.turnaround.noise

    @property
    def calls(self) -> list[Call]:
        """Whose they are, those with the most retries first."""
        return calls_of(self.waits)


def calls_of(waits: Iterable[Wait]) -> list[Call]:
    """Whose waits these are, those with the most retries first."""
    return sorted({id(each.call): each.call for each in waits}.values(), key=lambda call: -call.retries)


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

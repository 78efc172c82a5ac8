"""One HTTP request of a client, as the audit reads it from the journal."""

from __future__ import annotations

from functools import lru_cache

from faultinject.engine.entry import NOT_INJECTED
from faultinject.journal.outcome import Outcome
from faultinject.vendors.documented import DocumentedError

BROKEN = frozenset("reset closed raised truncated".split())
"""The values of `did` that leave the client without a whole answer."""
TIMEOUT = "timeout"
"""The kind of failure in which a client waited until its own time-out."""
LEFT = "client left"
"""The words in place of an answer if the client left before the answer came."""
FARTHEST = 1e12
"""Seconds beyond which a time counts as damaged."""


class Attempt(Outcome, kw_only=True, eq=False, gc=False):
    """One HTTP request: its outcome from the journal, and the kind of its failure.

    Times are seconds; `arrived` and `answered` are of one monotonic clock, `time` is unix time. Requests that were
    seen by different machines differ in `clock`.

    Attributes:
        clock: the number of the machine whose clock gave its times; 0 is the first.
        kind: the kind of failure: `throttle`, `server`, `client`, `hidden` (an error in a 200), `transport` (no whole
            answer), `timeout` (no answer before the client's time-out); None if it did not fail.
        failed: whether the client got an error, or no whole answer.

    Raises:
        ValueError: one of its times is impossible.
    """

    clock: int = 0
    kind: str | None = None
    failed: bool = False

    def __post_init__(self) -> None:
        for value in (self.time, self.arrived, self.answered, self.hint):
            if value is not None and not -FARTHEST < value < FARTHEST:
                raise ValueError(value)
        self.clock = 0
        self.kind = TIMEOUT if self.left else _kind(self.did, self.fault, self.status, self.applied)
        self.failed = self.kind is not None

    @property
    def answered_by_fault(self) -> bool:
        """Whether its whole answer was injected: a documented error or a plain one.

        An answer of the app that was changed or delayed does not count.
        """
        return self.injected and (self.documented is not None or (self.fault or "").startswith("http:"))

    @property
    def part(self) -> str | None:
        """The part of a body that it sends or requests: its Content-Range or Range, or None."""
        return None if self.attempt_hint is None else self.attempt_hint.get("part")

    @property
    def documented(self) -> DocumentedError | None:
        """The documented error that it got, or None."""
        fault = self.fault
        if fault is None or not self.injected:
            return None
        return _find_error(fault)

    @property
    def answer(self) -> str:
        """Its answer in one or two words, such as `503 SlowDown`, `429`, `reset` or `client left`.

        It is `?` if the journal does not say.
        """
        if self.left:
            return LEFT
        if self.did in BROKEN:
            return self.did if self.did != "closed" else (self.fault or "closed").partition(",")[0]
        documented = self.documented
        if self.status is None:
            if _client_timed_out(self.did, applied=self.applied):
                return "latency"
            return "500" if _server_raised(self.did, applied=self.applied) else "?"
        status = str(self.status)
        # Swift has no codes, and Kodo's are its statuses.
        return status if documented is None or documented.code == status else f"{status} {documented.code}"

    def __repr__(self) -> str:
        return f"<Attempt {self.method} {self.path!r} {self.answer}>"


@lru_cache(1024)
def _kind(did: str, fault: str | None, status: int | None, applied: bool) -> str | None:
    """The kind of failure, or None."""
    # Cached, as a journal has few different combinations of these.
    if did in BROKEN:
        return TIMEOUT if (fault or "").startswith("hang") else "transport"
    if status is None:
        if _client_timed_out(did, applied=applied):
            return TIMEOUT
        return "server" if _server_raised(did, applied=applied) else None
    documented = None if fault is None or did in NOT_INJECTED else _find_error(fault)
    if documented is not None and status < 300:
        return "hidden"
    if status == 429 or (documented is not None and documented.category == "throttle" and status >= 400):
        return "throttle"
    if 500 <= status < 600:
        return "server"
    return "client" if status >= 400 else None


def _server_raised(did: str, *, applied: bool) -> bool:
    """Whether the server answered 500, because of an error in the app or in faultinject."""
    return did == "app_failed" or (did == "failed" and not applied)


def _client_timed_out(did: str, *, applied: bool) -> bool:
    """Whether the client's time-out ended the request: in a stall, or a delay before the app."""
    return did == "stalled" or (did == "delayed" and not applied)


@lru_cache(1024)
def _find_error(fault: str) -> DocumentedError | None:
    from faultinject import vendors
    from faultinject.exceptions import FaultInjectError

    _, _, of = fault.rpartition("of=")
    try:
        return vendors.find(of) if ":" in of else None
    except FaultInjectError:
        return None

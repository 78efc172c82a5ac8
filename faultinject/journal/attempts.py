"""One HTTP request of a client, as the audit reads it off the journal."""

from __future__ import annotations

from functools import lru_cache

from faultinject.engine.journal_entry import INJECTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from faultinject.vendors.documented import DocumentedError

STEADY = (
    "pid", "principal", "credential", "test", "method", "query", "host", "client", "operation", "bucket", "user_agent",
    "rule", "fault", "precondition", "region", "hint_form", "did", "seed",
)  # fmt: skip
"""Those of which the same ones come again and again, together."""
KEPT = (
    *STEADY, "time", "arrived", "answered", "seq", "connection", "path", "key", "request_bytes", "request_digest",
    "body_complete", "attempt_hint", "applied", "guarded", "clock_offset", "hint", "left", "status",
    "app_status", "range", "if_match", "response_bytes", "etag", "checksum",
)  # fmt: skip
"""The fields of a journal line that a judgement needs."""

BROKEN = frozenset("reset closed raised truncated".split())
"""What `did` says where the client got no whole answer."""
TIMEOUT = "timeout"
"""The kind of failure in which a client has waited in vain."""
LEFT = "client left"
"""What stands for the answer to a client that did not wait for it."""


class Attempt:
    """One HTTP request: the fields of its journal line that a judgement needs, and their meaning.

    Times are seconds; `arrived` and `answered` are of one monotonic clock, `time` is unix time. Requests that were
    seen by different machines differ in `clock`.

    Attributes:
        injected: whether it got a fault.
        kind: the kind of its answer; None if it was not a failure: `throttle`, `server`, `client`, `hidden` (an error in a
            200), `transport` (no whole answer), `timeout` (none for so long, or to a client that left).
        left: whether the client was seen to leave before it had an answer.
        failed: whether the client got an error, or no whole answer.
    """

    __slots__ = (*KEPT, "clock", "failed", "injected", "kind")

    time: float
    arrived: float
    answered: float | None
    pid: int
    seq: int
    connection: int | None
    principal: str | None
    credential: str | None
    test: str | None
    method: str
    path: str
    query: str
    host: str
    client: str | None
    operation: str | None
    bucket: str | None
    key: str | None
    request_bytes: int | None
    request_digest: str | None
    body_complete: bool | None
    user_agent: str | None
    attempt_hint: dict[str, Any] | None
    rule: str | None
    fault: str | None
    applied: bool
    guarded: bool
    precondition: str | None
    region: str | None
    clock_offset: int | None
    hint: float | None
    hint_form: str | None
    did: str
    left: bool
    status: int | None
    app_status: int | None
    range: str | None
    if_match: str | None
    response_bytes: int | None
    etag: str | None
    checksum: bool | None
    seed: str | None
    clock: int
    injected: bool
    kind: str | None
    failed: bool

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.set(list(map(fields.get, KEPT)))

    @classmethod
    def of(cls, values: Sequence[Any]) -> Attempt:
        """One with these values of `KEPT`, in their order."""
        made = cls.__new__(cls)
        made.set(values)
        return made

    def set(self, values: Sequence[Any]) -> None:
        """Take the values of `KEPT`, in their order; assigned one by one, because a journal may have a million lines."""
        self.clock = 0
        (
            self.pid, self.principal, self.credential, self.test, self.method, self.query, self.host, self.client,
            self.operation, self.bucket, self.user_agent, self.rule, self.fault, self.precondition, self.region,
            self.hint_form, self.did, self.seed, self.time, self.arrived, self.answered, self.seq, self.connection, self.path, self.key,
            self.request_bytes, self.request_digest, self.body_complete, self.attempt_hint, self.applied, self.guarded,
            self.clock_offset, self.hint, left, self.status, self.app_status, self.range, self.if_match,
            self.response_bytes, self.etag, self.checksum,
        ) = values  # fmt: skip
        self.injected = self.did in INJECTED
        self.left = left is True
        self.kind = TIMEOUT if left else _kind(self.did, self.fault, self.status, self.applied)
        self.failed = self.kind is not None

    @property
    def answered_by_fault(self) -> bool:
        """Whether the answer itself was injected: a documented error or a plain one, not the app's own, changed or late."""
        return self.injected and (self.documented is not None or (self.fault or "").startswith("http:"))

    @property
    def part(self) -> str | None:
        """Which part of a body it sends or asks for, in the words of its Content-Range or Range; None: it does not say."""
        return None if self.attempt_hint is None else self.attempt_hint.get("part")

    @property
    def documented(self) -> DocumentedError | None:
        """The documented error that it got, or None."""
        fault = self.fault
        if fault is None or not self.injected:
            return None
        return _find(fault)

    @property
    def answer(self) -> str:
        """Its answer in a word or two: `503 SlowDown`, `429`, `reset`, `client left`; `?` if the journal does not say."""
        if self.left:
            return LEFT
        if self.did in BROKEN:
            return self.did if self.did != "closed" else (self.fault or "closed").partition(",")[0]
        documented = self.documented
        if self.status is None:
            if _gave_up(self.did, applied=self.applied):
                return "latency"
            return "500" if self._raised else "?"
        status = str(self.status)
        # Swift has no codes, and Kodo's are its statuses.
        return status if documented is None or documented.code == status else f"{status} {documented.code}"

    @property
    def _raised(self) -> bool:
        """Whether the app, or what stood in its place, raised an error, so that the server answered 500."""
        return _raised(self.did, applied=self.applied)

    def __repr__(self) -> str:
        return f"<Attempt {self.method} {self.path!r} {self.answer}>"


@lru_cache(1024)
def _kind(did: str, fault: str | None, status: int | None, applied: bool) -> str | None:
    """What the answer was; few of these come again and again."""
    if did in BROKEN:
        return TIMEOUT if (fault or "").startswith("hang") else "transport"
    if status is None:
        if _gave_up(did, applied=applied):
            return TIMEOUT
        return "server" if _raised(did, applied=applied) else None
    documented = None if fault is None or did not in INJECTED else _find(fault)
    if documented is not None and status < 300:
        return "hidden"
    if status == 429 or (documented is not None and documented.category == "throttle" and status >= 400):
        return "throttle"
    if 500 <= status < 600:
        return "server"
    return "client" if status >= 400 else None


def _raised(did: str, *, applied: bool) -> bool:
    return did == "app_failed" or (did == "failed" and not applied)


def _gave_up(did: str, *, applied: bool) -> bool:
    """Whether a client has given up: its own time-out has ended a delay before the app ran, or a stall before an answer."""
    return did == "stalled" or (did == "delayed" and not applied)


@lru_cache(1024)
def _find(fault: str) -> DocumentedError | None:
    from faultinject import vendors
    from faultinject.exceptions import FaultInjectError

    _, _, of = fault.rpartition("of=")
    try:
        return vendors.find(of) if ":" in of else None
    except FaultInjectError:
        return None

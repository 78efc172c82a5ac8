"""A line of the journal, as it is kept: what one request was and what was done, nothing of it worked out yet."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.engine.snapshot import Snapshot
    from faultinject.engine.types import Body
    from faultinject.vendors.addressing import Addressing

    # The scenario's generation, its seed and the seed's key.
    Origin = tuple[int, str, bytes]


class Line:
    """One line as the journal keeps it: of a request that a rule matched, and that passed. `Outcome` is what it says.

    A plain class with slots, not a tuple: of a tuple that says nothing but its values, every reader has to know the order;
    a named tuple costs as much as this to make, and more where few of the values are not what they usually are.

    Attributes:
        seq: the number of the request in its process.
        origin: the scenario that decided it.
        time: when it came, unix seconds.
        arrived: the same on the monotonic clock.
        snapshot: what is kept of the request.
        reading: how its address is read; None: nobody knows.
        rule: what the rule is called that it met, or None.
        n: its number by that rule, or None.
        stalled: for how long the machine had kept work waiting by then, seconds, or None; the journal knows.
        test: the test that ran, or None; likewise.
        did: what was done.
        applied: whether the app ran.
        answered: when the answer began, on the monotonic clock; None where that is not known.
        body: bytes read of the request's body, their digest, whether that was all.
        final: whether a line was there before, of which this is the end; None: it is the first.
    """

    __slots__ = ("arrived", "n", "origin", "reading", "rule", "seq", "snapshot", "stalled", "test", "time")

    stalled: float | None
    test: str | None
    did: str = "passed"
    applied: bool = True
    answered: float | None = None
    fault: str | None = None
    when: str | None = None
    status: int | None = None
    response_bytes: int | None = None
    request_id: str | None = None
    hint: float | None = None
    hint_form: str | None = None
    body: Body | None = None
    final: bool | None = None

    def __init__(
        self,
        seq: int,
        origin: Origin,
        time: float,
        arrived: float,
        snapshot: Snapshot,
        reading: Addressing | None,
        rule: str | None,
        n: int | None,
    ) -> None:
        self.seq = seq
        self.origin = origin
        self.time = time
        self.arrived = arrived
        self.snapshot = snapshot
        self.reading = reading
        self.rule = rule
        self.n = n
        self.stalled = None
        self.test = None


class FullLine(Line):
    """The line of a request to which something was done, or whose answer was looked at.

    Args:
        entry: what is known of the request so far.
        did: what was done.
        answered: when the answer began, or None.
        applied: whether the app ran.
        body: what was read of its body, or None.
        final: whether it is the end of a line that was there before.
    """

    __slots__ = (
        "answered", "applied", "body", "did", "fault", "final", "hint", "hint_form", "request_id", "response_bytes",
        "status", "when",
    )  # fmt: skip

    def __init__(
        self,
        entry: FullLine,
        did: str,
        answered: float | None,
        applied: bool,
        body: Body | None,
        final: bool | None,
    ) -> None:
        self.seq = entry.seq
        self.origin = entry.origin
        self.time = entry.time
        self.arrived = entry.arrived
        self.snapshot = entry.snapshot
        self.reading = entry.reading
        self.rule = entry.rule
        self.n = entry.n
        self.stalled = entry.stalled
        self.test = None
        self.did = did
        self.applied = applied
        self.answered = answered
        self.fault = entry.fault
        self.when = entry.when
        self.status = entry.status
        self.response_bytes = entry.response_bytes
        self.request_id = entry.request_id
        self.hint = entry.hint
        self.hint_form = entry.hint_form
        self.body = body
        self.final = final

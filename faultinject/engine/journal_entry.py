"""What happened to one request: noted as a `Line` on the request's path, worked out when somebody reads it."""

from __future__ import annotations

from faultinject.engine.journal_line import FullLine
from faultinject.http.wire import whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultinject.engine.body_digest import SeenBody
    from faultinject.engine.counting import Take
    from faultinject.engine.journal_line import Origin
    from faultinject.engine.services import Services
    from faultinject.engine.snapshot import Snapshot
    from faultinject.engine.types import Body, Fired
    from faultinject.vendors.addressing import Addressing

FIELDS = (
    "v", "time", "arrived", "answered", "pid", "seq", "generation", "connection", "principal", "credential", "test",
    "method", "path", "query", "host", "client", "operation", "bucket", "key", "request_bytes", "request_digest",
    "body_complete", "user_agent", "attempt_hint", "rule", "fault", "when", "applied", "guarded",
    "precondition", "hint", "hint_form", "did", "status", "response_bytes", "request_id", "elapsed", "stalled", "seed",
    "n", "final",
)  # fmt: skip
"""The fields of a journal line, in order; a reader ignores those it does not know."""

INJECTED = frozenset(
    "answered app_cut drain_cut delayed truncated dripped corrupted reset closed raised".split()
)
"""What `did` says of a request that got a fault; anything else left the app's own answer."""


class Entry(FullLine):
    """The journal's view of one request while it is under way; every `write` is one line."""

    __slots__ = ("fired", "held", "seen", "services", "take", "written")

    fired: Fired | None
    seen: SeenBody | None

    def __init__(
        self,
        services: Services,
        seq: int,
        origin: Origin,
        time: float,
        arrived: float,
        snapshot: Snapshot,
        reading: Addressing,
        rule: str | None,
        n: int | None,
        take: Take | None,
    ) -> None:
        self.services = services
        self.seq = seq
        self.origin = origin
        self.time = time
        self.arrived = arrived
        self.snapshot = snapshot
        self.reading = reading
        self.rule = rule
        self.n = n
        self.take = take
        self.fault = self.when = self.fired = self.seen = self.stalled = None
        self.status = self.response_bytes = self.request_id = self.hint = self.hint_form = None
        self.held = False
        """Whether the fault goes on when the adapter has returned; who holds it says when it is over."""
        self.written = False

    def write(
        self,
        did: str,
        *,
        answered: bool = True,
        applied: bool = False,
        body: Body | None = None,
        last: bool = True,
    ) -> None:
        """Add a line that says what was done.

        Args:
            did: the outcome's word.
            answered: whether the answer starts now; else the time of the answer is not known.
            applied: whether the app ran.
            body: bytes read of the request body, their digest, whether that was all; by default what the app was seen
                to read.
            last: whether the end is known; otherwise a final line follows.
        """
        services = self.services
        if body is None and self.seen is not None:
            body = self.seen.body
        now = services.monotonic() if answered else None
        line = FullLine(self, did, now, applied, body, last if self.written else None)
        services.journal(line)
        self.stalled = line.stalled
        self.written = True

    def saw(self, status: str | int, lengths: Iterable[str]) -> None:
        """Note the status and the Content-Length of the app's own answer."""
        self.status = whole(status)
        try:
            self.response_bytes = whole(next(iter(lengths), None))
        except Exception:  # odd headers are between the app and its server
            self.response_bytes = None

    def forget(self) -> None:
        """No fault is given after all: nothing of its answer is true of the app's."""
        self.status = self.response_bytes = self.request_id = self.hint = self.hint_form = None

    def cancel(self, did: str, *, applied: bool = False, status: int | None = None) -> None:
        """Note that the fault was not carried out, and why.

        Args:
            did: the outcome's word.
            applied: whether the app ran.
            status: of the app's own answer, which starts now; None where it is not known.
        """
        if self.fired is not None:
            self.fired.take_back()
            self.fired = None
        self.forget()
        self.status = status
        self.write(did, answered=status is not None, applied=applied)


class Outcome:
    """What happened to one request, with the fields of a journal line as attributes.

    `did` says what was done: `answered`, `delayed` and so on for an injected fault, `passed`, `app_failed`,
    `refused`, `failed` for the app's own answer. Times are seconds; `time` is unix time, `arrived` and
    `answered` are of one monotonic clock.
    """

    __slots__ = FIELDS

    v: int
    time: float
    arrived: float
    answered: float | None
    pid: int
    seq: int
    generation: int
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
    attempt_hint: dict[str, object] | None
    rule: str | None
    fault: str | None
    when: str | None
    applied: bool
    guarded: bool
    precondition: str | None
    hint: float | None
    hint_form: str | None
    did: str
    status: int | None
    response_bytes: int | None
    request_id: str | None
    elapsed: float | None
    stalled: float | None
    seed: str
    n: int | None
    final: bool | None

    def __init__(self, **fields: object) -> None:
        for name in FIELDS:
            setattr(self, name, fields.get(name))

    @property
    def injected(self) -> bool:
        """Whether a fault was done to the request."""
        return self.did in INJECTED

    @property
    def undecided(self) -> bool:
        """Whether it passed because nobody could tell which fault it was to get: an error of ours, or of the store."""
        return self.did == "failed" and self.fault is None

    def to_dict(self) -> dict[str, object]:
        """The fields in order, as a journal line has them; `final` only where it is true."""
        return {name: getattr(self, name) for name in FIELDS if name != "final" or self.final}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcome) and self.to_dict() == other.to_dict()

    def __repr__(self) -> str:
        what = f"{self.fault} by {self.rule}" if self.injected else "app's answer"
        return f"<Outcome {quoted(self.method)} {quoted(self.path)} {self.did}: {what}>"


def quoted(text: str) -> str:
    r"""Text from a request for logs, tables and pages: control, format and bidi characters escaped.

    >>> quoted("a\r\nb\u202e")
    'a\\r\\nb\\u202e'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)

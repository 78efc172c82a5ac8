"""What happened to one request: a `Line` of the journal, noted on the request's path and worked out when somebody reads it."""

from __future__ import annotations

from faultinject.http.wire import whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from faultinject.engine.body_digest import SeenBody
    from faultinject.engine.compiled_rule import CompiledRule
    from faultinject.engine.counting import Take
    from faultinject.engine.services import Services
    from faultinject.engine.snapshot import Snapshot
    from faultinject.engine.types import Body
    from faultinject.vendors.addressing import Addressing
    from faultinject.vendors.types import Target

    # The scenario's generation, its seed and the seed's key.
    Origin = tuple[int, str, bytes]


CHECKSUMS = frozenset(
    "content-md5 x-amz-checksum-crc32 x-amz-checksum-crc32c x-amz-checksum-crc64nvme x-amz-checksum-md5 x-amz-checksum-sha1"
    " x-amz-checksum-sha256 x-amz-checksum-sha512 x-bce-content-crc32 x-bce-content-crc32c x-bz-content-sha1"
    " x-cos-hash-crc64ecma x-goog-hash x-ms-content-crc64 x-oss-hash-crc64ecma x-tos-hash-crc64ecma".split()
)
"""Headers by which a client can check the bytes that it gets. An ETag that is an MD5 is none: no vendor promises it."""
OF_THE_ANSWER = "x-ms-content-crc64"
"""The one that is of the bytes of this answer, also where they are a part of the object."""
_LOOKED_AT = frozenset(map(len, (*CHECKSUMS, "content-length", "etag")))
"""How long the names are of the headers that are noted of an answer."""

INJECTED = frozenset(
    "answered app_cut drain_cut delayed stalled truncated dripped corrupted edited overwritten stale reset closed raised".split()
)
"""What `did` says of a request that got a fault; anything else left the app's own answer."""


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
        reading: how its address is read.
        rule: what the rule is called that it met, or None.
        n: its number by that rule, or None.
        test: the test that ran, or None; the journal knows.
        did: what was done.
        left: whether the client was seen to leave before it had an answer.
        applied: whether the app ran.
        answered: when the answer began, on the monotonic clock; None where that is not known.
        body: bytes read of the request's body, their digest, whether that was all.
        place: what the address names, where it has been read and the line keeps all of it; None: to be read.
        final: whether a line was there before, of which this is the end; None: it is the first.
    """

    __slots__ = ("arrived", "n", "origin", "reading", "rule", "seq", "snapshot", "test", "time")

    test: str | None
    did: str = "passed"
    left: bool = False
    applied: bool = True
    answered: float | None = None
    fault: str | None = None
    when: str | None = None
    status: int | None = None
    app_status: int | None = None
    response_bytes: int | None = None
    checksum: bool | None = None
    etag: str | None = None
    request_id: str | None = None
    hint: float | None = None
    hint_form: str | None = None
    body: Body | None = None
    place: Target | None = None
    final: bool | None = None

    def __init__(
        self,
        seq: int,
        origin: Origin,
        time: float,
        arrived: float,
        snapshot: Snapshot,
        reading: Addressing,
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
        "answered", "app_status", "applied", "body", "checksum", "did", "etag", "fault", "final", "hint", "hint_form", "left",
        "place", "request_id", "response_bytes", "status", "when",
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
        self.test = None
        self.did = did
        self.left = entry.left
        self.applied = applied
        self.answered = answered
        self.fault = entry.fault
        self.when = entry.when
        self.status = entry.status
        self.app_status = entry.app_status
        self.response_bytes = entry.response_bytes
        self.checksum = entry.checksum
        self.etag = entry.etag
        self.request_id = entry.request_id
        self.hint = entry.hint
        self.hint_form = entry.hint_form
        self.body = body
        self.place = entry.place
        self.final = final


class Entry(FullLine):
    """The journal's view of one request while it is under way; every `write` is one line, the last one the entry itself."""

    __slots__ = ("fired", "held", "seen", "services", "take", "written")

    fired: CompiledRule | None
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
        self.fault = self.when = self.fired = self.seen = self.test = None
        self.status = self.response_bytes = self.request_id = self.hint = self.hint_form = self.place = None
        self.app_status = self.answered = self.checksum = self.etag = None
        self.held = self.left = False
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
        final = last if self.written else None
        if not last:
            # What comes later is written into this entry: the line so far stands by itself.
            line = FullLine(self, did, now, applied, body, final)
            services.journal(line)
        else:
            self.did = did
            self.answered = now
            self.applied = applied
            self.body = body
            self.final = final
            services.journal(self)
        self.written = True

    def saw(self, status: str | int, headers: Iterable[tuple[Any, Any]]) -> None:
        """Note the status of the app's own answer, its Content-Length and ETag, and whether its whole body has a checksum.

        Args:
            status: its number.
            headers: texts or bytes.
        """
        self.status = whole(status)
        self.response_bytes = self.etag = None
        self.checksum = False
        try:
            for given, value in headers:
                if len(given) not in _LOOKED_AT:
                    continue
                in_bytes = isinstance(given, bytes)
                name = (given.decode("latin-1") if in_bytes else given).lower()
                text = value.decode("latin-1") if in_bytes else value
                if name == "content-length":
                    self.response_bytes = whole(text)
                elif name == "etag":
                    self.etag = text
                elif name in CHECKSUMS and (self.status == 200 or name == OF_THE_ANSWER):
                    # A composite one, as `…-3` of three parts, cannot be checked; B2 has none of a large file.
                    self.checksum |= "-" not in text and text != "none"
        except Exception:  # odd headers are between the app and its server
            return

    def forget(self) -> None:
        """No fault is given after all: nothing of its answer is true of the app's."""
        self.status = self.app_status = self.response_bytes = self.request_id = self.hint = None
        self.hint_form = self.etag = None

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


def quoted(text: str) -> str:
    r"""Text from a request for logs, tables and pages: control, format and bidi characters escaped.

    >>> quoted("a\r\nb\u202e")
    'a\\r\\nb\\u202e'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)

"""The record of one request: a line of the journal, written and read by this class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypedDict

from msgspec import Struct
from msgspec.json import Encoder
from msgspec.structs import asdict

from faultinject.engine.entry import NOT_INJECTED
from faultinject.engine.shown import quoted
from faultinject.rules.printed_json import json_text, printable

VERSION = 1
"""The version of the journal's lines."""


if TYPE_CHECKING:
    from faultinject.literals import Did, When
else:
    # Lines of other versions and faults of other packages may have other words.
    When = Did = str


class AttemptHint(TypedDict, total=False):
    """An SDK's own marks of its attempt.

    Attributes:
        invocation: The client's own id of the call, which all its attempts have.
        attempt: The number of the attempt.
        max: The most attempts that the client will make.
        retry: Whether the client says that this is a retry.
        part: The part of a body that it sends or requests.
        key: A keyed digest of its Idempotency-Key, where `invocation` is an SDK's own id.
    """

    invocation: str
    attempt: int
    max: int
    retry: bool
    part: str
    key: str


class Outcome(Struct, kw_only=True):
    """The outcome of one request, with the fields of a journal line as attributes.

    `did` is the action: `answered`, `delayed` and so on for an injected fault, `passed`, `app_failed`,
    `refused`, `failed` for the app's own answer. Times are seconds; `time` is unix time, `arrived` and
    `answered` are of one monotonic clock.

    Attributes:
        v: The version of the format.
        time: The time at which the request arrived, unix seconds.
        arrived: The same moment on a monotonic clock, seconds.
        answered: The time at which the answer began, or ended if a fault changed its body, on the same clock; null
            where it is not known.
        pid: The process.
        seq: The number of the request in that process.
        generation: The number of the scenario in force.
        connection: The peer's port.
        principal: A keyed digest of the access-key id.
        credential: Two bytes of a keyed digest of a token, which show that it was replaced.
        test: The test that the request belongs to.
        method: The request's method.
        path: Its path.
        query: Its query; values of undocumented parameters are `…`.
        host: The Host header.
        client: The peer's address.
        operation: The operation by the vendor's own name.
        bucket: The bucket as the vendor reads it.
        key: The key as the vendor reads it.
        request_bytes: Bytes of the request's body; null where nobody knows.
        request_digest: The body's digest, keyed with the seed.
        body_complete: Whether all of the body came.
        user_agent: The client's own name.
        attempt_hint: The SDK's own marks of the attempt.
        rule: The rule that fired; where none did, the first that matched.
        matched: All rules that matched, in order; null where there are not several.
        fault: The fault that it chose.
        when: Whether the fault came before the app, or after it.
        applied: Whether the app ran.
        guarded: Whether a key or a precondition makes a repeat safe.
        precondition: Two bytes of a digest of the precondition.
        range: The part of an object that it asks for: its Range.
        if_range: Two bytes of a digest of its If-Range: it asks for the part if the object still has that version,
            otherwise for the whole object.
        if_match: Two bytes of a digest of its If-Match, the version that it asks for.
        region: Two bytes of a keyed digest of the region that it was signed for.
        clock_offset: Seconds by which its signing time, or the expiry of its presigned URL, is ahead of `time`;
            below 0: behind.
        hint: The wait that the answer asked for, seconds.
        hint_form: The form of that wait in the answer.
        did: The action: see above.
        left: Whether the client left before it had an answer, as far as the server saw.
        status: The answer's status.
        app_status: The status of the app's own answer, which the fault has replaced; null where that is unknown.
        response_bytes: Bytes of the answer's body.
        checksum: Whether the app's answer had a checksum of its whole body; null where nobody looked.
        etag: Two bytes of a digest of the answer's ETag; null where it has none, or nobody saw it.
        request_id: The request id that the answer named.
        elapsed: Seconds from `arrived` to `answered`.
        seed: The seed of the draw.
        n: The number of the draw.
        final: Whether this line ends a request that an earlier line has begun.
    """

    v: int = VERSION
    time: float
    arrived: float
    answered: float | None = None
    pid: int
    seq: int
    generation: int = 0
    connection: int | None = None
    principal: str | None = None
    credential: str | None = None
    test: str | None = None
    method: str
    path: str
    query: str
    host: str = ""
    client: str | None = None
    operation: str | None = None
    bucket: str | None = None
    key: str | None = None
    request_bytes: int | None = None
    request_digest: str | None = None
    body_complete: bool | None = None
    user_agent: str | None = None
    attempt_hint: AttemptHint | None = None
    rule: str | None = None
    matched: list[str] | None = None
    fault: str | None = None
    when: When | None = None
    applied: bool
    guarded: bool
    precondition: str | None = None
    range: str | None = None
    if_range: str | None = None
    if_match: str | None = None
    region: str | None = None
    clock_offset: int | None = None
    hint: float | None = None
    hint_form: str | None = None
    did: Did
    left: bool = False
    status: int | None = None
    app_status: int | None = None
    response_bytes: int | None = None
    checksum: bool | None = None
    etag: str | None = None
    request_id: str | None = None
    elapsed: float | None = None
    seed: str = ""
    n: int | None = None
    final: bool | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """The outcome with the fields of a line, also of another version; unknown ones are left out."""
        return cls(**{name: fields[name] for name in cls.__struct_fields__ if name in fields})

    @property
    def injected(self) -> bool:
        """Whether the request got a fault.

        An unknown value of `did` counts as a fault only if a fault was chosen.
        """
        return self.fault is not None and self.did not in NOT_INJECTED

    @property
    def undecided(self) -> bool:
        """Whether it passed because its fault could not be decided: an error of ours, or of a store."""
        return self.did == "failed" and self.fault is None

    def to_dict(self) -> dict[str, object]:
        """The fields in order, as a journal line has them; `final` only if it is true."""
        fields = asdict(self)
        if not self.final:
            del fields["final"]
        return fields

    def to_line(self) -> bytes:
        """The line of a journal file, with its end: JSON in UTF-8, unprintable characters escaped."""
        try:
            data = _encode(self)
        except (TypeError, ValueError):  # half of a surrogate pair, or a server's own kind of text
            return (json_text(self.to_dict()) + "\n").encode("utf-8", "replace")
        if not self.final:
            data = data[: data.rindex(b',"final":')] + b"}"
        if not data.isascii() or DELETE in data:
            data = printable(data.decode()).encode()
        return data + b"\n"

    def __repr__(self) -> str:
        answer = f"{self.fault} by {self.rule}" if self.injected else "app's answer"
        return f"<Outcome {quoted(self.method)} {quoted(self.path)} {self.did}: {answer}>"


def outcome_in(line: bytes) -> Outcome | None:
    """The outcome in a line of a journal, or None."""
    from json import loads

    try:
        # After a full disk, a whole line may follow a part of another one.
        fields = loads(line[max(0, line.rfind(b'{"v":')) :])
    except ValueError:
        return None
    return Outcome.of(fields) if isinstance(fields, dict) else None


FIELDS = Outcome.__struct_fields__
"""The fields of a journal line, in order; a reader ignores those it does not know."""


def line_without_request(**fields: object) -> bytes:
    """A journal's line about something else than a request.

    All fields of a request are null in it, so that a search for requests does not find it.
    """
    empty = {name: None for name in FIELDS if name != "final"}
    return (json_text({**empty, "v": VERSION, **fields}) + "\n").encode("utf-8", "replace")


DELETE = 0x7F
"""The only character of ASCII that neither prints nor is escaped in JSON."""
_encode = Encoder().encode

"""One request on its way, as the journal keeps it, and one fault under way.

An `Entry` notes what happened to the request, but never an Authorization header, a cookie, a signature or a token. An
`Injection` keeps the fault's slot and count as well.
"""

from __future__ import annotations

from binascii import a2b_base64, crc32
from collections.abc import Iterable, Mapping
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, Self

from faultinject.engine.counting import Counts, Take
from faultinject.engine.request import GUARDS, PARTS, RECORDED_HEADERS, BodySummary, Request, SeenBody
from faultinject.engine.shown import shown_path, shown_query
from faultinject.http.wire import number_of
from faultinject.vendors.addressing import Addressing
from faultinject.vendors.credentials import expires_at, key_id, query_key_id, signed_at, signed_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.vendors.types import Target


# The scenario's generation, its seed and the seed's key.
Origin = tuple[int, str, bytes]
LONGEST_TEXT = 2048
"""The most characters of a text field that are kept."""
LONGEST_DATE = 40
"""The most characters of the time of a signature that are kept."""
QUERY_GUARDS = ("ifGenerationMatch=", "ifMetagenerationMatch=", "position=")
"""Query parameters that make a repeated write safe."""
PRECONDITIONS = GUARDS - {"idempotency-key"}
"""Headers with a condition on the target."""
VALUED = frozenset(
    "amz-sdk-invocation-id amz-sdk-request idempotency-key x-amz-decoded-content-length x-bz-file-name"
    " x-bz-part-number x-cos-sdk-retry x-goog-api-client x-goog-gcs-idempotency-token x-goog-resumable"
    " x-ms-blob-type x-ms-lease-action x-ms-page-write x-ms-requires-sync x-sdk-retry-count".split()
).union(PARTS)
"""Headers whose value is kept."""
VERSIONS = ("if-match", "if-range")
"""Headers that name a version of an object; a checksum of the value is kept."""
SILENT = {*RECORDED_HEADERS}.difference(VALUED, VERSIONS)
"""Headers of which only the presence is kept: a copy's source may end in a signature."""


def checksum_of_credential(authorization: str) -> int:
    """A checksum of the lasting part of an Authorization header.

    It stays the same from request to request, until the credential is replaced. For Basic the part is the user's name,
    so that nobody can try passwords against the checksum; for Digest the server's nonce, as the rest changes with each
    request; for every other scheme the token.

    >>> checksum_of_credential("Bearer one") == checksum_of_credential("Bearer two")
    False
    >>> checksum_of_credential("Basic Y2F0OjE=") == checksum_of_credential("Basic Y2F0OjI=")  # cat:1, cat:2
    True
    """
    scheme, _, rest = authorization.partition(" ")
    scheme = scheme.lower()
    if scheme == "basic":
        rest = _user_of(rest)
    elif scheme == "digest":
        rest = rest.partition('nonce="')[2].partition('"')[0]
    return crc32(f"{scheme} {rest}".encode("utf-8", "replace"))


def _user_of(credentials: str) -> str:
    """The user's name in the credentials of the scheme Basic."""
    try:
        return a2b_base64(credentials.encode()).partition(b":")[0].decode("latin-1")
    except ValueError:
        return ""


def checksum_of_preconditions(recorded: Mapping[str, str]) -> int:
    """A checksum of the values of the precondition headers."""
    values = [f"{name}:{value}" for name, value in recorded.items() if name in PRECONDITIONS]
    return crc32("\n".join(sorted(values)).encode("utf-8", "replace"))


def checksum_of_version(etag: str) -> str:
    """A checksum of an ETag, or of a date, in decimal digits."""
    return str(crc32(etag.encode("utf-8", "replace")))


CHECKSUMS = frozenset(
    "content-md5 x-amz-checksum-crc32 x-amz-checksum-crc32c x-amz-checksum-crc64nvme x-amz-checksum-md5"
    " x-amz-checksum-sha1 x-amz-checksum-sha256 x-amz-checksum-sha512 x-bce-content-crc32"
    " x-bce-content-crc32c x-bz-content-sha1 x-cos-hash-crc64ecma x-goog-hash x-ms-content-crc64"
    " x-oss-hash-crc64ecma x-tos-hash-crc64ecma".split()
)
"""Headers by which a client can check the bytes that it gets.

ETag is missing: it may be an MD5, but no vendor promises that.
"""
SENT_BYTES_CHECKSUM = "x-ms-content-crc64"
"""The checksum that covers the bytes of the answer, even if they are a range of the object."""
_NOTED_LENGTHS = frozenset(map(len, (*CHECKSUMS, "content-length", "etag")))
"""Lengths of the names of noted headers: a quick test before a name is compared."""
NOT_INJECTED = frozenset(("passed", "app_failed", "nothing_to_cut", "refused", "failed"))
"""The values of `did` for a request without a fault; any other means a fault."""
_seq = count()


class Recorder(Protocol):
    """The services of a plan that entries need."""

    @property
    def journal(self) -> Callable[[Entry], None]:
        """Takes a line."""

    @property
    def monotonic(self) -> Callable[[], float]:
        """The clock for durations, in seconds."""

    @property
    def failed(self) -> Callable[[Exception, str], None]:
        """Called with an error inside faultinject itself, and the rule's name."""

    @property
    def finish(self) -> Callable[[], None]:
        """Called when a fault is over: its slot is free again."""

    @property
    def record_all(self) -> bool:
        """Whether to record requests that no rule matches."""


class Decided(Protocol):
    """The part of a plan that the entries of its requests need."""

    @property
    def services(self) -> Recorder:
        """The clock and the journal."""

    @property
    def origin(self) -> Origin:
        """The scenario's generation, its seed and the seed's key."""

    @property
    def more_headers(self) -> Mapping[str, bool]:
        """Further headers that are noted; True: with their value."""


class Entry:
    """One request on its way, as the journal keeps it; a reader makes an `Outcome` of it.

    Every `write` is one line; the last line is the entry itself, earlier ones are copies.

    Args:
        plan: the plan that decided the request.
        request: the request; the entry copies its facts.
        reading: the reading of its bucket, key and operation.
        time: the moment when it arrived, in unix seconds.
        arrived: the same moment on the monotonic clock.
        rule: the name of the rule that fired, else of the first that it matched, or None.
        n: its number among the requests that matched that rule with the same identity; below 0, and not noted, if no
            decision depends on it.

    Attributes:
        matched: the names of all rules that it matched, in order; None unless there are several.
        seq: its number in its process.
        take: the count that is returned if the fault is not carried out, or None.
        test: the running test, or None; the journal sets it.
        mount: the length of its mount point.
        key_id: the access-key id.
        credential: a checksum of the credential.
        precondition: a checksum of the preconditions.
        signed_at: the time of its signature, as the request states it, or None.
        region: a checksum of the region for which it was signed, or None.
        headers: those of `RECORDED_HEADERS` that the request has.
        read_by: the reading that has filled `place`; None before that.
        did: the action to record, a value of `Did`.
        left: whether the client was seen to leave before it had an answer.
        applied: whether the app ran.
        answered: the start of the answer on the monotonic clock; None if it is not known.
        body: the summary of the request's body, or None.
        final: None for the request's first line; for a later line, whether it is the last one.
        last: whether no other line of the request follows.
        undo: called if the fault is not given after all; None without a fault.
        seen: the request's body as far as the app has read it, or None.
        written: whether the request has a line already.
    """

    __slots__ = (
        "answered", "app_status", "applied", "arrived", "body", "checksum", "client", "content_length",
        "credential", "did", "etag", "fault", "final", "headers", "hint", "hint_form", "host", "key_id",
        "last", "left", "matched", "method", "mount", "n", "named_by", "operation", "origin", "path",
        "place", "port", "precondition", "query", "read_by", "reading", "region", "request_id",
        "response_bytes", "rule", "seen", "seq", "services", "signed_at", "status", "take", "test", "time",
        "undo", "user_agent", "when", "written",
    )  # fmt: skip

    method: str
    path: str
    mount: int
    query: str
    host: str
    client: str | None
    port: Any
    key_id: str | None
    credential: int | None
    precondition: int | None
    user_agent: str | None
    content_length: str | None
    signed_at: str | None
    region: int | None
    headers: Mapping[str, str]
    read_by: object
    place: Target
    named_by: object
    operation: str | None
    take: Take | None
    test: str | None
    answered: float | None
    fault: str | None
    when: str | None
    status: int | None
    app_status: int | None
    response_bytes: int | None
    checksum: bool | None
    etag: str | None
    request_id: str | None
    hint: float | None
    hint_form: str | None
    body: BodySummary | None
    matched: list[str] | None
    final: bool | None
    undo: Callable[[], None] | None
    seen: SeenBody | None

    def __init__(
        self,
        plan: Decided,
        request: Request,
        reading: Addressing,
        time: float,
        arrived: float,
        rule: str | None = None,
        n: int | None = None,
    ) -> None:
        self.services: Recorder = plan.services
        self.seq = next(_seq)
        self.origin = plan.origin
        self.time = time
        self.arrived = arrived
        self.reading = reading
        self.rule = rule
        self.n = None if n is None or n < 0 else n
        self.did = "passed"
        self.applied = self.last = True
        self.left = self.written = False
        self.take = self.test = self.answered = self.fault = self.when = self.status = self.app_status = None
        self.response_bytes = self.checksum = self.etag = self.request_id = self.hint = self.hint_form = None
        self.body = self.final = self.undo = self.seen = self.matched = None
        self.read_by = self.named_by = None
        self._describe(request, plan.more_headers)

    def _describe(self, request: Request, more_headers: Mapping[str, bool]) -> None:
        """Note the facts about the request; those with secrets are replaced by checksums at once."""
        path, query = request.path, request.query
        self.client, self.port, authorization, date, agent, recorded = request.describe()
        key = credential = precondition = region = None
        if authorization:
            key = key_id(authorization)
            credential = None if key is not None else checksum_of_credential(authorization)
            date, region = date or signed_at(authorization), signed_for(authorization)
        if recorded:
            if key is None and credential is None and "x-auth-token" in recorded:
                credential = crc32(recorded["x-auth-token"].encode("latin-1", "replace"))
            if not PRECONDITIONS.isdisjoint(recorded):
                precondition = checksum_of_preconditions(recorded)
            versions = {name: checksum_of_version(recorded[name]) for name in VERSIONS if name in recorded}
            recorded = {
                name: "" if name in SILENT else value[:LONGEST_TEXT] for name, value in recorded.items()
            } | versions
        if more_headers:
            recorded = {**recorded}
            for name, valued in more_headers.items():
                value = request.recorded(name)
                if value is not None:
                    recorded.setdefault(name, value[:LONGEST_TEXT] if valued else "")
        if query:
            if not authorization:
                key, region = query_key_id(query), signed_for(query)
                date = signed_at(query) or expires_at(query)
            query = shown_query(query)
        if "?" in path:
            path = shown_path(path)
        self.method = request.method[:64]
        self.path = path[:LONGEST_TEXT]
        self.mount = len(request.mount)
        self.query = query[:LONGEST_TEXT]
        self.host = request.host[:LONGEST_TEXT]
        self.key_id = key
        self.credential = credential
        self.precondition = precondition
        self.user_agent = agent and agent[:LONGEST_TEXT]
        self.signed_at = date and date[:LONGEST_DATE]
        self.region = None if region is None else crc32(region.encode("utf-8", "replace"))
        self.headers = recorded
        length = request.announced_length
        self.content_length = length[:20] if length else None

    @property
    def below(self) -> str:
        """The path below the mount point."""
        return self.path[self.mount :]

    def recorded(self, name: str) -> str | None:
        """The value of a header that was noted."""
        return self.headers.get(name)

    def write(
        self,
        did: str,
        *,
        answered: bool | float = True,
        applied: bool = False,
        body: BodySummary | None = None,
        last: bool = True,
    ) -> None:
        """Add a line about the request's outcome so far.

        Args:
            did: the action to record, a value of `Did`.
            answered: the start of the answer; True: now; False: not known.
            applied: whether the app ran.
            body: the summary of the request's body; by default of the part that the app was seen to read.
            last: whether this is the last line of the request; others are written only as the first.
        """
        if self.written and not last:
            return  # a reader would take a line between the first and the last one for a repeated line
        services = self.services
        if body is None and self.seen is not None:
            body = self.seen.body
        # Later facts are written into this entry, so an earlier line is a copy.
        line = self if last else self._copy()
        line.did = did
        if answered is True:
            answered = services.monotonic()
        line.answered = None if answered is False else answered
        line.applied = applied
        line.body = body
        line.final = True if self.written else None
        line.last = last
        if last:
            # This saves memory: the journal keeps the entry, and a take has a copy of the object's key.
            self.take = None
        services.journal(line)
        self.written = True

    def _copy(self) -> Entry:
        line = Entry.__new__(Entry)
        # Written out: with `setattr` an injected answer cost up to 7 % more.
        (
            line.answered, line.app_status, line.applied, line.arrived, line.body, line.checksum, line.client,
            line.content_length, line.credential, line.did, line.etag, line.fault, line.final,
            line.headers, line.hint, line.hint_form, line.host, line.key_id, line.last, line.left,
            line.matched, line.method, line.mount, line.n, line.origin, line.path, line.port,
            line.precondition, line.query, line.reading, line.region, line.request_id, line.response_bytes,
            line.rule, line.seen, line.seq, line.services, line.signed_at, line.status, line.test, line.time,
            line.undo, line.user_agent, line.when, line.written,
        ) = _all_of(self)  # fmt: skip
        line.read_by = line.named_by = line.take = None
        return line

    def note_answer(self, status: str | int, headers: Iterable[tuple[Any, Any]]) -> None:
        """Note the app's own answer: status, Content-Length, ETag, and whether it has a checksum.

        A checksum counts only if it is about all bytes of the answer.

        Args:
            status: the number, or a text that begins with it.
            headers: names and values, as texts or as bytes.
        """
        self.status = number_of(status)
        self.response_bytes = self.etag = None
        self.checksum = False
        try:
            for raw_name, value in headers:
                if len(raw_name) not in _NOTED_LENGTHS:
                    continue
                in_bytes = isinstance(raw_name, bytes)
                name = (raw_name.decode("latin-1") if in_bytes else raw_name).lower()
                text = value.decode("latin-1") if in_bytes else value
                if name == "content-length":
                    self.response_bytes = number_of(text)
                elif name == "etag":
                    self.etag = text
                elif name in CHECKSUMS and (self.status == 200 or name == SENT_BYTES_CHECKSUM):
                    # The checksum of an upload in parts, such as `…-3`, is made from those of the parts; B2 writes
                    # `none` for a large file.
                    self.checksum |= "-" not in text and text != "none"
        except Exception:  # the headers are malformed: it is for the server to report that
            return

    def broken_off(self) -> None:
        """Note that the client has left, if it did so in the middle of its upload."""
        self.left = self.left or (self.answered is None and self.seen is not None and self.seen.body is None)

    def forget(self) -> None:
        """Clear the facts about the answer of a fault that is not given."""
        self.status = self.app_status = self.response_bytes = self.request_id = self.hint = None
        self.hint_form = self.etag = None

    def cancel(self, did: str, *, applied: bool = False, status: int | None = None) -> None:
        """Note that the fault was not carried out, and the reason.

        Args:
            did: the action to record, a value of `Did`.
            applied: whether the app ran.
            status: the status of the app's own answer, which starts now; None if it is not known.
        """
        if self.undo is not None:
            self.undo()
            self.undo = None
        self.forget()
        self.status = status
        self.write(did, answered=status is not None, applied=applied)


# A copy computes `place` and `operation` again, as they may not be set yet.
_COPIED = tuple(
    name for name in Entry.__slots__ if name not in ("place", "operation", "read_by", "named_by", "take")
)
_all_of = attrgetter(*_COPIED)


class Injection:
    """One fault under way, as a context manager: its slot, count and lines in the journal.

    At the end it frees the slot, and it returns the count if the fault was not carried out.

    Args:
        services: the owner of the slot.
        counts: the owner of the count.
        entry: the request's entry in the journal.

    Attributes:
        applied: whether the app ran.
        outcome_if_broken_off: the action to record if the block ends before the fault is settled.
        settled: whether the journal has the final outcome.
    """

    def __init__(self, services: Recorder, counts: Counts, entry: Entry) -> None:
        self._services = services
        self._counts = counts
        self._entry = entry
        self.settled = self._over = False
        self.applied = False
        self.outcome_if_broken_off = "failed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.settled:
            self.undo(self.outcome_if_broken_off)
        self.finish()

    def finish(self) -> None:
        """Free the slot for another fault, however long the answer still takes."""
        if not self._over:
            self._over = True
            self._services.finish()

    def begin(self, did: str) -> None:
        """Write a first line of a fault that takes time."""
        self._entry.write(did, answered=False, applied=self.applied, last=False)

    def run_app(self) -> None:
        """Note that the app is about to run."""
        self.applied, self.outcome_if_broken_off = True, "app_failed"

    def give(self, did: str, body: BodySummary | None = None, *, answered: bool | float = True) -> None:
        """Write the last line of a fault that is carried out.

        Args:
            did: the action to record, a value of `Did`.
            body: the summary of the request's body.
            answered: the start of the answer; True: now; False: not known.
        """
        self.settled = True
        self._entry.write(did, answered=answered, applied=self.applied, body=body)

    def keep(self) -> None:
        """Let the lines so far stand, even if the block ends without another."""
        self.settled = True

    def undo(self, did: str, *, status: int | None = None, left: bool = False) -> None:
        """Return the count of a fault that is not carried out, and note the reason.

        As with requests that pass, the status of the app's own answer is noted only if every request is recorded.

        Args:
            did: the action to record, a value of `Did`.
            status: the status of the app's own answer, which starts now.
            left: whether the client has left.
        """
        self.settled = True
        entry = self._entry
        entry.left = entry.left or left
        if entry.take is not None:
            self._counts.give_back(entry.take)
        entry.cancel(did, applied=self.applied, status=status if self._services.record_all else None)

"""What happened to one request, noted on its way: never an Authorization header, a cookie, a signature or a token."""

from __future__ import annotations

from binascii import a2b_base64, crc32
from itertools import count
from operator import attrgetter

from faultinject.engine.shown import shown_path, shown_query
from faultinject.http.wire import whole
from faultinject.vendors.credentials import expires_at, key_id, query_key_id, signed_at, signed_for
from faultinject.vendors.operations import S3_PREFIXES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from faultinject.engine.counting import Take
    from faultinject.engine.plan import CompiledRule, Plan
    from faultinject.engine.request import Body, Request, SeenBody
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

_seq = count()


class Entry:
    """One request on its way, as the journal keeps it; of what it says an `Outcome` is made when somebody reads it.

    Every `write` is one line, the last one the entry itself.

    Args:
        plan: the scenario that decided it.
        request: what is noted of it is here afterwards.
        reading: how its address is read.
        time: when it came, unix seconds.
        arrived: the same on the monotonic clock.
        rule: what the rule is called that it met, or None.
        n: its number by that rule; below 0 where no decision depends on it, and then not noted.

    Attributes:
        seq: its number in its process.
        take: what is to be given back where the fault is not carried out, or None.
        test: the test that ran, or None; the journal knows.
        mount: the length of its mount point.
        key_id: the access-key id.
        credential: a checksum of what stands for one.
        precondition: a checksum of the preconditions.
        signed_at: when it says that it was signed, or None.
        region: a checksum of the region for which, or None.
        headers: those of `RECORDED_HEADERS` that the request has.
        read_by: the reading that `place` comes from, None where it is to be read.
        did: what was done.
        left: whether the client was seen to leave before it had an answer.
        applied: whether the app ran.
        answered: when the answer began, on the monotonic clock; None where that is not known.
        body: bytes read of the request's body, their digest, whether that was all.
        final: whether a line was there before, of which this is the end; None: it is the first.
        last: whether no other line of it follows.
        fired: the rule whose fault is given.
        seen: what the app was seen to read of the body, or None.
        written: whether a line was there before.
    """

    __slots__ = (
        "answered", "app_status", "applied", "arrived", "body", "checksum", "client", "content_length", "credential", "did", "etag",
        "fault", "final", "fired", "headers", "hint", "hint_form", "host", "key_id", "last", "left", "method", "mount", "n",
        "named_by", "operation", "origin", "path", "place", "port", "precondition", "query", "read_by", "reading", "region",
        "request_id", "response_bytes", "rule", "seen", "seq", "services", "signed_at", "status", "take", "test", "time",
        "user_agent", "when", "written",
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
    body: Body | None
    final: bool | None
    fired: CompiledRule | None
    seen: SeenBody | None

    def __init__(
        self,
        plan: Plan,
        request: Request,
        reading: Addressing,
        time: float,
        arrived: float,
        rule: str | None = None,
        n: int | None = None,
    ) -> None:
        self.services = plan.services
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
        self.body = self.final = self.fired = self.seen = None
        request.describe(self)

    @property
    def below(self) -> str:
        """The path below the mount point."""
        return self.path[self.mount :]

    def recorded(self, name: str) -> str | None:
        """The value of a header that was kept."""
        return self.headers.get(name)

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
        # What comes later is written into this entry: the line so far stands by itself.
        line = self if last else self._copy()
        line.did = did
        line.answered = services.monotonic() if answered else None
        line.applied = applied
        line.body = body
        line.final = last if self.written else None
        line.last = last
        if last:
            self.take = None  # the journal keeps what is over, and its scope may be as long as a key
        services.journal(line)
        self.written = True

    def _copy(self) -> Entry:
        line = Entry.__new__(Entry)
        # Written out: with `setattr` this is a third of what an injected answer costs.
        (
            line.answered, line.app_status, line.applied, line.arrived, line.body, line.checksum, line.client,
            line.content_length, line.credential, line.did, line.etag, line.fault, line.final, line.fired,
            line.headers, line.hint, line.hint_form, line.host, line.key_id, line.last, line.left,
            line.method, line.mount, line.n, line.origin, line.path, line.port, line.precondition, line.query,
            line.reading, line.region, line.request_id, line.response_bytes, line.rule, line.seen, line.seq, line.services,
            line.signed_at, line.status, line.test, line.time, line.user_agent, line.when, line.written,
        ) = _all_of(self)  # fmt: skip
        line.read_by = line.named_by = line.take = None
        return line

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


# What is read by a reading may not be there yet; a copy reads it again.
_COPIED = tuple(
    name for name in Entry.__slots__ if name not in ("place", "operation", "read_by", "named_by", "take")
)
_all_of = attrgetter(*_COPIED)


LONGEST_TEXT = 2048
"""Characters that a text field keeps."""
LONGEST_DATE = 40
"""Characters that are kept of the time of a signature."""

GUARDS = frozenset(
    "idempotency-key if-match if-none-match if-modified-since if-unmodified-since x-cos-forbid-overwrite"
    " x-oss-forbid-overwrite x-tos-forbid-overwrite x-goog-if-generation-match x-goog-if-metageneration-match"
    " x-ms-if-tags x-ms-if-sequence-number-eq x-ms-if-sequence-number-le x-ms-if-sequence-number-lt"
    " x-ms-blob-condition-appendpos x-ms-blob-condition-maxsize".split()
)
"""Headers that make a repeated write safe."""
QUERY_GUARDS = ("ifGenerationMatch=", "ifMetagenerationMatch=", "position=")
"""Query parameters that do so."""
PRECONDITIONS = GUARDS - {"idempotency-key"}
"""Those that say what the target has to be like."""

PARTS = ("content-range", "range", "x-ms-range")
"""Headers that say which part of a body is sent or asked for."""
RECORDED_HEADERS = (
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    *PARTS,
    "x-cos-sdk-retry",
    "x-goog-api-client",
    "x-goog-gcs-idempotency-token",
    "x-sdk-retry-count",
    *sorted(GUARDS),
    "if-range",
    # What the vendors' tables tell operations by.
    *(f"{prefix}copy-source" for prefix in S3_PREFIXES),
    "x-amz-request-route",
    "x-bz-file-name",
    "x-bz-part-number",
    "x-copy-from",
    "x-cos-rename-source",
    "x-goog-resumable",
    "x-ms-blob-content-length",
    "x-ms-blob-type",
    "x-ms-copy-source",
    "x-ms-lease-action",
    "x-ms-page-write",
    "x-ms-previous-snapshot-url",
    "x-ms-requires-sync",
    "x-ms-sequence-number-action",
    "x-object-manifest",
    "x-oss-access-point-name",
    "x-qs-fetch-source",
    "x-qs-move-source",
    "x-auth-token",
    "x-auth-user",
    "x-storage-user",
)
"""The headers that few requests have and that a fact is read from."""
RECORDED_AS = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in RECORDED_HEADERS}
"""What WSGI calls them."""
RECORDED_KEYS = {key: name for name, key in RECORDED_AS.items()}
VALUED = frozenset(
    "amz-sdk-invocation-id amz-sdk-request idempotency-key x-bz-file-name x-bz-part-number x-cos-sdk-retry"
    " x-goog-api-client x-goog-gcs-idempotency-token x-goog-resumable x-ms-blob-type x-ms-lease-action x-ms-page-write"
    " x-ms-requires-sync x-sdk-retry-count".split()
).union(PARTS)
"""Those whose value a fact is read from."""
VERSIONS = ("if-match", "if-range")
"""Those that say which version of an object is meant; a checksum is kept of them."""
SILENT = {*RECORDED_HEADERS}.difference(VALUED, VERSIONS)
"""Those of which only is kept that they were there; the source of a copy may end in a signature."""

NONE_RECORDED: Mapping[str, str] = {}

BODILESS = frozenset(("GET", "HEAD", "DELETE"))
"""Methods whose requests have no body where none is announced, whatever the version of HTTP."""


def describe(
    entry: Entry,
    request: Request,
    client: str | None,
    port: object,
    authorization: str | None,
    date: str | None,
    user_agent: str | None,
    content_length: str | None,
    recorded: Mapping[str, str],
) -> None:
    """Note in an entry what is kept of its request, worked out no further than the secrets in it demand."""
    method, path, host, query = request.method, request.path, request.host, request.query
    key = credential = precondition = region = None
    if authorization:
        key, credential = told_by(authorization)
        date, region = date or signed_at(authorization), signed_for(authorization)
    if recorded:
        if key is None and credential is None and "x-auth-token" in recorded:
            credential = crc32(recorded["x-auth-token"].encode("latin-1", "replace"))
        if not PRECONDITIONS.isdisjoint(recorded):
            precondition = checksum_of_preconditions(recorded)
    if query:
        if not authorization:
            key, region = query_key_id(query), signed_for(query)
            date = signed_at(query) or expires_at(query)
        query = shown_query(query)
    if "?" in path:
        path = shown_path(path)
    if len(method) + len(path) + len(host) + len(query) + len(user_agent or "") > LONGEST_TEXT:
        method, path, host, query = method[:64], _cut(path), _cut(host), _cut(query)
        user_agent = _cut(user_agent) if user_agent else user_agent
    if recorded:
        versions = {name: checksum_of_version(recorded[name]) for name in VERSIONS if name in recorded}
        recorded = {
            name: "" if name in SILENT else _cut(value) for name, value in recorded.items()
        } | versions
    entry.method = method
    entry.path = path
    entry.mount = len(request.mount)
    entry.query = query
    entry.host = host
    entry.client = client
    entry.port = port
    entry.key_id = key
    entry.credential = credential
    entry.precondition = precondition
    entry.user_agent = user_agent
    entry.signed_at = date and date[:LONGEST_DATE]
    entry.region = None if region is None else crc32(region.encode("utf-8", "replace"))
    entry.headers = recorded
    entry.content_length = content_length[:20] if content_length else None
    entry.read_by = entry.named_by = None


def told_by(authorization: str) -> tuple[str | None, int | None]:
    """What is kept of an Authorization header: its access-key id, or a checksum where it has none."""
    key = key_id(authorization)
    return (key, None) if key is not None else (None, checksum_of_credential(authorization))


def _cut(text: str) -> str:
    return text[:LONGEST_TEXT]


def checksum_of_credential(authorization: str) -> int:
    """A checksum of what stays the same in an Authorization header from request to request, until it is replaced.

    Of Basic it is the user's name, so that nobody can try passwords against it; of Digest the server's nonce, as the
    rest changes with each request; of every other scheme the token.

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
    found = [f"{name}:{value}" for name, value in recorded.items() if name in PRECONDITIONS]
    return crc32("\n".join(sorted(found)).encode("utf-8", "replace"))


def checksum_of_version(etag: str) -> str:
    """A checksum of an ETag, or of a date, in decimal digits."""
    return str(crc32(etag.encode("utf-8", "replace")))


def quoted(text: str) -> str:
    r"""Text from a request for logs, tables and pages: control, format and bidi characters escaped.

    >>> quoted("a\r\nb\u202e")
    'a\\r\\nb\\u202e'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)

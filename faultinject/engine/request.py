"""One request, as the rules see it: a lazy view.

There is a view of a WSGI environ, and one of an ASGI scope, with the same attributes and methods. A view is made only
for a request that some rule may match, and most of its fields are computed on first use. The audit compares attempts
by a digest of their bodies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from faultinject.engine.shown import without_userinfo
from faultinject.http.target import decode_form, encode, read_target, utf8
from faultinject.http.wire import number_of
from faultinject.vendors.addressing import HOSTS, split_mount, without_port
from faultinject.vendors.credentials import SIGNED_AT
from faultinject.vendors.operations import S3_PREFIXES

if TYPE_CHECKING:
    from faultinject.vendors.types import Target

# The client's address and port, Authorization, time of signing, User-Agent, and recorded headers.
Description = tuple[str | None, object, str | None, str | None, str | None, Mapping[str, str]]
# The number of bytes read of a request's body, their digest, and whether the body was read to its end.
BodySummary = tuple[int, str, bool]
DIGEST_SIZE = 16
"""The length of a body's digest, in bytes."""
GUARDS = frozenset(
    "idempotency-key if-match if-none-match if-modified-since if-unmodified-since x-cos-forbid-overwrite"
    " x-oss-forbid-overwrite x-tos-forbid-overwrite x-goog-if-generation-match x-goog-if-metageneration-match"
    " x-ms-if-tags x-ms-if-sequence-number-eq x-ms-if-sequence-number-le x-ms-if-sequence-number-lt"
    " x-ms-blob-condition-appendpos x-ms-blob-condition-maxsize".split()
)
"""Headers that make a repeated write safe."""

PARTS = ("content-range", "range", "x-ms-range")
"""Headers that name the part of a body that is sent or asked for."""
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
    "expect",
    # The vendors' tables distinguish operations by these.
    *(f"{prefix}copy-source" for prefix in S3_PREFIXES),
    "x-amz-decoded-content-length",
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
"""The headers that the journal keeps; most requests have few of them."""
RECORDED_AS = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in RECORDED_HEADERS}
"""The keys of the recorded headers in a WSGI environ."""
RECORDED_KEYS = {key: name for name, key in RECORDED_AS.items()}

NONE_RECORDED: Mapping[str, str] = {}

BODILESS = frozenset(("GET", "HEAD", "DELETE"))
"""Methods whose requests have no body unless one is announced, in any version of HTTP."""


class Request:
    """The common part of both views: the target of the request, and how it is read.

    A *reading* is an `Addressing`: it reads bucket, key and operation as one vendor does. `read_by`, `named_by` and
    `identified_by` remember the reading that has filled a field, so that many rules read a request once.

    Attributes:
        method: as sent, usually in upper case.
        path: mount point and path, percent-decoded once as UTF-8; `%2F` is kept where the server shows it.
        mount: the mount point (`SCRIPT_NAME`, `root_path`), decoded; empty at the root.
        below: the path below the mount point, decoded like `path`.
        query: the query string as sent, without the question mark.
        host: the Host without port, in lower case; empty when there is none.
        content_length: the Content-Length in bytes, or None.
        ordinary: False if it may be an upgrade or a preflight; `upgrades` and `is_preflight` then decide.
        read_by: the reading of `place`.
        place: level, bucket, key and the rest of the address.
        named_by: the reading of `operation`.
        operation: the storage operation.
        identified_by: the reading of `identities`.
        identities: the exact identity; and the identity for draws, with placeholders for ids and times that differ
            from run to run.
    """

    __slots__ = (
        "_raw_path", "below", "content_length", "host", "identified_by", "identities", "method", "mount",
        "named_by", "operation", "ordinary", "path", "place", "query", "read_by",
    )  # fmt: skip

    method: str
    query: str
    host: str
    content_length: int | None
    ordinary: bool
    place: Target
    operation: str | None
    identities: tuple[str, str]

    def __init__(self, mount: str, below: str, target: str) -> None:
        self.read_by: object = None
        self.identified_by: object = None
        self.named_by: object = None
        if below[:1] != "/" and "@" in below:
            below = without_userinfo(below)
        self.mount = mount
        self._raw_path: str | None
        if target == below and not mount and "%" not in target:
            self._raw_path = self.path = self.below = below
        elif not target:
            self._raw_path = None
            self.below = below
            self.path = mount + below
        else:
            self.path, self._raw_path = read_target(mount, below, target)
            self.below = self.path.removeprefix(mount)

    @property
    def raw_path(self) -> str:
        """The path as it was sent, without query; encoded again if the server does not show it."""
        raw = self._raw_path
        if raw is None:
            path = self.path
            raw = self._raw_path = path if _NEVER_ENCODED.issuperset(path) else encode(path)
        return raw

    def set_extra(self, name: str, value: object) -> None:
        """Add a value to the environ or scope."""

    def get_extra(self, name: str) -> Any:
        """Get a value that was added to the environ or scope, or None."""

    if TYPE_CHECKING:  # each view has its own

        @property
        def client(self) -> str | None: ...
        @property
        def has_body(self) -> bool: ...
        @property
        def expects_continue(self) -> bool: ...
        @property
        def version(self) -> str: ...
        def first(self, name: str) -> str | None: ...
        def header(self, name: str) -> tuple[str, ...]: ...
        def recorded(self, name: str) -> str | None: ...
        def describe(self) -> Description: ...

    @property
    def origin(self) -> str | None:
        """The Origin of a browser's script, or None."""
        return self.first("origin")

    @property
    def announced_length(self) -> str | None:
        """The Content-Length as sent; `0` if a request of HTTP/1 announces no body."""
        length = self.first("content-length")
        if length or self.method in BODILESS or self.version not in _ANNOUNCING:
            return length
        return "0" if self.first("transfer-encoding") is None else length

    @property
    def http2(self) -> bool:
        """Whether other requests may share the connection at the same time: HTTP/2 or later."""
        return self.version[:1] in _MULTIPLEXED

    @property
    def content_type(self) -> str:
        """The Content-Type; empty when there is none."""
        return self.first("content-type") or ""

    @property
    def aws_chunked(self) -> bool:
        """Whether the body is in AWS's own chunks.

        minio-go announces them only by the value of x-amz-content-sha256.
        """
        digest, encoding = self.first("x-amz-content-sha256"), self.first("content-encoding")
        return (digest or "").startswith(_STREAMING) or _AWS_CHUNKED in (encoding or "").lower()

    @property
    def upgrades(self) -> bool:
        """Whether the connection is about to leave HTTP.

        An offer of h2c does not count: clients send it with ordinary requests, and servers ignore it.
        """
        upgrade = self.first("upgrade")
        return (upgrade is not None and upgrade.strip().lower() != "h2c") or self.method == "CONNECT"

    @property
    def is_preflight(self) -> bool:
        """Whether it is a CORS preflight of a browser."""
        return self.method == "OPTIONS" and bool(self.header("access-control-request-method"))

    def body_digest(self, key: bytes) -> BodyDigest:
        """A digest for its body, to be fed with the pieces in their order."""
        return (ChunkedBodyDigest if self.aws_chunked else BodyDigest)(key, self.content_type)

    def query_values(self, name: str) -> tuple[str, ...]:
        """The decoded values of a query parameter; `("",)` without a value, `()` if absent."""
        values = []
        for pair in self.query.split("&"):
            key, _, value = pair.partition("=")
            if pair and decode_form(key) == name:
                values.append(decode_form(value))
        return tuple(values)


class WSGIRequest(Request):
    """A view of a WSGI environ (PEP 3333)."""

    __slots__ = ("_environ",)

    expects_continue = False  # a WSGI server sends `100 Continue` by itself

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ
        get = environ.get
        self.method = method = environ["REQUEST_METHOD"]
        self.query = get("QUERY_STRING", "")
        host = get("HTTP_HOST") or ""
        self.host = HOSTS.get(host) or without_port(host)
        self.content_length = number_of(get("CONTENT_LENGTH"))
        self.ordinary = method not in _SPECIAL_METHODS and "HTTP_UPGRADE" not in environ
        mount, below = get("SCRIPT_NAME", ""), get("PATH_INFO", "")
        target = get("RAW_URI") or get("REQUEST_URI") or ""
        if "?" in target:
            target = target.partition("?")[0]
        if not below.isascii() or (mount and not mount.isascii()):
            mount, below = utf8(mount), utf8(below)
        Request.__init__(self, mount, below, target)

    def set_extra(self, name: str, value: object) -> None:
        environ: Any = self._environ
        environ[name] = value

    def get_extra(self, name: str) -> Any:
        return self._environ.get(name)

    @property
    def client(self) -> str | None:
        """The client's address as the server reports it."""
        return self._environ.get("REMOTE_ADDR") or None

    @property
    def has_body(self) -> bool:
        """Whether a request body is announced."""
        return bool(self.content_length) or "HTTP_TRANSFER_ENCODING" in self._environ

    def first(self, name: str) -> str | None:
        """The first value of one of the headers that decisions read."""
        return self._environ.get(_DECIDING_KEYS[name])

    def header(self, name: str) -> tuple[str, ...]:
        """The values of a header, named in lower case; a WSGI server joins repeated ones."""
        key = environ_key(name)
        value = self._environ.get(key)
        # Servers give an absent Content-Type or Content-Length as an empty string.
        return () if value is None or (value == "" and key[:5] != "HTTP_") else (value,)

    def recorded(self, name: str) -> str | None:
        return self._environ.get(RECORDED_AS.get(name) or environ_key(name))

    @property
    def version(self) -> str:
        """The version of HTTP, such as `1.1`; empty where the server does not say it."""
        protocol: str = self._environ.get("SERVER_PROTOCOL", "")
        return protocol[5:]

    def describe(self) -> Description:
        """The journal's facts about the request besides its target."""
        environ = self._environ
        get = environ.get
        recorded = NONE_RECORDED
        if not _RECORDED_KEYS.isdisjoint(environ):
            recorded = {RECORDED_KEYS[key]: environ[key] for key in environ if key in RECORDED_KEYS}
        authorization = get("HTTP_AUTHORIZATION")
        date = _first_of(environ, _SIGNED_AT_KEYS) if authorization else None
        client, port = get("REMOTE_ADDR"), get("REMOTE_PORT")
        return client, port, authorization, date, get("HTTP_USER_AGENT"), recorded


class ASGIRequest(Request):
    """A view of an ASGI HTTP scope."""

    __slots__ = ("_headers", "_known", "_scope")

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._scope = scope
        self._headers: dict[str, tuple[str, ...]] | None = None
        # One pass for the few headers that decisions and the journal read; a dict of all takes ten times as long.
        known: dict[str, str] = {}
        self._known = known
        names = _KNOWN
        for key, value in scope["headers"]:
            name = names.get(key)
            if name is not None and name not in known:
                known[name] = value.decode("latin-1")
        self.method = method = scope["method"]
        query, raw = scope.get("query_string"), scope.get("raw_path")
        self.query = query.decode("latin-1") if query else ""
        host = known.get("host", "")
        self.host = HOSTS.get(host) or without_port(host)
        self.content_length = number_of(known.get("content-length"))
        self.ordinary = method not in _SPECIAL_METHODS and "upgrade" not in known
        mount, below = scope.get("root_path") or "", scope["path"]
        target = raw.decode("latin-1") if raw else ""
        if "?" in target:
            target = target.partition("?")[0]
        if mount:
            mount, below = split_mount(mount, below)
        Request.__init__(self, mount, below, target)

    def set_extra(self, name: str, value: object) -> None:
        scope: Any = self._scope
        scope[name] = value

    def get_extra(self, name: str) -> Any:
        return self._scope.get(name)

    @property
    def client(self) -> str | None:
        """The client's address as the server reports it."""
        client = self._scope.get("client")
        return client[0] if client else None

    @property
    def has_body(self) -> bool:
        """Whether a request may have a body; one of HTTP/2 without a length always may."""
        known = self._known
        length = self.content_length
        if length is None:
            return "transfer-encoding" in known or self.version not in _ANNOUNCING
        return length > 0

    def first(self, name: str) -> str | None:
        """The first value of one of the headers that decisions read."""
        return self._known.get(name)

    def header(self, name: str) -> tuple[str, ...]:
        """The values of a header, named in lower case."""
        headers = self._headers
        if headers is None:
            headers = self._headers = {}
            for key, value in self._scope["headers"]:
                text = header_name(key)
                headers[text] = (*headers.get(text, ()), value.decode("latin-1"))
        return headers.get(name, ())

    def recorded(self, name: str) -> str | None:
        value = self._known.get(name)
        if value is None and name not in RECORDED_AS:
            return next(iter(self.header(name)), None)
        return value

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        return self._known.get("expect", "").lower() == "100-continue"

    @property
    def version(self) -> str:
        """The version of HTTP, such as `1.1`; empty where the server does not say it."""
        version: str = self._scope.get("http_version", "")
        return version

    def describe(self) -> Description:
        """The journal's facts about the request besides its target."""
        known = self._known
        recorded = NONE_RECORDED
        if not _RECORDED_NAMES.isdisjoint(known):
            recorded = {name: value for name, value in known.items() if name in _RECORDED_NAMES}
        host, port = self._scope.get("client") or (None, None)
        authorization, agent = known.get("authorization"), known.get("user-agent")
        date = _first_of(known, SIGNED_AT) if authorization else None
        return host, port, authorization, date, agent, recorded


class BodyDigest:
    """A keyed digest of a body in pieces, without a multipart boundary.

    The boundary is new on each attempt.

    >>> def digest(boundary):
    ...     body = BodyDigest(b"key", f"multipart/form-data; boundary={boundary}")
    ...     body.update(f"--{boundary}--".encode())
    ...     return body.hexdigest()
    >>> digest("abc") == digest("xyz")
    True
    """

    def __init__(self, key: bytes, content_type: str = "") -> None:
        self._digest = blake2b(key=key, digest_size=DIGEST_SIZE)
        self._boundary = boundary(content_type)
        self._tail = b""
        self.size = 0
        """Bytes seen so far."""

    def update(self, piece: bytes) -> None:
        """Add the next piece."""
        self.size += len(piece)
        if not self._boundary:
            self._digest.update(piece)
            return
        # A boundary may lie across two pieces: the last bytes wait for the next piece.
        *parts, rest = (self._tail + piece).split(self._boundary)
        for part in parts:
            self._digest.update(part)
        cut = max(0, len(rest) - len(self._boundary) + 1)
        self._digest.update(rest[:cut])
        self._tail = rest[cut:]

    def hexdigest(self) -> str:
        """The digest as 32 hexadecimal digits."""
        complete = self._digest.copy()
        complete.update(self._tail)
        return complete.hexdigest()


class ChunkedBodyDigest(BodyDigest):
    r"""The digest of the content of a body in aws-chunked.

    The signatures of its chunks and trailers are new on each attempt. Until the last chunk has come, and if the chunks
    cannot be read, this is the digest of the bytes as sent.

    >>> def digest(signature):
    ...     body = ChunkedBodyDigest(b"key", "")
    ...     body.update(b"5;chunk-signature=%b\r\nhello\r\n0;chunk-signature=%b\r\n\r\n" % (signature, signature))
    ...     return body.hexdigest()
    >>> digest(b"0b") == digest(b"1c")
    True
    """

    def __init__(self, key: bytes, content_type: str) -> None:
        from faultinject.vendors.aws_chunks import AwsChunks

        super().__init__(key, content_type)
        self._chunks = AwsChunks()
        self._content = BodyDigest(key, content_type)

    def update(self, piece: bytes) -> None:
        """Add the next piece."""
        super().update(piece)
        for part in self._chunks.feed(piece):
            self._content.update(part)

    def hexdigest(self) -> str:
        """The digest as 32 hexadecimal digits."""
        return self._content.hexdigest() if self._chunks.state == "nothing" else super().hexdigest()


class SeenBody:
    """A request's body as the app reads it, for the journal.

    Args:
        digest: gets each piece.
        length: its Content-Length; None if its end is marked.
    """

    def __init__(self, digest: BodyDigest, length: int | None) -> None:
        self._digest = digest
        self._length = length
        self.ended = False
        """Whether the end of a body without a length was seen."""

    def feed(self, piece: bytes) -> None:
        """Take a piece that the app has read; an empty one is the end."""
        if piece:
            self._digest.update(piece)
        else:
            self.ended = True

    @property
    def size(self) -> int:
        """The number of bytes that the app has read."""
        return self._digest.size

    @property
    def body(self) -> BodySummary | None:
        """The summary of the whole body; None until the app has read all of it."""
        size = self._digest.size
        whole = size == self._length or (self._length is None and self.ended)
        return (size, self._digest.hexdigest(), True) if whole else None


def boundary(content_type: str) -> bytes:
    """The boundary of a multipart Content-Type; empty for any other.

    >>> boundary('multipart/form-data; boundary="a b"')
    b'a b'
    """
    kind, _, parameters = content_type.partition(";")
    if not kind.strip().lower().startswith("multipart/"):
        return b""
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "boundary":
            return value.strip('"').encode("latin-1", "replace")
    return b""


def environ_key(name: str) -> str:
    """The key in a WSGI environ of a header, named in lower case."""
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _first_of(headers: Mapping[str, str], names: Iterable[str]) -> str | None:
    for name in names:
        if name in headers:
            return headers[name]
    return None


def header_name(raw: bytes) -> str:
    """The name of a header of an ASGI scope, in the form of rules: lower case, `-` for `_`."""
    return raw.decode("latin-1").lower().replace("_", "-")


# Marks of a body in AWS's own chunks: the start of the header x-amz-content-sha256, and a Content-Encoding.
_STREAMING = "STREAMING-"
_AWS_CHUNKED = "aws-chunked"
_NEVER_ENCODED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~!$&'()*+,;=:@")
# A copy as a set: comparing the keys view of a dict with an environ takes twice as long.
_RECORDED_KEYS = {*RECORDED_KEYS}
_RECORDED_NAMES = RECORDED_AS.keys()
_DECIDING = (
    "authorization content-encoding content-length content-type expect host origin transfer-encoding upgrade"
    " user-agent x-amz-content-sha256"
).split()
_DECIDING_KEYS = {name: environ_key(name) for name in _DECIDING}
_KNOWN = {name.encode(): name for name in (*RECORDED_HEADERS, *_DECIDING, *SIGNED_AT)}
_SIGNED_AT_KEYS = tuple(f"HTTP_{name.upper().replace('-', '_')}" for name in SIGNED_AT)
_MULTIPLEXED = frozenset(("2", "3"))
# Versions of HTTP in which a request without an announcement has no body (RFC 9112, 6.3).
_ANNOUNCING = frozenset(("1.0", "1.1"))
# Methods of upgrades and preflights: `Request.ordinary`.
_SPECIAL_METHODS = frozenset(("CONNECT", "OPTIONS"))

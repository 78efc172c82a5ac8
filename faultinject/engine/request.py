"""One request as the rules see it: a lazy view of a WSGI environ or an ASGI scope that copies nothing.

Both views answer the same questions with the same words. A view is made only for a request that some rule may
match, and works a field out when it is first asked for. A digest of its body tells whether two attempts carry the same bytes.
"""

from __future__ import annotations

from hashlib import blake2b

from faultinject.engine.journal_entry import (
    BODILESS,
    NONE_RECORDED,
    RECORDED_AS,
    RECORDED_HEADERS,
    RECORDED_KEYS,
    SILENT,
    describe,
)
from faultinject.engine.shown import without_userinfo
from faultinject.http.target import decode_form, decode_name, encode, leaves_http, read_target, utf8
from faultinject.http.wire import whole
from faultinject.vendors.addressing import HOSTS, split_mount, without_port
from faultinject.vendors.credentials import SIGNED_AT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from faultinject.engine.journal_entry import Entry
    from faultinject.vendors.types import Target

    # Bytes read of a request's body, their digest, whether that was all.
    Body = tuple[int, str, bool]


PIECE = 64 * 1024
"""Bytes read from a request body at a time."""
MOST = 128 * 1024 * 1024
"""Bytes after which a body or a dropped answer is no longer read."""
LONGEST = 10.0
"""Seconds after which a body or a dropped answer is no longer read."""


DIGEST_SIZE = 16
"""Bytes of a digest."""


class Request:
    """What both views share: the target, and where it points.

    Attributes:
        method: as sent, usually in upper case.
        path: mount point and path, percent-decoded once as UTF-8; `%2F` is kept where the server shows it.
        mount: the mount point (`SCRIPT_NAME`, `root_path`), decoded; empty at the root.
        below: the path below the mount point, decoded like `path`.
        query: the query string as sent, without the question mark.
        host: the Host without port, in lower case; empty when there is none.
        server_words_status: whether the server gives a status its reason phrase.
        ordinary: whether this can be neither an upgrade nor a preflight, at a quick look.
        read_by: the reading that `place` comes from, so that many rules read a request once.
        place: level, bucket, key and the rest of the address.
        named_by: the reading that `operation` comes from.
        operation: the storage operation.
        identified_by: the reading that `identities` come from.
        identities: what draws depend on, letter for letter and with placeholders.
    """

    __slots__ = (
        "_raw_path", "below", "host", "identified_by", "identities", "method", "mount", "named_by", "operation",
        "ordinary", "path", "place", "query", "read_by",
    )  # fmt: skip

    method: str
    query: str
    host: str
    ordinary: bool
    place: Target
    operation: str | None
    identities: tuple[str, str]
    server_words_status = False

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
        """The path as it came on the wire, without query; encoded anew where the server does not show it."""
        raw = self._raw_path
        if raw is None:
            path = self.path
            raw = self._raw_path = path if _NEVER_ENCODED.issuperset(path) else encode(path)
        return raw

    if TYPE_CHECKING:  # what each view answers in its own way

        @property
        def client(self) -> str | None: ...
        @property
        def has_body(self) -> bool: ...
        @property
        def expects_continue(self) -> bool: ...
        @property
        def http2(self) -> bool: ...
        def first(self, name: str) -> str | None: ...
        def header(self, name: str) -> tuple[str, ...]: ...
        def recorded(self, name: str) -> str | None: ...
        def describe(self, entry: Entry) -> None: ...

    @property
    def origin(self) -> str | None:
        """The Origin of a browser's script, or None."""
        return self.first("origin")

    @property
    def content_length(self) -> int | None:
        """The Content-Length in bytes, or None."""
        return whole(self.first("content-length"))

    @property
    def content_type(self) -> str:
        """The Content-Type; empty when there is none."""
        return self.first("content-type") or ""

    @property
    def aws_chunked(self) -> bool:
        """Whether the body is in AWS's own chunks; minio-go says so by the digest that it does not send, and no more."""
        digest, encoding = self.first("x-amz-content-sha256"), self.first("content-encoding")
        return (digest or "").startswith(_STREAMING) or _AWS_CHUNKED in (encoding or "").lower()

    @property
    def upgrades(self) -> bool:
        """Whether the connection is about to leave HTTP."""
        upgrade = self.first("upgrade")
        return (upgrade is not None and leaves_http(upgrade)) or self.method == "CONNECT"

    @property
    def is_preflight(self) -> bool:
        """Whether a browser asks whether it may ask."""
        return self.method == "OPTIONS" and bool(self.header("access-control-request-method"))

    def body_digest(self, key: bytes) -> BodyDigest:
        """What makes the digest of its body of the pieces, in the order in which they come."""
        return (ChunkedBodyDigest if self.aws_chunked else BodyDigest)(key, self.content_type)

    def query_values(self, name: str) -> tuple[str, ...]:
        """The decoded values of a query parameter; `("",)` for one without a value, `()` when absent."""
        found = []
        for pair in self.query.split("&"):
            key, _, value = pair.partition("=")
            if pair and decode_name(key) == name:
                found.append(decode_form(value))
        return tuple(found)


class WSGIRequest(Request):
    """A view of a WSGI environ (PEP 3333)."""

    __slots__ = ("_environ",)

    expects_continue = False  # the server says `100 Continue` to such a client

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ
        get = environ.get
        self.method = method = environ["REQUEST_METHOD"]
        self.query = get("QUERY_STRING", "")
        host = get("HTTP_HOST") or ""
        self.host = HOSTS.get(host) or without_port(host)
        self.ordinary = method not in _CLOSER and "HTTP_UPGRADE" not in environ
        mount, below = get("SCRIPT_NAME", ""), get("PATH_INFO", "")
        target = get("RAW_URI") or get("REQUEST_URI") or ""
        if "?" in target:
            target = target.partition("?")[0]
        plain = below[:1] == "/" and not mount and below.isascii()
        if plain and (not target or (target == below and "%" not in below)):
            # As the other way has it, in one step.
            self.read_by = self.identified_by = self.named_by = None
            self.mount = ""
            self.path = self.below = below
            self._raw_path = target or None
            return
        if not below.isascii() or (mount and not mount.isascii()):
            mount, below = utf8(mount), utf8(below)
        Request.__init__(self, mount, below, target)

    @property
    def client(self) -> str | None:
        """The client's address as the server reports it."""
        return self._environ.get("REMOTE_ADDR") or None

    @property
    def has_body(self) -> bool:
        """Whether a request body is announced."""
        return bool(self.content_length) or "HTTP_TRANSFER_ENCODING" in self._environ

    def first(self, name: str) -> str | None:
        """A header that every decision asks for."""
        return self._environ.get(_DECIDING_KEYS[name])

    def header(self, name: str) -> tuple[str, ...]:
        """The values of a header, named in lower case; a WSGI server gives repeated ones as one."""
        key = environ_key(name)
        value = self._environ.get(key)
        # Servers give an absent Content-Type or Content-Length as an empty string.
        return () if value is None or (value == "" and key[:5] != "HTTP_") else (value,)

    def recorded(self, name: str) -> str | None:
        return self._environ.get(RECORDED_AS.get(name, ""))

    @property
    def http2(self) -> bool:
        """Whether other requests share the connection at the same time: HTTP/2 or later."""
        return self._environ.get("SERVER_PROTOCOL", "")[5:6] in _MULTIPLEXED

    def describe(self, entry: Entry) -> None:
        """Note in an entry what the journal keeps of the request."""
        environ = self._environ
        get = environ.get
        recorded = NONE_RECORDED
        if not _RECORDED_KEYS.isdisjoint(environ):
            recorded = {RECORDED_KEYS[key]: environ[key] for key in environ if key in RECORDED_KEYS}
        length = get("CONTENT_LENGTH")
        if (
            not length
            and self.method not in BODILESS
            and "HTTP_TRANSFER_ENCODING" not in environ
            and get("SERVER_PROTOCOL", "")[5:] in _ANNOUNCING
        ):
            length = "0"
        authorization = get("HTTP_AUTHORIZATION")
        describe(
            entry,
            self,
            get("REMOTE_ADDR"),
            get("REMOTE_PORT"),
            authorization,
            _first_of(environ, _SIGNED_AT_KEYS) if authorization else None,
            get("HTTP_USER_AGENT"),
            length,
            recorded,
        )


class ASGIRequest(Request):
    """A view of an ASGI HTTP scope."""

    __slots__ = ("_headers", "_known", "_scope")

    server_words_status = True

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._scope = scope
        self._headers: dict[str, tuple[str, ...]] | None = None
        # One pass for the few headers that every decision asks for; a dict of all takes ten times as long.
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
        self.ordinary = method not in _CLOSER and "upgrade" not in known
        mount, below = scope.get("root_path") or "", scope["path"]
        target = raw.decode("latin-1") if raw else ""
        if "?" in target:
            target = target.partition("?")[0]
        if not mount and below[:1] == "/" and (not target or (target == below and "%" not in below)):
            # As the other way has it, in one step.
            self.read_by = self.identified_by = self.named_by = None
            self.mount = ""
            self.path = self.below = below
            self._raw_path = target or None
            return
        if mount:
            mount, below = split_mount(mount, below)
        Request.__init__(self, mount, below, target)

    @property
    def client(self) -> str | None:
        """The client's address as the server reports it."""
        client = self._scope.get("client")
        return client[0] if client else None

    @property
    def has_body(self) -> bool:
        """Whether a request body is announced; HTTP/2 announces none."""
        known = self._known
        length = self.content_length
        if length is None:
            return "transfer-encoding" in known or self._scope.get("http_version") not in _ANNOUNCING
        return length > 0

    def first(self, name: str) -> str | None:
        """A header that every decision asks for."""
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
        return self._known.get(name)

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        return self._known.get("expect", "").lower() == "100-continue"

    @property
    def http2(self) -> bool:
        """Whether other requests share the connection at the same time: HTTP/2 or later."""
        return self._scope.get("http_version", "")[:1] in _MULTIPLEXED

    def describe(self, entry: Entry) -> None:
        """Note in an entry what the journal keeps of the request."""
        known = self._known
        recorded = NONE_RECORDED
        if not _RECORDED_NAMES.isdisjoint(known):
            recorded = {name: value for name, value in known.items() if name in _RECORDED_NAMES}
        host, port = self._scope.get("client") or (None, None)
        authorization, agent = known.get("authorization"), known.get("user-agent")
        length = known.get("content-length")
        if (
            not length
            and self.method not in BODILESS
            and "transfer-encoding" not in known
            and self._scope.get("http_version") in _ANNOUNCING
        ):
            length = "0"
        date = _first_of(known, SIGNED_AT) if authorization else None
        describe(entry, self, host, port, authorization, date, agent, length, recorded)


def environ_key(name: str) -> str:
    """The key in a WSGI environ of a header, named in lower case."""
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _first_of(given: Mapping[str, str], names: Iterable[str]) -> str | None:
    for name in names:
        if name in given:
            return given[name]
    return None


def header_name(raw: bytes) -> str:
    """The name of a header in an ASGI scope as rules have it: in lower case, with `-` for `_`."""
    return raw.decode("latin-1").lower().replace("_", "-")


# What says that a body is in AWS's own chunks: the one begins the header x-amz-content-sha256, the other is a Content-Encoding.
_STREAMING = "STREAMING-"
_AWS_CHUNKED = "aws-chunked"
_NEVER_ENCODED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~!$&'()*+,;=:@")
_RECORDED_KEYS = {*RECORDED_KEYS}
_RECORDED_NAMES = {*RECORDED_HEADERS}
_DECIDING = (
    "authorization content-encoding content-length content-type expect host origin transfer-encoding upgrade user-agent"
    " x-amz-content-sha256"
).split()
_DECIDING_KEYS = {name: environ_key(name) for name in _DECIDING}
_KNOWN = {name.encode(): name for name in (*RECORDED_HEADERS, *_DECIDING, *SIGNED_AT)}
_SIGNED_AT_KEYS = tuple(f"HTTP_{name.upper().replace('-', '_')}" for name in SIGNED_AT)
_MULTIPLEXED = frozenset(("2", "3"))
# Versions in which a request that announces no body has none (RFC 9112, 6.3).
_ANNOUNCING = frozenset(("1.0", "1.1"))
# Methods that ask for a closer look before any rule may match.
_CLOSER = frozenset(("CONNECT", "OPTIONS"))


def record(headers: Mapping[str, bool]) -> None:
    """Keep more headers of requests: those that another package's vendor tells its operations by.

    Args:
        headers: the names in lower case, and of each whether its value is kept too.
    """
    for name, valued in headers.items():
        if name in _RECORDED_NAMES:
            continue
        if not valued:
            SILENT.add(name)
        key = f"HTTP_{name.upper().replace('-', '_')}"
        RECORDED_AS[name], RECORDED_KEYS[key], _KNOWN[name.encode()] = key, name, name
        _RECORDED_KEYS.add(key)
        _RECORDED_NAMES.add(name)


class BodyDigest:
    """A keyed digest of a body in pieces; a multipart boundary, which is new on each attempt, does not change it.

    >>> def digest(boundary):
    ...     body = BodyDigest(b"key", f"multipart/form-data; boundary={boundary}")
    ...     body.update(f"--{boundary}--".encode())
    ...     return body.hexdigest()
    >>> digest("abc") == digest("xyz")
    True
    """

    __slots__ = ("_boundary", "_digest", "_tail", "size")

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
        # A boundary may lie across two pieces: the last bytes wait until more is known.
        *parts, rest = (self._tail + piece).split(self._boundary)
        for part in parts:
            self._digest.update(part)
        cut = max(0, len(rest) - len(self._boundary) + 1)
        self._digest.update(rest[:cut])
        self._tail = rest[cut:]

    def hexdigest(self) -> str:
        """The digest as 32 hexadecimal digits."""
        whole = self._digest.copy()
        whole.update(self._tail)
        return whole.hexdigest()


class ChunkedBodyDigest(BodyDigest):
    r"""Of a body in aws-chunked the digest of its content: its chunks and trailers have other signatures on each attempt.

    As long as its end has not come, and where its chunks cannot be read, it is the digest of the bytes as sent.

    >>> def digest(signature):
    ...     body = ChunkedBodyDigest(b"key", "")
    ...     body.update(b"5;chunk-signature=%b\r\nhello\r\n0;chunk-signature=%b\r\n\r\n" % (signature, signature))
    ...     return body.hexdigest()
    >>> digest(b"0b") == digest(b"1c")
    True
    """

    __slots__ = ("_chunks", "_content")

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
    """A request's body as the app reads it, so that the journal can tell whether a later request carries the same.

    Args:
        digest: gets each piece.
        length: its Content-Length; None where its end is marked.
    """

    __slots__ = ("_digest", "_length", "ended")

    def __init__(self, digest: BodyDigest, length: int | None) -> None:
        self._digest = digest
        self._length = length
        self.ended = False
        """Whether the end of a body without a length was seen."""

    def feed(self, piece: bytes) -> None:
        """The app has read a piece; nothing where there is no more."""
        if piece:
            self._digest.update(piece)
        else:
            self.ended = True

    @property
    def body(self) -> Body | None:
        """Bytes, digest, and that this was all; None as long as the app has not read all of it."""
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

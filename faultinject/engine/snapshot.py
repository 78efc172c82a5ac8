"""What the journal keeps of a request: never an Authorization header, a cookie, a signature or a token."""

from __future__ import annotations

from binascii import a2b_base64, crc32
from functools import cache

from faultinject.vendors.credentials import expires_at, key_id, query_key_id, signed_at, signed_for
from faultinject.vendors.operations import S3_PREFIXES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from faultinject.engine.journal_entry import Entry
    from faultinject.engine.request import Request


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


LONGEST_QUERY = 8192
"""Characters of a query that are looked at."""
LONGEST_NAME = 40
"""Characters of an unknown parameter's name that is shown; what is longer may itself be a token."""
LONGEST_WORD = 12
"""Small letters of an unknown parameter without a value that are shown; tokens are longer, or have digits and capitals."""
FLAGS = frozenset(("", "0", "1", "false", "no", "true", "yes"))
_ENDS = (";", "?", "&", "=", "#", "@", "%23", "%25", "%26", "%3b", "%3d", "%3f", "%40")
"""Signs that end a name or an id, as they are and encoded: behind them another parameter may stand, such as a signature."""
_URLS = ("://", "%3a//", "%3a%2f%2f")


def shown_query(query: str) -> str:
    """The query with the documented values of documented storage parameters; the others are written `…`.

    Of a name or an id that goes on as another parameter would, the beginning is shown. Sixteen bits of a checksum tell
    two of them apart: too few to try guesses against.

    >>> shown_query("partNumber=3&X-Amz-Signature=abc")
    'partNumber=3&X-Amz-Signature=…'
    >>> shown_query("session=abc&prefix=photos/;sig=abc")
    'session=…&prefix=photos/…1797'
    """
    kinds = _kinds()
    return "&".join([_shown(pair, kinds) for pair in query[:LONGEST_QUERY].split("&")])


def shown_path(path: str) -> str:
    """A path that holds a question mark: without what looks like the query of a presigned URL.

    >>> shown_path("/photos/why?.jpg"), shown_path("/photos/cat.jpg?X-Amz-Signature=abc")
    ('/photos/why?.jpg', '/photos/cat.jpg?…1947')
    """
    kept, _, rest = path.partition("?")
    return f"{kept}?{_apart(rest)}" if "=" in rest or "%3D" in rest or "%3d" in rest else path


def shown_target(target: str) -> str:
    """Path and query of a request as it was sent, shown as the journal shows them.

    >>> shown_target("/photos/cat.jpg?partNumber=1&X-Amz-Signature=abc"), shown_target("/why%3F")
    ('/photos/cat.jpg?partNumber=1&X-Amz-Signature=…', '/why%3F')
    >>> shown_target("/a%3Fsig%3Dabc")
    '/a?…232c'
    """
    path, mark, query = target.partition("?")
    encoded = path.lower().find("%3f")
    if encoded >= 0:
        decoded = f"{path[:encoded]}?{path[encoded + 3 :]}"
        without = shown_path(decoded)
        path = path if without == decoded else without
    return f"{path}{mark}{shown_query(query)}"


def without_userinfo(target: str) -> str:
    """A target in absolute form without name and password: they are not part of the resource (RFC 9110, 4.2.4).

    >>> without_userinfo("http://cat:secret@storage.example/photos"), without_userinfo("/a@b")
    ('http://storage.example/photos', '/a@b')
    >>> without_userinfo("/see?from=http://cat:secret@storage.example")
    '/see?from=http://cat:secret@storage.example'
    """
    scheme, mark, rest = target.partition("://")
    if not mark or "/" in scheme:
        return target
    end = min((at for each in "/?#" if (at := rest.find(each)) >= 0), default=len(rest))
    return f"{scheme}{mark}{rest[:end].rpartition('@')[2]}{rest[end:]}"


def _shown(pair: str, kinds: Mapping[str, str | frozenset[str]]) -> str:
    name, equals, value = pair.partition("=")
    kind = kinds.get(name)
    if kind is None:
        if not pair:
            return pair
        # A token may be all that the query is, with the signs at the end that fill up its base64.
        if value.strip("="):
            return f"{name}=…" if _is_name(name) else _apart(pair)
        return pair if _is_word(pair) else _apart(pair)
    if kind == "text":
        return f"{name}{equals}{_beginning(value)}"
    return pair if _is_documented(value, kind) else f"{name}=…"


def _is_documented(value: str, kind: str | frozenset[str]) -> bool:
    if kind == "hexadecimal":
        # QingStor's ids of uploads are; with one of Google's, which are not, anybody may write.
        return not value.strip("0123456789abcdef")
    if kind == "number":
        return len(value) <= 64 and not value.removeprefix("-").strip("0123456789")
    if kind == "time":
        return len(value) <= 40 and not value.replace("%3A", ":").replace("%3a", ":").strip(
            "0123456789TZ:.+-"
        )
    return all(each in kind for each in value.replace("%2C", ",").replace("%2c", ",").split(","))


def _is_name(name: str) -> bool:
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return len(name) <= LONGEST_NAME and plain.isalnum() and plain.isascii()


def _is_word(name: str) -> bool:
    """Whether a parameter without a value is a word of the app's own, such as `download`."""
    letters = name.replace("-", "").replace("_", "")
    return len(name) <= LONGEST_WORD and letters.isascii() and letters.isalpha() and letters.islower()


def _beginning(value: str) -> str:
    """A name or an id up to the first sign that ends one; those that fill up base64 do not."""
    folded = value.lower()
    if any(each in folded for each in _URLS):
        return _apart(value)
    while folded.endswith(("=", "%3d")):
        folded = folded.removesuffix("=").removesuffix("%3d")
    end = min((at for each in _ENDS if (at := folded.find(each)) >= 0), default=None)
    return value if end is None else value[:end] + _apart(value[end:])


def _apart(text: str) -> str:
    return f"…{crc32(text.encode('utf-8', 'replace')) & 0xFFFF:04x}"


@cache
def _kinds() -> Mapping[str, str | frozenset[str]]:
    from faultinject.vendors.vendor import read

    found: dict[str, str | frozenset[str]] = {}
    for line in read("faultinject.vendors", "storage-parameters.txt").decode().splitlines():
        if line and line[0] != "#":
            name, _, kind = line.partition(" ")
            if kind not in ("hexadecimal", "number", "text", "time"):
                found[name] = frozenset(("", *kind.split())) if kind else FLAGS
            else:
                found[name] = kind
    return found

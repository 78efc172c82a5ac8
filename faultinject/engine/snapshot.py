"""What the journal keeps of a request: never an Authorization header, a cookie, a signature or a token."""

from __future__ import annotations

from binascii import a2b_base64, crc32

from faultinject.engine.shown import shown_path, shown_query
from faultinject.vendors.credentials import key_id, query_key_id
from faultinject.vendors.operations import S3_PREFIXES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    # Method, path, length of the mount point, shown query, host, client, port, access-key id, checksum of the
    # credential, checksum of the preconditions, user agent, Content-Length, and those of TELLING that the request has.
    Facts = tuple[
        str, str, int, str, str, str | None, Any, str | None, int | None, int | None, str | None, str | None,
        Mapping[str, str],
    ]  # fmt: skip

    class Addressed(Protocol):
        """What of a request is kept as it is."""

        method: str
        path: str
        query: str
        host: str
        mount: str


LONGEST_TEXT = 2048
"""Characters that a text field keeps."""

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

RECORDED_HEADERS = (
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "x-cos-sdk-retry",
    "x-goog-api-client",
    "x-goog-gcs-idempotency-token",
    "x-sdk-retry-count",
    *sorted(GUARDS),
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
)
"""Those whose value a fact is read from."""
SILENT = {*RECORDED_HEADERS} - VALUED
"""Those of which only is kept that they were there; the source of a copy may end in a signature."""

NONE_RECORDED: Mapping[str, str] = {}


def facts(
    request: Addressed,
    client: str | None,
    port: object,
    authorization: str | None,
    user_agent: str | None,
    content_length: str | None,
    telling: Mapping[str, str],
) -> Facts:
    """The facts of one request, worked out no further than the secrets in it demand."""
    method, path, host, query = request.method, request.path, request.host, request.query
    key = credential = precondition = None
    if authorization:
        key = key_id(authorization)
        if key is None:
            credential = checksum_of_credential(authorization)
    if telling:
        if key is None and credential is None and "x-auth-token" in telling:
            credential = crc32(telling["x-auth-token"].encode("latin-1", "replace"))
        if not PRECONDITIONS.isdisjoint(telling):
            precondition = checksum_of_preconditions(telling)
    if query:
        if not authorization:
            key = query_key_id(query)
        query = shown_query(query)
    if "?" in path:
        path = shown_path(path)
    if len(method) + len(path) + len(host) + len(query) + len(user_agent or "") > LONGEST_TEXT:
        method, path, host, query = method[:64], _cut(path), _cut(host), _cut(query)
        user_agent = _cut(user_agent) if user_agent else user_agent
    if telling:
        telling = {name: "" if name in SILENT else _cut(value) for name, value in telling.items()}
    length = content_length[:20] if content_length else None
    return (
        method, path, len(request.mount), query, host, client, port, key, credential, precondition, user_agent, length,
        telling,
    )  # fmt: skip


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


def checksum_of_preconditions(telling: Mapping[str, str]) -> int:
    """A checksum of the values of the precondition headers."""
    found = [f"{name}:{value}" for name, value in telling.items() if name in PRECONDITIONS]
    return crc32("\n".join(sorted(found)).encode("utf-8", "replace"))

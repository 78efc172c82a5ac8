"""What the journal keeps of a request: never an Authorization header, a cookie, a signature or a token."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from faultinject.core.request import Request

    # method, path, length of the mount point, shown query, host, client, port, access-key id, headers, guarded
    Facts = tuple[str, str, int, str, str, str | None, int | None, str | None, Mapping[str, str], bool]

LONGEST_TEXT = 2048
"""Characters that a text field keeps."""

GUARDS = frozenset(("idempotency-key", "if-match", "if-none-match", "if-unmodified-since"))
"""Headers that make a repeated write safe."""

HEADERS = (
    "content-length",
    "user-agent",
    "host",
    "authorization",
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "x-cos-sdk-retry",
    *sorted(GUARDS),
    *(f"x-{vendor}-copy-source" for vendor in ("amz", "cos", "qs", "jss", "qiniu")),
)
"""The headers that a fact is read from."""

_UNTOLD = frozenset(("authorization", "host", "upgrade"))
# How the schemes that put `key id:signature` behind their name are called.
_SCHEMES = frozenset(("AWS", "QS", "jingdong", "Qiniu", "QBox", "OSS", "OBS"))
_shown: frozenset[str] | None = None


def facts(request: Request, headers: Mapping[str, str]) -> Facts:
    """The facts of one request; `headers` holds those of `HEADERS` that it has, by their lower-case names."""
    query = request.query
    authorization = headers.get("authorization")
    key = key_id(authorization) if authorization else query_key_id(query) if query else None
    return (
        request.method[:64],
        request.path[:LONGEST_TEXT],
        len(request.mount),
        shown_query(query)[:LONGEST_TEXT] if query else "",
        request.host[:LONGEST_TEXT],
        request.client,
        request.port,
        key,
        {name: value[:LONGEST_TEXT] for name, value in headers.items() if name not in _UNTOLD},
        not GUARDS.isdisjoint(headers),
    )


def key_id(authorization: str) -> str | None:
    """The access-key id in an Authorization header, of every scheme that the vendors document.

    >>> key_id("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/x/s3/aws4_request, Signature=00")
    'AKIDEXAMPLE'
    >>> key_id("QS ACCESSKEYID:c2lnbmF0dXJl")
    'ACCESSKEYID'
    """
    for mark, end in (("Credential=", "/"), ("q-ak=", "&")):
        _, found, rest = authorization.partition(mark)
        if found:
            return rest.partition(end)[0][:LONGEST_TEXT]
    scheme, _, rest = authorization.partition(" ")
    if scheme in _SCHEMES and ":" in rest:
        return rest.partition(":")[0][:LONGEST_TEXT]
    return None


def query_key_id(query: str) -> str | None:
    """The access-key id in a presigned query."""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name in ("AWSAccessKeyId", "q-ak", "access_key_id", "AccessKey"):
            return value[:LONGEST_TEXT]
        if name == "X-Amz-Credential":
            return value.replace("%2F", "/").replace("%2f", "/").partition("/")[0][:LONGEST_TEXT]
    return None


def shown_query(query: str) -> str:
    """The query with values only of documented storage parameters; the others are written `…`.

    >>> shown_query("partNumber=3&X-Amz-Signature=abc")
    'partNumber=3&X-Amz-Signature=…'
    """
    global _shown  # noqa: PLW0603
    if _shown is None:
        from faultinject.vendors.vendor import read

        lines = read("faultinject.vendors", "storage-parameters.txt").decode().splitlines()
        _shown = frozenset(line for line in lines if line and line[0] != "#")
    pairs = []
    for pair in query[: 4 * LONGEST_TEXT].split("&"):
        name, equals, value = pair.partition("=")
        pairs.append(pair if not value or name in _shown else f"{name}{equals}…")
    return "&".join(pairs)

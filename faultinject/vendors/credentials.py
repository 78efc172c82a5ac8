"""The access-key id of a request, in every form in which the vendors' clients sign."""

from __future__ import annotations

from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Match

    from faultinject.vendors.types import StorageRequest

# The schemes with `key id:signature` after their name; Azure's key id is the account.
_SCHEMES = frozenset(
    ("AWS", "QS", "jingdong", "Qiniu", "QBox", "OSS", "OBS", "GOOG1", "SharedKey", "SharedKeyLite")
)
# The query parameters that are an access-key id, and the parameters that begin with one.
_IDS = frozenset(
    "AWSAccessKeyId q-ak access_key_id AccessKey OSSAccessKeyId AccessKeyId GoogleAccessId".split()
)
_CREDENTIALS = frozenset("X-Amz-Credential X-Goog-Credential X-Tos-Credential x-oss-credential".split())
_DATES = ("q-sign-time=", "X-Amz-Date=", "X-Goog-Date=", "X-Tos-Date=", "x-oss-date=")
"""Text before the time, in an Authorization header of COS and in presigned queries."""
_EXPIRIES = {
    "&Signature=": "&Expires=",
    "&sig=": "&se=",
    "&signature=": "&expires=",
    "&temp_url_sig=": "&temp_url_expires=",
    "&token=": "&e=",
}
"""The text before the expiry of a presigned query, by the text before its signature.

These queries, of AWS and its relatives, Azure, QingStor, Swift and Kodo, have no time of signing.
"""
_SCOPED = "redential="
"""Text before the key id and the scope of the signature."""
SIGNED_AT = "x-amz-date x-ms-date x-goog-date x-oss-date x-obs-date x-tos-date x-bce-date date".split()
"""The headers with the time of signing, the most important first."""
_LONGEST = 2048


def access_key_id(request: StorageRequest) -> str | None:
    """The access-key id with which a request is signed, in its head or in its query."""
    authorization = request.header("authorization")
    return key_id(authorization[0]) if authorization else query_key_id(request.query)


def key_id(authorization: str) -> str | None:
    """The access-key id in an Authorization header, for every scheme that the vendors document.

    >>> key_id("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/x/s3/aws4_request, Signature=00")
    'AKIDEXAMPLE'
    >>> key_id("QS ACCESSKEYID:c2lnbmF0dXJl")
    'ACCESSKEYID'
    """
    match = _marked_id_search()(authorization)
    if match:
        return match[1] or None
    scheme, _, rest = authorization.partition(" ")
    if scheme in _SCHEMES and ":" in rest:
        return _first_word(rest.partition(":")[0])
    # https://cloud.baidu.com/doc/Reference/s/Njwvz1wot
    version, _, rest = authorization.partition("/")
    return _first_word(rest) if version[:9] == "bce-auth-" else None


def signed_at(text: str) -> str | None:
    """The time at which a request was signed, by its Authorization header or its query.

    >>> scope = "AKIDEXAMPLE%2F20261120%2Feu-west-1%2Fs3%2Faws4_request"
    >>> signed_at(f"X-Amz-Credential={scope}&X-Amz-Date=20261120T120000Z")
    '20261120T120000Z'
    >>> signed_at("q-sign-algorithm=sha1&q-ak=AKIDEXAMPLE&q-sign-time=1795176000;1795179600&q-signature=00")
    '1795176000'
    """
    for mark in _DATES:
        if mark in text and (time := _text_after(text, mark)):
            return time
    return None


def signed_for(text: str) -> str | None:
    """The region for which a request was signed, in an Authorization header or a query.

    >>> signed_for("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/eu-west-1/s3/aws4_request, Signature=00")
    'eu-west-1'
    """
    if _SCOPED not in text:
        return None
    scope = _text_after(text, _SCOPED, "&, ").replace("%2F", "/").replace("%2f", "/").split("/")
    return scope[2] if len(scope) > 4 else None


def expires_at(query: str) -> str | None:
    """The time at which a presigned query expires.

    A query of Baidu BOS has no expiry. Its signature has the time of signing, which is the result in that case.

    >>> expires_at("sv=2024-11-04&se=2026-11-20T12%3A00%3A00Z&sr=b&sp=r&sig=00")
    '2026-11-20T12:00:00Z'
    """
    query = f"&{query}"
    begins = _text_after(query, "&authorization=bce-auth-v1").replace("%2F", "/").split("/")
    if len(begins) > 2:
        return begins[2].replace("%3A", ":")
    expiry = next((expiry for mark, expiry in _EXPIRIES.items() if mark in query), "")
    return (expiry and _text_after(query, expiry).replace("%3A", ":")) or None


def _text_after(text: str, mark: str, ends: str = "&,; ") -> str:
    text = text.partition(mark)[2][:_LONGEST]
    for end in ends:
        text = text.partition(end)[0]
    return text


def _first_word(text: str) -> str | None:
    for end in "/&,; ":
        text = text.partition(end)[0]
    return text[:_LONGEST] or None


@cache
def _marked_id_search() -> Callable[[str], Match[str] | None]:
    """The search for the access-key id after the mark of AWS or COS.

    It ends at a character that cannot be in an id. `re` is slow to load, so it is loaded only here.
    """
    import re

    return re.compile("(?:Credential|q-ak)=([^/&,; ]{0,2048})").search


def query_key_id(query: str) -> str | None:
    """The access-key id in a presigned query."""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name in _IDS:
            return _first_word(value)
        if name in _CREDENTIALS:
            return _first_word(value.replace("%2F", "/").replace("%2f", "/"))
    return None

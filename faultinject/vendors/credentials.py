"""The access-key id of a request, however its vendor's clients sign."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Match

# How the schemes that put `key id:signature` behind their name are called; Azure's key is of an account.
_SCHEMES = frozenset(
    ("AWS", "QS", "jingdong", "Qiniu", "QBox", "OSS", "OBS", "GOOG1", "SharedKey", "SharedKeyLite")
)
# Those of query parameters that are an access-key id, and those that begin with one.
_IDS = frozenset(
    "AWSAccessKeyId q-ak access_key_id AccessKey OSSAccessKeyId AccessKeyId GoogleAccessId".split()
)
_CREDENTIALS = frozenset("X-Amz-Credential X-Goog-Credential X-Tos-Credential x-oss-credential".split())
_marked: Callable[[str], Match[str] | None] | None = None
_LONGEST = 2048


def key_id(authorization: str) -> str | None:
    """The access-key id in an Authorization header, of every scheme that the vendors document.

    >>> key_id("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/x/s3/aws4_request, Signature=00")
    'AKIDEXAMPLE'
    >>> key_id("QS ACCESSKEYID:c2lnbmF0dXJl")
    'ACCESSKEYID'
    """
    found = (_marked or _compile())(authorization)
    if found:
        return found[1] or None
    scheme, _, rest = authorization.partition(" ")
    if scheme in _SCHEMES and ":" in rest:
        return _first_word(rest.partition(":")[0])
    # https://cloud.baidu.com/doc/Reference/s/Njwvz1wot
    version, _, rest = authorization.partition("/")
    return _first_word(rest) if version[:9] == "bce-auth-" else None


def _first_word(text: str) -> str | None:
    for end in "/&,; ":
        text = text.partition(end)[0]
    return text[:_LONGEST] or None


def _compile() -> Callable[[str], Match[str] | None]:
    """What AWS and COS put before the access-key id, and what cannot stand in it; `re` is slow to load."""
    import re

    global _marked  # noqa: PLW0603
    _marked = re.compile("(?:Credential|q-ak)=([^/&,; ]{0,2048})").search
    return _marked


def query_key_id(query: str) -> str | None:
    """The access-key id in a presigned query."""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name in _IDS:
            return _first_word(value)
        if name in _CREDENTIALS:
            return _first_word(value.replace("%2F", "/").replace("%2f", "/"))
    return None

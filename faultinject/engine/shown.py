"""Text from requests for journal and log: without control characters, and without secrets.

A query keeps only the documented values of documented storage parameters.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Mapping
from functools import cache

LONGEST_QUERY = 8192
"""The most characters of a query that are read."""
LONGEST_NAME = 40
"""The most characters of an unknown parameter's name; a longer one may be a token."""
LONGEST_WORD = 12
"""The most lower-case letters of an unknown parameter without a value.

Tokens are longer, or have digits and capitals.
"""
FLAGS = frozenset(("", "0", "1", "false", "no", "true", "yes"))
_ENDS = (";", "?", "&", "=", "#", "@", "%23", "%25", "%26", "%3b", "%3d", "%3f", "%40")
"""Signs, plain and encoded, that end a name or an id.

After them another parameter may follow, such as a signature.
"""
_URLS = ("://", "%3a//", "%3a%2f%2f")


def shown_query(query: str) -> str:
    """The query with the documented values of documented storage parameters; all others are `…`.

    If a name or an id contains a sign after which another parameter may begin, only the text before the sign is shown.
    16 bits of a checksum replace the rest: enough to distinguish two texts, and too few to confirm a guess.

    >>> shown_query("partNumber=3&X-Amz-Signature=abc")
    'partNumber=3&X-Amz-Signature=…'
    >>> shown_query("session=abc&prefix=photos/;sig=abc")
    'session=…&prefix=photos/…1797'
    """
    kinds = _kinds()
    return "&".join([_shown(pair, kinds) for pair in query[:LONGEST_QUERY].split("&")])


def shown_path(path: str) -> str:
    """A path with a question mark in it; a rest that looks like a presigned query is hidden.

    >>> shown_path("/photos/why?.jpg"), shown_path("/photos/cat.jpg?X-Amz-Signature=abc")
    ('/photos/why?.jpg', '/photos/cat.jpg?…1947')
    """
    kept, _, rest = path.partition("?")
    return f"{kept}?{_hidden(rest)}" if "=" in rest or "%3D" in rest or "%3d" in rest else path


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
        redacted = shown_path(decoded)
        path = path if redacted == decoded else redacted
    return f"{path}{mark}{shown_query(query)}"


def without_userinfo(target: str) -> str:
    """A target in absolute form without name and password.

    They are not part of the resource (RFC 9110, 4.2.4).

    >>> without_userinfo("http://cat:secret@storage.example/photos"), without_userinfo("/a@b")
    ('http://storage.example/photos', '/a@b')
    >>> without_userinfo("/see?from=http://cat:secret@storage.example")
    '/see?from=http://cat:secret@storage.example'
    """
    scheme, mark, rest = target.partition("://")
    if not mark or "/" in scheme:
        return target
    end = min((at for sign in "/?#" if (at := rest.find(sign)) >= 0), default=len(rest))
    return f"{scheme}{mark}{rest[:end].rpartition('@')[2]}{rest[end:]}"


def quoted(text: str) -> str:
    r"""Text from a request for logs, tables and pages, with escapes for unprintable characters.

    These are control, format and bidirectional characters.

    >>> quoted("a\r\nb\u202e")
    'a\\r\\nb\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _shown(pair: str, kinds: Mapping[str, str | frozenset[str]]) -> str:
    name, equals, value = pair.partition("=")
    kind = kinds.get(name)
    if kind is None:
        if not pair:
            return pair
        # A query may be only a token in base64. A `=` at its end is padding, and does not begin a value.
        if value.strip("="):
            return f"{name}=…" if _is_name(name) else _hidden(pair)
        return pair if _is_word(pair) else _hidden(pair)
    if kind == "text":
        return f"{name}{equals}{_beginning(value)}"
    return pair if _is_documented(value, kind) else f"{name}=…"


def _is_documented(value: str, kind: str | frozenset[str]) -> bool:
    if kind == "hexadecimal":
        # An upload id of QingStor is hexadecimal, and not a secret. An upload id of Google has other characters, and is
        # a secret: anybody who has it may write.
        return not value.strip("0123456789abcdef")
    if kind == "number":
        return len(value) <= 64 and not value.removeprefix("-").strip("0123456789")
    if kind == "time":
        return len(value) <= 40 and not value.replace("%3A", ":").replace("%3a", ":").strip(
            "0123456789TZ:.+-"
        )
    return all(word in kind for word in value.replace("%2C", ",").replace("%2c", ",").split(","))


def _is_name(name: str) -> bool:
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return len(name) <= LONGEST_NAME and plain.isalnum() and plain.isascii()


def _is_word(name: str) -> bool:
    """Whether a parameter without a value is a word of the app's own, such as `download`."""
    letters = name.replace("-", "").replace("_", "")
    return len(name) <= LONGEST_WORD and letters.isascii() and letters.isalpha() and letters.islower()


def _beginning(value: str) -> str:
    """A name or an id up to the first sign that ends one; padding of base64 does not end it."""
    folded = value.lower()
    if any(url in folded for url in _URLS):
        return _hidden(value)
    while folded.endswith(("=", "%3d")):
        folded = folded.removesuffix("=").removesuffix("%3d")
    end = min((at for sign in _ENDS if (at := folded.find(sign)) >= 0), default=None)
    return value if end is None else value[:end] + _hidden(value[end:])


def _hidden(text: str) -> str:
    return f"…{crc32(text.encode('utf-8', 'replace')) & 0xFFFF:04x}"


@cache
def _kinds() -> Mapping[str, str | frozenset[str]]:
    from faultinject.vendors.vendor import read

    kinds: dict[str, str | frozenset[str]] = {}
    for line in read("faultinject.vendors", "storage-parameters.txt").decode().splitlines():
        if line and line[0] != "#":
            name, _, kind = line.partition(" ")
            if kind not in ("hexadecimal", "number", "text", "time"):
                kinds[name] = frozenset(("", *kind.split())) if kind else FLAGS
            else:
                kinds[name] = kind
    return kinds

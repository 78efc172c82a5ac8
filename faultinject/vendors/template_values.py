"""Values of a vendor's extras, from the request, the answer's ids, the clock, or a constant.

Each source is one function; `compile_value` makes one of an `extras.csv` cell such as
`query.uploadId | for.PutObject =1`, or
`~No such object: {bucket}/{key}`.
"""

from __future__ import annotations

from dataclasses import dataclass

from faultinject.http.target import decode_form
from faultinject.http.wire import http_date, iso, iso_ms, whole
from faultinject.vendors.addressing import Addressing, s3
from faultinject.vendors.credentials import access_key_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from faultinject.vendors.types import StorageRequest

    Source = Callable[["RenderContext"], str | None]


@dataclass(slots=True)
class RenderContext:
    """The data from which the values of one answer are taken.

    Attributes:
        request: the request that is answered.
        reading: the reading of its bucket, key and level.
        code: the error's.
        message: the error's.
        said: the message that the rule gives instead of the documented one, or None.
        reason: the reason phrase: the vendor's own, else the standard one.
        resource: the resource that the envelope names.
        ids: the answer's ids by name.
        now: unix seconds.
        size: bytes of the requested object, or None if they are unknown.
        body: the whole body; empty until it is made.
    """

    request: StorageRequest
    reading: Addressing
    code: str
    message: str
    reason: str
    resource: str
    ids: Mapping[str, str]
    now: float
    said: str | None = None
    size: int | None = None
    body: bytes = b""


def compile_value(text: str) -> Source:
    """The function to the value of a cell: the first alternative that the request has, or None.

    Raises:
        ValueError: an alternative is no source.
    """
    found = [_source(each.strip()) for each in text.split(" | ")]
    if len(found) == 1:
        return found[0]

    def first(given: RenderContext) -> str | None:
        return next((value for each in found if (value := each(given)) is not None), None)

    return first


def constant(text: str) -> str | None:
    """The constant that a cell is, or None if it depends on the request."""
    return text[1:] if text[:1] == "=" and " | " not in text else None


def _source(text: str) -> Source:
    if text[:1] == "=":
        fixed = text[1:]
        return lambda _: fixed
    if text[:1] == "~":
        return _sentence(text[1:])
    source = SOURCES.get(text)
    if source is not None:
        return source
    kind, _, name = text.partition(".")
    if kind in WHERE:
        return _where(kind, *name.partition(" "))
    if kind in BOUNDS and name.partition(" ")[0].isdecimal():
        return _bounded(kind, *name.partition(" "))
    if name and (named := NAMED.get(kind)) is not None:
        return lambda given: named(given, name)
    if name and (change := CHANGED.get(kind)) is not None:
        of = _source(name)
        return lambda given: None if (value := of(given)) is None else change(value)
    known = ", ".join((*SOURCES, *NAMED, *CHANGED, *WHERE, *BOUNDS))
    raise ValueError(f"{text!r} is no source; there are {known}")


def _where(kind: str, name: str, _blank: str, text: str) -> Source:
    of, test = _source(text), WHERE[kind]
    return lambda given: of(given) if test(given, name) else None


def _bounded(kind: str, bound: str, _blank: str, text: str) -> Source:
    of, test, limit = _source(text), BOUNDS[kind], int(bound)

    def source(given: RenderContext) -> str | None:
        value = of(given)
        number = whole(value)
        return value if number is not None and test(number, limit) else None

    return source


def _address(given: RenderContext) -> tuple[str | None, str | None]:
    return given.reading.read_address(given.request)


def _host(given: RenderContext) -> str | None:
    return (given.request.header("host") or ("",))[0].rpartition("@")[2] or None


def _location(given: RenderContext) -> str | None:
    """The target, if it is a reference to this very server.

    Browsers read a backslash as a slash.
    """
    path, query = given.request.raw_path, given.request.query
    if path[:1] != "/" or path[1:2] in ("/", "\\"):
        return None
    return f"{path}?{query}" if query else path


def _expires(given: RenderContext) -> str | None:
    """The time at which a presigned request expires."""
    from faultinject.vendors.signing import expires

    moment = expires(given.request)
    return None if moment is None else f"{iso(moment)}Z"


def _range(given: RenderContext) -> str | None:
    """The requested range of bytes, without its unit."""
    asked = _header(given, "range")
    return asked[6:] if asked is not None and asked[:6].lower() == "bytes=" else None


def _length(given: RenderContext) -> str | None:
    length = given.request.content_length
    return None if length is None else str(length)


def _body_base64(given: RenderContext) -> str:
    from binascii import b2a_base64

    return b2a_base64(given.body, newline=False).decode()


def _allowed(given: RenderContext) -> str | None:
    from faultinject.vendors.operations import allowed

    return allowed(given.request, given.reading.operations.rows, given.reading.level(given.request))


def _tag(at: int) -> Source:
    """Key or value of the first tag that the headers name."""

    def source(given: RenderContext) -> str | None:
        first, _, _ = (_header(given, "x-amz-tagging") or "").partition("&")
        return decode_form(first.partition("=")[at]) if first else None

    return source


def _signed(name: str, *, in_hex: bool = False) -> Source:
    """The source of a part of the request's signature; it is None for an unsigned request."""

    def source(given: RenderContext) -> str | None:
        from faultinject.vendors import signing

        text: str | None = getattr(signing, name)(given.request)
        return text.encode().hex(" ") if text is not None and in_hex else text

    return source


def _parameter(given: RenderContext, name: str) -> str | None:
    return next(iter(given.request.query_values(name)), None)


def _header(given: RenderContext, name: str) -> str | None:
    return next(iter(given.request.header(name.lower())), None)


def _present(given: RenderContext, name: str) -> str | None:
    """The header's name, if the request has it."""
    return None if _header(given, name) is None else name


def _troubleshoot(given: RenderContext, number: str) -> str:
    """The page of OSS about an error of that number.

    The endpoints outside China name the international page.
    """
    named, below, _ = given.request.host.partition(".aliyuncs.com")
    region = named.removesuffix(".oss").rpartition(".")[2].removeprefix("oss-")
    abroad = below and "-" in region and not region.startswith(("cn-", "accelerate"))
    return f"https://api.{'alibabacloud' if abroad else 'aliyun'}.com/troubleshoot?q={number}"


def _asked(given: RenderContext, name: str) -> str | None:
    """The parameter's name, if the query has it."""
    return None if _parameter(given, name) is None else name


def realm(given: RenderContext) -> str | None:
    """The account, percent-encoded: the second part of a decoded path that begins with two.

    It does not matter what the two are: openstack/swift swift/common/swob.py, Response.www_authenticate.
    """
    from urllib.parse import quote, unquote_to_bytes

    parts = unquote_to_bytes(given.request.raw_path.encode("latin-1", "replace")).split(b"/", 3)
    if len(parts) < 3 or parts[0] or not (parts[1] and parts[2]) or parts[2] in _NO_ACCOUNT:
        return None
    return quote(parts[2])


SOURCES: dict[str, Source] = {
    "code": lambda given: given.code,
    "message": lambda given: given.message,
    "said": lambda given: given.said,
    "reason": lambda given: given.reason,
    "resource": lambda given: given.resource,
    "bucket": lambda given: _address(given)[0],
    "key": lambda given: _address(given)[1],
    "level": lambda given: given.reading.level(given.request),
    # As S3 has them in a path, for the S3 dialect of a vendor whose own addresses are others.
    "s3.level": lambda given: s3(given.request, None)[0],
    "s3.bucket": lambda given: s3(given.request, None)[1],
    "s3.key": lambda given: s3(given.request, None)[2],
    "method": lambda given: given.request.method,
    "host": lambda given: given.request.host or None,
    "host-port": _host,
    "path": lambda given: given.request.raw_path,
    "location": _location,
    "realm": realm,
    "length": _length,
    "object-size": lambda given: None if given.size is None else str(given.size),
    "time.iso": lambda given: f"{iso(given.now)}Z",
    "time.iso-ms": lambda given: f"{iso(given.now)}.{int(given.now % 1 * 1000):03}Z",
    "time.http": lambda given: http_date(given.now),
    "expires": _expires,
    "expires.offset": lambda given: (text := _expires(given)) and f"{text.removesuffix('Z')}+00:00",
    "range": _range,
    "allow": _allowed,
    "metadata.size": _signed("size_of_metadata"),
    "tag.key": _tag(0),
    "tag.value": _tag(2),
    "access-key": lambda given: access_key_id(given.request),
    "body.base64": _body_base64,
    "signature": _signed("signature"),
    "string-to-sign": _signed("string_to_sign"),
    "string-to-sign.bytes": _signed("string_to_sign", in_hex=True),
    "canonical-request": _signed("canonical_request"),
    "canonical-request.bytes": _signed("canonical_request", in_hex=True),
}
"""Sources that are one word."""
NAMED: dict[str, Callable[[RenderContext, str], str | None]] = {
    "query": _parameter,
    "header": _header,
    "asked": _asked,
    "present": _present,
    "troubleshoot": _troubleshoot,
    "id": lambda given, name: given.ids.get(name),
}
"""Sources of a dot and a name behind these words."""
CHANGED: dict[str, Callable[[str], str | None]] = {
    "upper": str.upper,
    "capital": str.capitalize,
    "iso-ms": iso_ms,
    "size": lambda value: str(len(value.encode("utf-8", "replace"))),
    "quoted": lambda value: f'"{value}"',
}
"""Changes of another source, which stands behind these words and a dot.

They give its text in capitals, with a capital, as a time, its number of bytes, or in double quotes.
"""
WHERE: dict[str, Callable[[RenderContext, str], bool]] = {
    "for": lambda given, name: given.reading.operation(given.request) == name,
    "with": lambda given, name: _header(given, name) is not None,
}
"""Conditions of another source, which stands behind these words, a dot, a name and a blank.

The source counts only for that operation, or with that header.
"""
BOUNDS: dict[str, Callable[[int, int], bool]] = {
    "above": lambda value, limit: value > limit,
    "below": lambda value, limit: value < limit,
}
"""Bounds of another source, which stands behind these words, a dot, a number and a blank.

Its number counts only on that side: an error about a limit names no number within it.
"""

_NO_ACCOUNT = (b"v1.0", b"auth")


def _sentence(text: str) -> Source:
    """The source that fills the braces of a text; None if one of its values is."""
    start, *rest = text.split("{")
    parts = [(_source(name), after) for name, _, after in (each.partition("}") for each in rest)]

    def source(given: RenderContext) -> str | None:
        told = start
        for value, after in parts:
            found = value(given)
            if found is None:
                return None
            told += found + after
        return told

    return source

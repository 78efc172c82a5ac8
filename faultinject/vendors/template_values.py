"""Finds the values for a vendor's extras: in the request, the ids, the clock, or a constant.

Each source is one function. `compile_value` makes the function for a cell of `extras.csv`, such as
`query.uploadId | for.PutObject =1` or `~No such object: {bucket}/{key}`.
"""

from __future__ import annotations

from dataclasses import dataclass

from faultinject.http.target import decode_form
from faultinject.http.wire import http_date, iso, iso_ms, number_of
from faultinject.vendors.addressing import Addressing, s3
from faultinject.vendors.credentials import access_key_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from faultinject.vendors.types import StorageRequest

    Source = Callable[["RenderContext"], str | None]


@dataclass(slots=True)
class RenderContext:
    """The data from which the values of one answer are made.

    Attributes:
        request: the request that is answered.
        reading: the reading of its bucket, key and level.
        code: the error's code.
        message: the error's message.
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
    """Make the function for a cell, which returns the first alternative with a value, or None.

    Raises:
        ValueError: an alternative is not a source.
    """
    sources = [_source(cell.strip()) for cell in text.split(" | ")]
    if len(sources) == 1:
        return sources[0]

    def first(context: RenderContext) -> str | None:
        return next((value for source in sources if (value := source(context)) is not None), None)

    return first


def constant(text: str) -> str | None:
    """The constant in a cell, or None if the cell depends on the request."""
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
        return _bounded_source(kind, *name.partition(" "))
    if name and (read_named := NAMED.get(kind)) is not None:
        return lambda context: read_named(context, name)
    if name and (change := CHANGED.get(kind)) is not None:
        inner = _source(name)
        return lambda context: None if (value := inner(context)) is None else change(value)
    known = ", ".join((*SOURCES, *NAMED, *CHANGED, *WHERE, *BOUNDS))
    raise ValueError(f"{text!r} is no source; there are {known}")


def _where(kind: str, name: str, _blank: str, text: str) -> Source:
    inner, test = _source(text), WHERE[kind]
    return lambda context: inner(context) if test(context, name) else None


def _bounded_source(kind: str, bound: str, _blank: str, text: str) -> Source:
    inner, test, limit = _source(text), BOUNDS[kind], int(bound)

    def source(context: RenderContext) -> str | None:
        value = inner(context)
        number = number_of(value)
        return value if number is not None and test(number, limit) else None

    return source


def _address(context: RenderContext) -> tuple[str | None, str | None]:
    return context.reading.read_address(context.request)


def _host(context: RenderContext) -> str | None:
    return (context.request.header("host") or ("",))[0].rpartition("@")[2] or None


def _location(context: RenderContext) -> str | None:
    """The target, if it refers to this same server.

    A target that begins with two slashes names another server, and browsers read a backslash as a slash.
    """
    path, query = context.request.raw_path, context.request.query
    if path[:1] != "/" or path[1:2] in ("/", "\\"):
        return None
    return f"{path}?{query}" if query else path


def _expires(context: RenderContext) -> str | None:
    """The time at which a presigned request expires."""
    from faultinject.vendors.signing import expires

    moment = expires(context.request)
    return None if moment is None else f"{iso(moment)}Z"


def _range(context: RenderContext) -> str | None:
    """The requested range of bytes, without its unit."""
    header = _header(context, "range")
    return header[6:] if header is not None and header[:6].lower() == "bytes=" else None


def _length(context: RenderContext) -> str | None:
    length = context.request.content_length
    return None if length is None else str(length)


def _body_base64(context: RenderContext) -> str:
    from binascii import b2a_base64

    return b2a_base64(context.body, newline=False).decode()


def _allow_header(context: RenderContext) -> str | None:
    from faultinject.vendors.operations import allowed_methods

    return allowed_methods(
        context.request, context.reading.operations.rows, context.reading.level(context.request)
    )


def _tag(at: int) -> Source:
    """Key or value of the first tag that the headers name."""

    def source(context: RenderContext) -> str | None:
        first, _, _ = (_header(context, "x-amz-tagging") or "").partition("&")
        return decode_form(first.partition("=")[at]) if first else None

    return source


def _signature_source(name: str, *, in_hex: bool = False) -> Source:
    """The source of a part of the request's signature; it is None for an unsigned request."""

    def source(context: RenderContext) -> str | None:
        from faultinject.vendors import signing

        text: str | None = getattr(signing, name)(context.request)
        return text.encode().hex(" ") if text is not None and in_hex else text

    return source


def _parameter(context: RenderContext, name: str) -> str | None:
    return next(iter(context.request.query_values(name)), None)


def _header(context: RenderContext, name: str) -> str | None:
    return next(iter(context.request.header(name.lower())), None)


def _troubleshoot(context: RenderContext, number: str) -> str:
    """The page of OSS about the error with this number.

    The endpoints outside China name the international page.
    """
    name, below, _ = context.request.host.partition(".aliyuncs.com")
    region = name.removesuffix(".oss").rpartition(".")[2].removeprefix("oss-")
    abroad = below and "-" in region and not region.startswith(("cn-", "accelerate"))
    return f"https://api.{'alibabacloud' if abroad else 'aliyun'}.com/troubleshoot?q={number}"


def realm(context: RenderContext) -> str | None:
    """The account, percent-encoded: the second segment of the decoded path, if there are two.

    The segments may be anything: openstack/swift swift/common/swob.py, Response.www_authenticate.
    """
    from urllib.parse import quote, unquote_to_bytes

    parts = unquote_to_bytes(context.request.raw_path.encode("latin-1", "replace")).split(b"/", 3)
    if len(parts) < 3 or parts[0] or not (parts[1] and parts[2]) or parts[2] in _NO_ACCOUNT:
        return None
    return quote(parts[2])


SOURCES: dict[str, Source] = {
    "code": lambda context: context.code,
    "message": lambda context: context.message,
    "said": lambda context: context.said,
    "reason": lambda context: context.reason,
    "resource": lambda context: context.resource,
    "bucket": lambda context: _address(context)[0],
    "key": lambda context: _address(context)[1],
    "level": lambda context: context.reading.level(context.request),
    # Read as an S3 path, for the S3 dialect of a vendor that has addresses of its own.
    "s3.level": lambda context: s3(context.request, None)[0],
    "s3.bucket": lambda context: s3(context.request, None)[1],
    "s3.key": lambda context: s3(context.request, None)[2],
    "method": lambda context: context.request.method,
    "host": lambda context: context.request.host or None,
    "host-port": _host,
    "path": lambda context: context.request.raw_path,
    "location": _location,
    "realm": realm,
    "length": _length,
    "object-size": lambda context: None if context.size is None else str(context.size),
    "time.iso": lambda context: f"{iso(context.now)}Z",
    "time.iso-ms": lambda context: f"{iso(context.now)}.{int(context.now % 1 * 1000):03}Z",
    "time.http": lambda context: http_date(context.now),
    "expires": _expires,
    "expires.offset": lambda context: (text := _expires(context)) and f"{text.removesuffix('Z')}+00:00",
    "range": _range,
    "allow": _allow_header,
    "metadata.size": _signature_source("size_of_metadata"),
    "tag.key": _tag(0),
    "tag.value": _tag(2),
    "access-key": lambda context: access_key_id(context.request),
    "body.base64": _body_base64,
    "signature": _signature_source("signature"),
    "string-to-sign": _signature_source("string_to_sign"),
    "string-to-sign.bytes": _signature_source("string_to_sign", in_hex=True),
    "canonical-request": _signature_source("canonical_request"),
    "canonical-request.bytes": _signature_source("canonical_request", in_hex=True),
}
"""Sources that are one word."""
NAMED: dict[str, Callable[[RenderContext, str], str | None]] = {
    "query": _parameter,
    "header": _header,
    # The name of a parameter, or of a header, if the request has it.
    "asked": lambda context, name: None if _parameter(context, name) is None else name,
    "present": lambda context, name: None if _header(context, name) is None else name,
    "troubleshoot": _troubleshoot,
    "id": lambda context, name: context.ids.get(name),
}
"""Sources that are one of these words, a dot and a name."""
CHANGED: dict[str, Callable[[str], str | None]] = {
    "upper": str.upper,
    "capital": str.capitalize,
    "iso-ms": iso_ms,
    "size": lambda value: str(len(value.encode("utf-8", "replace"))),
    "quoted": lambda value: f'"{value}"',
}
"""Modifiers of another source: after the word come a dot and that source.

In this order they give the source's text in capitals, with a first capital, as a time, its number of bytes, and in
double quotes.
"""
WHERE: dict[str, Callable[[RenderContext, str], bool]] = {
    "for": lambda context, name: context.reading.operation(context.request) == name,
    "with": lambda context, name: _header(context, name) is not None,
}
"""Conditions of another source: after the word come a dot, a name, a blank and that source.

The source counts only for that operation, or with that header.
"""
BOUNDS: dict[str, Callable[[int, int], bool]] = {
    "above": lambda value, limit: value > limit,
    "below": lambda value, limit: value < limit,
}
"""Bounds of another source: after the word come a dot, a number, a blank and that source.

The source counts only if its number is beyond the bound: an error about a limit never names a number within it.
"""

_NO_ACCOUNT = (b"v1.0", b"auth")


def _sentence(text: str) -> Source:
    """A source that fills the braces of a text; it gives None if one of its values is None."""
    start, *parts = text.split("{")
    sources = [(_source(name), after) for name, _, after in (part.partition("}") for part in parts)]

    def source(context: RenderContext) -> str | None:
        sentence = start
        for value_source, after in sources:
            value = value_source(context)
            if value is None:
                return None
            sentence += value + after
        return sentence

    return source

"""Heads, statuses, dates and lengths of HTTP as they go over the wire."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from time import gmtime

Headers = list[tuple[str, str]]
"""Pairs of a header's name and its value."""
BLANK_EVERY = 0.2
"""Seconds between two of the blanks that are sent before a late body."""
FLUSH = 0.15
"""Seconds that a server gets to send its data before we cut the connection."""
PIECE = 64 * 1024
"""Bytes read from a request body at a time."""
MOST_BYTES = 128 * 1024 * 1024
"""The most bytes that are read of a body that is dropped."""
MOST_SECONDS = 10.0
"""The most seconds for reading a body that is dropped."""
CLOSE = ("Connection", "close")
"""The header that tells a client that the connection ends after the answer."""
# Services still send these old phrases. `http.HTTPStatus` has them only up to Python 3.12.
_BEFORE_RFC_9110 = {
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    416: "Requested Range Not Satisfiable",
    422: "Unprocessable Entity",
}
_reasons: dict[int, str] = {}
_TOO_LONG = 10**19
"""The first number with 20 digits, one more than a length may have here."""


def reason(status: int) -> str:
    """The standard reason phrase; `Unknown` for a status that has none, such as 567."""
    if not _reasons:
        from http import HTTPStatus

        _reasons.update({status_.value: status_.phrase for status_ in HTTPStatus})
        _reasons.update(_BEFORE_RFC_9110)
    return _reasons.get(status, "Unknown")


def http_date(moment: float) -> str:
    """An HTTP-date.

    >>> http_date(1763625600.25)
    'Thu, 20 Nov 2025 08:00:00 GMT'
    """
    from email.utils import formatdate

    return formatdate(moment // 1, usegmt=True)


def head(status_line: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """A status line and headers as they are sent."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status_line}\r\n{lines}\r\n".encode("latin-1")


def can_be_written(status_line: str, headers: Iterable[tuple[str, str]]) -> bool:
    """Whether an app's head has no line break inside, no NUL, and only characters of Latin-1."""
    text = status_line + "".join(name + value for name, value in headers)
    return not any(sign in text for sign in "\r\n\0") and (text.isascii() or max(text) <= "\xff")


def without_connection(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers without `Connection`, which the server adds, and which HTTP/2 does not have."""
    return [header for header in headers if header[0].lower() != "connection"]


def number_of(value: object) -> int | None:
    """The number in a text of up to 19 decimal digits, as in a Content-Length; else None."""
    if value is None:
        return None
    if type(value) is int:
        return value if 0 <= value < _TOO_LONG else None
    text = str(value)
    return int(text) if len(text) < 20 and text.isascii() and text.isdecimal() else None


def length_of(headers: Iterable[tuple[str, str]]) -> int | None:
    """The Content-Length, or None."""
    for name, value in headers:
        if name.lower() == "content-length":
            return number_of(value.strip())
    return None


def has_no_body(method: str, status: int, headers: Iterable[tuple[str, str]]) -> bool:
    """Whether the method, the status or a Content-Length of 0 excludes a body."""
    return method.upper() == "HEAD" or status < 200 or status in (204, 205, 304) or length_of(headers) == 0


def late_start(body: bytes) -> int:
    """The number of bytes of a late body that are sent at once.

    An XML declaration must be the first thing in a body, so it is sent before the blanks, with its line's end.
    """
    if not body.startswith((b"<?xml", b"\xef\xbb\xbf<?xml")):
        return 0
    end = body.index(b"?>") + 2
    return end + 1 if body[end : end + 1] == b"\n" else end


def iso(moment: float) -> str:
    """Unix seconds as `2026-11-20T12:00:00`."""
    return "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format(*gmtime(moment))


def iso_ms(text: str) -> str | None:
    """Convert an HTTP-date or `20261120T120000Z` to `2026-11-20T12:00:00.000Z`; else None.

    >>> iso_ms("Fri, 20 Nov 2026 12:00:00 GMT"), iso_ms("20261120T120000Z")
    ('2026-11-20T12:00:00.000Z', '2026-11-20T12:00:00.000Z')
    >>> iso_ms("Fri, 31 Nov 2026 12:00:00 GMT")
    >>> iso_ms("9" * 20)  # beyond the last year of a date
    """
    moment = moment_of(text)
    if moment is None:
        return None
    try:
        written = http_date(moment) if text[-4:] == " GMT" else f"{iso(moment).translate(_WITHOUT)}Z"
    except (ValueError, OverflowError, OSError):
        return None
    # A date such as 31 November, which is read as 1 December, is written as another text.
    return f"{iso(moment)}.000Z" if written == text else None


@lru_cache(64)
def moment_of(text: str) -> float | None:
    """Unix seconds of a time in one of the forms that clients sign; else None.

    >>> moment_of("Fri, 20 Nov 2026 12:00:00 GMT"), moment_of("20261120T120000Z"), moment_of("2026-11-20T12:00:00Z")
    (1795176000, 1795176000, 1795176000)
    >>> moment_of("1795176000"), moment_of("noon")
    (1795176000, None)
    """
    from calendar import timegm
    from email.utils import parsedate

    try:
        if "," in text:
            return timegm(parsedate(text) or ())
        if text.isdecimal():
            return int(text)
        plain = text.translate(_WITHOUT)
        return timegm(tuple(int(plain[start:end]) for start, end in _FIELDS))
    except (ValueError, OverflowError):
        return None


_WITHOUT = {ord("-"): None, ord(":"): None}
_FIELDS = ((0, 4), (4, 6), (6, 8), (9, 11), (11, 13), (13, 15))

METHODS = frozenset(
    """
    ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY
    MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH PUT
    QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL
    """.split()
)
COMMON = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
"""The methods to suggest first for a misspelled one."""

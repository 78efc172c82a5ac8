"""Bytes on the connection itself, where a server would word them otherwise: heads, chunks, blanks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from time import gmtime

Headers = list[tuple[str, str]]
"""What headers are: pairs of a name and a value."""
BLANK_EVERY = 0.2
"""Seconds between the blanks of an answer that comes late."""
FLUSH = 0.15
"""Seconds for a server to send what it was given, before the connection is cut beneath it."""
CLOSE = ("Connection", "close")
"""The header that tells a client that the connection ends behind the answer."""
_OF_THE_CONNECTION = frozenset(("connection", "keep-alive", "transfer-encoding"))
# What the services still send, and Python up to 3.12 says; later ones know only the new names.
_BEFORE_RFC_9110 = {
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    416: "Requested Range Not Satisfiable",
    422: "Unprocessable Entity",
}
_reasons: dict[int, str] = {}
_TOO_LONG = 10**19


def reason(status: int) -> str:
    """The standard reason phrase; `Unknown` for a status that has none, such as 567."""
    if not _reasons:
        from http import HTTPStatus

        _reasons.update({each.value: each.phrase for each in HTTPStatus})
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
    """Whether a head of an app is only what it seems to be; what ends a line early is for its server to refuse."""
    text = status_line + "".join(name + value for name, value in headers)
    return not any(each in text for each in "\r\n\0") and (text.isascii() or max(text) <= "\xff")


def without_connection(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers without `Connection`, which only the server itself, or HTTP/1, has."""
    return [each for each in headers if each[0].lower() != "connection"]


class Head:
    """The head of a vendor's answer: its own reason phrase, order of headers, Server and Date.

    Args:
        status_line: the status with the reason phrase.
        order: the vendor's headers in its order, in any case.
        server: what it calls itself in `Server`; empty where it sends none.
    """

    __slots__ = ("_ranks", "_server", "_status_line")

    def __init__(self, status_line: str, order: Iterable[str], server: str) -> None:
        self._status_line = status_line
        self._ranks = {name.lower(): rank for rank, name in enumerate(order)}
        self._server = server

    def write(self, headers: Headers, now: float) -> bytes:
        """The bytes of the head.

        Args:
            headers: the answer's headers; those that the vendor's own answers have come in its order, then the rest.
            now: unix seconds.
        """
        names = {name.lower() for name, _ in headers}
        given = [*headers]
        if "date" not in names:
            given.append(("Date", http_date(now)))
        if self._server and "server" not in names:
            given.append(("Server", self._server))
        # The connection ends behind the answer: the server below does not know that there was one.
        if "connection" not in names:
            given.append(CLOSE)
        given.sort(key=lambda each: self._ranks.get(each[0].lower(), len(self._ranks)))
        return head(self._status_line, given)


class Framing:
    """How an app's own answer is written past its server; the connection ends behind it.

    Args:
        status_line: status and reason phrase.
        headers: the app's.
        now: unix seconds, for a Date where the app has none.
        server: the server's name, for a Server where the app has none; may be empty.
        chunks: whether the client understands chunks.
    """

    __slots__ = ("_chunked", "head")

    def __init__(self, status_line: str, headers: Headers, *, now: float, server: str, chunks: bool) -> None:
        kept = [each for each in headers if each[0].lower() not in _OF_THE_CONNECTION]
        names = {name.lower() for name, _ in kept}
        if "date" not in names:
            kept.append(("Date", http_date(now)))
        if server and "server" not in names:
            kept.append(("Server", server))
        self._chunked = chunks and "content-length" not in names
        if self._chunked:
            kept.append(("Transfer-Encoding", "chunked"))
        self.head = head(status_line, [*kept, CLOSE])

    def frame(self, piece: bytes) -> bytes:
        """A piece of the body, which is not empty."""
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece

    @property
    def end(self) -> bytes:
        """What follows a whole body."""
        return b"0\r\n\r\n" if self._chunked else b""


def whole(value: object) -> int | None:
    """The number that up to 19 decimal digits are, as in a Content-Length; None for anything else."""
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
            return whole(value.strip())
    return None


def has_no_body(method: str, status: int, headers: Iterable[tuple[str, str]]) -> bool:
    """Whether the answer to that method has no body, whatever its headers promise."""
    return method.upper() == "HEAD" or status < 200 or status in (204, 205, 304) or length_of(headers) == 0


def late_start(body: bytes) -> int:
    """How many bytes of a late body go out at once: nothing may stand before an XML declaration, and its line ends."""
    if not body.startswith((b"<?xml", b"\xef\xbb\xbf<?xml")):
        return 0
    end = body.index(b"?>") + 2
    return end + 1 if body[end : end + 1] == b"\n" else end


def iso(moment: float) -> str:
    """Unix seconds as `2026-11-20T12:00:00`."""
    return "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format(*gmtime(moment))


def iso_ms(text: str) -> str | None:
    """`2026-11-20T12:00:00.000Z` of an HTTP-date or of `20261120T120000Z`; None of what is neither.

    >>> iso_ms("Fri, 20 Nov 2026 12:00:00 GMT"), iso_ms("20261120T120000Z"), iso_ms("Fri, 31 Nov 2026 12:00:00 GMT")
    ('2026-11-20T12:00:00.000Z', '2026-11-20T12:00:00.000Z', None)
    >>> iso_ms("9" * 20)  # no year that there is
    """
    moment = moment_of(text)
    if moment is None:
        return None
    try:
        same = http_date(moment) if text[-4:] == " GMT" else f"{iso(moment).translate(_WITHOUT)}Z"
    except (ValueError, OverflowError, OSError):
        return None
    # A 31 November would be the first of December.
    return f"{iso(moment)}.000Z" if same == text else None


@lru_cache(64)
def moment_of(text: str) -> float | None:
    """Unix seconds, however a client writes the time at which it signs; None of what is no time.

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
    ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR
    MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH PUT QUERY REBIND REPORT
    SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL
    """.split()
)
COMMON = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
"""Those that are meant most often, where several look alike."""

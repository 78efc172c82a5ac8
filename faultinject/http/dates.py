"""Times as ISO 8601 writes them."""

from __future__ import annotations

from faultinject.http.wire import http_date

_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


def iso(moment: float) -> str:
    """Unix seconds as `2026-11-20T12:00:00`, read off an HTTP-date: `datetime` is slow to load."""
    _, day, month, year, time, _ = http_date(moment).split()
    return f"{year}-{_MONTHS.index(month) // 3 + 1:02}-{day}T{time}"


def iso_ms(text: str) -> str | None:
    """`2026-11-20T12:00:00.000Z` of an HTTP-date or of `20261120T120000Z`; None of what is neither.

    >>> iso_ms("Fri, 20 Nov 2026 12:00:00 GMT"), iso_ms("20261120T120000Z"), iso_ms("Fri, 31 Nov 2026 12:00:00 GMT")
    ('2026-11-20T12:00:00.000Z', '2026-11-20T12:00:00.000Z', None)
    """
    from calendar import timegm
    from email.utils import parsedate

    try:
        if text[-4:] == " GMT":
            moment = timegm(parsedate(text) or ())
            same = http_date(moment)
        else:
            moment = timegm(tuple(int(text[start:end]) for start, end in _FIELDS))
            same = f"{iso(moment).translate(_BETWEEN)}Z"
    except (ValueError, OverflowError):
        return None
    # A 31 November would be the first of December.
    return f"{iso(moment)}.000Z" if same == text else None


_FIELDS = ((0, 4), (4, 6), (6, 8), (9, 11), (11, 13), (13, 15))
_BETWEEN = {ord(each): None for each in "-:"}

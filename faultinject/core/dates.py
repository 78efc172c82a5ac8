"""Times as ISO 8601 writes them."""

from __future__ import annotations

from faultinject.core.wire import http_date

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
    from datetime import datetime
    from email.utils import format_datetime, parsedate_to_datetime

    try:
        if text[-4:] == " GMT":
            moment = parsedate_to_datetime(text)
            same = format_datetime(moment, usegmt=True)
        else:
            moment = datetime.strptime(text, "%Y%m%dT%H%M%SZ")  # noqa: DTZ007 - its Z is checked
            same = moment.strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z") if same == text else None

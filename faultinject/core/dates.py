"""Times as ISO 8601 writes them: the core knows no calendar, and reads them off HTTP-dates."""

from __future__ import annotations

from faultinject.core.wire import http_date

_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


def iso(moment: float) -> str:
    """Unix seconds as `2026-11-20T12:00:00`."""
    _, day, month, year, time, _ = http_date(moment).split()
    return f"{year}-{_MONTHS.index(month) // 3 + 1:02}-{day}T{time}"


def iso_ms(text: str) -> str | None:
    """`2026-11-20T12:00:00.000Z` of an HTTP-date or of `20261120T120000Z`; None of what is neither.

    >>> iso_ms("Fri, 20 Nov 2026 12:00:00 GMT"), iso_ms("20261120T120000Z"), iso_ms("Fri, 31 Nov 2026 12:00:00 GMT")
    ('2026-11-20T12:00:00.000Z', '2026-11-20T12:00:00.000Z', None)
    """
    from calendar import timegm

    digits = text[:8] + text[9:15] if len(text) == 16 and text[8::7] == "TZ" else _digits(text)
    if not (len(digits) == 14 and digits.isascii() and digits.isdecimal()):
        return None
    try:
        moment = timegm((int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2)), 0, 0, 0))
        found = iso(moment)
    except ValueError:
        return None
    # a 31 November would be the first of December
    return f"{found}.000Z" if found.translate(_BETWEEN) == digits else None


def _digits(text: str) -> str:
    """Those of `Fri, 20 Nov 2026 12:00:00 GMT` as `20261120120000`; of anything else not 14."""
    words = text.split()
    if len(words) != 6 or words[5] != "GMT":
        return ""
    _, day, month, year, time, _ = words
    at = _MONTHS.find(month)
    return "" if len(month) != 3 or at % 3 else f"{year}{at // 3 + 1:02}{day}{time.replace(':', '')}"


_BETWEEN = {ord(each): None for each in "-:T"}

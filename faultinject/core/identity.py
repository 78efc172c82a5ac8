"""What a request is *about*, written so that a retry of it has the same identity.

`METHOD /bucket/key?query` without the volatile parameters; UUIDs, long hexadecimal runs and long numbers are
written `~`, so that a test's random keys and timestamps do not change its draws.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Pattern

    from faultinject.core.request import Request

# An identity's shape has "0" for every hexadecimal digit. What a placeholder may stand for is found in it by plain
# search, many times faster than by regular expressions, and most identities have no run of ten at all.
_SHAPE = bytes(ord("0") if chr(each) in "0123456789ABCDEFabcdef" else each for each in range(256))
_UUID = "00000000-0000-0000-0000-000000000000"
_LONG_HEX = "0" * 16
_LONG = "0" * 10
_runs: list[Pattern[str]] = []

_volatile: frozenset[str] | None = None


def volatile_parameters() -> frozenset[str]:
    """The query parameters that differ from attempt to attempt, in lower case (a data file)."""
    global _volatile  # noqa: PLW0603
    if _volatile is None:
        from faultinject.vendors.vendor import read

        lines = read("faultinject.vendors", "volatile-parameters.txt").decode().splitlines()
        _volatile = frozenset(line for line in lines if line and line[0] != "#")
    return _volatile


def exact_identity(request: Request, bucket: str | None, key: str | None) -> str:
    """The identity letter for letter, without placeholders: what `per=call` counts by."""
    place = request.path if bucket is None else f"/{bucket}/{key or ''}"
    exact = f"{request.method.upper()} {place}"
    query = request.query
    if not query:
        return exact
    volatile = volatile_parameters()
    kept = sorted(pair for pair in query.split("&") if pair and _name(pair) not in volatile)
    return f"{exact}?{'&'.join(kept)}" if kept else exact


def with_placeholders(identity: str) -> str:
    """The identity that draws depend on.

    >>> with_placeholders("PUT /photos/2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3d/1700000000.jpg")
    'PUT /photos/~/~.jpg'
    """
    shape = identity.encode("ascii", "replace").translate(_SHAPE).decode()
    if _LONG not in shape:
        return identity
    parts = shape.split(_UUID)
    if len(parts) > 1:
        kept, at = [], 0
        for part in parts:
            end = at + len(part)
            kept.append(identity[at:end])
            at = end + len(_UUID)
        identity, shape = "~".join(kept), "~".join(parts)
    if _LONG not in shape:
        return identity
    if not _runs:
        import re  # slow to load, and most scenarios never come here

        _runs.extend((re.compile(r"[0-9A-Fa-f]{16,}"), re.compile(r"[0-9]{10,}")))
    if _LONG_HEX in shape:
        identity = _runs[0].sub("~", identity)
    return _runs[1].sub("~", identity)


def _name(pair: str) -> str:
    name = pair.partition("=")[0].lower()
    if "%" in name or "+" in name:
        from urllib.parse import unquote_plus

        name = unquote_plus(name)
    return name.lower()

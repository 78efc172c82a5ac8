"""What a request is *about*, written so that a retry of it has the same identity.

`METHOD /bucket/key?query` without the volatile parameters; UUIDs, long hexadecimal runs and long numbers are
written `~`, so that a test's random keys and timestamps do not change its draws.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.core.request import Request

_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_HEX = re.compile(r"[0-9A-Fa-f]{16,}")
_NUMBER = re.compile(r"[0-9]{10,}")
# Every placeholder stands for at least ten of these in a row: one quick look spares most requests three.
_RUNS = bytes(ord("0") if chr(each) in "0123456789ABCDEFabcdef-" else ord(" ") for each in range(256))
_LONG_RUN = b"0" * 10

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
    query = request.query
    if not query:
        return f"{request.method.upper()} {place}"
    volatile = volatile_parameters()
    kept = sorted(pair for pair in query.split("&") if pair and _name(pair) not in volatile)
    if not kept:
        return f"{request.method.upper()} {place}"
    return f"{request.method.upper()} {place}?{'&'.join(kept)}"


def with_placeholders(identity: str) -> str:
    """The identity that draws depend on.

    >>> with_placeholders("PUT /photos/2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3d/1700000000.jpg")
    'PUT /photos/~/~.jpg'
    """
    if _LONG_RUN not in identity.encode("utf-8", "surrogatepass").translate(_RUNS):
        return identity
    identity = _UUID.sub("~", identity)
    identity = _HEX.sub("~", identity)
    return _NUMBER.sub("~", identity)


def _name(pair: str) -> str:
    name = pair.partition("=")[0].lower()
    if "%" in name or "+" in name:
        from urllib.parse import unquote_plus

        name = unquote_plus(name)
    return name.lower()

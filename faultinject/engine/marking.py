"""The mark of an answer that a fault was done to: so that nobody takes it for the app's own, and no cache keeps it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultinject.http.types import Headers

MARKS = ("x-faultinject", "cache-control")
"""The headers of the mark, in lower case."""

_TO_CACHES = frozenset((*MARKS, "expires", "surrogate-control", "x-accel-expires"))


def mark(name: str) -> Headers:
    """The headers of an answer that the rule of that name gives."""
    return [("x-faultinject", name), ("Cache-Control", "no-store")]


def marked(headers: Iterable[tuple[str, str]], name: str) -> Headers:
    """The app's headers with the mark, and without what else tells a cache to keep the answer.

    `CDN-Cache-Control` and its kind stand above `Cache-Control` (RFC 9213).

    >>> marked([("ETag", "1"), ("CDN-Cache-Control", "max-age=9")], "late")
    [('ETag', '1'), ('x-faultinject', 'late'), ('Cache-Control', 'no-store')]
    """
    return [*((each, text) for each, text in headers if not _tells_caches(each.lower())), *mark(name)]


def marked_bytes(headers: Iterable[tuple[bytes, bytes]], name: str) -> list[tuple[bytes, bytes]]:
    """The same for the headers of ASGI, whose names are in lower case."""
    kept = [(each, text) for each, text in headers if not _tells_caches(each.decode("latin-1").lower())]
    return kept + [(each.lower().encode(), text.encode("latin-1", "replace")) for each, text in mark(name)]


def _tells_caches(name: str) -> bool:
    return name in _TO_CACHES or name.endswith("-cache-control")

"""One page of a listing: prefix, delimiter, marker and limit, the same for objects and for uploads."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from faultinject.store.refusal import StoreError

Name = tuple[str, str]
"""Key and upload id; objects have an empty id."""

LAST = "\U0010ffff"
"""An upload id behind every real one: a marker with it stands behind all uploads of its key."""


@dataclass(slots=True)
class Page:
    """What a listing shows.

    Attributes:
        names: the entries, in the order of their keys' UTF-8 bytes.
        prefixes: the common prefixes among them, in the same order.
        next: where the following page begins, or None when this one is the last.
    """

    names: list[Name] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    next: Name | None = None


def select(names: Iterable[Name], *, prefix: str, delimiter: str, after: Name, limit: int) -> Page:
    """The page of `limit` entries that begins behind `after`.

    Keys that share what stands between the prefix and the first delimiter behind it are shown once, as a
    common prefix, and count as one entry. A marker that is a common prefix stands behind all of its keys.
    """
    page = Page()
    if limit == 0:
        return page
    ordered = sorted(names)
    shown = 0
    last: Name = ("", "")
    for name in ordered[bisect_right(ordered, after) :]:
        key = name[0]
        if not key.startswith(prefix):
            if key > prefix:
                break
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        group = key[: cut + len(delimiter)] if cut >= 0 else None
        if group is not None and (group == after[0] or page.prefixes[-1:] == [group]):
            continue
        if shown == limit:
            page.next = last
            break
        shown += 1
        if group is None:
            page.names.append(name)
            last = name
        else:
            page.prefixes.append(group)
            last = (group, LAST)
    return page


def token_of(name: str) -> str:
    """The token of a page that begins behind a name."""
    return urlsafe_b64encode(name.encode()).decode()


def read_token(token: str) -> str:
    """The name behind which a page begins.

    Raises:
        StoreError: `argument`.
    """
    try:
        return b64decode(token, b"-_", validate=True).decode()
    except ValueError:
        raise StoreError("argument") from None

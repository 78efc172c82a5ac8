"""The contents of result and request documents, such as pages of listings, for any format."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from faultinject.store.buckets import StoreError
from faultinject.vendors.documented import DocumentedError

Name = tuple[str, str]
"""A key and an upload id; objects have an empty id."""

LAST = "\U0010ffff"
"""An upload id that sorts after every real one, for markers after all uploads of a key."""


@dataclass(slots=True)
class Page:
    """A page of a listing.

    Attributes:
        names: the entries, in the order of their keys' UTF-8 bytes.
        prefixes: the common prefixes, in the same order.
        next: the marker of the next page, or None on the last one.
    """

    names: list[Name] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    next: Name | None = None


def select(names: Iterable[Name], *, prefix: str, delimiter: str, after: Name, limit: int) -> Page:
    """Select the page of `limit` entries that begins after the marker `after`.

    Keys that are equal up to the first delimiter after the prefix are shown once, as a common prefix, and count as
    one entry. A marker that is a common prefix comes after all keys with that prefix.
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
            last = (group, "")
    return page


def token_of(name: str) -> str:
    """Encode a name as the token of the page that begins after it."""
    return urlsafe_b64encode(name.encode()).decode()


def read_token(token: str) -> str:
    """Decode a token to the name after which its page begins.

    Raises:
        StoreError: `argument`.
    """
    try:
        return b64decode(token, b"-_", validate=True).decode()
    except ValueError:
        raise StoreError("argument") from None


OWNER = "faultinject"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPage:
    """A request for a listing of objects or uploads, and the page that answers it."""

    bucket: str
    prefix: str
    delimiter: str
    marker: Name
    limit: int
    encoded: bool
    page: Page


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object to delete; version and ETag are None if the request does not give them."""

    key: str
    version: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Deletion:
    """A request to delete objects.

    With `encoded`, the answer percent-encodes keys; with `quiet`, it leaves out the deleted ones.
    """

    objects: list[NamedObject]
    quiet: bool
    encoded: bool = False


Failure = tuple[NamedObject, DocumentedError]
"""An object that could not be deleted, and the error."""


def iso(moment: float) -> str:
    """Write unix seconds as `2026-07-20T12:00:00.000Z`."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def read_number(text: str) -> int:
    """Read a part number of a document."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise StoreError("malformed")
    return int(text)

"""Conditional requests and ranges of object stores: RFC 9110, sections 13 and 14."""

from __future__ import annotations

import re
from collections.abc import Callable

from werkzeug.http import parse_date, parse_etags, parse_if_range_header, parse_range_header

from faultinject.store.buckets import Stored, StoreError

_NOTHING = re.compile(r"\s*bytes\s*=\s*-0+\s*", re.IGNORECASE)

Header = Callable[[str], str | None]
"""A function that returns the value of a header by its name, or None."""


def judge_read(header: Header, stored: Stored) -> bool:
    """Whether to send the object; False means `304 Not Modified`.

    Raises:
        StoreError: `precondition`.
    """
    modified = int(stored.modified)
    match, none_match = header("if-match"), header("if-none-match")
    if match is not None:
        if not parse_etags(match).contains(stored.etag):
            raise StoreError("precondition")
    elif (since := parse_date(header("if-unmodified-since"))) and modified > since.timestamp():
        raise StoreError("precondition")
    if none_match is not None:
        return not parse_etags(none_match).contains_weak(stored.etag)
    since = parse_date(header("if-modified-since"))
    return since is None or modified > since.timestamp()


def judge_write(header: Header, stored: Stored | None) -> None:
    """Refuse a write if its If-Match or If-None-Match does not hold for the present object.

    Raises:
        StoreError: `precondition`, or `no_key` if there is no object for If-Match.
    """
    match, none_match = header("if-match"), header("if-none-match")
    if match is not None:
        if stored is None:
            raise StoreError("no_key")
        if not parse_etags(match).contains(stored.etag):
            raise StoreError("precondition")
    if none_match is not None and stored is not None and parse_etags(none_match).contains_weak(stored.etag):
        raise StoreError("precondition")


def judge_delete(header: Header, stored: Stored | None) -> None:
    """Refuse to delete an object if If-Match or If-None-Match does not hold for it.

    Deleting a missing object succeeds with any ETag:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html

    Raises:
        StoreError: `precondition`.
    """
    if stored is not None:
        judge_write(header, stored)


def judge_own(header: Header, stored: Stored | None) -> None:
    """Refuse a request if the vendors' own conditions forbid it.

    `header` takes the names without the vendor's prefix.

    Raises:
        StoreError: `precondition`, or `not_implemented` for conditions on facts that the store does not keep.
    """
    for name in ("if-metageneration-match", "if-match-size", "if-match-last-modified-time"):
        if header(name) is not None:
            raise StoreError("not_implemented", f"the embedded store does not support {name}")
    generation = header("if-generation-match")
    if generation is None:
        return
    if (generation == "0") != (stored is None):
        raise StoreError("precondition")
    if stored is not None:
        raise StoreError("not_implemented", "the embedded store does not support generations")


def read_range(text: str | None, size: int, *, inside: bool = False) -> tuple[int, int] | None:
    """Read the start and stop of a range; None for the whole object.

    An invalid range, and several ranges at once, mean the whole object, as for S3.

    Args:
        text: the Range header, or None.
        size: the object's size.
        inside: whether to ignore a range that reaches beyond the object.

    Raises:
        StoreError: `range`, if the range lies outside the object, or asks for its last 0 bytes.
    """
    if _NOTHING.fullmatch(text or ""):
        raise StoreError("range", headers=[("Content-Range", f"bytes */{size}")], size=size)
    parsed = parse_range_header(text)
    if parsed is None or parsed.units != "bytes" or len(parsed.ranges) != 1:
        return None
    start, stop = parsed.ranges[0]
    if inside and not (-size <= start < size and (stop or 0) <= size):
        return None
    if start < 0:
        start = max(size + start, 0)
    if start >= size:
        raise StoreError("range", headers=[("Content-Range", f"bytes */{size}")], size=size)
    return start, size if stop is None else min(stop, size)


def range_applies(text: str | None, stored: Stored) -> bool:
    """Whether If-Range is missing, or names the present object."""
    if text is None:
        return True
    wanted = parse_if_range_header(text)
    if wanted.date is not None:
        return int(stored.modified) <= wanted.date.timestamp()
    return wanted.etag == stored.etag

"""Conditional requests and ranges: RFC 9110 sections 13 and 14.

They are as far as object stores have them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from werkzeug.http import parse_date, parse_etags, parse_if_range_header, parse_range_header

from faultinject.store.buckets import Stored, StoreError

_NOTHING = re.compile(r"\s*bytes\s*=\s*-0+\s*", re.IGNORECASE)

Header = Callable[[str], str | None]
"""A function that returns the value of a header by its name, or None."""


def judge_read(header: Header, stored: Stored) -> bool:
    """Whether the client needs the object: False is `304 Not Modified`.

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
    """Refuse a write whose If-Match or If-None-Match does not hold for the object there now.

    Raises:
        StoreError: `precondition`, or `no_key` when If-Match names an object that is not there.
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
    """Refuse to delete an object whose ETag is not as If-Match or If-None-Match want it.

    An object that is not there is deleted already, whatever its ETag:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html

    Raises:
        StoreError: `precondition`.
    """
    if stored is not None:
        judge_write(header, stored)


def judge_own(header: Header, stored: Stored | None) -> None:
    """Refuse a request that the vendors' own conditions forbid.

    Their headers are given by their names without the prefix.

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
    """Start and stop of the range that is asked for; None for the whole object.

    A range that cannot be read, and several ranges at once, are answered with the whole object, as S3 does.

    Args:
        text: as a header has it, or None.
        size: of the object.
        inside: whether only a range that lies inside the object is one.

    Raises:
        StoreError: `range`, when the range lies outside the object, or is its last 0 bytes.
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
    """Whether If-Range, when it is given, names the object as it is now."""
    if text is None:
        return True
    wanted = parse_if_range_header(text)
    if wanted.date is not None:
        return int(stored.modified) <= wanted.date.timestamp()
    return wanted.etag == stored.etag

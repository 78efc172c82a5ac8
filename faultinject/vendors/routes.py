"""Reads addresses that are routes, such as `/storage/v1/b/{bucket}/o/{object}`.

The routes are those of the vendor's operations. Their placeholders are:

- `{bucket}` is one segment,
- `{object}` is a key: one segment with `%2F` in it, or several if the server decodes `%2F` or a client sends slashes,
- `{entry}` is `bucket:key`, and `{key}` a key, in URL-safe base64,
- `{more}`, at the end, is the rest of the path,
- any other is one segment without a bucket or key.

If a route names two objects, as for copies, the last one counts, which is the object that is written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from faultinject.http.target import decode_form
from faultinject.vendors.addressing import OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from faultinject.vendors.operations import Operations
    from faultinject.vendors.types import Readable, Target

# Routes that belong to no operation, and must not be read as a bucket and an object.
_ELSEWHERE = ("/batch/storage/v1", "/batch/{more}")
# The placeholders of a bucket, a key, or both.
_NAMING = frozenset(("{bucket}", "{object}", "{key}", "{entry}"))
# Segments that are the same in all routes, or new in each attempt.
_COMMON = frozenset(("storage", "v1", "b", "download", "{uploadId}", "{token}"))


class Route(NamedTuple):
    """One route.

    Attributes:
        text: the route as in the table.
        methods: the methods of its operations.
        literals: the number of its fixed segments.
        first: its first segment if that is fixed, or None.
        pattern: a regular expression of paths, with a group for each segment of the route.
        roles: the role of each of these segments, as `_roles` gives it.
    """

    text: str
    methods: frozenset[str]
    literals: int
    first: str | None
    pattern: str
    roles: list[str]

    @classmethod
    def of(cls, text: str, methods: Iterable[str]) -> Route:
        """The route of a text."""
        segments = text.strip("/").split("/") if text.strip("/") else []
        first = segments[0] if segments and segments[0][:1] != "{" else None
        literals = sum(segment[:1] != "{" for segment in segments)
        pattern = "/".join(_group(segment, segments[at + 1 :]) for at, segment in enumerate(segments))
        pattern = pattern.replace("/(?:", "(?:/")
        return cls(text, frozenset(methods), literals, first, pattern, _roles(segments))

    def place(self, values: Sequence[str], query: str) -> Target:
        """The place that the values of a match, and the query, name."""
        bucket = key = None
        rest = []
        for role, value in zip(self.roles, values, strict=True):
            if role == "{bucket}":
                bucket = value or None
            elif role == "{object}":
                key = value.replace("%2F", "/") or None
            elif role == "{key}":
                key = _from_base64(value)
            elif role == "{entry}":
                bucket_text, _, key_text = (_from_base64(value) or "").partition(":")
                bucket, key = bucket_text or None, key_text or None
            elif role:
                # Some servers decode %2F; this makes the identity the same on all of them.
                rest.append(value.replace("%2F", "/"))
        if query:
            bucket = bucket or parameter(query, ("bucket", "tbl"))
            if key is None and bucket and self.text[-2:] == "/o":
                # The query of an upload names the key.
                key = parameter(query, ("name",))
        return self.text, bucket, key, "/".join(rest)


def reader_of_routes(operations: Operations) -> Callable[[Readable, str | None], Target]:
    """The reader of places for a vendor's routes."""
    methods: dict[str, set[str]] = {elsewhere: set() for elsewhere in _ELSEWHERE}
    for row in operations.rows:
        methods.setdefault(row.level, set()).add(row.method)
    by_first: dict[str | None, list[Route]] = {None: []}
    for route in sorted((Route.of(*route) for route in methods.items()), key=lambda route: -route.literals):
        by_first.setdefault(route.first, []).append(route)

    by_host = any(route.text.startswith("/{bucket}") for route in by_first[None])

    def read(request: Readable, name_in_host: str | None) -> Target:
        path = request.below[1:]
        routes = by_first.get(path.partition("/")[0] if path else None)
        if routes is None:
            routes = by_first[None]
            if by_host and name_in_host is not None:
                path = f"{name_in_host}/{path}"
        method = request.method.upper()
        fallback = None
        for route in routes:
            if (match := re.fullmatch(route.pattern, path, re.DOTALL)) is not None:
                place = route.place(match.groups(""), request.query)
                # If the server has decoded %2F, several routes may fit; the method distinguishes some of them.
                if method in route.methods:
                    return place
                fallback = fallback or place
        return fallback or OTHER

    return read


def _group(segment: str, following: Sequence[str]) -> str:
    """The regular expression of a segment: greedy for a route's last object, otherwise lazy."""
    if segment == "{more}":
        return "(?:(.*))?"
    if segment == "{object}":
        return "(.+?)" if {"{object}", "{more}"} & {*following} else "(.+)"
    return "([^/]+)" if segment[:1] == "{" else f"({re.escape(segment)})"


def _roles(segments: Sequence[str]) -> list[str]:
    """The role of each segment: the placeholder of bucket or key, `more`, or empty for none."""
    last = {segment: at for at, segment in enumerate(segments)}
    roles = []
    for at, segment in enumerate(segments):
        if last[segment] == at and segment in _NAMING:
            roles.append(segment)
        elif segment in _COMMON or (segment == "o" and segments[at + 1 : at + 2] == ["{object}"]):
            roles.append("")
        else:
            roles.append("more")
    return roles


def _from_base64(text: str) -> str | None:
    """Decode URL-safe base64, with or without padding; None if the text is not base64."""
    from binascii import Error, a2b_base64

    try:
        data = text.encode("ascii").translate(_URL_SAFE)
        return a2b_base64(data + b"=" * (-len(data) % 4)).decode("utf-8", "replace") or None
    except (Error, UnicodeEncodeError):
        return None


_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def parameter(query: str, names: Sequence[str]) -> str | None:
    """The first parameter of one of these names that has a value, decoded."""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if value and (decode_form(name) if "%" in name else name) in names:
            return value if value.isascii() and value.isalnum() else decode_form(value)
    return None

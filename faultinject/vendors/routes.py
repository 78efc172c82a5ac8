"""Places in addresses that are routes, such as `/storage/v1/b/{bucket}/o/{object}`: the level is the route itself.

The routes are those of the vendor's operations. Of their placeholders

- `{bucket}` is one segment,
- `{object}` the text of a key: one segment with `%2F` in it; more where the server hides that, or a client sends it so,
- `{entry}` `bucket:key`, and `{key}` a key, in URL-safe base64,
- `{more}`, at the end, whatever follows,
- any other one segment that says nothing of bucket and key.

Where a route names two, as copies do, the last is meant: what is written.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from faultinject.vendors.operations import Operations
    from faultinject.vendors.types import Readable, Target

    Role = Callable[[str], tuple[str | None, str | None]]

OTHER: Target = ("other", None, None, "")
# Routes of no operation, which must not be taken for a bucket and an object.
_ELSEWHERE = ("/batch/storage/v1", "/batch/{more}")
# What tells nothing apart, or is another at each attempt.
_COMMON = frozenset(("storage", "v1", "b", "download", "{uploadId}", "{token}"))


class Route:
    """One route, cut at its objects.

    Attributes:
        text: as the table has it.
        methods: the methods of its operations.
        literals: how many of its segments are fixed.
    """

    __slots__ = ("_ends_open", "_parts", "_roles", "literals", "methods", "text")

    def __init__(self, text: str, methods: Iterable[str]) -> None:
        self.text = text
        self.methods = frozenset(methods)
        segments = text.strip("/").split("/") if text.strip("/") else []
        self.literals = sum(each[:1] != "{" for each in segments)
        self._roles = _roles(segments)
        self._ends_open = segments[-1:] == ["{more}"]
        if self._ends_open:
            segments.pop()
        parts: list[list[str]] = [[]]
        for each in segments:
            if each == "{object}":
                parts.append([])
            else:
                parts[-1].append(each)
        self._parts = parts

    @property
    def first(self) -> str | None:
        """The fixed segment that it begins with, or None."""
        head = self._parts[0]
        return head[0] if head and head[0][:1] != "{" else None

    @property
    def begins_with_bucket(self) -> bool:
        """Whether a Host can stand for its first segment."""
        return self._parts[0][:1] == ["{bucket}"]

    def match(self, segments: Sequence[str]) -> list[str] | None:
        """What stands in the place of each segment of the route; None where it does not fit."""
        head, *others = self._parts
        if not _fits(segments, 0, head):
            return None
        found = list(segments[: len(head)])
        at = len(head)
        for number, part in enumerate(others, 1):
            last = number == len(others) and not self._ends_open
            end = len(segments) - len(part) if last else _find(segments, at + 1, part)
            if end <= at or not _fits(segments, end, part):
                return None
            name = "/".join(segments[at:end])
            if not name:
                return None
            at = end + len(part)
            found += [name, *segments[end:at]]
        if self._ends_open:
            found.append("/".join(segments[at:]))
            return found
        return found if at == len(segments) else None

    def place(self, found: Sequence[str], query: str) -> Target:
        """The place that these are."""
        bucket = key = None
        rest = []
        for role, value in zip(self._roles, found, strict=True):
            if role is None:
                # Some servers hide %2F: one identity on all of them.
                rest.append(value.replace("%2F", "/"))
            else:
                in_bucket, in_key = role(value)
                bucket, key = in_bucket or bucket, in_key or key
        if query:
            bucket = bucket or parameter(query, ("bucket", "tbl"))
            if key is None and bucket and self.text[-2:] == "/o":
                # An upload says there what it writes.
                key = parameter(query, ("name",))
        return self.text, bucket, key, "/".join(rest)


def reader_of_routes(operations: Operations) -> Callable[[Readable, str | None], Target]:
    """The reader of places for a vendor's routes."""
    methods: dict[str, set[str]] = {each: set() for each in _ELSEWHERE}
    for row in operations.rows:
        methods.setdefault(row.level, set()).add(row.method)
    by_first: dict[str | None, list[Route]] = {None: []}
    for route in sorted((Route(*each) for each in methods.items()), key=lambda each: -each.literals):
        by_first.setdefault(route.first, []).append(route)

    by_host = any(route.begins_with_bucket for route in by_first[None])

    def read(request: Readable, named: str | None) -> Target:
        below = request.below
        if below[:1] != "/" and below:
            return OTHER
        segments = below[1:].split("/") if below[1:] else []
        routes = by_first.get(segments[0] if segments else None)
        if routes is None:
            routes = by_first[None]
            if by_host and named is not None:
                segments = [named, *segments]
        method = request.method.upper()
        other = None
        for route in routes:
            found = route.match(segments)
            if found is not None:
                # Behind a server that hides %2F several may fit: the method tells some of them apart.
                if method in route.methods:
                    return route.place(found, request.query)
                other = other or route.place(found, request.query)
        return other or OTHER

    return read


def _roles(segments: Sequence[str]) -> list[Role | None]:
    """What each segment of a route says: of bucket and key, nothing, or None for something else."""
    last = {each: at for at, each in enumerate(segments)}
    roles: list[Role | None] = []
    for at, each in enumerate(segments):
        if last[each] == at and each in _NAMING:
            roles.append(_NAMING[each])
        elif each in _COMMON or (each == "o" and segments[at + 1 : at + 2] == ["{object}"]):
            roles.append(_nothing)
        else:
            roles.append(None)
    return roles


def _nothing(value: str) -> tuple[None, None]:
    return None, None


def _bucket(value: str) -> tuple[str | None, str | None]:
    return value or None, None


def _object(value: str) -> tuple[str | None, str | None]:
    return None, value.replace("%2F", "/") or None


def _key(value: str) -> tuple[str | None, str | None]:
    return None, _from_base64(value)


def _entry(value: str) -> tuple[str | None, str | None]:
    bucket, _, key = (_from_base64(value) or "").partition(":")
    return bucket or None, key or None


_NAMING = {"{bucket}": _bucket, "{object}": _object, "{key}": _key, "{entry}": _entry}


def _from_base64(text: str) -> str | None:
    """The text in URL-safe base64, with or without its padding; None where it is none."""
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
        if value and (_decoded(name) if "%" in name else name) in names:
            return value if value.isascii() and value.isalnum() else _decoded(value)
    return None


def _decoded(text: str) -> str:
    from faultinject.http.target import decode_form

    return decode_form(text)


def _fits(segments: Sequence[str], at: int, part: Sequence[str]) -> bool:
    """Whether the literals of a part stand there, and something where its placeholders do."""
    there = segments[at : at + len(part)]
    return len(there) == len(part) and all(
        segment if want[:1] == "{" else segment == want for want, segment in zip(part, there, strict=True)
    )


def _find(segments: Sequence[str], start: int, part: Sequence[str]) -> int:
    """Where a part first stands, or -1."""
    first = part[0] if part else ""
    for at in range(start, len(segments) - len(part) + 1):
        if segments[at] == first and _fits(segments, at, part):
            return at
    return -1

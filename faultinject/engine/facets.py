"""What a request shows that rules are filed under: prefixes and segments of its path, host, headers, parameters, address."""

from __future__ import annotations

from abc import abstractmethod

from faultinject.engine.request import ASGIRequest, WSGIRequest, environ_key, header_name
from faultinject.http.target import decode_form, decode_name
from faultinject.vendors.addressing import HOSTS_REMEMBERED, LONGEST_HOST, split_mount, without_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Protocol, TypeAlias

    from faultinject.engine.request import Request
    from faultinject.vendors.addressing import Addressing

    Place = Mapping[str, Any]
    Found = Sequence[int] | None
    Finder = Callable[[Place], Found]

    class Filed(Protocol):
        """Rules that are filed once more."""

        def finder(self, on: Interface) -> Finder:
            """A function from an environ or a scope to the rules that may match."""

    # Rules of one literal: their numbers, or a node of their own.
    Postings: TypeAlias = "list[int] | Filed"
    PostingsByLiteral = dict[Any, Postings]
    # Postings of many rules: where each of them stands.
    Crowded = list[tuple[dict[Any, Any], Any]]

CROWDED = 8
"""More rules than this of one literal are filed once more."""
# Names of headers that are remembered in the spelling of clients, and the letters of the longest.
_NAMES_REMEMBERED = 1024
_LONGEST_NAME = 64
_NOTHING: PostingsByLiteral = {}


class Interface:
    """Where a WSGI environ or an ASGI scope has what rules are filed under.

    Attributes:
        path: its key of the path.
        mount: its key of the mount point.
        split: mount point and path below it, from the values of the two.
        host: the raw Host header.
        query: the query string.
        headers: makes of the filed names a function to those that are there, each with its value.
        view: the request as rules see it.
    """

    __slots__ = ("headers", "host", "mount", "path", "query", "split", "view")

    def __init__(
        self,
        path: str,
        mount: str,
        split: Callable[[str, str], tuple[str, str]],
        host: Callable[[Place], str | bytes | None],
        query: Callable[[Place], str],
        headers: Callable[
            [dict[str, PostingsByLiteral]], Callable[[Place], Iterable[tuple[PostingsByLiteral, str]]]
        ],
        view: Callable[[Place], Request],
    ) -> None:
        self.path, self.mount, self.split = path, mount, split
        self.host, self.query, self.headers, self.view = host, query, headers, view

    def paths(self, place: Place) -> tuple[str, str]:
        """The whole path and that below the mount point, as the server decoded them."""
        mount, below = self.split(place[self.mount], place.get(self.path, ""))
        if below[:1] in ("/", ""):
            return mount + below, below
        request = self.view(place)
        return request.path, request.below

    def open(self, postings: Postings, place: Place, found: Found) -> Found:
        """What was found so far and what is in one literal's postings, in the order written, each rule once."""
        hit: Found = postings if isinstance(postings, list) else postings.finder(self)(place)
        return found if hit is None else together(hit, found)


def together(found: Sequence[int], more: Found) -> Sequence[int]:
    """Both in the order written, each rule once."""
    return found if more is None else sorted({*found, *more})


class Facet:
    """Rules by one thing that requests show."""

    __slots__ = ()

    @abstractmethod
    def file(self, literal: Any, number: int, crowded: Crowded) -> None:
        """Add a rule; `crowded` is told of postings that hold many."""

    @abstractmethod
    def look(self, on: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""


def _put(by_literal: dict[Any, Any], literal: str | None, number: int, crowded: Crowded) -> None:
    postings = by_literal.get(literal)
    if postings is None:
        by_literal[literal] = [number]
    elif postings[-1] != number:
        postings.append(number)
        if len(postings) == CROWDED + 1:
            crowded.append((by_literal, literal))


class Prefixes(Facet):
    """By the first segments of the path, also below the mount point: a tree; a node's rules stand under None."""

    __slots__ = ("_depth", "_root")

    def __init__(self) -> None:
        self._root: dict[str | None, Any] = {}
        self._depth = 0

    def file(self, literal: str, number: int, crowded: Crowded) -> None:
        """See `Facet.file`."""
        for form in _forms(literal):
            segments = form.split("/")[1:]
            self._depth = max(self._depth, len(segments))
            node = self._root
            for segment in segments:
                node = node.setdefault(segment, {})
            _put(node, None, number, crowded)

    def look(self, on: Interface) -> Finder:
        """See `Facet.look`."""
        root, parts, where, mount, open_postings = self._root, self._depth + 1, on.path, on.mount, on.open

        def by_prefix(place: Place, path: str | None = None) -> Found:
            if path is None:
                if place.get(mount):
                    return mounted(place)
                path = place.get(where, "")
            segments = path.split("/", parts)
            node = root.get(segments[1]) if len(segments) > 1 else None
            if node is None:
                return None
            found = open_postings(node[None], place, None) if None in node else None
            for segment in segments[2:]:
                node = node.get(segment)
                if node is None:
                    break
                if None in node:
                    found = open_postings(node[None], place, found)
            return found

        def mounted(place: Place) -> Found:
            path, below = on.paths(place)
            found, more = by_prefix(place, path), by_prefix(place, below)
            return found if more is None else together(more, found)

        return by_prefix


class Ends(Facet):
    """By the last segment of the path."""

    __slots__ = ("_by_literal",)

    def __init__(self) -> None:
        self._by_literal: PostingsByLiteral = {}

    def file(self, literal: str, number: int, crowded: Crowded) -> None:
        """See `Facet.file`."""
        for form in _forms(literal):
            _put(self._by_literal, form, number, crowded)

    def look(self, on: Interface) -> Finder:
        """See `Facet.look`."""
        by_literal, where, mount = self._by_literal, on.path, on.mount

        def by_end(place: Place) -> Found:
            path = on.paths(place)[0] if place.get(mount) else place.get(where, "")
            postings = by_literal.get(path.rpartition("/")[2])
            return None if postings is None else on.open(postings, place, None)

        return by_end


class Segments(Ends):
    """By any segment of the path."""

    __slots__ = ()

    def look(self, on: Interface) -> Finder:
        """See `Facet.look`."""
        by_literal, where, mount = self._by_literal, on.path, on.mount

        def by_segment(place: Place) -> Found:
            path = on.paths(place)[0] if place.get(mount) else place.get(where, "")
            found: Found = None
            for segment in path.split("/"):
                if segment in by_literal:
                    found = on.open(by_literal[segment], place, found)
            return found

        return by_segment


class Hosts(Facet):
    """By the host, and, with a dot behind it, by its first label: virtual-host style, a bucket begins with it."""

    __slots__ = ("_by_literal",)

    def __init__(self) -> None:
        self._by_literal: PostingsByLiteral = {}

    def file(self, literal: str, number: int, crowded: Crowded) -> None:
        """See `Facet.file`."""
        _put(self._by_literal, literal, number, crowded)

    def look(self, on: Interface) -> Finder:
        """See `Facet.look`."""
        by_literal, raw_host = self._by_literal, on.host
        remembered: dict[str | bytes | None, tuple[Postings, ...]] = {}

        def learn(raw: str | bytes | None) -> tuple[Postings, ...]:
            host = without_port((raw.decode("latin-1") if isinstance(raw, bytes) else raw) or "")
            names = (host, host.partition(".")[0] + ".")
            found = tuple(by_literal[each] for each in names if each in by_literal)
            if raw is None or len(raw) <= LONGEST_HOST:
                if len(remembered) >= HOSTS_REMEMBERED:
                    remembered.clear()
                remembered[raw] = found
            return found

        def by_host(place: Place) -> Found:
            raw = raw_host(place)
            hits = remembered.get(raw)
            if hits is None:
                hits = learn(raw)
            if not hits:
                return None
            found: Found = None
            for postings in hits:
                found = on.open(postings, place, found)
            return found

        return by_host


class Headers(Facet):
    """By the name of a header and its value, or None for any."""

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[str, PostingsByLiteral] = {}

    def file(self, literal: tuple[str, str | None], number: int, crowded: Crowded) -> None:
        """See `Facet.file`."""
        name, value = literal
        _put(self._names.setdefault(name, {}), value, number, crowded)
        if value is not None and not value.isascii():
            # As servers hand out its UTF-8.
            _put(self._names[name], value.encode("utf-8", "replace").decode("latin-1"), number, crowded)

    def look(self, on: Interface) -> Finder:
        """See `Facet.look`."""
        there = on.headers(self._names)

        def by_header(place: Place) -> Found:
            found: Found = None
            for by_literal, value in there(place):
                if value in by_literal:
                    found = on.open(by_literal[value], place, found)
                if None in by_literal:
                    found = on.open(by_literal[None], place, found)
            return found

        return by_header


class Parameters(Headers):
    """By the name of a query parameter and its value, or None for any."""

    __slots__ = ()

    def look(self, on: Interface) -> Finder:
        """See `Facet.look`."""
        names = self._names

        def by_parameter(place: Place) -> Found:
            query = on.query(place)
            found: Found = None
            for pair in query.split("&") if query else ():
                name, _, value = pair.partition("=")
                by_literal = names.get(decode_name(name))
                if by_literal is not None:
                    value = decode_form(value)
                    if value in by_literal:
                        found = on.open(by_literal[value], place, found)
                    if None in by_literal:
                        found = on.open(by_literal[None], place, found)
            return found

        return by_parameter


class Addresses(Facet):
    """By bucket, key and operation as a vendor reads them."""

    __slots__ = ("_read",)

    def __init__(self) -> None:
        self._read: dict[Addressing, tuple[PostingsByLiteral, PostingsByLiteral, PostingsByLiteral]] = {}

    def file(self, literal: tuple[Addressing, int, str], number: int, crowded: Crowded) -> None:
        """See `Facet.file`."""
        how, which, text = literal
        _put(self._read.setdefault(how, ({}, {}, {}))[which], text, number, crowded)

    def look(self, on: Interface) -> Finder:
        """See `Facet.look`."""
        read = [(how, *by_literal) for how, by_literal in self._read.items()]

        def by_address(place: Place) -> Found:
            found: Found = None
            request = on.view(place)
            for how, buckets, keys, operations in read:
                if buckets or keys:
                    bucket, key = how.read_address(request)
                    if bucket in buckets:
                        found = on.open(buckets[bucket], place, found)
                    if key in keys:
                        found = on.open(keys[key], place, found)
                if operations and (operation := how.operation(request)) in operations:
                    found = on.open(operations[operation], place, found)
            return found

        return by_address


def _host_in_environ(environ: Place) -> str | None:
    return environ.get("HTTP_HOST")


def _host_in_scope(scope: Place) -> bytes | None:
    headers = scope["headers"]
    # Clients send Host first.
    if headers and headers[0][0] == b"host":
        first: bytes = headers[0][1]
        return first
    return next((value for name, value in headers if name == b"host"), None)


def _query_in_environ(environ: Place) -> str:
    query: str = environ.get("QUERY_STRING", "")
    return query


def _query_in_scope(scope: Place) -> str:
    query = scope.get("query_string")
    return query.decode("latin-1") if query else ""


def _headers_in_environ(
    names: dict[str, PostingsByLiteral],
) -> Callable[[Place], Iterable[tuple[PostingsByLiteral, str]]]:
    filed = {environ_key(name): by_literal for name, by_literal in names.items()}

    def there(environ: Place) -> list[tuple[PostingsByLiteral, str]]:
        fewer = filed if len(filed) <= len(environ) else environ
        return [(filed[key], environ[key]) for key in fewer if key in environ and key in filed]

    return there


def _headers_in_scope(
    names: dict[str, PostingsByLiteral],
) -> Callable[[Place], Iterable[tuple[PostingsByLiteral, str]]]:
    remembered: dict[bytes, PostingsByLiteral] = {}

    def learn(raw: bytes) -> PostingsByLiteral:
        found = names.get(header_name(raw), _NOTHING)
        if len(raw) <= _LONGEST_NAME:
            if len(remembered) >= _NAMES_REMEMBERED:
                remembered.clear()
            remembered[raw] = found
        return found

    def there(scope: Place) -> list[tuple[PostingsByLiteral, str]]:
        found = []
        for raw, value in scope["headers"]:
            by_literal = remembered.get(raw)
            if by_literal is None:
                by_literal = learn(raw)
            if by_literal:
                found.append((by_literal, value.decode("latin-1")))
        return found

    return there


def _joined(mount: str, path: str) -> tuple[str, str]:
    return mount, path


ENVIRON = Interface(
    path="PATH_INFO",
    mount="SCRIPT_NAME",
    split=_joined,
    host=_host_in_environ,
    query=_query_in_environ,
    headers=_headers_in_environ,
    view=WSGIRequest,
)
SCOPE = Interface(
    path="path",
    mount="root_path",
    split=split_mount,
    host=_host_in_scope,
    query=_query_in_scope,
    headers=_headers_in_scope,
    view=ASGIRequest,
)


def shows(text: str) -> bool:
    """Whether a text of a path stands in what a server decoded, wherever it stands in the path that rules see.

    There `%2F` is kept apart, and what is no UTF-8 or no byte is replaced.
    """
    if not text.isascii() and any(each == "\ufffd" or "\ud800" <= each <= "\udfff" for each in text):
        return False
    return "?" not in text and ("%" not in text or "%2F" not in text.upper())


def _forms(text: str) -> tuple[str, ...]:
    """A part of a path as servers hand it out: WSGI has UTF-8 as Latin-1."""
    return (text,) if text.isascii() else (text, text.encode().decode("latin-1"))

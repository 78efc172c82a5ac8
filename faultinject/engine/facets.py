"""What a request shows that rules are filed under: the first segments of its path, its host, and values that its view reads."""

from __future__ import annotations

from faultinject.engine.request import ASGIRequest, WSGIRequest
from faultinject.vendors.addressing import HOSTS_REMEMBERED, LONGEST_HOST, split_mount, without_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from faultinject.engine.request import Request

    Place = Mapping[str, Any]
    Found = Sequence[int] | None
    Finder = Callable[[Place], Found]
    # By a literal the numbers of the rules that have it, in the order written.
    Postings = dict[str | None, list[int]]


class Interface:
    """Where a WSGI environ or an ASGI scope has what rules are filed under.

    Attributes:
        path: its key of the path.
        mount: its key of the mount point.
        split: mount point and path below it, from the values of the two.
        host: the raw Host header.
        view: the request as rules see it.
    """

    __slots__ = ("host", "mount", "path", "split", "view")

    def __init__(
        self,
        path: str,
        mount: str,
        split: Callable[[str, str], tuple[str, str]],
        host: Callable[[Place], str | bytes | None],
        view: Callable[[Place], Request],
    ) -> None:
        self.path, self.mount, self.split, self.host, self.view = path, mount, split, host, view

    def paths(self, place: Place) -> tuple[str, str]:
        """The whole path and that below the mount point, as the server decoded them."""
        mount, below = self.split(place[self.mount], place.get(self.path, ""))
        if below[:1] in ("/", ""):
            return mount + below, below
        request = self.view(place)
        return request.path, request.below


def together(found: Sequence[int], more: Found) -> Sequence[int]:
    """Both in the order written, each rule once."""
    return found if more is None else sorted({*found, *more})


def _put(postings: dict[Any, list[int]], literal: str | None, number: int) -> None:
    numbers = postings.setdefault(literal, [])
    if numbers[-1:] != [number]:
        numbers.append(number)


class Prefixes:
    """By the first segments of the path, also below the mount point: a tree; a node's rules stand under None."""

    __slots__ = ("_depth", "_root")

    def __init__(self) -> None:
        self._root: dict[str | None, Any] = {}
        self._depth = 0

    def file(self, literal: str, number: int) -> None:
        """Add a rule."""
        # WSGI has UTF-8 as Latin-1.
        forms = (literal,) if literal.isascii() else (literal, literal.encode().decode("latin-1"))
        for form in forms:
            segments = form.split("/")[1:]
            self._depth = max(self._depth, len(segments))
            node = self._root
            for segment in segments:
                node = node.setdefault(segment, {})
            _put(node, None, number)

    def look(self, on: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        root, parts, where, mount = self._root, self._depth + 1, on.path, on.mount

        def by_prefix(place: Place, path: str | None = None) -> Found:
            if path is None:
                if place.get(mount):
                    return mounted(place)
                path = place.get(where, "")
            segments = path.split("/", parts)
            node = root.get(segments[1]) if len(segments) > 1 else None
            if node is None:
                return None
            found: Found = node.get(None)
            for segment in segments[2:]:
                node = node.get(segment)
                if node is None:
                    break
                if None in node:
                    found = together(node[None], found)
            return found

        def mounted(place: Place) -> Found:
            path, below = on.paths(place)
            found, more = by_prefix(place, path), by_prefix(place, below)
            return found if more is None else together(more, found)

        return by_prefix


class Hosts:
    """By the host, and, with a dot behind it, by its first label: virtual-host style, a bucket begins with it."""

    __slots__ = ("_postings",)

    def __init__(self) -> None:
        self._postings: Postings = {}

    def file(self, literal: str, number: int) -> None:
        """Add a rule."""
        _put(self._postings, literal, number)

    def look(self, on: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        postings, raw_host = self._postings, on.host
        remembered: dict[str | bytes | None, list[int]] = {}

        def learn(raw: str | bytes | None) -> list[int]:
            host = without_port((raw.decode("latin-1") if isinstance(raw, bytes) else raw) or "")
            found = sorted({*postings.get(host, ()), *postings.get(host.partition(".")[0] + ".", ())})
            if raw is None or len(raw) <= LONGEST_HOST:
                if len(remembered) >= HOSTS_REMEMBERED:
                    remembered.clear()
                remembered[raw] = found
            return found

        def by_host(place: Place) -> Found:
            raw = raw_host(place)
            found = remembered.get(raw)
            return (learn(raw) if found is None else found) or None

        return by_host


class Values:
    """By whatever else a rule asks for by its very value: a function reads it off the request's view."""

    __slots__ = ("_read",)

    def __init__(self) -> None:
        self._read: dict[tuple[str, Any], Postings] = {}

    def file(self, literal: tuple[tuple[str, Any], str], number: int) -> None:
        """Add a rule."""
        what, value = literal
        _put(self._read.setdefault(what, {}), value, number)

    def look(self, on: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        view = on.view
        reads = [(READS[word], which, postings) for (word, which), postings in self._read.items()]

        def by_value(place: Place) -> Found:
            found: Found = None
            request = view(place)
            for read, which, postings in reads:
                for value in read(request, which):
                    if value in postings:
                        found = together(postings[value], found)
            return found

        return by_value


if TYPE_CHECKING:
    Facet = Prefixes | Hosts | Values

READS: dict[str, Callable[[Request, Any], Sequence[str | None]]] = {
    "bucket": lambda request, how: how.read_address(request)[:1],
    "key": lambda request, how: how.read_address(request)[1:],
    "operation": lambda request, how: (how.operation(request),),
    "header": lambda request, name: request.header(name),
    "query": lambda request, name: request.query_values(name),
}
"""What is read of a request: of bucket, key and operation `which` says how (`Addressing`), of the others it is the name."""


def _host_in_environ(environ: Place) -> str | None:
    return environ.get("HTTP_HOST")


def _host_in_scope(scope: Place) -> bytes | None:
    headers = scope["headers"]
    # Clients send Host first.
    if headers and headers[0][0] == b"host":
        first: bytes = headers[0][1]
        return first
    return next((value for name, value in headers if name == b"host"), None)


def _joined(mount: str, path: str) -> tuple[str, str]:
    return mount, path


ENVIRON = Interface("PATH_INFO", "SCRIPT_NAME", _joined, _host_in_environ, WSGIRequest)
SCOPE = Interface("path", "root_path", split_mount, _host_in_scope, ASGIRequest)


def shows(text: str) -> bool:
    """Whether a text of a path stands in what a server decoded, wherever it stands in the path that rules see.

    There `%2F` is kept apart, and what is no UTF-8 or no byte is replaced.
    """
    if not text.isascii() and any(each == "\ufffd" or "\ud800" <= each <= "\udfff" for each in text):
        return False
    return "?" not in text and ("%" not in text or "%2F" not in text.upper())

"""The way from a request to the few rules that may match it, whatever their number.

Every rule is filed under a literal that a request which matches it must show: the first whole segments of its path, its
bucket, its host, another segment, a header, a parameter, its key or its operation. Where many rules have the same
literal, they are filed once more among themselves, under another literal of theirs. A rule without any is looked at for
every request of its methods, which its operations tell where it does not. A request is looked up in what some rule is
filed under, and in nothing else. The index answers with a superset: what it leaves out cannot match, what it hands out
is checked in full.
"""

from __future__ import annotations

from abc import abstractmethod
from itertools import product

from faultinject.engine.request import ASGIRequest, WSGIRequest, environ_key, header_name
from faultinject.http.patterns import literal_prefix
from faultinject.http.target import decode_form, decode_name
from faultinject.vendors.addressing import HOSTS_REMEMBERED, LONGEST_HOST, split_mount, without_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, TypeAlias

    from faultinject.engine.compiled_rule import RuleLike
    from faultinject.engine.request import Request
    from faultinject.vendors.addressing import Addressing
    from faultinject.vendors.vendor import Vendor

    Place = Mapping[str, Any]
    Found = Sequence[int] | None
    Finder = Callable[[Place], Found]
    # Rules of one literal: their numbers, or a shelf of their own.
    Drawer: TypeAlias = "list[int] | Shelf"
    Drawers = dict[Any, Drawer]
    # Drawers that hold many rules: where each stands.
    Crowded = list[tuple[dict[Any, Any], Any]]
    # Literals of a rule, of which a request that matches it shows at least one.
    Handle = Iterable[tuple[type["Facet"], Any]]
    Methods = dict[tuple[str, ...], frozenset[str]]

# More methods than this tell nothing apart, and each costs a shelf of its own.
_MOST_METHODS = 16
# Letters up to which a method is known in every mixture of cases; a longer one is also looked for among the others.
_ALL_CASES = 8
# More rules than this in one drawer are filed once more.
_CROWDED = 8
# Segments of a pattern that its rule may be filed under.
_MOST_SEGMENTS = 4
# Names of headers that are remembered in the spelling of clients, and the letters of the longest.
_NAMES_REMEMBERED = 1024
_LONGEST_NAME = 64
_NOTHING: Drawers = {}


class Index:
    """All rules of a plan, filed.

    `environ` and `scope` give the finder of a method; the defaults serve the other methods, None where no rule
    is for them. A finder returns None when no rule can match.

    Args:
        rules: in the order written; what is found are their numbers.
        reading: how requests are read as a vendor's.
        record_all: find an empty sequence instead of None, so that every request is looked at.
    """

    __slots__ = ("environ", "environ_default", "scope", "scope_default")

    environ_default: Finder | None
    scope_default: Finder | None

    def __init__(
        self,
        rules: Sequence[RuleLike],
        reading: Callable[[Vendor | None], Addressing],
        *,
        record_all: bool = False,
    ) -> None:
        known: Methods = {}
        asked = [_methods(rule, reading, known) for rule in rules]
        methods = {each for some in {*asked} if some for each in some}
        if len(methods) > _MOST_METHODS:
            methods = set()
        numbers: dict[str, list[int]] = {method: [] for method in methods}
        other: list[int] = []
        everywhere = [*numbers.values(), other]
        any_method = False
        long = {each for each in methods if len(each) > _ALL_CASES}
        for number, wanted in enumerate(asked):
            if wanted is None or not methods:
                any_method = True
                for each in everywhere:
                    each.append(number)
            else:
                for method in wanted:
                    numbers[method].append(number)
                if not long.isdisjoint(wanted):
                    any_method = True
                    other.append(number)

        crowded: dict[int, list[Handle]] = {}

        def handle(number: int, depth: int) -> Handle | None:
            if depth == 0:
                return next(_handles(rules[number], reading), None)
            if number not in crowded:
                crowded[number] = list(_handles(rules[number], reading))
            return crowded[number][depth] if depth < len(crowded[number]) else None

        ready = _never_nothing if record_all else _as_it_is
        self.environ: dict[str, Finder] = {}
        self.scope: dict[str, Finder] = {}
        for method, some in numbers.items():
            shelf = Shelf(some, handle)
            in_environ, in_scope = ready(shelf.finder(ENVIRON)), ready(shelf.finder(SCOPE))
            for spelling in _spellings(method):
                self.environ[spelling] = in_environ
                self.scope[spelling] = in_scope
        anything = any_method or record_all
        shelf = Shelf(other, handle)
        self.environ_default = ready(shelf.finder(ENVIRON)) if anything else None
        self.scope_default = ready(shelf.finder(SCOPE)) if anything else None


def _methods(
    rule: RuleLike, reading: Callable[[Vendor | None], Addressing], known: Methods
) -> frozenset[str] | None:
    """The methods that a rule is for; None: any. `known` remembers those of texts: many rules have the same."""
    conditions = rule.conditions
    methods = None
    if "method" in conditions:
        texts = conditions["method"]
        if texts in known:
            methods = known[texts]
        elif not any("*" in each for each in texts):
            methods = known[texts] = frozenset(each.upper().removeprefix("=") for each in texts)
    if "operation" in conditions:
        operations = reading(rule.vendor).operations
        possible = operations.methods(operations.meant(conditions["operation"]))
        return possible if methods is None else methods & possible
    return methods


def _as_it_is(find: Finder) -> Finder:
    return find


def _never_nothing(find: Finder) -> Finder:
    return lambda place: find(place) or ()


def _spellings(method: str) -> set[str]:
    """Every case of a method: the first look must be one look into a dict."""
    if len(method) > _ALL_CASES:
        return {method, method.lower(), method.title()}
    return {"".join(letters) for letters in product(*({each.upper(), each.lower()} for each in method))}


def _handles(rule: RuleLike, reading: Callable[[Vendor | None], Addressing]) -> Iterator[Handle]:
    """The literals of a rule; what costs a request least to be looked up by comes first."""
    conditions = rule.conditions
    how = None
    paths = conditions.get("path", ())
    prefixes = [_prefix(each) for each in paths]
    if not all(prefixes):
        prefixes = []
    if prefixes:
        yield [(Prefixes, each) for each in prefixes]
    if "bucket" in conditions or "key" in conditions or "operation" in conditions:
        how = reading(rule.vendor)
    buckets = _plain_literals(conditions.get("bucket", ()))
    in_path = how is not None and how.s3
    named = in_path and bool(buckets) and all(each.isascii() and _shows(each) for each in buckets)
    if named:
        # A Host is looked up by its first label, which may be but a part of the bucket's name.
        labels = [(Hosts, each.partition(".")[0] + ".") for each in buckets]
        yield [*((Prefixes, f"/{each}") for each in buckets), *labels]
    hosts = _plain_literals(conditions.get("host", ()))
    if hosts and all(map(str.isascii, hosts)):
        yield [(Hosts, each.lower()) for each in hosts]
    if paths:
        # What belongs to a prefix tells no more.
        behind = [each.count("/") for each in prefixes] or [0] * len(paths)
        yield from _by_segments([_segments(*each) for each in zip(paths, behind, strict=True)])
    keys = conditions.get("key", ())
    if keys and in_path:
        yield from _by_segments([_segments(each) for each in keys])
    for kind, word in ((Headers, "header."), (Parameters, "query.")):
        for key, texts in conditions.items():
            if key.startswith(word):
                # Whatever value is asked for, the name must be there.
                values: Sequence[str | None] = _plain_literals(texts) if "" not in texts else ()
                yield [(kind, (key[len(word) :], each)) for each in values or (None,)]
    if how is not None:
        if buckets and not named:
            yield [(Addresses, (how, 0, each)) for each in buckets]
        literal = _plain_literals(keys)
        if literal and not any(each[:1] != "=" and ("?" in each or each[-1] == "/") for each in keys):
            yield [(Addresses, (how, 1, each)) for each in literal]
        if "operation" in conditions:
            meant = how.operations.meant(conditions["operation"])
            yield [(Addresses, (how, 2, each)) for each in meant]


def _plain_literals(texts: Sequence[str]) -> Sequence[str]:
    """What patterns in which `*` matches anything stand for; nothing where one of them has a `*`."""
    if any("*" in each and each[:1] != "=" for each in texts):
        return ()
    return [each.removeprefix("=") for each in texts]


def _prefix(pattern: str) -> str:
    """The whole segments that a path pattern begins with, as far as they show in what a server decoded."""
    prefix = literal_prefix(pattern)[0]
    return prefix if _shows(prefix) else ""


def _by_segments(found: Sequence[list[tuple[type[Facet], str]]]) -> Iterator[Handle]:
    """One segment of each pattern at a time."""
    if all(found):
        for depth in range(min(max(map(len, found)), _MOST_SEGMENTS)):
            yield [each[min(depth, len(each) - 1)] for each in found]


def _segments(pattern: str, behind: int = 0) -> list[tuple[type[Facet], str]]:
    """The literal segments of a path pattern behind its first few, from the end."""
    exactly = pattern[:1] == "="
    segments = pattern.removeprefix("=").removeprefix("/").split("/")[behind:]
    fixed = [each for each in segments if each and _shows(each) and (exactly or "*" not in each)]
    found: list[tuple[type[Facet], str]] = [(Segments, each) for each in reversed(fixed)]
    if fixed and fixed[-1] == segments[-1]:
        found[0] = (Ends, fixed[-1])
    return found


def _shows(text: str) -> bool:
    """Whether a text of a path stands in what a server decoded, wherever it stands in the path that rules see.

    There `%2F` is kept apart, and what is no UTF-8 or no byte is replaced.
    """
    if not text.isascii() and any(each == "\ufffd" or "\ud800" <= each <= "\udfff" for each in text):
        return False
    return "?" not in text and ("%" not in text or "%2F" not in text.upper())


def _forms(text: str) -> tuple[str, ...]:
    """A part of a path as servers hand it out: WSGI has UTF-8 as Latin-1."""
    return (text,) if text.isascii() else (text, text.encode().decode("latin-1"))


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
        headers: Callable[[dict[str, Drawers]], Callable[[Place], Iterable[tuple[Drawers, str]]]],
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

    def open(self, drawer: Drawer, place: Place, found: Found) -> Found:
        """What was found so far and what is in a drawer, in the order written, each rule once."""
        hit: Found = drawer if isinstance(drawer, list) else drawer.finder(self)(place)
        return found if hit is None else _together(hit, found)


class Shelf:
    """Rules, each filed under one handle of its own.

    Args:
        numbers: the rules' numbers, in the order written.
        handle: the handles of a rule, by its number and from 0; None when there are no more.
        depth: which handle is meant.
    """

    __slots__ = ("_always", "_facets", "_finders")

    def __init__(
        self, numbers: Iterable[int], handle: Callable[[int, int], Handle | None], depth: int = 0
    ) -> None:
        self._always: list[int] = []
        self._facets: dict[type[Facet], Facet] = {}
        self._finders: dict[Interface, Finder] = {}
        facets = self._facets
        crowded: Crowded = []
        for number in numbers:
            literals = handle(number, depth)
            if literals is None:
                self._always.append(number)
                continue
            for kind, literal in literals:
                facet = facets.get(kind)
                if facet is None:
                    facet = facets[kind] = kind()
                facet.file(literal, number, crowded)
        for drawers, literal in crowded:
            inner = Shelf(drawers[literal], handle, depth + 1)
            if inner._facets:
                drawers[literal] = inner

    def finder(self, on: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        found = self._finders.get(on)
        if found is None:
            found = self._finders[on] = self._finder(on)
        return found

    def _finder(self, on: Interface) -> Finder:
        always = self._always or None
        looks = [facet.look(on) for facet in self._facets.values()]
        if not looks:
            return lambda _: always
        if len(looks) == 1 and not always:
            return looks[0]
        if len(looks) == 2 and not always:
            first, second = looks

            def by_both(place: Place) -> Found:
                found, more = first(place), second(place)
                return found if more is None else _together(more, found)

            return by_both

        def by_all(place: Place) -> Found:
            found: Found = always
            for look in looks:
                more = look(place)
                if more is not None:
                    found = _together(more, found)
            return found

        return by_all


def _together(found: Sequence[int], more: Found) -> Sequence[int]:
    """Both in the order written, each rule once."""
    return found if more is None else sorted({*found, *more})


class Facet:
    """Rules by one thing that requests show."""

    __slots__ = ()

    @abstractmethod
    def file(self, literal: Any, number: int, crowded: Crowded) -> None:
        """Add a rule; `crowded` is told of a drawer that holds many."""

    @abstractmethod
    def look(self, on: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""


def _put(drawers: dict[Any, Any], literal: str | None, number: int, crowded: Crowded) -> None:
    drawer = drawers.get(literal)
    if drawer is None:
        drawers[literal] = [number]
    elif drawer[-1] != number:
        drawer.append(number)
        if len(drawer) == _CROWDED + 1:
            crowded.append((drawers, literal))


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
        root, parts, where, mount, open_drawer = self._root, self._depth + 1, on.path, on.mount, on.open

        def by_prefix(place: Place, path: str | None = None) -> Found:
            if path is None:
                if place.get(mount):
                    return mounted(place)
                path = place.get(where, "")
            segments = path.split("/", parts)
            node = root.get(segments[1]) if len(segments) > 1 else None
            if node is None:
                return None
            found = open_drawer(node[None], place, None) if None in node else None
            for segment in segments[2:]:
                node = node.get(segment)
                if node is None:
                    break
                if None in node:
                    found = open_drawer(node[None], place, found)
            return found

        def mounted(place: Place) -> Found:
            path, below = on.paths(place)
            found, more = by_prefix(place, path), by_prefix(place, below)
            return found if more is None else _together(more, found)

        return by_prefix


class Ends(Facet):
    """By the last segment of the path."""

    __slots__ = ("_drawers",)

    def __init__(self) -> None:
        self._drawers: Drawers = {}

    def file(self, literal: str, number: int, crowded: Crowded) -> None:
        """See `Facet.file`."""
        for form in _forms(literal):
            _put(self._drawers, form, number, crowded)

    def look(self, on: Interface) -> Finder:
        """See `Facet.look`."""
        drawers, where, mount = self._drawers, on.path, on.mount

        def by_end(place: Place) -> Found:
            path = on.paths(place)[0] if place.get(mount) else place.get(where, "")
            drawer = drawers.get(path.rpartition("/")[2])
            return None if drawer is None else on.open(drawer, place, None)

        return by_end


class Segments(Ends):
    """By any segment of the path."""

    __slots__ = ()

    def look(self, on: Interface) -> Finder:
        """See `Facet.look`."""
        drawers, where, mount = self._drawers, on.path, on.mount

        def by_segment(place: Place) -> Found:
            path = on.paths(place)[0] if place.get(mount) else place.get(where, "")
            found: Found = None
            for segment in path.split("/"):
                if segment in drawers:
                    found = on.open(drawers[segment], place, found)
            return found

        return by_segment


class Hosts(Facet):
    """By the host, and, with a dot behind it, by its first label: virtual-host style, a bucket begins with it."""

    __slots__ = ("_drawers",)

    def __init__(self) -> None:
        self._drawers: Drawers = {}

    def file(self, literal: str, number: int, crowded: Crowded) -> None:
        """See `Facet.file`."""
        _put(self._drawers, literal, number, crowded)

    def look(self, on: Interface) -> Finder:
        """See `Facet.look`."""
        drawers, raw_host = self._drawers, on.host
        remembered: dict[str | bytes | None, tuple[Drawer, ...]] = {}

        def learn(raw: str | bytes | None) -> tuple[Drawer, ...]:
            host = without_port((raw.decode("latin-1") if isinstance(raw, bytes) else raw) or "")
            names = (host, host.partition(".")[0] + ".")
            found = tuple(drawers[each] for each in names if each in drawers)
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
            for drawer in hits:
                found = on.open(drawer, place, found)
            return found

        return by_host


class Headers(Facet):
    """By the name of a header and its value, or None for any."""

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[str, Drawers] = {}

    def file(self, literal: tuple[str, str | None], number: int, crowded: Crowded) -> None:
        """See `Facet.file`."""
        name, value = literal
        _put(self._names.setdefault(name, {}), value, number, crowded)

    def look(self, on: Interface) -> Finder:
        """See `Facet.look`."""
        there = on.headers(self._names)

        def by_header(place: Place) -> Found:
            found: Found = None
            for drawers, value in there(place):
                if value in drawers:
                    found = on.open(drawers[value], place, found)
                if None in drawers:
                    found = on.open(drawers[None], place, found)
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
                drawers = names.get(decode_name(name))
                if drawers is not None:
                    value = decode_form(value)
                    if value in drawers:
                        found = on.open(drawers[value], place, found)
                    if None in drawers:
                        found = on.open(drawers[None], place, found)
            return found

        return by_parameter


class Addresses(Facet):
    """By bucket, key and operation as a vendor reads them."""

    __slots__ = ("_read",)

    def __init__(self) -> None:
        self._read: dict[Addressing, tuple[Drawers, Drawers, Drawers]] = {}

    def file(self, literal: tuple[Addressing, int, str], number: int, crowded: Crowded) -> None:
        """See `Facet.file`."""
        how, which, text = literal
        _put(self._read.setdefault(how, ({}, {}, {}))[which], text, number, crowded)

    def look(self, on: Interface) -> Finder:
        """See `Facet.look`."""
        read = [(how, *drawers) for how, drawers in self._read.items()]

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


def _headers_in_environ(names: dict[str, Drawers]) -> Callable[[Place], Iterable[tuple[Drawers, str]]]:
    filed = {environ_key(name): drawers for name, drawers in names.items()}

    def there(environ: Place) -> list[tuple[Drawers, str]]:
        fewer = filed if len(filed) <= len(environ) else environ
        return [(filed[key], environ[key]) for key in fewer if key in environ and key in filed]

    return there


def _headers_in_scope(names: dict[str, Drawers]) -> Callable[[Place], Iterable[tuple[Drawers, str]]]:
    remembered: dict[bytes, Drawers] = {}

    def learn(raw: bytes) -> Drawers:
        found = names.get(header_name(raw), _NOTHING)
        if len(raw) <= _LONGEST_NAME:
            if len(remembered) >= _NAMES_REMEMBERED:
                remembered.clear()
            remembered[raw] = found
        return found

    def there(scope: Place) -> list[tuple[Drawers, str]]:
        found = []
        for raw, value in scope["headers"]:
            drawers = remembered.get(raw)
            if drawers is None:
                drawers = learn(raw)
            if drawers:
                found.append((drawers, value.decode("latin-1")))
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
